//! Pictures that wait for callers in files without a name, where memory is short.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use repaint_core::{Image, Kept};
use tokio::sync::OwnedSemaphorePermit;

use crate::spill::Spill;

/// Pictures whose bytes are in a file.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) images: Vec<Shelved>,
}

/// A picture whose bytes are in a file.
#[derive(Debug)]
pub(crate) struct Shelved {
    /// The picture without its bytes.
    pub(crate) image: Image,
    /// Where they are.
    pub(crate) kept: Kept,
    /// Whether they are base64.
    pub(crate) is_base64: bool,
}

impl Shelf {
    /// Puts pictures into a file; `room` is what they take of all files together. Waits for the disk.
    pub(crate) fn new(images: &[Image], room: OwnedSemaphorePermit) -> io::Result<Self> {
        let file = Arc::new(Spill::new(room)?);
        let mut at = 0;
        let mut shelved = Vec::with_capacity(images.len());
        for image in images {
            let (bytes, is_base64) = match &image.base64 {
                Some(base64) => (base64, true),
                None => (&image.bytes, false),
            };
            file.add(bytes)?;
            let length = bytes.len() as u64;
            let kept = Kept::new(Arc::clone(&file) as _, at, length);
            at += length;
            let image = Image { bytes: Bytes::new(), base64: None, ..image.clone() };
            shelved.push(Shelved { image, kept, is_base64 });
        }
        Ok(Self { images: shelved })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn pictures_come_back_as_they_were_and_give_their_room_back() {
        let image = |bytes: Vec<u8>, address: Option<&str>| Image {
            media_type: None,
            bytes: bytes.into(),
            base64: None,
            address: address.map(str::to_owned),
        };
        let images = vec![
            image(vec![1; 300_000], None),
            image(Vec::new(), Some("https://a.example/1.png")),
            image(vec![2; 7], None),
            Image { base64: Some(Bytes::from_static(b"AAAA")), ..image(Vec::new(), None) },
        ];
        let files = Budget::new(1 << 20);
        let shelf = Shelf::new(&images, files.try_count(300_011).expect("room")).expect("a file");
        assert!(0 < files.used());
        assert_eq!(shelf.images.len(), 4);
        for (image, back) in images.iter().zip(&shelf.images) {
            assert_eq!(back.is_base64, image.base64.is_some());
            let bytes = image.base64.as_ref().unwrap_or(&image.bytes);
            assert_eq!(back.kept.whole().expect("read"), bytes[..]);
            assert_eq!(back.image.address, image.address);
        }
        drop(shelf);
        assert_eq!(files.used(), 0);
    }
}
