//! `--compare`: what went in and what came out, in one picture.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use repaint::{Image, ImageInput, Result};

use crate::args::Ask;
use crate::output::{Output, Saved, invalid};

/// What a program without the feature says.
#[cfg(not(feature = "pictures"))]
const LACKS: &str = "this program was built without `pictures`, which --compare needs";

/// A place for the strip, found before anything is sent, and what stands first in it.
pub(crate) struct Strip {
    #[cfg(feature = "pictures")]
    before: ImageInput,
    #[cfg(feature = "pictures")]
    format: image::ImageFormat,
    place: Output,
}

impl Strip {
    /// The file that holds the place, to be removed where no destructor runs.
    pub(crate) fn reserved(&self) -> Option<PathBuf> {
        self.place.reserved()
    }

    /// Fails where the strip would take the name of the picture.
    pub(crate) fn beside(self, pictures: &Output) -> Result<Self> {
        if self.place.is_same(pictures) {
            return Err(invalid(
                "--compare and --output name the same file: name another for one of them",
            ));
        }
        Ok(self)
    }

    /// The name that the strip would get.
    pub(crate) fn names(&self, taken: &mut BTreeSet<PathBuf>) -> Vec<PathBuf> {
        self.place.names(1, None, taken)
    }

    /// Reserves the place, if a strip is asked for; `at` is how many were written there before.
    pub(crate) fn reserve(
        ask: &Ask,
        before: Option<&ImageInput>,
        at: usize,
    ) -> Result<Option<Self>> {
        let Some(path) = &ask.compare else { return Ok(None) };
        strip(path, ask.force, before, at).map(Some)
    }
}

#[cfg(feature = "pictures")]
fn strip(path: &Path, force: bool, before: Option<&ImageInput>, at: usize) -> Result<Strip> {
    use repaint::ImageSource;

    let Some(before) = before else {
        return Err(invalid(
            "--compare puts the first image beside the picture, and there is none",
        ));
    };
    if matches!(before.source(), ImageSource::Url(_)) {
        let label = before.label();
        return Err(invalid(format!("--compare needs the bytes of {label}: download it first")));
    }
    if path == Path::new("-") {
        return Err(invalid("--compare writes a file; name one, such as both.png"));
    }
    let Some(format) = crate::picture::format(path) else {
        let name = path.display();
        return Err(invalid(format!("--compare writes .png, .jpg or .webp, not {name}")));
    };
    let place = match at {
        0 => Output::reserve(Some(path), force, 1, None)?,
        _ => Output::hold(path.to_path_buf(), force)?.after(at),
    };
    Ok(Strip { before: before.clone(), format, place })
}

#[cfg(not(feature = "pictures"))]
fn strip(_: &Path, _: bool, _: Option<&ImageInput>, _: usize) -> Result<Strip> {
    Err(invalid(LACKS))
}

#[cfg(feature = "pictures")]
impl Strip {
    /// Writes the strip. The error says why there is none; the pictures themselves are safe.
    ///
    /// `saved` are the files that the pictures are in by now.
    pub(crate) fn save(self, after: &[Image], saved: &[PathBuf]) -> Result<Saved, String> {
        use crate::picture::{decoded, encoded, row};
        use repaint::ImageSource;

        let bytes = match self.before.source() {
            ImageSource::File(path) => std::fs::read(path).map_err(|err| err.to_string())?,
            ImageSource::Bytes(bytes) => bytes.to_vec(),
            ImageSource::Base64(base64) => base64_simd::STANDARD
                .decode_to_vec(base64)
                .map_err(|_| "the image is not base64".to_owned())?,
            ImageSource::Url(url) => return Err(format!("{url} is not here")),
        };
        let mut pictures = vec![decoded(&bytes)?];
        for image in after {
            pictures.push(decoded(&image.bytes)?);
        }
        let strip = Image::new(encoded(&row(&pictures), self.format)?.into());
        let strip = self.place.sparing(saved).save(&[strip]).pop();
        strip.map_or_else(
            || Err("nothing was written".to_owned()),
            |it| it.map_err(|err| err.to_string()),
        )
    }
}

#[cfg(not(feature = "pictures"))]
impl Strip {
    /// No strip can be reserved, so none is saved.
    pub(crate) fn save(self, _: &[Image], _: &[PathBuf]) -> Result<Saved, String> {
        Err(LACKS.to_owned())
    }
}
