//! `repaint edit`: a picture, or the reason why there is none.

use std::io;
use std::path::PathBuf;

use repaint::{CancellationToken, Client, Error, Image, ImageFacts, Outcome, Warning};
use serde_json::{Value, json};

use crate::args::Ask;
use crate::output::{Output, Saved};
use crate::watch::Watch;
use crate::{ask, show};

/// How an edit ended, where it did not fail.
pub(crate) enum Ended {
    /// Every picture that was asked for is saved.
    Done,
    /// Fewer pictures came than were asked for, or one is no picture or could not be saved; or a
    /// probe was taken.
    Partly,
    /// No model would take what was to be explained.
    Nobody,
    /// What was to be validated is not what it should be.
    Invalid,
}

/// Why there is no picture, with the warnings that came before.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) warnings: Vec<Warning>,
    /// Whether the caller stopped it.
    pub(crate) interrupted: bool,
    /// Whether JSON that has the error was printed already.
    pub(crate) shown: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, warnings: Vec::new(), interrupted: false, shown: false }
    }
}

pub(crate) async fn run(ask: &Ask) -> Result<Ended, Failed> {
    let registry = ask::registry(ask.capabilities.as_deref())?;
    let mut job = ask::job(ask)?;
    let client = Client::new()?;
    // Whatever can be refused is, before the place is reserved.
    let plan = client.plan(&registry, &mut job).await?;
    let warnings = plan.first()?.warnings.clone();
    let first = job.request.images.first();
    let output = Output::reserve(ask.output.as_deref(), ask.force, job.request.count, first)?;
    let count = job.request.count as usize;

    let watch = Watch::new();
    let teller = watch.clone();
    let run = client.watched(&job, move |progress| teller.tell(&progress));
    let cancel = run.canceller();
    let listener = tokio::spawn(interrupted(cancel.clone(), output.reserved()));
    let outcome = run.run(&registry, job).await;
    listener.abort();
    watch.done();
    let Outcome { images, receipt } = outcome.map_err(|error| {
        warnings.iter().for_each(show::warning);
        Failed { error, warnings, interrupted: cancel.is_cancelled(), shown: false }
    })?;

    receipt.warnings.iter().for_each(show::warning);
    for adaptation in &receipt.adaptations {
        show::note(&format!("adapted {adaptation}"));
    }
    receipt.failures.iter().for_each(show::error);
    let saved = output.save(&images);
    for err in saved.iter().filter_map(|it| it.as_ref().err()) {
        show::note(&format!("a picture was made, but could not be saved: {err}"));
        if let Some(handle) = &receipt.handle {
            show::handle(handle);
        }
    }
    let files: Vec<Value> = images.iter().zip(&saved).map(|(image, it)| file(image, it)).collect();
    let shown = json!({ "files": files, "receipt": receipt });
    let printed = saved.iter().any(|it| matches!(it, Ok(Saved::Stdout)));
    match (ask.json, printed) {
        // Standard output has the picture, so what is said of it goes beside.
        (true, true) => show::note(&shown.to_string()),
        (true, false) => show::json(&shown),
        (false, _) => {
            for place in saved.iter().flatten() {
                if let Saved::File(path) = place {
                    show::result(&format!("{}\n", path.display()));
                    let named =
                        ask.output.as_deref().filter(|it| it.extension() != path.extension());
                    if let Some(named) = named.filter(|it| it.extension().is_some()) {
                        let message =
                            "the name follows what the bytes are; --format asks for another";
                        show::note(&format!("not {}: {message}", named.display()));
                    }
                }
            }
            let cost = match receipt.cost {
                Some(cost) => format!("charged {cost}"),
                None if receipt.estimate.high.0 == 0 => "free".to_owned(),
                None => format!("estimated {}", receipt.estimate),
            };
            show::note(&format!("{} made {}, {cost}", receipt.offer, described(&images)));
        }
    }
    let pictures = images.iter().filter(|it| it.media_type.is_some()).count();
    let whole = pictures == count && saved.iter().all(Result::is_ok);
    Ok(if whole { Ended::Done } else { Ended::Partly })
}

/// Ctrl-C asks the job to stop and report its handle; a second one stops at once, and leaves no file
/// behind either.
pub(crate) async fn interrupted(cancel: CancellationToken, reserved: Option<PathBuf>) {
    if !signal().await {
        return;
    }
    cancel.cancel();
    show::note("stopping; once more to stop at once");
    if signal().await {
        if let Some(reserved) = reserved {
            let _ = std::fs::remove_file(reserved);
        }
        std::process::exit(INTERRUPTED.into());
    }
}

/// Waits to be asked to stop; `false` if that cannot be heard.
async fn signal() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminated) = signal(SignalKind::terminate()) else { return false };
        tokio::select! {
            heard = tokio::signal::ctrl_c() => heard.is_ok(),
            heard = terminated.recv() => heard.is_some(),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.is_ok()
}

/// The exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

fn file(image: &Image, place: &io::Result<Saved>) -> Value {
    let path = match place {
        Ok(Saved::File(path)) => Some(path),
        Ok(Saved::Stdout) | Err(_) => None,
    };
    let facts = ImageFacts::of(&image.bytes).ok();
    let mut file = json!({
        "path": path,
        "bytes": image.bytes.len(),
    });
    if let Some(kind) = image.media_type {
        file["media_type"] = kind.name().into();
    }
    if let Some(facts) = facts {
        file["width"] = facts.dimensions.width.into();
        file["height"] = facts.dimensions.height.into();
    }
    file
}

fn described(images: &[Image]) -> String {
    let sizes: Vec<String> = images
        .iter()
        .map(|it| match ImageFacts::of(&it.bytes) {
            Ok(facts) => format!("a picture of {}", facts.dimensions),
            Err(_) => format!("{} bytes", it.bytes.len()),
        })
        .collect();
    sizes.join(", ")
}
