//! Pixels, where the program itself needs them: to show a picture, and to put two side by side.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Rgb, RgbImage, Rgba};

/// Nothing that anybody shows or compares needs more than this.
const MEMORY: u64 = 2 << 30;
/// Between two pictures, as a part of their height.
const GAP: u32 = 64;
const QUALITY: u8 = 92;

/// The pixels of a picture, turned as its EXIF says. The error says why there are none.
pub(crate) fn decoded(bytes: &[u8]) -> Result<DynamicImage, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|err| err.to_string())?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|err| err.to_string())?;
    let turned = decoder.orientation().map_err(|err| err.to_string())?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|err| err.to_string())?;
    picture.apply_orientation(turned);
    Ok(picture)
}

/// As large as fits, and never larger than it is.
pub(crate) fn fitted(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    if picture.width() <= width && picture.height() <= height {
        return picture.clone();
    }
    picture.resize(width.max(1), height.max(1), FilterType::Triangle)
}

/// On white, as paper would show it.
pub(crate) fn opaque(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (Rgba([red, green, blue, alpha]), to) in picture.pixels().zip(flat.pixels_mut()) {
        let alpha = u32::from(*alpha);
        let over = |it: u8| ((u32::from(it) * alpha + 255 * (255 - alpha)) / 255) as u8;
        *to = Rgb([over(*red), over(*green), over(*blue)]);
    }
    flat
}

/// Pictures in a row, all as high as the lowest, with white between them.
pub(crate) fn row(pictures: &[DynamicImage]) -> RgbImage {
    let height = pictures.iter().map(DynamicImage::height).min().unwrap_or(1);
    let parts: Vec<RgbImage> = pictures
        .iter()
        .map(|it| {
            let width = (u64::from(it.width()) * u64::from(height)) / u64::from(it.height().max(1));
            let width = u32::try_from(width).unwrap_or(u32::MAX).max(1);
            let same = it.height() == height;
            opaque(&if same {
                it.clone()
            } else {
                it.resize_exact(width, height, FilterType::Lanczos3)
            })
        })
        .collect();
    let gap = (height / GAP).max(2);
    let width = parts.iter().map(|it| it.width() + gap).sum::<u32>().saturating_sub(gap);
    let mut row = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut left = 0;
    for part in &parts {
        image::imageops::replace(&mut row, part, left, 0);
        left += i64::from(part.width() + gap);
    }
    row
}

/// What an extension asks for, of what can be written.
pub(crate) fn format(path: &Path) -> Option<ImageFormat> {
    let format = ImageFormat::from_path(path).ok()?;
    let known = matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP);
    known.then_some(format)
}

/// The bytes of a file. The error says why there are none.
pub(crate) fn encoded(picture: &RgbImage, format: ImageFormat) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let written = match format {
        ImageFormat::Jpeg => {
            picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
        }
        other => picture.write_to(&mut Cursor::new(&mut bytes), other),
    };
    written.map_err(|err| err.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_in_a_row_have_one_height_and_white_between_them() {
        let (wide, high) = (DynamicImage::new_rgb8(128, 64), DynamicImage::new_rgb8(64, 128));
        let row = row(&[wide, high]);
        assert_eq!(row.dimensions(), (128 + 2 + 32, 64));
        assert_eq!(
            (row[(127, 0)], row[(128, 0)], row[(130, 0)]),
            (Rgb([0; 3]), Rgb([255; 3]), Rgb([0; 3]))
        );
    }

    #[test]
    fn what_is_transparent_is_white() {
        let clear = DynamicImage::new_rgba8(1, 1);
        assert_eq!(opaque(&clear)[(0, 0)], Rgb([255; 3]));
    }
}
