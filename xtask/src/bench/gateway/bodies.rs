//! The bodies that callers send: a small one, and those with four pictures in them.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use super::super::random::Random;

const MODEL: &str = "black-forest-labs/FLUX.2-dev";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes them all into a folder.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (large, slow) = (images(1_500_000), images(2_000_000));
    let rest = r#""prompt":"make it night","response_format":"base64""#;
    for (name, body) in [
        ("small", format!(r#"{{"model":"{MODEL}","prompt":"make it night"}}"#)),
        ("large", format!(r#"{{"model":"{MODEL}",{rest},"reference_images":{large}}}"#)),
        ("late", format!(r#"{{"reference_images":{large},{rest},"model":"{MODEL}"}}"#)),
        // The first offer by price, FLUX.2 [dev], does not take it, so another at the same place is asked.
        (
            "replay",
            format!(
                r#"{{"model":"flux2","policy":{{"providers":{{"allow":["together"]}}}},{rest},"reference_images":{large}}}"#
            ),
        ),
        ("slow", format!(r#"{{"model":"{MODEL}",{rest},"reference_images":{slow}}}"#)),
    ] {
        fs::write(folder.join(format!("{name}.json")), body)?;
    }
    Ok(())
}

/// A JSON list of four data URIs of so many characters of base64: the head of a JPEG, random bytes, its end.
fn images(base64: usize) -> String {
    let mut list = String::from("[");
    for index in 0..4_u64 {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8];
        bytes.extend([1024_u16.to_be_bytes(), 1024_u16.to_be_bytes()].concat());
        bytes.extend([1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
        let fill = base64 / 4 * 3 - bytes.len() - 2;
        bytes.extend(Random::new(index + 2).take(fill));
        bytes.extend([0xff, 0xd9]);
        let text: String = bytes.chunks(3).flat_map(group).map(char::from).collect();
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(list, r#"{comma}"data:image/jpeg;base64,{text}""#);
    }
    list.push(']');
    list
}

/// Three bytes in base64.
fn group(bytes: &[u8]) -> [u8; 4] {
    let bits = bytes.iter().fold(0_u32, |sum, it| sum << 8 | u32::from(*it));
    [18, 12, 6, 0].map(|it| ALPHABET[(bits >> it) as usize & 63])
}
