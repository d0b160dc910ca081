//! `repaint edit`: a picture, or the reason why there is none.

use std::path::PathBuf;

use repaint::{CancellationToken, Client, Error, Image, ImageFacts, Outcome, Result};
use serde_json::{Value, json};

use crate::args::Ask;
use crate::output::Output;
use crate::watch::Watch;
use crate::{ask, show};

/// How an edit ended, where it did not fail.
pub(crate) enum Ended {
    /// Every picture that was asked for is saved.
    Done,
    /// Some pictures were made and did not come back, or one could not be saved.
    Partly,
}

pub(crate) async fn run(ask: &Ask) -> Result<Ended> {
    let registry = ask::registry(ask.capabilities.as_deref())?;
    let mut job = ask::job(ask)?;
    let client = Client::new()?;
    // Whatever can be refused is, before the place is reserved.
    let plan = client.plan(&registry, &mut job).await?;
    plan.first()?;
    let first = job.request.images.first();
    let output = Output::reserve(ask.output.as_deref(), ask.force, job.request.count, first)?;

    let watch = Watch::new();
    let teller = watch.clone();
    let run = client.watched(&job, move |progress| teller.tell(&progress));
    let listener = tokio::spawn(interrupted(run.canceller(), output.reserved()));
    let outcome = run.run(&registry, job).await;
    listener.abort();
    watch.done();
    let Outcome { images, receipt } = outcome?;

    for warning in &receipt.warnings {
        show::warning(warning);
    }
    for adaptation in &receipt.adaptations {
        show::note(&format!("adapted {adaptation}"));
    }
    for failure in &receipt.failures {
        show::error(failure);
    }
    let saved = match output.save(&images) {
        Ok(saved) => saved,
        Err(err) => {
            show::note(&format!("the picture was made, but could not be saved: {err}"));
            if let Some(handle) = &receipt.handle {
                let told = serde_json::to_string(handle).unwrap_or_default();
                show::note(&format!("it may still be had for some minutes: {told}"));
            }
            return Ok(Ended::Partly);
        }
    };
    let to_stdout = saved.iter().all(Option::is_none);
    let files: Vec<Value> =
        images.iter().zip(&saved).map(|(image, path)| file(image, path)).collect();
    match (ask.json, to_stdout) {
        // Standard output has the picture, so what is said of it goes beside.
        (true, true) => show::note(&json!({ "files": files, "receipt": receipt }).to_string()),
        (true, false) => show::json(&json!({ "files": files, "receipt": receipt })),
        (false, _) => {
            for path in saved.iter().flatten() {
                show::result(&format!("{}\n", path.display()));
            }
            let cost = match receipt.cost {
                Some(cost) => format!("charged {cost}"),
                None if receipt.estimate.high.0 == 0 => "free".to_owned(),
                None => format!("estimated {}", receipt.estimate),
            };
            show::note(&format!("{} made {}, {cost}", receipt.offer, described(&images)));
        }
    }
    Ok(if receipt.failures.is_empty() { Ended::Done } else { Ended::Partly })
}

/// Ctrl-C asks the job to stop and report its handle; a second one stops at once, and leaves no file
/// behind either.
async fn interrupted(cancel: CancellationToken, reserved: Option<PathBuf>) {
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

/// Whether an error says that the caller interrupted the job.
pub(crate) fn was_interrupted(err: &Error) -> bool {
    err.message().starts_with("cancelled")
}

fn file(image: &Image, path: &Option<PathBuf>) -> Value {
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
