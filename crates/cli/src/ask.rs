//! From the command line to a job and the models that may take it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use clap::ValueEnum;
use repaint::{
    Adapt, Candidate, Error, ErrorKind, ImageInput, ImageRequest, Job, OrderBy, Overlay, Policy,
    Providers, Registry, Result, Router, Size,
};

use crate::args::{Ask, Way};
use crate::edit::Failed;
use crate::settings::Settings;
use crate::{models, orders};

/// More than this is read from standard input by mistake only.
const STDIN_LIMIT: u64 = 100_000_000;

/// So is a file of facts that is longer.
const OVERLAY_LIMIT: u64 = 16 << 20;

/// What the arguments describe, and who runs it.
pub(crate) fn asked(ask: &Ask, settings: &Settings) -> Result<(Router, Job), Failed> {
    let router = router(ask.capabilities.as_deref(), settings).map_err(Failed::misuse)?;
    for name in &ask.model {
        router.registry().resolve(name).map_err(Failed::misuse)?;
    }
    for name in ask.allow_provider.iter().chain(&ask.deny_provider) {
        models::known(router.registry(), name).map_err(Failed::misuse)?;
    }
    Ok((router, job(ask)?))
}

/// The job that the arguments describe. An image that is none is a fault of the request, all else of the
/// arguments.
fn job(ask: &Ask) -> Result<Job, Failed> {
    let misuse = |message: String| Failed::misuse(invalid(message));
    if let Some(way) = way_as_an_image(ask) {
        return Err(misuse(format!(
            "there is no image {way}: a way to show it is written --show={way}"
        )));
    }
    let stdin = ask.images.iter().chain(&ask.mask).filter(|it| *it == "-").count();
    if 1 < stdin {
        return Err(misuse(
            "`-` stands for standard input, which can be read only once".to_owned(),
        ));
    }
    let mut request = ImageRequest::new(&ask.prompt);
    request.images = ask.images.iter().map(|it| image(it)).collect::<Result<_>>()?;
    request.mask = ask.mask.as_deref().map(image).transpose()?;
    request.size = match (ask.size, ask.ratio) {
        (Some(size), _) => Size::Pixels(size),
        (None, Some(ratio)) => Size::Ratio(ratio),
        (None, None) => Size::Auto,
    };
    request.count = ask.count;
    request.seed = ask.seed;
    request.negative_prompt.clone_from(&ask.negative_prompt);
    request.steps = ask.steps;
    request.guidance = ask.guidance;
    request.output_format = ask.format.map(Into::into);
    for (key, value) in &ask.option {
        if request.options.insert(key.clone(), value.clone()).is_some() {
            return Err(misuse(format!("the option `{key}` is given twice")));
        }
    }
    let mut adapt = Adapt::default();
    for text in &ask.adapt {
        adapt.set(text).map_err(misuse)?;
    }
    let (max_cost, timeout_seconds) = (ask.max_cost, ask.timeout);
    let (allow, deny) = (ask.allow_provider.clone(), ask.deny_provider.clone());
    let providers = Providers { allow, deny };
    let (order, fallback) = (ask.order.map_or_else(OrderBy::default, Into::into), !ask.no_fallback);
    let policy = Policy { order, providers, fallback, adapt, max_cost, timeout_seconds };
    Ok(Job { select: ask.model.clone(), request, policy })
}

/// The way that was to follow `--show`: after a blank it stands for an image.
fn way_as_an_image(ask: &Ask) -> Option<&str> {
    ask.show?;
    let names = ask.images.iter().filter_map(|it| it.to_str());
    names.into_iter().find(|it| Way::from_str(it, false).is_ok() && !Path::new(it).exists())
}

/// Who runs the job.
pub(crate) fn router(overlay: Option<&Path>, settings: &Settings) -> Result<Router> {
    let registry = registry(overlay)?;
    let client = settings.client(&registry)?;
    Ok(Router::new(registry, client))
}

/// The same, with the store, if a job may be sent to somebody who charges for it.
pub(crate) async fn written_down<'a>(
    router: Router,
    candidates: impl IntoIterator<Item = &'a Candidate>,
) -> Result<Router> {
    let hosted = |it: &Candidate| {
        let model = router.registry().get(&it.offer);
        model.is_some_and(|it| it.provider().endpoint.is_some())
    };
    if !candidates.into_iter().any(hosted) {
        return Ok(router);
    }
    Ok(match orders::store().await? {
        Some(store) => router.with_store(store),
        None => router,
    })
}

/// The models of this program, with the facts of an overlay.
pub(crate) fn registry(overlay: Option<&Path>) -> Result<Registry> {
    let registry = repaint::registry()?;
    let Some(path) = overlay else { return Ok(registry) };
    let name = path.display();
    let text = text(path, OVERLAY_LIMIT)?;
    let overlay: Overlay = serde_json::from_str(&text)
        .map_err(|err| invalid(format!("{name} is no overlay of capabilities: {err}")))?;
    registry.with_overlay(&overlay).map_err(|err| invalid(format!("{name}: {}", err.message())))
}

/// The text of a file; never more than so many bytes of it, since it may be a device.
pub(crate) fn text(path: &Path, limit: u64) -> Result<String> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|it| it.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|err| invalid(format!("{name} cannot be read: {}", why(&err))))?;
    if limit < bytes.len() as u64 {
        return Err(invalid(format!("{name} has more than {limit} bytes: it is no such file")));
    }
    String::from_utf8(bytes).map_err(|_| invalid(format!("{name} is no text")))
}

/// What the system says, as a part of a sentence.
pub(crate) fn why(err: &io::Error) -> String {
    let why = err.to_string();
    why.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// An image as it is named on the command line.
pub(crate) fn image(name: &OsStr) -> Result<ImageInput> {
    // What is no Unicode can be a path only.
    let Some(text) = name.to_str() else { return Ok(ImageInput::file(name)) };
    match text {
        "" => Err(invalid("an image is named by an empty text")),
        "-" => stdin(),
        it if it.starts_with("http://") || it.starts_with("https://") => ImageInput::url(it),
        it if it.starts_with("data:") => ImageInput::data_uri(it),
        it if is_address(it) => Err(invalid(format!(
            "{it} is no http or https address, and no other is fetched: download it, and give the file"
        ))),
        path => Ok(ImageInput::file(path)),
    }
}

/// Whether a text begins as an address does, such as `ftp://`.
fn is_address(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |it| it.0);
    let mut letters = scheme.chars();
    letters.next().is_some_and(|it| it.is_ascii_alphabetic())
        && letters.all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'))
}

fn stdin() -> Result<ImageInput> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(invalid(
            "`-` reads a picture from standard input, which is a terminal; pipe one in",
        ));
    }
    let mut bytes = Vec::new();
    let read = stdin.lock().take(STDIN_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|err| invalid(format!("standard input cannot be read: {err}")))?;
    if STDIN_LIMIT < bytes.len() as u64 {
        return Err(invalid(format!("standard input has more than {STDIN_LIMIT} bytes")));
    }
    ImageInput::bytes(bytes).map_err(|err| invalid(format!("standard input: {}", err.message())))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
