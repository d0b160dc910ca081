//! Reads what the bytes of input images say of themselves, before admission.

use std::fs::File;
use std::path::Path;

use repaint_core::{Error, ErrorKind, ImageFacts, ImageInput, ImageRequest, ImageSource, Result};

/// The request with the facts of every file; addresses stay unknown.
pub(crate) async fn inspect(mut request: ImageRequest) -> Result<ImageRequest> {
    let waits =
        |it: &ImageInput| it.facts().is_none() && matches!(it.source(), ImageSource::File(_));
    if !request.inputs().any(waits) {
        return Ok(request);
    }
    let work = tokio::task::spawn_blocking(move || {
        for image in request.images.iter_mut().chain(&mut request.mask) {
            if let (None, ImageSource::File(path)) = (image.facts(), image.source()) {
                let facts = facts(path)?;
                *image = image.clone().inspected(facts);
            }
        }
        Ok(request)
    });
    work.await.unwrap_or_else(|err| Err(Error::new(ErrorKind::Unexpected, err.to_string())))
}

/// The facts of one file. The error names it.
pub(crate) fn facts(path: &Path) -> Result<ImageFacts> {
    let name = path.display();
    let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    // Looked at before it is opened: opening a pipe waits for its other end.
    let metadata = path
        .metadata()
        .map_err(|err| invalid(format!("{name} cannot be read: {}", plain(&err))))?;
    if metadata.is_dir() {
        return Err(invalid(format!("{name} is a folder, not a picture")));
    }
    if !metadata.is_file() {
        return Err(invalid(format!("{name} is no regular file; pipe its content in as `-`")));
    }
    let file = File::open(path)
        .map_err(|err| invalid(format!("{name} cannot be read: {}", plain(&err))))?;
    ImageFacts::read(file).map_err(|why| invalid(format!("{name} {why}")))
}

/// What went wrong, without the number of the error.
pub(crate) fn plain(err: &std::io::Error) -> String {
    let text = err.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |it| it.to_lowercase().chain(letters).collect())
}
