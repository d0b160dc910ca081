//! What the bytes of a picture say of themselves, without decoding its pixels.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Dimensions;
use crate::base64::TAIL;

/// What is known of an input image before it is sent.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ImageFacts {
    /// The kind of file, read from the bytes and never from a name.
    pub media_type: MediaType,
    /// Width and height as stored, before any EXIF rotation.
    pub dimensions: Dimensions,
    /// The length of the file in bytes.
    pub bytes: u64,
    /// Whether it has more than one frame, as far as its head shows.
    pub animated: bool,
    /// Bits a channel, as far as its head shows: 8, or more where a PNG says so.
    pub depth: u8,
}

/// Kinds of picture that we can tell apart.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[expect(missing_docs, reason = "each value says it")]
pub enum MediaType {
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/webp")]
    Webp,
    #[serde(rename = "image/gif")]
    Gif,
    #[serde(rename = "image/bmp")]
    Bmp,
    #[serde(rename = "image/tiff")]
    Tiff,
    #[serde(rename = "image/heic")]
    Heic,
    #[serde(rename = "image/avif")]
    Avif,
    #[serde(rename = "image/jxl")]
    Jxl,
}

impl MediaType {
    /// Such as `image/png`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
            Self::Jxl => "image/jxl",
        }
    }

    /// What a file of this kind is called, such as `jpg`.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::Heic => "heic",
            Self::Avif => "avif",
            Self::Jxl => "jxl",
        }
    }

    /// Whether the last part of a picture, as base64, has the mark that ends it.
    pub(crate) fn ends(self, base64: &[u8]) -> bool {
        let mark: &[u8] = match self {
            Self::Png => b"IEND",
            Self::Jpeg => &[0xff, 0xd9],
            _ => return true,
        };
        let tail = base64_simd::STANDARD.decode_to_vec(base64).unwrap_or_default();
        memchr::memmem::rfind(&tail, mark).is_some()
    }

    /// The kind that these first bytes (32 are enough) begin.
    pub fn of(head: &[u8]) -> Option<Self> {
        use imagesize::{Compression, ImageType};
        match imagesize::image_type(head).ok()? {
            ImageType::Png => Some(Self::Png),
            ImageType::Jpeg => Some(Self::Jpeg),
            ImageType::Webp => Some(Self::Webp),
            ImageType::Gif => Some(Self::Gif),
            ImageType::Bmp => Some(Self::Bmp),
            ImageType::Tiff => Some(Self::Tiff),
            ImageType::Heif(Compression::Av1) => Some(Self::Avif),
            ImageType::Heif(_) => Some(Self::Heic),
            ImageType::Jxl => Some(Self::Jxl),
            _ => None,
        }
    }
}

impl ImageFacts {
    /// Reads the head of a picture, and its end as far as that shows whether it was cut short.
    ///
    /// The error says what is wrong with the file in a few words, without naming it.
    pub fn read(mut file: impl Read + Seek) -> Result<Self, String> {
        let unreadable = |err: std::io::Error| format!("cannot be read: {err}");
        let bytes = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
        if bytes == 0 {
            return Err("is empty".to_owned());
        }
        file.rewind().map_err(unreadable)?;
        let mut head = [0; 64];
        let length = read_up_to(&mut file, &mut head).map_err(unreadable)?;
        let media_type =
            MediaType::of(&head[..length]).ok_or_else(|| not_an_image(&head[..length]))?;
        file.rewind().map_err(unreadable)?;
        let size = imagesize::reader_size(BufReader::new(&mut file))
            .map_err(|_| format!("is {} but is damaged or cut short", media_type.name()))?;
        let size = as_stored(media_type, &head, size);
        let (Ok(width), Ok(height)) = (u32::try_from(size.width), u32::try_from(size.height))
        else {
            return Err(format!("says that it is {}x{} pixels", size.width, size.height));
        };
        if width == 0 || height == 0 {
            return Err(format!("says that it is {width}x{height} pixels"));
        }
        if !is_complete(media_type, &mut file, bytes).map_err(unreadable)? {
            return Err(format!("is {} but is cut short: its end is missing", media_type.name()));
        }
        let (animated, depth) = nature(media_type, &mut file).map_err(unreadable)?;
        let dimensions = Dimensions { width, height };
        Ok(Self { media_type, dimensions, bytes, animated, depth })
    }

    /// A still picture of 8 bits a channel.
    pub const fn still(media_type: MediaType, dimensions: Dimensions, bytes: u64) -> Self {
        Self { media_type, dimensions, bytes, animated: false, depth: 8 }
    }

    /// The same for a picture in memory.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        Self::read(Cursor::new(bytes))
    }

    /// The same for a text of standard base64 with padding, of which no more is decoded than is needed.
    pub fn of_base64(base64: &[u8]) -> Result<Self, String> {
        let tail = &base64[base64.len().saturating_sub(TAIL)..];
        crate::base64::facts(base64.len(), tail, |head| Ok(&base64[..head]))
    }

    /// From the first bytes of a picture of `bytes` bytes whose end is not at hand.
    pub(crate) fn of_head(head: &[u8], bytes: u64) -> Option<Self> {
        let media_type = MediaType::of(head)?;
        let size = as_stored(media_type, head, imagesize::blob_size(head).ok()?);
        let (width, height) = (size.width.try_into().ok()?, size.height.try_into().ok()?);
        if width == 0 || height == 0 {
            return None;
        }
        let (animated, depth) = nature(media_type, &mut Cursor::new(head)).ok()?;
        let dimensions = Dimensions { width, height };
        Some(Self { media_type, dimensions, bytes, animated, depth })
    }
}

/// A size without what imagesize 0.15 counts along: in a lossy WebP two bits that ask a viewer to scale, in a BMP
/// the sign that says that its rows begin at the top.
///
/// ref: RFC 6386, 9.1
fn as_stored(
    media_type: MediaType,
    head: &[u8],
    size: imagesize::ImageSize,
) -> imagesize::ImageSize {
    let imagesize::ImageSize { width, height } = size;
    match media_type {
        MediaType::Webp if head.get(12..16) == Some(b"VP8 ") => {
            imagesize::ImageSize { width: width & 0x3fff, height: height & 0x3fff }
        }
        MediaType::Bmp => {
            let signed = u32::try_from(height).map(|it| it.cast_signed().unsigned_abs());
            let height = signed.map_or(height, |it| it as usize);
            imagesize::ImageSize { width, height }
        }
        _ => size,
    }
}

/// Names what people most often hand over by mistake.
fn not_an_image(head: &[u8]) -> String {
    let start = String::from_utf8_lossy(head).trim_start().to_lowercase();
    let kind = match start.as_str() {
        it if it.starts_with("<svg") || it.starts_with("<?xml") => "is SVG or XML, not pixels",
        it if it.starts_with("<!doctype") || it.starts_with("<html") => "is a web page",
        it if it.starts_with("%pdf") => "is a PDF",
        it if it.starts_with('{') || it.starts_with('[') => "is JSON",
        _ => "is no picture that can be recognised",
    };
    format!("{kind} (PNG, JPEG or WebP is wanted)")
}

/// Whether the end mark of the picture is there; formats without one are taken as complete.
fn is_complete(
    media_type: MediaType,
    file: &mut (impl Read + Seek),
    bytes: u64,
) -> std::io::Result<bool> {
    match media_type {
        MediaType::Png => ends_with_mark(file, 8, bytes, b"IEND"),
        MediaType::Jpeg => match jpeg_scan(file)? {
            Some(scan) => ends_with_mark(file, scan, bytes, &[0xff, 0xd9]),
            None => Ok(false),
        },
        MediaType::Webp => {
            let mut head = [0; 8];
            file.rewind()?;
            file.read_exact(&mut head)?;
            let declared = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            Ok(bytes >= u64::from(declared) + 8)
        }
        MediaType::Gif
        | MediaType::Bmp
        | MediaType::Tiff
        | MediaType::Heic
        | MediaType::Avif
        | MediaType::Jxl => Ok(true),
    }
}

/// Whether a picture has more than one frame, and how many bits a channel: read from its structure,
/// without unpacking a pixel. What is cut off or odd is taken as still.
fn nature(media_type: MediaType, file: &mut (impl Read + Seek)) -> std::io::Result<(bool, u8)> {
    match media_type {
        MediaType::Png => png_nature(file),
        MediaType::Gif => Ok((gif_frames(file)?, 8)),
        MediaType::Webp => {
            let mut head = [0; 21];
            file.rewind()?;
            let whole = read_up_to(file, &mut head)? == head.len();
            Ok((whole && &head[12..16] == b"VP8X" && head[20] & 0x02 != 0, 8))
        }
        MediaType::Jpeg
        | MediaType::Bmp
        | MediaType::Tiff
        | MediaType::Heic
        | MediaType::Avif
        | MediaType::Jxl => Ok((false, 8)),
    }
}

/// No more parts of a file are looked through than this: a file of millions is made to waste time.
const PARTS: usize = 4096;

/// An `acTL` before the pixels makes a PNG animated; the depth stands in its head.
fn png_nature(file: &mut (impl Read + Seek)) -> std::io::Result<(bool, u8)> {
    let mut head = [0; 25];
    file.rewind()?;
    if read_up_to(file, &mut head)? < head.len() {
        return Ok((false, 8));
    }
    let depth = head[24].max(8);
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(33))?;
    for _ in 0..PARTS {
        let mut chunk = [0; 8];
        if read_up_to(&mut file, &mut chunk)? < chunk.len() {
            break;
        }
        match &chunk[4..] {
            b"acTL" => return Ok((true, depth)),
            b"IDAT" => break,
            _ => {
                let length = u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
                file.seek_relative(i64::from(length) + 4)?;
            }
        }
    }
    Ok((false, depth))
}

/// Whether a GIF has a second frame.
fn gif_frames(file: &mut (impl Read + Seek)) -> std::io::Result<bool> {
    let mut head = [0; 13];
    file.rewind()?;
    if read_up_to(file, &mut head)? < head.len() {
        return Ok(false);
    }
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(13 + colours(head[10]) as u64))?;
    let mut frames = 0;
    for _ in 0..PARTS {
        let mut kind = [0; 1];
        if read_up_to(&mut file, &mut kind)? == 0 {
            return Ok(false);
        }
        match kind[0] {
            // An extension has a label, then sub-blocks.
            0x21 => file.seek_relative(1)?,
            0x2c => {
                frames += 1;
                if frames == 2 {
                    return Ok(true);
                }
                let mut frame = [0; 9];
                if read_up_to(&mut file, &mut frame)? < frame.len() {
                    return Ok(false);
                }
                // Its own colours, and the size of its codes.
                file.seek_relative(colours(frame[8]) as i64 + 1)?;
            }
            _ => return Ok(false),
        }
        loop {
            let mut length = [0; 1];
            if read_up_to(&mut file, &mut length)? == 0 {
                return Ok(false);
            }
            if length[0] == 0 {
                break;
            }
            file.seek_relative(i64::from(length[0]))?;
        }
    }
    Ok(false)
}

/// Where the pixels of a JPEG begin; before that, thumbnails may hold end marks of their own.
fn jpeg_scan(file: &mut (impl Read + Seek)) -> std::io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(2))?;
    let mut file = BufReader::new(file);
    let mut frames = 0;
    for _ in 0..PARTS {
        let mut marker = [0; 4];
        if read_up_to(&mut file, &mut marker)? < 4 || marker[0] != 0xff {
            return Ok(None);
        }
        if marker[1] == 0xff {
            // A fill byte may stand before a marker.
            file.seek_relative(-3)?;
            continue;
        }
        // Of two frames, not everybody takes the size of the same one.
        frames +=
            u8::from(matches!(marker[1], 0xc0..=0xcf) && !matches!(marker[1], 0xc4 | 0xc8 | 0xcc));
        if frames == 2 {
            return Ok(None);
        }
        let length = i64::from(u16::from_be_bytes([marker[2], marker[3]]));
        file.seek_relative(length - 2)?;
        if marker[1] == 0xda {
            return file.stream_position().map(Some);
        }
    }
    Ok(None)
}

/// Looks for `mark` from the end back to `from`: a whole file is settled by its last block.
fn ends_with_mark(
    file: &mut (impl Read + Seek),
    from: u64,
    bytes: u64,
    mark: &[u8],
) -> std::io::Result<bool> {
    const BLOCK: u64 = 64 * 1024;
    let mut block = vec![0; BLOCK as usize];
    let mut end = bytes;
    while from < end {
        let start = end.saturating_sub(BLOCK).max(from);
        file.seek(SeekFrom::Start(start))?;
        let length = read_up_to(file, &mut block[..(end - start) as usize])?;
        if memchr::memmem::rfind(&block[..length], mark).is_some() {
            return Ok(true);
        }
        if start == from {
            break;
        }
        // The mark may lie across two blocks.
        end = start + mark.len() as u64 - 1;
    }
    Ok(false)
}

fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest PNG: one grey pixel.
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";

    #[test]
    fn a_png_is_read() {
        let facts = ImageFacts::of(PNG).expect("a PNG");
        assert_eq!((facts.media_type, facts.dimensions.area()), (MediaType::Png, 1));
        assert_eq!(facts.bytes, PNG.len() as u64);
    }

    #[test]
    fn a_cut_png_is_named() {
        let err = ImageFacts::of(&PNG[..PNG.len() - 12]).expect_err("cut");
        assert_eq!(err, "is image/png but is cut short: its end is missing");
    }

    #[test]
    fn what_is_no_image_is_named() {
        assert_eq!(ImageFacts::of(b"").expect_err("empty"), "is empty");
        assert!(ImageFacts::of(b"<svg xmlns=''/>").expect_err("svg").contains("SVG"));
        assert!(ImageFacts::of(b"hello").expect_err("text").contains("no picture"));
    }

    #[test]
    fn what_moves_and_what_is_deep_is_seen_without_unpacking_it() {
        let nature = |bytes: &[u8]| ImageFacts::of(bytes).map(|it| (it.animated, it.depth));
        assert_eq!(nature(PNG), Ok((false, 8)));
        let mut deep = PNG.to_vec();
        deep[24] = 16;
        assert_eq!(nature(&deep), Ok((false, 16)));
        let mut moving = PNG[..33].to_vec();
        moving.extend(b"\0\0\0\x08acTL\0\0\0\x02\0\0\0\0\0\0\0\0");
        moving.extend(&PNG[33..]);
        assert_eq!(nature(&moving), Ok((true, 8)));

        let mut gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        gif.extend(b"\x21\xf9\x04\0\0\0\0\0");
        gif.extend(frame);
        let still = [&gif[..], b";"].concat();
        assert_eq!(nature(&still), Ok((false, 8)));
        let two = [&gif[..], frame, b";"].concat();
        assert_eq!(nature(&two), Ok((true, 8)));
        for cut in 13..two.len() {
            // Whatever is missing: no panic, and nothing is made up.
            let _ = nature(&two[..cut]);
        }
    }

    #[test]
    fn a_webp_is_as_large_as_it_is_and_not_as_it_would_be_scaled() {
        let mut webp = b"RIFF\x18\0\0\0WEBPVP8 \x0c\0\0\0\x30\x01\0\x9d\x01\x2a".to_vec();
        webp.extend([8, 0x40, 6, 0xc0, 0, 0]);
        let size = ImageFacts::of(&webp).expect("a WebP").dimensions;
        assert_eq!((size.width, size.height), (8, 6));
    }

    #[test]
    fn a_bmp_from_the_top_down_has_the_size_of_one_from_the_bottom_up() {
        let mut bmp = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bmp.extend([2_i32.to_le_bytes(), (-3_i32).to_le_bytes()].concat());
        bmp.extend(b"\x01\0\x18\0");
        bmp.resize(90, 0);
        let size = ImageFacts::of(&bmp).expect("a BMP").dimensions;
        assert_eq!((size.width, size.height), (2, 3));
    }

    #[test]
    fn a_jpeg_with_two_sizes_is_taken_for_neither() {
        let frame =
            |marker: u8, side: u8| [0xff, marker, 0, 11, 8, 0, side, 0, side, 1, 1, 0x11, 0];
        let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3, 0xff, 0xd9];
        let jpeg = |frames: &[[u8; 13]]| [&[0xff, 0xd8][..], &frames.concat(), &scan].concat();
        assert!(ImageFacts::of(&jpeg(&[frame(0xc0, 8)])).is_ok());
        assert!(ImageFacts::of(&jpeg(&[frame(0xc6, 1), frame(0xc0, 8)])).is_err());
    }

    #[test]
    fn an_end_mark_in_a_thumbnail_does_not_count() {
        // SOI, APP1 with an end mark inside, SOF0 of 1x1, SOS, some scan bytes, no EOI.
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0];
        jpeg.extend([0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
        jpeg.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3]);
        let err = ImageFacts::of(&jpeg).expect_err("cut");
        assert!(err.contains("cut short"), "{err}");
        jpeg.extend([0xff, 0xd9]);
        assert_eq!(ImageFacts::of(&jpeg).map(|it| it.media_type), Ok(MediaType::Jpeg));
    }
}
