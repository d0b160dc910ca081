//! The picture at work: decoded from a file's bytes, upright and of bounded size; encoded again.

use std::borrow::Cow;
use std::error::Error;
use std::io::{Cursor, ErrorKind};

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::error::ImageError;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, GenericImageView, ImageDecoder, ImageEncoder,
    ImageFormat, Limits, Rgb, RgbImage, Rgba, RgbaImage,
};
use repaint_core::ImageFacts;

/// A picture of 8 bits a channel, upright, rows from the top.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    /// How opaque each pixel is; absent where the file cannot be transparent.
    pub(crate) alpha: Option<Vec<u8>>,
    pub(crate) height: u32,
    /// Red, green and blue, encoded as in the file and not multiplied by alpha.
    pub(crate) pixels: Vec<[u8; 3]>,
    /// The ICC profile that gives the colours their meaning; sRGB if absent.
    pub(crate) profile: Option<Vec<u8>>,
    pub(crate) width: u32,
}

/// A file format that a picture can be written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Webp,
}

impl Picture {
    /// The picture in a PNG, JPEG or WebP file, and what was changed to get it, a sentence each.
    ///
    /// A picture of more than `limit` pixels is scaled down; one of more than [`LARGEST`] pixels is
    /// refused before it is unpacked.
    pub(crate) fn decode(bytes: &[u8], limit: u64) -> Result<(Self, Vec<String>), String> {
        let mut notes = Vec::new();
        let (name, mut decoder) = opened(bytes, &mut notes)?;
        let (width, height) = decoder.dimensions();
        let count = u64::from(width) * u64::from(height);
        if count > LARGEST {
            let most = LARGEST / MEGA;
            return Err(format!("{name} of {width}x{height}: takes at most {most} megapixels"));
        }
        if width.max(height) > LONGEST {
            return Err(format!(
                "{name} of {width}x{height}: takes at most {LONGEST} pixels a side"
            ));
        }
        if decoder.total_bytes() > LARGEST_BYTES {
            let most = LARGEST_BYTES >> 20;
            return Err(format!("{name} of {width}x{height}: takes at most {most} MiB unpacked"));
        }
        // Metadata that cannot be read are no reason to refuse the picture.
        let turn = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let profile = profile(decoder.as_mut(), &mut notes);
        let deep = matches!(
            decoder.color_type(),
            ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16
        );
        if deep {
            notes.push("reduced from 16 to 8 bits a channel".to_owned());
        }
        let unpacked = DynamicImage::from_decoder(decoder).map_err(|it| explained(name, it))?;
        let alpha = unpacked.color().has_alpha();
        let mut image = if alpha {
            DynamicImage::ImageRgba8(unpacked.into_rgba8())
        } else {
            DynamicImage::ImageRgb8(unpacked.into_rgb8())
        };

        // Scaled before it is turned: turning copies, and large pictures are better copied small.
        if count > limit {
            let (narrow, low) = fitted(width, height, limit);
            image = scaled(&image, narrow, low);
            let ((a, b), (c, d)) = (upright(width, height, turn), upright(narrow, low, turn));
            let most = limit as f64 / MEGA as f64;
            notes.push(format!(
                "scaled from {a}x{b} to {c}x{d}: at most {most} megapixels are worked on"
            ));
        }
        image.apply_orientation(turn);
        Ok((Self::new(image, profile), notes))
    }

    /// The picture as a file: JPEG with quality 92, PNG and WebP without loss.
    ///
    /// JPEG knows no transparency; what is transparent becomes paper white.
    pub(crate) fn encode(&self, format: Format) -> Result<Vec<u8>, String> {
        let mut file = Vec::new();
        let pixels = match format {
            Format::Jpeg => self.on_paper(),
            Format::Png | Format::Webp => self.bytes(),
        };
        let plain = self.alpha.is_none() || format == Format::Jpeg;
        let kind = if plain { ExtendedColorType::Rgb8 } else { ExtendedColorType::Rgba8 };
        match format {
            Format::Jpeg => {
                let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
                self.write(&pixels, kind, encoder)
            }
            Format::Png => {
                let (packing, filter) = (CompressionType::Level(PNG_LEVEL), FilterType::Adaptive);
                let encoder = PngEncoder::new_with_quality(&mut file, packing, filter);
                self.write(&pixels, kind, encoder)
            }
            Format::Webp => self.write(&pixels, kind, WebPEncoder::new_lossless(&mut file)),
        }
        .map_err(|error| format!("cannot write a {format:?} file: {error}"))?;
        Ok(file)
    }

    /// The picture at another size; a colour profile stays.
    pub(crate) fn sized(&self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        Self::new(scaled(&self.image(), width, height), self.profile.clone())
    }

    fn new(image: DynamicImage, profile: Option<Vec<u8>>) -> Self {
        let (width, height) = (image.width(), image.height());
        let (pixels, alpha) = match image {
            DynamicImage::ImageRgba8(image) => {
                let pixels = image.pixels().map(|it| [it.0[0], it.0[1], it.0[2]]).collect();
                (pixels, Some(image.pixels().map(|it| it.0[3]).collect()))
            }
            other => (other.into_rgb8().as_chunks().0.to_vec(), None),
        };
        Self { alpha, height, pixels, profile, width }
    }

    fn image(&self) -> DynamicImage {
        let (width, height) = (self.width, self.height);
        let at = |x: u32, y: u32| y as usize * width as usize + x as usize;
        match &self.alpha {
            Some(alpha) => DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, |x, y| {
                let [red, green, blue] = self.pixels[at(x, y)];
                Rgba([red, green, blue, alpha[at(x, y)]])
            })),
            None => DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
                Rgb(self.pixels[at(x, y)])
            })),
        }
    }

    /// The bytes of the pixels, with how opaque they are if they can be transparent.
    fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.alpha {
            None => self.pixels.as_flattened().into(),
            Some(alpha) => {
                let whole =
                    |([red, green, blue], alpha): (&[u8; 3], &u8)| [*red, *green, *blue, *alpha];
                self.pixels.iter().zip(alpha).flat_map(whole).collect()
            }
        }
    }

    fn on_paper(&self) -> Cow<'_, [u8]> {
        let Some(alpha) = &self.alpha else { return self.bytes() };
        let over = |(pixel, alpha): (&[u8; 3], &u8)| -> [u8; 3] {
            let alpha = u32::from(*alpha);
            std::array::from_fn(|i| {
                let (colour, paper) = (u32::from(pixel[i]), u32::from(PAPER[i]));
                ((colour * alpha + paper * (255 - alpha) + 127) / 255) as u8
            })
        };
        self.pixels.iter().zip(alpha).flat_map(over).collect()
    }

    fn write(
        &self,
        pixels: &[u8],
        kind: ExtendedColorType,
        mut encoder: impl ImageEncoder,
    ) -> Result<(), ImageError> {
        if let Some(profile) = &self.profile {
            encoder.set_icc_profile(profile.clone()).map_err(ImageError::Unsupported)?;
        }
        encoder.write_image(pixels, self.width, self.height, kind)
    }
}

/// The file opened: its header is read, its pixels are not.
fn opened<'a>(
    bytes: &'a [u8],
    notes: &mut Vec<String>,
) -> Result<(&'static str, Box<dyn ImageDecoder + 'a>), String> {
    // Where picture data is missing, a decoder may fill in grey and be content.
    ImageFacts::of(bytes).map_err(|why| format!("it {why}"))?;
    let file = Cursor::new(bytes);
    let first = || "animated: only its first frame is used".to_owned();
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => {
            let decoder = JpegDecoder::new(file).map_err(|it| explained("JPEG", it))?;
            Ok(("JPEG", Box::new(decoder)))
        }
        Ok(ImageFormat::Png) => {
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(LARGEST_EXTRA);
            let decoder =
                PngDecoder::with_limits(file, limits).map_err(|it| explained("PNG", it))?;
            if decoder.is_apng().unwrap_or(false) {
                notes.push(first());
            }
            Ok(("PNG", Box::new(decoder)))
        }
        Ok(ImageFormat::WebP) => {
            let decoder = WebPDecoder::new(file).map_err(|it| explained("WebP", it))?;
            if decoder.has_animation() {
                notes.push(first());
            }
            Ok(("WebP", Box::new(decoder)))
        }
        Ok(other) => {
            let name = format!("{other:?}").to_uppercase();
            Err(format!("{name} picture: takes PNG, JPEG or WebP"))
        }
        Err(_) => Err("not a picture: takes PNG, JPEG or WebP".to_owned()),
    }
}

/// The colour profile, if it is one for red, green and blue: the result has these channels.
fn profile(decoder: &mut dyn ImageDecoder, notes: &mut Vec<String>) -> Option<Vec<u8>> {
    let profile = decoder.icc_profile().ok().flatten()?;
    match profile.get(16..20) {
        Some(b"RGB ") => return Some(profile),
        Some(b"GRAY") => notes.push("its grey colour profile is dropped".to_owned()),
        Some(b"CMYK") => notes.push("its CMYK colour profile is dropped".to_owned()),
        _ => notes.push("its colour profile is not one for RGB and is dropped".to_owned()),
    }
    None
}

fn explained(name: &str, error: ImageError) -> String {
    let short = matches!(&error, ImageError::IoError(it) if it.kind() == ErrorKind::UnexpectedEof);
    let message = match &error {
        ImageError::Decoding(it) => it.source().map_or(error.to_string(), ToString::to_string),
        _ => error.to_string(),
    };
    let message = message.replace(['\n', '\r'], " ");
    let message = message.trim_end_matches(['.', ' ']);
    if short { format!("truncated {name}: {message}") } else { format!("broken {name}: {message}") }
}

fn upright(width: u32, height: u32, turn: Orientation) -> (u32, u32) {
    match turn {
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (width, height),
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
    }
}

/// The largest size of the same shape with at most `limit` pixels.
fn fitted(width: u32, height: u32, limit: u64) -> (u32, u32) {
    let ratio = (limit as f64 / (f64::from(width) * f64::from(height))).sqrt();
    let side = |it: u32| ((f64::from(it) * ratio) as u32).max(1);
    // A picture one pixel high is not made wider than the limit by that one pixel.
    let most = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
    (side(width).min(most), side(height).min(most))
}

/// The picture at another size, by Catmull and Rom's cubic, widened when it shrinks.
///
/// Row by row, so that only the smaller of the two pictures is held as floats.
fn scaled(image: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let across = taps(image.width(), width);
    let down = taps(image.height(), height);
    let row = width as usize;
    let mut sums = vec![[0.0_f32; 4]; row * height as usize];
    // For each row of the file, the rows of the result that it is part of.
    let mut parts = vec![Vec::new(); image.height() as usize];
    for (to, taps) in down.iter().enumerate() {
        taps.iter().for_each(|&(from, weight)| parts[from].push((to, weight)));
    }
    let mut wide = vec![[0.0_f32; 4]; image.width() as usize];
    for (y, parts) in parts.iter().enumerate().filter(|(_, parts)| !parts.is_empty()) {
        for (x, pixel) in wide.iter_mut().enumerate() {
            let [red, green, blue, alpha] = image.get_pixel(x as u32, y as u32).0.map(f32::from);
            // What is transparent has no colour to give to its neighbours.
            let share = alpha / 255.0;
            *pixel = [red * share, green * share, blue * share, alpha];
        }
        for (x, taps) in across.iter().enumerate() {
            let mut sum = [0.0; 4];
            for &(from, weight) in taps {
                (0..4).for_each(|i| sum[i] += wide[from][i] * weight);
            }
            for &(to, weight) in parts {
                let pixel = &mut sums[to * row + x];
                (0..4).for_each(|i| pixel[i] += sum[i] * weight);
            }
        }
    }
    let pixel = |x: u32, y: u32| {
        let [red, green, blue, alpha] = sums[y as usize * row + x as usize];
        let share = (alpha / 255.0).max(1e-6);
        [red / share, green / share, blue / share, alpha].map(|it| (it + 0.5) as u8)
    };
    if image.color().has_alpha() {
        DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, |x, y| Rgba(pixel(x, y))))
    } else {
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
            let [red, green, blue, _] = pixel(x, y);
            Rgb([red, green, blue])
        }))
    }
}

/// For each place of the result, the places of the source it is made of; weights sum to 1.
fn taps(from: u32, to: u32) -> Vec<Vec<(usize, f32)>> {
    let step = f64::from(from) / f64::from(to);
    let wide = step.max(1.0);
    let last = f64::from(from) - 1.0;
    let place = |at: u32| {
        let middle = (f64::from(at) + 0.5) * step - 0.5;
        let (first, end) = ((middle - 2.0 * wide).ceil(), (middle + 2.0 * wide).floor());
        let count = (end - first) as u32;
        let taps: Vec<(usize, f64)> = (0..=count)
            .map(|it| first + f64::from(it))
            .map(|it| (it.clamp(0.0, last) as usize, cubic((it - middle) / wide)))
            .collect();
        let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
        taps.into_iter().map(|(at, weight)| (at, (weight / sum) as f32)).collect()
    };
    (0..to).map(place).collect()
}

fn cubic(at: f64) -> f64 {
    let at = at.abs();
    match at {
        ..1.0 => 1.5 * at * at * at - 2.5 * at * at + 1.0,
        1.0..2.0 => -0.5 * at * at * at + 2.5 * at * at - 4.0 * at + 2.0,
        _ => 0.0,
    }
}

const MEGA: u64 = 1_000_000;

/// The largest picture that is unpacked, in pixels, in bytes and along a side, and the most that
/// its metadata may take: a file of some kilobytes can claim to hold gigabytes.
const LARGEST: u64 = 100 * MEGA;
const LARGEST_BYTES: u64 = 512 << 20;
const LARGEST_EXTRA: u64 = 64 << 20;
const LONGEST: u32 = 65_535;

const JPEG_QUALITY: u8 = 92;

/// A fifth of the time of the usual 6, for files a twentieth larger; most of a recolouring was that.
const PNG_LEVEL: u8 = 2;

/// The colour of bare paper.
const PAPER: [u8; 3] = [253, 251, 246];

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        let pixel = |at: u32| [(at * 7 % 256) as u8, (at % 256) as u8, 90];
        let pixels = (0..width * height).map(pixel).collect();
        Picture { alpha: None, height, pixels, profile: None, width }
    }

    fn file(picture: &Picture, format: Format) -> Vec<u8> {
        picture.encode(format).unwrap()
    }

    fn decoded(bytes: &[u8]) -> Picture {
        Picture::decode(bytes, 4 * MEGA).unwrap().0
    }

    /// A JPEG with this EXIF orientation and, in its header, something that ends like a picture.
    fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        exif.extend([0xFF, 0xD9]);
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
    }

    /// A header of 128 bytes that says which channels the profile is for.
    fn profile_for(channels: &[u8; 4]) -> Vec<u8> {
        let mut profile = vec![0; 132];
        profile[..4].copy_from_slice(&132_u32.to_be_bytes());
        profile[16..20].copy_from_slice(channels);
        profile[36..40].copy_from_slice(b"acsp");
        profile
    }

    #[test]
    fn what_is_written_without_loss_is_read_again() {
        let alpha = Some((0..35).map(|it| it * 7).collect());
        for picture in [picture(7, 5), Picture { alpha, ..picture(7, 5) }] {
            assert_eq!(decoded(&file(&picture, Format::Png)), picture);
            assert_eq!(decoded(&file(&picture, Format::Webp)), picture);
        }
    }

    #[test]
    fn a_jpeg_shows_paper_where_the_picture_is_transparent() {
        let picture = Picture { alpha: Some(vec![0; 256]), ..picture(16, 16) };
        let read = decoded(&file(&picture, Format::Jpeg));
        assert_eq!(read.alpha, None);
        assert!(read.pixels.as_flattened().iter().all(|it| *it > 240));
    }

    #[test]
    fn orientation_is_applied() {
        // Red on the left; turned to the right by a quarter, it is on top.
        let red = |at: u32| if at % 32 < 16 { [250, 0, 0] } else { [0, 0, 250] };
        let picture = Picture { pixels: (0..512).map(red).collect(), ..picture(32, 16) };
        let jpeg = turned(&file(&picture, Format::Jpeg), 6);
        let (read, notes) = Picture::decode(&jpeg, MEGA).unwrap();
        assert_eq!((read.width, read.height), (16, 32));
        assert!(read.pixels[0][0] > 200 && read.pixels[511][2] > 200);
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn a_large_picture_is_scaled_and_said_so() {
        let jpeg = turned(&file(&picture(60, 20), Format::Jpeg), 6);
        let (read, notes) = Picture::decode(&jpeg, 300).unwrap();
        assert_eq!((read.width, read.height), (10, 30));
        assert!(notes[0].starts_with("scaled from 20x60 to 10x30: "), "{notes:?}");
    }

    #[test]
    fn a_colour_profile_is_kept_if_it_is_for_rgb() {
        let rgb = Picture { profile: Some(profile_for(b"RGB ")), ..picture(8, 8) };
        let grey = Picture { profile: Some(profile_for(b"GRAY")), ..picture(8, 8) };
        for format in [Format::Jpeg, Format::Png, Format::Webp] {
            assert_eq!(decoded(&file(&rgb, format)).profile, rgb.profile);
            let (read, notes) = Picture::decode(&file(&grey, format), MEGA).unwrap();
            assert_eq!(read.profile, None);
            assert_eq!(notes, ["its grey colour profile is dropped"]);
        }
    }

    #[test]
    fn sixteen_bits_are_reduced_and_said_so() {
        let deep = DynamicImage::ImageRgb8(RgbImage::new(4, 4)).into_rgb16();
        let mut file = Cursor::new(Vec::new());
        deep.write_to(&mut file, ImageFormat::Png).unwrap();
        let (_, notes) = Picture::decode(file.get_ref(), MEGA).unwrap();
        assert_eq!(notes, ["reduced from 16 to 8 bits a channel"]);
    }

    #[test]
    fn a_truncated_file_is_named() {
        for (format, name) in [(Format::Jpeg, "jpeg"), (Format::Png, "png"), (Format::Webp, "webp")]
        {
            let whole = turned_if_jpeg(file(&picture(40, 40), format), format);
            for length in [whole.len() / 2, whole.len() * 9 / 10] {
                let error = Picture::decode(&whole[..length], MEGA).unwrap_err();
                assert!(error.contains(&format!("image/{name} but is cut short")), "{error}");
            }
        }
    }

    fn turned_if_jpeg(file: Vec<u8>, format: Format) -> Vec<u8> {
        if format == Format::Jpeg { turned(&file, 1) } else { file }
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let mut png = file(&picture(2, 2), Format::Png);
        png[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
        let sum = checksum(&png[12..29]);
        png[29..33].copy_from_slice(&sum.to_be_bytes());
        let error = Picture::decode(&png, MEGA).unwrap_err();
        assert_eq!(error, "PNG of 16384x16384: takes at most 100 megapixels");
    }

    /// The checksum of a PNG chunk.
    fn checksum(bytes: &[u8]) -> u32 {
        let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
    }

    #[test]
    fn what_is_no_picture_is_refused_in_one_line() {
        for bytes in
            [&b""[..], b"hello", b"GIF89a\x01\0\x01\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
        {
            let error = Picture::decode(bytes, MEGA).unwrap_err();
            assert!(!error.contains('\n') && error.len() > 10, "{error}");
        }
    }

    #[test]
    fn broken_bytes_never_panic() {
        for format in [Format::Jpeg, Format::Png, Format::Webp] {
            let whole = file(&picture(24, 24), format);
            for at in 0..whole.len().min(400) {
                let mut broken = whole.clone();
                broken[at] ^= 1 << (at % 8);
                let _ = Picture::decode(&broken, 100);
            }
        }
    }

    #[test]
    fn an_even_colour_stays_when_scaled() {
        let even = Picture { pixels: vec![[10, 200, 99]; 70], ..picture(10, 7) };
        for (width, height) in [(23, 4), (3, 30), (1, 1)] {
            let other = Picture::new(scaled(&even.image(), width, height), None);
            assert_eq!((other.width, other.height), (width, height));
            assert!(other.pixels.iter().all(|it| *it == [10, 200, 99]));
        }
    }

    #[test]
    fn hidden_colours_do_not_bleed_when_scaled() {
        let mut half = Picture { alpha: Some(vec![255; 64]), ..picture(8, 8) };
        half.pixels.fill([200, 100, 50]);
        for at in (0..64).filter(|at| at % 8 < 3) {
            half.pixels[at] = [0; 3];
            half.alpha.as_mut().unwrap()[at] = 0;
        }
        let small = Picture::new(scaled(&half.image(), 4, 4), None);
        let alpha = small.alpha.unwrap();
        let seen = small.pixels.iter().zip(&alpha).filter(|(_, alpha)| **alpha > 20);
        seen.for_each(|(pixel, _)| assert!(pixel[0].abs_diff(200) < 6, "{pixel:?}"));
    }
}
