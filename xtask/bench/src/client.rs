//! An edit through our client: files in, a picture out.

use std::path::{Path, PathBuf};

use repaint_client::Client;
use repaint_core::{ImageInput, ImageRequest, Job, Registry};
use repaint_router::Router;
use serde_json::Value;
use tokio::runtime;
use url::Url;

use crate::Result;
use crate::meter::Meter;

/// What the picture of the answer weighs, decoded.
pub(crate) const ANSWER_BYTES: usize = 6_000_000;
const IMAGES: usize = 8;

/// Of the async runtime; files are read on one more either way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    /// As tokio has it by default.
    Many,
    One,
}

/// The input images.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    (0..IMAGES).map(|it| folder.join(format!("{it}.jpg"))).collect()
}

pub(crate) fn run(threads: Threads, base: &str, folder: &Path, times: &str) -> Result<Value> {
    let runtime = match threads {
        Threads::Many => runtime::Builder::new_multi_thread().enable_all().build()?,
        Threads::One => runtime::Builder::new_current_thread().enable_all().build()?,
    };
    let registry = Registry::linked()?;
    let client = Client::builder()
        .without_environment()
        .key("together", "none")
        .base("together", Url::parse(base)?)
        .build()?;
    let router = Router::new(registry, client);
    let mut meter = Meter::default();
    for _ in 0..times.parse::<usize>()? {
        let begun = Meter::begin();
        let request = ImageRequest {
            images: files(folder).into_iter().map(ImageInput::file).collect(),
            options: [("response_format".to_owned(), Value::from("base64"))].into_iter().collect(),
            ..ImageRequest::new("p")
        };
        let job = Job { select: vec!["together/flux2-dev".to_owned()], ..Job::new(request) };
        let outcome = runtime.block_on(router.run(job))?;
        if outcome.images.first().map(|it| it.bytes.len()) != Some(ANSWER_BYTES) {
            return Err("not the whole picture".into());
        }
        meter.end(&begun);
    }
    Ok(meter.line())
}
