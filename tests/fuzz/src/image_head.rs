//! Heads of images: what is claimed is what the bytes say to a decoder too, and reading it is little work.

use std::cell::Cell;
use std::io::{Cursor, Read, Seek, SeekFrom};

use image::ImageReader;
use repaint_core::{ImageFacts, ImageInput, MediaType};

use crate::assert_short;

/// Reads the facts of a picture.
pub fn image_head(bytes: &[u8]) {
    let work = Cell::new(0);
    let facts = ImageFacts::read(Counted { file: Cursor::new(bytes), work: &work });
    // Buffers are filled whole, a part at a time, and there are no more than 4,096 parts.
    let most = 3 * 4096 * (8192.min(bytes.len()) + 2) + 4 * bytes.len() + 1024;
    assert!(work.get() <= most, "{} of work for {} bytes", work.get(), bytes.len());
    assert_eq!(facts, ImageFacts::of(bytes));
    let input = ImageInput::bytes(bytes.to_vec());
    assert_eq!(facts.clone().ok(), input.as_ref().ok().and_then(ImageInput::facts));
    let facts = match facts {
        Ok(facts) => facts,
        Err(why) => return assert_short(&why),
    };
    let ImageFacts { media_type, dimensions, bytes: length, animated: _, depth } = facts;
    assert_eq!(length, bytes.len() as u64);
    assert_eq!(Some(media_type), MediaType::of(&bytes[..bytes.len().min(64)]));
    assert!(0 < dimensions.width && 0 < dimensions.height && 8 <= depth);

    // That of TIFF makes room for as much as a file claims to have.
    if media_type == MediaType::Tiff {
        return;
    }
    // One that reads files strictly, and may refuse what is taken here, but sees no other picture.
    let Ok(reader) = ImageReader::new(Cursor::new(bytes)).with_guessed_format() else { return };
    let same_kind = reader.format().map(|it| it.to_mime_type()) == Some(media_type.name());
    if let (true, Ok((width, height))) = (same_kind, reader.into_dimensions()) {
        assert_eq!((dimensions.width, dimensions.height), (width, height), "{media_type:?}");
    }
}

/// A file that counts what is done with it.
struct Counted<'a> {
    file: Cursor<&'a [u8]>,
    work: &'a Cell<usize>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        self.work.set(self.work.get() + read + 1);
        Ok(read)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.work.set(self.work.get() + 1);
        self.file.seek(to)
    }
}
