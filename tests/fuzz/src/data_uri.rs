//! Images in addresses: what is taken has the bytes that another library reads there.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use repaint_core::{Base64Reader, ImageFacts, ImageInput, ImageSource, Kept};

use crate::{assert_short, swollen};

/// Reads a text as an address, and other bytes as a picture in one.
pub fn data_uri(bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => address(std::str::from_utf8(&swollen(text.as_bytes())).expect("text")),
        Err(_) => address(&format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes))),
    }
}

fn address(text: &str) {
    let read = ImageInput::from_address(text);
    let quoted = serde_json::to_string(text).expect("a text");
    assert_eq!(read.is_ok(), serde_json::from_str::<ImageInput>(&quoted).is_ok());
    let Some(data) = text.strip_prefix("data:").and_then(|it| it.split_once(',')) else {
        match read {
            Ok(image) => assert!(matches!(image.source(), ImageSource::Url(it) if **it == *text)),
            Err(err) => assert_short(&err.to_string()),
        }
        return;
    };
    let (head, base64) = data;
    let decoded = BASE64_STANDARD.decode(base64);
    let outside = kept(base64);
    let image = match read {
        Ok(image) => image,
        Err(err) => {
            assert_short(err.message());
            let good = decoded.ok().is_some_and(|it| ImageFacts::of(&it).is_ok());
            assert!(!(good && head.starts_with("image/") && head.ends_with(";base64")), "{err}");
            return;
        }
    };
    let decoded = decoded.expect("what is taken is base64 to others, too");
    assert_eq!(image.facts(), ImageFacts::of(&decoded).ok());
    assert!(matches!(image.source(), ImageSource::Base64(it) if *it == base64.as_bytes()));
    let outside = outside.expect("outside memory it is the same");
    assert_eq!(outside.facts(), image.facts());
    assert_short(&format!("{image:?} {} {:?}", image.label(), image.source()));

    let json = serde_json::to_string(&image).expect("it has JSON");
    let again: ImageInput = serde_json::from_str(&json).expect("it is read again");
    assert!(again == image, "written down and read again it is another");
}

fn kept(base64: &str) -> repaint_core::Result<ImageInput> {
    let keep = Arc::new(Bytes::copy_from_slice(base64.as_bytes()));
    let mut reader = Base64Reader::new(&[7; 16]);
    // Pieces of a length that no group of four has.
    base64.as_bytes().chunks(1021).for_each(|it| reader.piece(it));
    ImageInput::kept(Kept::new(keep, 0, base64.len() as u64), reader.finish())
}
