//! Pixels, where a request allows to change them: input images made to fit, pictures in another format.

use repaint_core::{Error, ErrorKind, Image, ImageInput, OutputFormat, Result, Target};

/// An input image as it is to be; `name` is for messages.
///
/// # Errors
///
/// `InvalidRequest`, naming the image, if it cannot be decoded here or not be made so small.
pub(crate) fn remade(name: &str, bytes: &[u8], target: &Target) -> Result<ImageInput> {
    let file = work::remade(bytes, target).map_err(|why| {
        let message = format!("{name} cannot be changed to fit: {why}");
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    ImageInput::bytes(file)
}

/// A picture as a file of another format; the error is in words.
pub(crate) fn converted(image: &Image, format: OutputFormat) -> Result<Image, String> {
    let bytes = match &image.base64 {
        Some(base64) => base64_simd::STANDARD
            .decode_to_vec(base64)
            .map_err(|_| "it is no base64".to_owned())?
            .into(),
        None => image.bytes.clone(),
    };
    work::converted(&bytes, format).map(|it| Image::new(it.into()))
}

#[cfg(not(feature = "pictures"))]
mod work {
    use repaint_core::{OutputFormat, Target};

    const WITHOUT: &str = "this program was built without codecs (the feature `pictures`)";

    pub(super) fn remade(_: &[u8], _: &Target) -> Result<Vec<u8>, String> {
        Err(WITHOUT.to_owned())
    }

    pub(super) fn converted(_: &[u8], _: OutputFormat) -> Result<Vec<u8>, String> {
        Err(WITHOUT.to_owned())
    }
}

#[cfg(feature = "pictures")]
mod work {
    use std::io::Cursor;

    use image::codecs::jpeg::JpegEncoder;
    use image::codecs::png::PngEncoder;
    use image::codecs::webp::WebPEncoder;
    use image::imageops::FilterType;
    use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageReader, Limits, Rgba};
    use repaint_core::{Dimensions, MediaType, OutputFormat, Target};

    /// A picture that needs more to be unpacked is no input for any model.
    const MEMORY: u64 = 2 << 30;
    /// Qualities of JPEG that are tried, one after the other, before a picture is made smaller.
    const QUALITIES: [u8; 2] = [95, 85];
    /// A picture that is still too heavy after so many tries is given up.
    const TRIES: u32 = 8;

    /// A picture of 8 bits a channel, upright, with what gives its colours their meaning.
    struct Pixels {
        image: DynamicImage,
        profile: Option<Vec<u8>>,
    }

    /// How a file is written.
    #[derive(Clone, Copy)]
    enum Format {
        Jpeg(u8),
        Png,
        Webp,
    }

    pub(super) fn remade(bytes: &[u8], target: &Target) -> Result<Vec<u8>, String> {
        let kind = MediaType::of(bytes).ok_or("it is of no known kind")?;
        let mut pixels = Pixels::decoded(kind, bytes, Some(target.dimensions))?;
        let mut area = target.dimensions.area();
        let formats = formats(kind, &pixels, &target.media_types)?;
        for _ in 0..TRIES {
            pixels.shrink_to(area);
            let mut least = usize::MAX;
            for format in &formats {
                let file = pixels.encoded(*format)?;
                if file.len() as u64 <= target.bytes {
                    return Ok(file);
                }
                least = least.min(file.len());
            }
            // A tenth less than by proportion: smaller pictures have more detail for each pixel.
            let part = 0.9 * target.bytes as f64 / least as f64;
            area = (pixels.area() as f64 * part) as u64;
            if area == 0 {
                break;
            }
        }
        Err(format!("it cannot be made as small as {} bytes", target.bytes))
    }

    pub(super) fn converted(bytes: &[u8], format: OutputFormat) -> Result<Vec<u8>, String> {
        let kind = MediaType::of(bytes).ok_or("it is of no known kind")?;
        Pixels::decoded(kind, bytes, None)?.encoded(match format {
            OutputFormat::Jpeg => Format::Jpeg(QUALITIES[0]),
            OutputFormat::Png => Format::Png,
            OutputFormat::Webp => Format::Webp,
        })
    }

    /// The ways in which a picture may be written, the best first: its own kind, else without loss what
    /// had none, and as JPEG what had.
    fn formats(
        kind: MediaType,
        pixels: &Pixels,
        taken: &[MediaType],
    ) -> Result<Vec<Format>, String> {
        let lossy = matches!(
            kind,
            MediaType::Jpeg | MediaType::Webp | MediaType::Heic | MediaType::Avif | MediaType::Jxl
        );
        let mut formats = Vec::new();
        let transparent = pixels.is_transparent();
        if taken.contains(&MediaType::Png) && (transparent || !lossy) {
            formats.push(Format::Png);
        }
        if taken.contains(&MediaType::Jpeg) && !transparent {
            formats.extend(QUALITIES.map(Format::Jpeg));
        }
        // Only what nothing else is left for: it is written without loss, and weighs more than JPEG.
        if taken.contains(&MediaType::Webp) && formats.is_empty() {
            formats.push(Format::Webp);
        }
        if taken.contains(&MediaType::Png) && formats.is_empty() {
            formats.push(Format::Png);
        }
        if formats.is_empty() {
            return Err(
                "it has transparent parts, which no kind of file that is taken can hold".into()
            );
        }
        Ok(formats)
    }

    impl Pixels {
        /// The picture of a file, with no more than so many pixels.
        fn decoded(kind: MediaType, bytes: &[u8], to: Option<Dimensions>) -> Result<Self, String> {
            if matches!(kind, MediaType::Heic | MediaType::Avif) {
                let mut pixels = heif(kind, bytes)?;
                pixels.shrink_as(to);
                return Ok(pixels);
            }
            let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
            let mut reader = reader.map_err(|err| err.to_string())?;
            let mut limits = Limits::default();
            limits.max_alloc = Some(MEMORY);
            reader.limits(limits);
            let mut decoder = reader
                .into_decoder()
                .map_err(|_| format!("{} cannot be decoded here: save it as JPEG", kind.name()))?;
            let turned = decoder.orientation().map_err(|err| err.to_string())?;
            let profile = decoder.icc_profile().ok().flatten();
            let image = DynamicImage::from_decoder(decoder).map_err(|err| err.to_string())?;
            // A profile of grey or of CMYK means nothing to red, green and blue.
            let profile = profile.filter(|it| it.get(16..20) == Some(b"RGB "));
            let mut pixels = Self { image: eight_bits(image), profile };
            // Turning copies, and large pictures are better copied small.
            pixels.shrink_as(to);
            pixels.image.apply_orientation(turned);
            Ok(pixels)
        }

        fn area(&self) -> u64 {
            u64::from(self.image.width()) * u64::from(self.image.height())
        }

        /// Whether any pixel lets something through.
        fn is_transparent(&self) -> bool {
            let opaque = |it: &Rgba<u8>| it.0[3] == u8::MAX;
            self.image.as_rgba8().is_some_and(|it| !it.pixels().all(opaque))
        }

        /// As large as was planned, where that is smaller. A picture that is still to be turned has its width
        /// where its height will be.
        fn shrink_as(&mut self, to: Option<Dimensions>) {
            let Some(to) = to.filter(|it| it.area() < self.area()) else { return };
            let lies = (self.image.width() < self.image.height()) != (to.width < to.height);
            match lies {
                true => self.resize(to.height, to.width),
                false => self.resize(to.width, to.height),
            }
        }

        /// The same shape with no more than so many pixels.
        fn shrink_to(&mut self, area: u64) {
            let part = area as f64 / self.area().max(1) as f64;
            if 1.0 <= part {
                return;
            }
            let side = |it: u32| ((f64::from(it) * part.sqrt()).floor() as u32).max(1);
            self.resize(side(self.image.width()), side(self.image.height()));
        }

        fn resize(&mut self, width: u32, height: u32) {
            let (width, height) = (width.max(1), height.max(1));
            // A good filter looks at six pixels of the result's size each way, which takes minutes for what
            // is far too large. Means of squares come first, and leave it two pixels for each of the result.
            let spare = (self.image.width() / width).min(self.image.height() / height) / 2;
            if 1 < spare {
                self.image = means_of(&self.image, spare);
            }
            self.image = self.image.resize_exact(width, height, FilterType::Lanczos3);
        }

        fn encoded(&self, format: Format) -> Result<Vec<u8>, String> {
            let mut file = Vec::new();
            match format {
                Format::Jpeg(quality) => {
                    let encoder = JpegEncoder::new_with_quality(&mut file, quality);
                    self.write(&DynamicImage::ImageRgb8(self.on_white()), encoder)
                }
                Format::Png => self.write(&self.image, PngEncoder::new(&mut file)),
                Format::Webp => self.write(&self.image, WebPEncoder::new_lossless(&mut file)),
            }?;
            Ok(file)
        }

        fn write(
            &self,
            image: &DynamicImage,
            mut encoder: impl ImageEncoder,
        ) -> Result<(), String> {
            if let Some(profile) = &self.profile {
                encoder.set_icc_profile(profile.clone()).map_err(|err| err.to_string())?;
            }
            image.write_with_encoder(encoder).map_err(|err| err.to_string())
        }

        /// JPEG knows no transparency: what lets something through shows white paper.
        fn on_white(&self) -> image::RgbImage {
            let Some(picture) = self.image.as_rgba8() else { return self.image.to_rgb8() };
            let mut flat = image::RgbImage::new(picture.width(), picture.height());
            for (Rgba([red, green, blue, alpha]), to) in picture.pixels().zip(flat.pixels_mut()) {
                let alpha = u32::from(*alpha);
                let over =
                    |it: u8| ((u32::from(it) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
                to.0 = [over(*red), over(*green), over(*blue)];
            }
            flat
        }
    }

    /// One pixel for each square of `side` pixels, its mean; squares are cut off at the right and below.
    fn means_of(image: &DynamicImage, side: u32) -> DynamicImage {
        let (width, high) = (image.width(), image.height().div_ceil(side));
        let wide = width.div_ceil(side);
        let (width, side) = (width as usize, side as usize);
        let smaller = match image {
            DynamicImage::ImageRgba8(it) => {
                let pixels = means::<4>(it.as_raw(), width, side);
                image::RgbaImage::from_raw(wide, high, pixels).map(DynamicImage::ImageRgba8)
            }
            other => {
                let pixels = match other.as_rgb8() {
                    Some(it) => means::<3>(it.as_raw(), width, side),
                    None => means::<3>(other.to_rgb8().as_raw(), width, side),
                };
                image::RgbImage::from_raw(wide, high, pixels).map(DynamicImage::ImageRgb8)
            }
        };
        // There are as many means as the squares that were counted.
        smaller.unwrap_or_else(|| image.clone())
    }

    /// Means of squares, of pixels of `N` channels, the fourth of which is how opaque they are.
    fn means<const N: usize>(pixels: &[u8], width: usize, side: usize) -> Vec<u8> {
        let mut means = Vec::new();
        let mut sums = vec![[0_u64; N]; width.div_ceil(side)];
        for rows in pixels.chunks(width * side * N) {
            sums.fill([0; N]);
            for row in rows.chunks(width * N) {
                for (sum, part) in sums.iter_mut().zip(row.chunks(side * N)) {
                    for pixel in part.as_chunks::<N>().0 {
                        // What is transparent has no colour to give to its neighbours.
                        let weight = pixel.get(3).map_or(1, |it| u64::from(*it));
                        for (at, sum) in sum.iter_mut().enumerate() {
                            *sum += if at < 3 { u64::from(pixel[at]) * weight } else { weight };
                        }
                    }
                }
            }
            let high = rows.len() / (width * N);
            for (at, sum) in sums.iter().enumerate() {
                let count = (high * side.min(width - at * side)) as u64;
                let weights = sum.get(3).copied().unwrap_or(count);
                for (channel, sum) in sum.iter().enumerate() {
                    let by = if channel < 3 { weights } else { count };
                    means.push(((sum + by / 2) / by.max(1)) as u8);
                }
            }
        }
        means
    }

    fn eight_bits(image: DynamicImage) -> DynamicImage {
        match image.color().has_alpha() {
            true => DynamicImage::ImageRgba8(image.into_rgba8()),
            false => DynamicImage::ImageRgb8(image.into_rgb8()),
        }
    }

    #[cfg(not(feature = "heif"))]
    fn heif(kind: MediaType, _: &[u8]) -> Result<Pixels, String> {
        Err(format!(
            "this program was built without a decoder of {} (the feature `heif`): save it as JPEG, as \
             `heif-convert photo.heic photo.jpg` or any viewer does",
            kind.name()
        ))
    }

    /// The decoder turns a picture upright itself.
    #[cfg(feature = "heif")]
    fn heif(_: MediaType, bytes: &[u8]) -> Result<Pixels, String> {
        use libheif_rs::{ColorSpace, HeifContext, LibHeif, RgbChroma};

        let words = |err: libheif_rs::HeifError| err.to_string();
        let context = HeifContext::read_from_bytes(bytes).map_err(words)?;
        let handle = context.primary_image_handle().map_err(words)?;
        let area = u64::from(handle.width()) * u64::from(handle.height());
        if MEMORY / 8 < area {
            return Err(format!("it is {}x{} pixels", handle.width(), handle.height()));
        }
        let alpha = handle.has_alpha_channel();
        let chroma = if alpha { RgbChroma::Rgba } else { RgbChroma::Rgb };
        let decoded =
            LibHeif::new().decode(&handle, ColorSpace::Rgb(chroma), None).map_err(words)?;
        let plane = decoded.planes().interleaved.ok_or("it has no pixels")?;
        let row = plane.width as usize * if alpha { 4 } else { 3 };
        let rows = plane.data.chunks(plane.stride.max(1)).take(plane.height as usize);
        let pixels: Vec<u8> = rows.flat_map(|it| &it[..row.min(it.len())]).copied().collect();
        let (width, height) = (plane.width, plane.height);
        let image = match alpha {
            true => image::RgbaImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8),
            false => image::RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        };
        let profile = handle.color_profile_raw().map(|it| it.data);
        Ok(Pixels { image: image.ok_or("its pixels are cut short")?, profile })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_picture_that_stayed_base64_is_converted_like_its_bytes() {
            let mut png = Cursor::new(Vec::new());
            DynamicImage::new_rgb8(9, 7)
                .write_to(&mut png, image::ImageFormat::Png)
                .expect("a PNG");
            let png = png.into_inner();
            let text = base64_simd::STANDARD.encode_to_string(&png);
            let left = repaint_core::Image::undecoded(text.into()).expect("base64");
            assert!(left.bytes.is_empty() && left.facts().is_ok());
            let decoded = repaint_core::Image::new(png.into());
            let convert = |it| super::super::converted(it, OutputFormat::Jpeg).expect("a JPEG");
            assert!(!convert(&left).bytes.is_empty() && convert(&left) == convert(&decoded));
        }

        #[test]
        fn means_are_of_squares_and_of_what_is_left_at_the_edges() {
            // Five wide and three high, squares of two: the last column and the last row are cut off.
            let rows = [[10, 20, 30, 40, 50], [30, 40, 50, 60, 70], [1, 3, 5, 7, 9]];
            let raw: Vec<u8> = rows.as_flattened().iter().flat_map(|it| [*it, 0, 255]).collect();
            let means = means::<3>(&raw, 5, 2);
            let reds: Vec<u8> = means.chunks(3).map(|it| it[0]).collect();
            assert_eq!(reds, [25, 45, 60, 2, 6, 9]);
            assert!(means.chunks(3).all(|it| it[1..] == [0, 255]), "{means:?}");
        }

        #[test]
        fn hidden_colours_do_not_bleed_into_means() {
            let raw = [[200, 100, 50, 255], [0, 0, 0, 0], [0, 0, 0, 0], [200, 100, 50, 255]];
            assert_eq!(means::<4>(raw.as_flattened(), 2, 2), [200, 100, 50, 128]);
            assert_eq!(means::<4>(&[9, 9, 9, 0], 1, 2), [0; 4]);
        }

        #[test]
        fn what_is_far_too_large_keeps_shape_place_and_tone() {
            // Stripes of a pixel on the left, red on the right, far larger than what is wanted.
            let picture = image::RgbImage::from_fn(3001, 1999, |x, _| match (x < 1500, x % 2) {
                (true, 0) => image::Rgb([0; 3]),
                (true, _) => image::Rgb([255; 3]),
                (false, _) => image::Rgb([200, 10, 10]),
            });
            let mut pixels = Pixels { image: DynamicImage::ImageRgb8(picture), profile: None };
            pixels.shrink_to(150 * 100);
            let small = pixels.image.to_rgb8();
            assert_eq!(small.dimensions(), (150, 99));
            for (x, _, pixel) in small.enumerate_pixels() {
                match x {
                    ..72 => assert!(pixel.0.iter().all(|it| it.abs_diff(128) < 3), "{pixel:?}"),
                    78.. => assert_eq!(pixel.0, [200, 10, 10]),
                    _ => {}
                }
            }
        }
    }
}
