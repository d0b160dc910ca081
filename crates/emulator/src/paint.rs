//! The pictures: each input as a numbered tile, the mask too, and the prompt in letters under them.

use std::sync::OnceLock;

use bytes::Bytes;
use font8x8::UnicodeFonts;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, Rgb, RgbImage};
use repaint_core::{Dimensions, OutputFormat};

/// What a picture shows. Equal compositions give equal bytes.
#[derive(Clone, Debug)]
pub(crate) struct Composition {
    pub(crate) tiles: Vec<Tile>,
    pub(crate) prompt: String,
    /// Lines above the prompt: the model, the seed.
    pub(crate) notes: Vec<String>,
    pub(crate) size: Dimensions,
    pub(crate) format: OutputFormat,
}

/// One input, as far as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    /// `1`, `2`, … or `mask`.
    pub(crate) label: String,
    pub(crate) look: Look,
}

/// What a tile shows.
#[derive(Clone)]
pub(crate) enum Look {
    /// The input, made small.
    Pixels(RgbImage),
    /// Words in its place: an address, or why it cannot be shown.
    Words(String),
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pixels(it) => write!(f, "Pixels({}x{})", it.width(), it.height()),
            Self::Words(it) => write!(f, "Words({} characters)", it.len()),
        }
    }
}

/// What every picture says, in letters and in its own comment.
pub(crate) const MARK: &str = "emulated by repaint: no model made this picture";
const PAPER: Rgb<u8> = Rgb([244, 244, 240]);
const INK: Rgb<u8> = Rgb([16, 16, 16]);
const CARD: Rgb<u8> = Rgb([214, 226, 240]);
/// The longest side of a tile that is kept.
const TILE: u32 = 256;
const GLYPH: u32 = 8;
/// More pixels than a provider takes are not unpacked.
const MOST_PIXELS: u64 = 64_000_000;

impl Look {
    /// An input image made small, or why it cannot be shown.
    pub(crate) fn of(bytes: &[u8], area: u64) -> Self {
        if MOST_PIXELS < area {
            return Self::Words("too large to show".to_owned());
        }
        let reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format();
        match reader.map_err(image::ImageError::from).and_then(ImageReader::decode) {
            Ok(image) if image.width().max(image.height()) <= TILE => Self::Pixels(image.to_rgb8()),
            Ok(image) => Self::Pixels(image.resize(TILE, TILE, FilterType::Triangle).to_rgb8()),
            Err(_) => Self::Words("its pixels cannot be read here".to_owned()),
        }
    }
}

impl Composition {
    /// The file.
    pub(crate) fn paint(&self) -> Bytes {
        let Dimensions { width, height } = self.size;
        let mut page = RgbImage::from_pixel(width.max(1), height.max(1), PAPER);
        let scale = (width.min(height) / 384).max(1);
        let line = (GLYPH + 2) * scale;
        let columns = (width / (GLYPH * scale)).max(1) as usize;
        text(&mut page, 0, scale, scale, MARK);
        let below = self.words(columns, (height / 3 / line) as usize);
        let footer = below.len() as u32 * line;
        let room = height.saturating_sub(footer + line);
        match self.tiles.as_slice() {
            [] => text(&mut page, 0, line * 2, scale, "no input image arrived"),
            tiles => grid(&mut page, tiles, line, room, scale),
        }
        for (index, words) in below.iter().enumerate() {
            text(&mut page, 0, height.saturating_sub(footer) + index as u32 * line, scale, words);
        }
        file(&page, self.format)
    }

    fn words(&self, columns: usize, most: usize) -> Vec<String> {
        let mut lines: Vec<String> =
            self.notes.iter().flat_map(|it| wrapped(it, columns)).collect();
        lines.extend(wrapped(&self.prompt, columns));
        lines.truncate(most.max(1));
        lines
    }
}

/// Places the tiles in order, in as many columns as make them largest.
fn grid(page: &mut RgbImage, tiles: &[Tile], top: u32, room: u32, scale: u32) {
    let count = tiles.len() as u32;
    let cell = |columns: u32| (page.width() / columns, room / count.div_ceil(columns));
    let columns = (1..=count).max_by_key(|it| {
        let (width, height) = cell(*it);
        width.min(height)
    });
    let columns = columns.unwrap_or(1);
    let (width, height) = cell(columns);
    let label = GLYPH * scale + 2;
    for (index, tile) in (0..).zip(tiles) {
        let (left, top) = (index % columns * width, top + index / columns * height);
        text(page, left + 2, top, scale, &tile.label);
        let (wide, high) = (width.saturating_sub(4), height.saturating_sub(label + 4));
        if wide == 0 || high == 0 {
            continue;
        }
        let (left, top) = (left + 2, top + label);
        match &tile.look {
            Look::Pixels(image) => {
                let factor = (f64::from(wide) / f64::from(image.width()))
                    .min(f64::from(high) / f64::from(image.height()));
                let side = |it: u32| ((f64::from(it) * factor) as u32).max(1);
                for (x, y) in points(side(image.width()), side(image.height())) {
                    let at = |it: u32, most: u32| ((f64::from(it) / factor) as u32).min(most - 1);
                    let pixel = *image.get_pixel(at(x, image.width()), at(y, image.height()));
                    put(page, left + x, top + y, pixel);
                }
            }
            Look::Words(words) => {
                for (x, y) in points(wide, high) {
                    put(page, left + x, top + y, CARD);
                }
                let columns = (wide / (GLYPH * scale)).max(1) as usize;
                let step = (GLYPH + 1) * scale;
                let most = (high / step) as usize;
                for (index, line) in wrapped(words, columns).into_iter().take(most).enumerate() {
                    text(page, left + 1, top + 1 + index as u32 * step, scale, &line);
                }
            }
        }
    }
}

fn points(width: u32, height: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)))
}

fn put(page: &mut RgbImage, x: u32, y: u32, pixel: Rgb<u8>) {
    if let Some(place) = page.get_pixel_mut_checked(x, y) {
        *place = pixel;
    }
}

fn text(page: &mut RgbImage, left: u32, top: u32, scale: u32, words: &str) {
    for (index, letter) in (0..).zip(words.chars()) {
        let origin = left + index * GLYPH * scale;
        if page.width() <= origin {
            return;
        }
        let rows = glyph(letter);
        for (x, y) in points(GLYPH * scale, GLYPH * scale) {
            if rows[(y / scale) as usize] >> (x / scale) & 1 == 1 {
                put(page, origin + x, top + y, INK);
            }
        }
    }
}

/// A letter that the font lacks is a box.
fn glyph(letter: char) -> [u8; 8] {
    let known = font8x8::BASIC_FONTS.get(letter).or_else(|| font8x8::LATIN_FONTS.get(letter));
    let known = known.or_else(|| font8x8::GREEK_FONTS.get(letter));
    known.unwrap_or([0x7f, 0x41, 0x41, 0x41, 0x41, 0x41, 0x7f, 0])
}

fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(columns) {
            let last =
                lines.last_mut().filter(|it| it.chars().count() + 1 + piece.len() <= columns);
            match last {
                Some(line) if line.is_empty() => line.extend(piece),
                Some(line) => {
                    line.push(' ');
                    line.extend(piece);
                }
                None => lines.push(piece.iter().collect()),
            }
        }
    }
    lines.retain(|it| !it.is_empty());
    lines
}

fn file(page: &RgbImage, format: OutputFormat) -> Bytes {
    let bytes = match format {
        OutputFormat::Png => png(page),
        OutputFormat::Jpeg => jpeg(page),
        OutputFormat::Webp => encoded(page, ImageFormat::WebP),
    };
    bytes.into()
}

/// With the mark in a text of its own.
fn png(page: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, page.width(), page.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let written = encoder
        .add_text_chunk("Comment".to_owned(), MARK.to_owned())
        .and_then(|()| encoder.write_header())
        .and_then(|mut it| it.write_image_data(page.as_raw()));
    // Writing to memory does not fail.
    written.map_or_else(|_| Vec::new(), |()| bytes)
}

/// With the mark in a comment right after the beginning.
fn jpeg(page: &RgbImage) -> Vec<u8> {
    let mut bytes = encoded(page, ImageFormat::Jpeg);
    if 2 <= bytes.len() {
        let length = (MARK.len() as u16 + 2).to_be_bytes();
        let comment = [&[0xff, 0xfe][..], &length, MARK.as_bytes()].concat();
        bytes.splice(2..2, comment);
    }
    bytes
}

fn encoded(page: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = page.write_to(&mut bytes, format);
    written.map_or_else(|_| Vec::new(), |()| bytes.into_inner())
}

/// A tiny picture that is always the same.
pub(crate) fn thumbnail() -> Bytes {
    static THUMBNAIL: OnceLock<Bytes> = OnceLock::new();
    THUMBNAIL.get_or_init(|| png(&RgbImage::from_pixel(8, 8, CARD)).into()).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composition(tiles: Vec<Tile>) -> Composition {
        Composition {
            tiles,
            prompt: "Make it blue, Zoë".to_owned(),
            notes: vec!["a model".to_owned()],
            size: Dimensions::new(320, 256),
            format: OutputFormat::Png,
        }
    }

    fn tile(label: &str, colour: [u8; 3]) -> Tile {
        let look = Look::Pixels(RgbImage::from_pixel(16, 16, Rgb(colour)));
        Tile { label: label.to_owned(), look }
    }

    #[test]
    fn every_tile_is_seen_in_order_and_every_file_bears_the_mark() {
        let colours = [[250, 10, 10], [10, 250, 10], [10, 10, 250]];
        let tiles = colours.iter().map(|it| tile("1", *it)).collect();
        let whole = composition(tiles);
        for format in [OutputFormat::Png, OutputFormat::Jpeg] {
            let bytes = Composition { format, ..whole.clone() }.paint();
            assert!(bytes.windows(MARK.len()).any(|it| it == MARK.as_bytes()), "{format:?}");
        }
        let picture = image::load_from_memory(&whole.paint()).expect("a picture").to_rgb8();
        assert_eq!(picture.dimensions(), (320, 256));
        // In the order in which one reads.
        let first = |colour: &[u8; 3]| picture.pixels().position(|it| it.0 == *colour);
        let places: Vec<usize> = colours.iter().filter_map(first).collect();
        assert!(places.is_sorted() && places.len() == 3, "{places:?}");
    }

    #[test]
    fn no_size_is_too_small_and_no_words_too_long() {
        let words = Tile { label: "1".to_owned(), look: Look::Words("w".repeat(500)) };
        for (width, height) in [(1, 1), (64, 64), (64, 2048), (3000, 16)] {
            let size = Dimensions::new(width, height);
            let bytes = Composition { size, ..composition(vec![words.clone(); 9]) }.paint();
            let picture = image::load_from_memory(&bytes).expect("a picture");
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
    }
}
