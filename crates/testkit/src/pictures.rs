//! Input images for tests: small, and each unlike the others.

use std::path::Path;

use repaint_core::{Error, ErrorKind, ImageFacts, ImageInput, MediaType};

/// The ways in which input images travel that are tried of every offer.
pub(crate) const KINDS: [&str; 3] = ["url", "data", "file"];

/// The `index`th input image of a test, as `url`, `data`, `bytes` or `file`; of the wanted size and kind.
///
/// A file is said to be one and is not written: its bytes follow from its name.
pub fn picture(kind: &str, index: usize, side: u32, media_type: MediaType) -> ImageInput {
    let bytes = || match media_type {
        MediaType::Jpeg => jpeg(side, index),
        _ => png(side, side, index),
    };
    let made = match kind {
        "url" => ImageInput::url(&format!("https://example.com/{index}.png")),
        "data" => {
            let base64 = base64_simd::STANDARD.encode_to_string(bytes());
            ImageInput::data_uri(&format!("data:{};base64,{base64}", media_type.name()))
        }
        "bytes" => ImageInput::bytes(bytes()),
        "file" => ImageFacts::of(&bytes())
            .map(|facts| {
                ImageInput::file(format!("{index}-{side}.{}", facts.media_type.extension()))
                    .inspected(facts)
            })
            .map_err(|why| Error::new(ErrorKind::InvalidRequest, why)),
        other => panic!("an image is url, data, bytes or file, not {other}"),
    };
    made.unwrap_or_else(|err| panic!("the fixture is wrong: {err}"))
}

/// The bytes of a file that [`picture`] made up, from its name.
pub(crate) fn file_bytes(path: &Path) -> Vec<u8> {
    let stem = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
    let (index, side) = stem.split_once('-').unwrap_or_default();
    let (Ok(index), Ok(side)) = (index.parse(), side.parse()) else {
        panic!("{} is no file of a test", path.display())
    };
    match path.extension().and_then(|it| it.to_str()) {
        Some("jpg") => jpeg(side, index),
        _ => png(side, side, index),
    }
}

/// A PNG with a head, a comment that makes it unlike all others, no pixels, and an end: enough for all
/// that looks only at a picture's facts. [`real_png`] has pixels too.
pub fn png(width: u32, height: u32, index: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(name);
        png.extend(data);
        // The checksum; nobody who reads only facts looks at it.
        png.extend([0; 4]);
    };
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, 0]);
    chunk(b"IHDR", &head);
    chunk(b"tEXt", format!("Comment\0image {index}").as_bytes());
    chunk(b"IEND", b"");
    png
}

/// A PNG that any program can show: grey, with a comment that makes it unlike all others. It weighs an
/// eighth of a byte a pixel.
pub fn real_png(width: u32, height: u32, index: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        let named = [name, data].concat();
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(&named);
        png.extend(crc32(&named).to_be_bytes());
    };
    // One bit a pixel, and every second one white.
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([1, 0, 0, 0, 0]);
    chunk(b"IHDR", &head);
    chunk(b"tEXt", format!("Comment\0picture {index}").as_bytes());
    let mut row = vec![0b0101_0101; width.div_ceil(8) as usize + 1];
    row[0] = 0;
    let rows = row.repeat(height as usize);
    // A stream of stored blocks: nothing is compressed.
    let mut stream = vec![0x78, 0x01];
    let mut blocks = rows.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(&rows).to_be_bytes());
    chunk(b"IDAT", &stream);
    chunk(b"IEND", b"");
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn jpeg(side: u32, index: usize) -> Vec<u8> {
    let side = (side as u16).to_be_bytes();
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xfe, 0, 4];
    jpeg.extend((index as u16).to_be_bytes());
    jpeg.extend([0xff, 0xc0, 0, 11, 8]);
    jpeg.extend([side, side].concat());
    jpeg.extend([1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3, 0xff, 0xd9]);
    jpeg
}
