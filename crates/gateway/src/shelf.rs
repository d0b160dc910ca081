//! Pictures that wait for callers in files without a name, where memory is short.

use std::io;
use std::sync::Arc;

use repaint_core::{Image, Kept};
use tokio::sync::OwnedSemaphorePermit;

use crate::spill::Spill;

/// Pictures whose bytes are in a file.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// The pictures without their bytes, and where in the file those are.
    pub(crate) images: Vec<(Image, Kept)>,
}

impl Shelf {
    /// Puts pictures into a file; `room` is what they take of all files together. Waits for the disk.
    pub(crate) fn new(images: &[Image], room: OwnedSemaphorePermit) -> io::Result<Self> {
        let file = Arc::new(Spill::new(room)?);
        let mut at = 0;
        let mut shelved = Vec::with_capacity(images.len());
        for image in images {
            file.add(&image.bytes)?;
            let length = image.bytes.len() as u64;
            let kept = Kept::new(Arc::clone(&file) as _, at, length);
            at += length;
            shelved.push((Image { bytes: bytes::Bytes::new(), ..image.clone() }, kept));
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
            address: address.map(str::to_owned),
        };
        let images = vec![
            image(vec![1; 300_000], None),
            image(Vec::new(), Some("https://a.example/1.png")),
            image(vec![2; 7], None),
        ];
        let files = Budget::new(1 << 20);
        let shelf = Shelf::new(&images, files.try_count(300_007).expect("room")).expect("a file");
        assert!(0 < files.used());
        assert_eq!(shelf.images.len(), 3);
        for (image, (back, kept)) in images.iter().zip(&shelf.images) {
            assert_eq!(
                (&image.bytes[..], &image.address),
                (&kept.whole().expect("read")[..], &back.address)
            );
        }
        drop(shelf);
        assert_eq!(files.used(), 0);
    }
}
