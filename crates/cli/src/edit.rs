//! `repaint edit`: a picture, or the reason why there is none.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use repaint::{
    Candidate, Error, ErrorKind, Hop, Image, ImageFacts, Job, Outcome, Progress, Receipt, Router,
    Task, Warning,
};
use repaint_schema::printed::{Edit, PictureFile};

use crate::args::{Ask, Way};
use crate::compare::Strip;
use crate::names::{self, named_after};
use crate::output::{Output, Saved};
use crate::settings::Settings;
use crate::watch::Watch;
use crate::{ask, each, explain, preview, show, signals};

/// How an edit ended, where it did not fail.
pub(crate) enum Ended {
    /// Every picture that was asked for is saved.
    Done,
    /// Fewer pictures came than were asked for, or one is no picture or could not be saved; or a
    /// probe was taken.
    Partly,
    /// No model would take what was to be explained.
    Nobody,
    /// Nothing came of any of the jobs.
    Failed(ErrorKind),
    /// The caller stopped it after some of the jobs.
    Interrupted,
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
    /// Whether it lies with how the program is used, and not with the request.
    pub(crate) misuse: bool,
}

impl Failed {
    /// An error from before there is a request: what is invalid by then is an argument, a variable or
    /// the configuration.
    pub(crate) fn misuse(error: Error) -> Self {
        Self { misuse: error.kind() == ErrorKind::InvalidRequest, ..error.into() }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, warnings: Vec::new(), interrupted: false, shown: false, misuse: false }
    }
}

/// Where the pictures of a job go, and the strip that compares them with the first image.
pub(crate) struct Place {
    pub(crate) output: Output,
    pub(crate) strip: Option<Strip>,
}

/// What a job brought, and where it is now.
pub(crate) struct Brought {
    pub(crate) receipt: Receipt,
    images: Vec<Image>,
    saved: Vec<io::Result<Saved>>,
    strip: Option<Result<Saved, String>>,
    /// Whether the caller asked to stop; the pictures had come by then.
    pub(crate) interrupted: bool,
}

pub(crate) async fn run(ask: &Ask, settings: &Settings) -> Result<Ended, Failed> {
    let (router, mut job) = ask::asked(ask, settings)?;
    match (ask.each, ask.dry_run) {
        (true, true) => return each::explain(ask, &router, job).await,
        (false, true) => return explain::shortly(ask, &router, job).await,
        (true, false) => return each::run(ask, &router, job).await,
        (false, false) => {}
    }
    // Whatever can be refused is, before the place is reserved.
    let plan = router.plan(&mut job).await?;
    let chosen = plan.first().map_err(|err| each::suggested(err, &plan, ask.images.len()))?;
    let warnings = chosen.warnings.clone();
    keyed(&router, &plan.candidates)?;
    let router = ask::written_down(router, &plan.candidates, ask.account.as_deref()).await?;
    let place = Place::reserve(ask, &job).map_err(Failed::misuse)?;
    let paths = place.paths(ask.count);
    let task = |teller: Teller| router.watched(job, teller).for_paths(paths);
    let brought = carry_out(task, place).await;
    let brought = brought.map_err(|failed| {
        warnings.iter().for_each(show::warning);
        Failed { warnings, ..failed }
    })?;
    brought.receipt.warnings.iter().for_each(show::warning);
    brought.tell(ask.json, ask.output.as_deref(), ask.show);
    brought.print(ask.json);
    Ok(if brought.is_whole(ask.count) { Ended::Done } else { Ended::Partly })
}

/// Fails if nobody who would take the job has a key, with every key that would do. What is sent without
/// one is denied by each in turn, and the last would be the only one that is told.
pub(crate) fn keyed(router: &Router, candidates: &[Candidate]) -> Result<(), Error> {
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for Candidate { offer, .. } in candidates {
        let Some(model) = router.registry().get(offer) else { continue };
        let endpoint = model.provider().endpoint.as_ref();
        let Some(endpoint) = endpoint.filter(|_| !router.client().has_key(model.provider())) else {
            return Ok(());
        };
        match missing.iter_mut().find(|(env, _)| *env == endpoint.auth.env) {
            Some((_, offers)) => offers.push(offer),
            None => missing.push((endpoint.auth.env, vec![offer])),
        }
    }
    let ways =
        missing.iter().map(|(env, offers)| format!("set {env} to use {}", offers.join(", ")));
    let ways: Vec<String> = ways.collect();
    Err(Error::new(ErrorKind::Denied, format!("there is no key: {}", ways.join(", or "))))
}

/// Is told where a job stands.
pub(crate) type Teller = Box<dyn Fn(Progress) + Send + Sync>;

/// Runs a job whose place is reserved, and saves what it brings: only then its orders are closed.
pub(crate) async fn carry_out(
    task: impl FnOnce(Teller) -> Task,
    place: Place,
) -> Result<Brought, Failed> {
    let watch = Watch::new();
    let teller = watch.clone();
    let task = task(Box::new(move |progress| teller.tell(&progress)));
    let cancel = task.canceller();
    let listener = tokio::spawn(signals::interrupted(cancel.clone(), place.reserved()));
    let done = watch.clone();
    let keep = |outcome: Outcome| async move {
        done.done();
        let Outcome { images, receipt } = outcome;
        let saved = place.output.save(&images);
        let files = saved.iter().flatten().filter_map(Saved::path).map(Path::to_path_buf);
        let files: Vec<PathBuf> = files.collect();
        let strip = place.strip.map(|it| it.save(&images, &files));
        let path = |it: &io::Result<Saved>| {
            let path = it.as_ref().ok()?.path();
            Some(path.map_or_else(|| "-".to_owned(), |it| it.display().to_string()))
        };
        let paths = saved.iter().map(path).collect();
        (Brought { receipt, images, saved, strip, interrupted: false }, paths)
    };
    let brought = task.keeping(keep).await;
    listener.abort();
    watch.done();
    let interrupted = cancel.is_cancelled();
    let (warnings, shown) = (Vec::new(), false);
    let misuse = false;
    let brought =
        brought.map_err(|error| Failed { error, warnings, interrupted, shown, misuse })?;
    Ok(Brought { interrupted, ..brought })
}

impl Place {
    /// Reserves what the caller named; else the names follow the first image.
    pub(crate) fn reserve(ask: &Ask, job: &Job) -> Result<Self, Error> {
        let first = job.request.images.first();
        let output = match (ask.output.as_deref(), &ask.folder) {
            (None, Some(folder)) => Output::hold(folder.join(named_after(first)), false)?,
            (Some(folder), _) if folder.is_dir() => {
                Output::hold(folder.join(named_after(first)), ask.force)?
            }
            (wanted, _) => {
                if let Some(file) = wanted.filter(|_| ask.format.is_none()) {
                    names::known(file)?;
                }
                Output::reserve(wanted, ask.force, job.request.count, first)?
            }
        };
        let strip = Strip::reserve(ask, first, 0)?.map(|it| it.beside(&output)).transpose()?;
        Ok(Self { output, strip })
    }

    /// The files that would be written, but for their extensions.
    pub(crate) fn names(&self, ask: &Ask, taken: &mut BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let mut names = self.output.names(ask.count, ask.format.map(Into::into), taken);
        if let Some(strip) = &self.strip {
            names.extend(strip.names(taken));
        }
        names
    }

    /// The same for what is written down of an order, before the kind of its pictures is known.
    pub(crate) fn paths(&self, count: u32) -> Vec<String> {
        let names = self.output.names(count, None, &mut BTreeSet::new());
        names.iter().map(|it| it.display().to_string()).collect()
    }

    fn reserved(&self) -> Vec<PathBuf> {
        let strip = self.strip.as_ref().and_then(Strip::reserved);
        self.output.reserved().into_iter().chain(strip).collect()
    }
}

impl Brought {
    /// Says on the terminal what there is, and where; not what the receipt warns of.
    pub(crate) fn tell(&self, json: bool, output: Option<&Path>, shows: Option<Way>) {
        for Hop { offer, code, message, .. } in &self.receipt.hops {
            show::note(&format!("{offer} did not take it ({}): {message}", code.code()));
        }
        for adaptation in &self.receipt.adaptations {
            show::note(&format!("adapted {adaptation}"));
        }
        self.receipt.failures.iter().for_each(show::error);
        for err in self.saved.iter().filter_map(|it| it.as_ref().err()) {
            show::note(&format!("a picture was made, but could not be saved: {err}"));
            if let Some(handle) = &self.receipt.handle {
                show::handle(handle);
            }
        }
        let strip = self.strip.iter().filter_map(|it| it.as_ref().ok());
        for saved in self.saved.iter().flatten().chain(strip) {
            if let Saved::Rescued { path, wanted, why } = saved {
                let wanted = wanted.as_deref().map(|it| it.display().to_string());
                let wanted = wanted.unwrap_or_else(|| "standard output".to_owned());
                let path = path.display();
                show::note(&format!("{wanted} could not be written ({why}): saved as {path}"));
            }
        }
        if let Some(Err(why)) = &self.strip {
            show::said(&format!("the pictures could not be put side by side: {why}"));
        }
        if json {
            return;
        }
        for place in self.saved.iter().flatten() {
            // On standard output is a picture, or a part of one.
            if let Saved::Rescued { wanted: None, .. } = place {
                continue;
            }
            if let Some(path) = place.path() {
                show::result(&format!("{}\n", path.display()));
            }
        }
        // Once for all pictures of a job, which are of one kind.
        let other = |it: &&Path| {
            let mut places = self.saved.iter().flatten().filter_map(Saved::path);
            it.extension().is_some()
                && !it.is_dir()
                && places.any(|saved| saved.extension() != it.extension())
        };
        if let Some(named) = output.filter(other) {
            let message = "the name follows what the bytes are; --format asks for another";
            show::note(&format!("not {}: {message}", named.display()));
        }
        let strip = self.strip.as_ref().and_then(|it| it.as_ref().ok());
        if let Some(path) = strip.and_then(Saved::path) {
            // It is no picture that a program which reads our output asked a model for.
            show::note(&format!("side by side in {}", path.display()));
        }
        if let Some(way) = shows {
            preview::pictures(way, &self.images);
        }
        let Receipt { offer, cost, estimate, difference, .. } = &self.receipt;
        let cost = match cost {
            Some(cost) => difference.clone().unwrap_or_else(|| format!("charged {cost}")),
            None if estimate.high.0 == 0 => "free".to_owned(),
            None => format!("estimated {estimate}"),
        };
        show::said(&format!("{offer} made {}, {cost}", described(&self.images)));
    }

    /// What it is as JSON.
    pub(crate) fn shown(&self) -> Edit {
        let files =
            self.images.iter().zip(&self.saved).map(|(image, it)| file(image, it.as_ref().ok()));
        let comparison = self.strip.as_ref().and_then(|it| it.as_ref().ok()).and_then(Saved::path);
        Edit {
            files: files.collect(),
            receipt: self.receipt.clone(),
            comparison: comparison.map(show::path),
        }
    }

    /// Prints it as JSON, if that is wanted.
    pub(crate) fn print(&self, json: bool) {
        let shown = self.shown();
        match (json, self.is_printed()) {
            // Standard output has the picture, so what is said of it goes beside.
            (true, true) => show::note(&serde_json::to_string(&shown).unwrap_or_default()),
            (true, false) => show::json(&shown),
            (false, _) => {}
        }
    }

    /// Whether all that came is saved where it was to go, and nothing is missing.
    pub(crate) fn is_saved(&self) -> bool {
        self.receipt.failures.is_empty() && self.is_in_place()
    }

    fn is_in_place(&self) -> bool {
        self.saved.iter().all(|it| it.as_ref().is_ok_and(Saved::is_in_place))
    }

    /// Whether so many pictures came, and all is saved.
    pub(crate) fn is_whole(&self, count: u32) -> bool {
        let pictures = self.images.iter().filter(|it| it.media_type.is_some()).count();
        let strip = self.strip.as_ref();
        let compared = strip.is_none_or(|it| it.as_ref().is_ok_and(Saved::is_in_place));
        pictures == count as usize && compared && self.is_in_place()
    }

    fn is_printed(&self) -> bool {
        self.saved
            .iter()
            .any(|it| matches!(it, Ok(Saved::Stdout | Saved::Rescued { wanted: None, .. })))
    }
}

fn file(image: &Image, place: Option<&Saved>) -> PictureFile {
    let size = ImageFacts::of(&image.bytes).ok().map(|it| it.dimensions);
    PictureFile {
        path: place.and_then(Saved::path).map(show::path),
        bytes: image.bytes.len() as u64,
        media_type: image.media_type,
        width: size.map(|it| it.width),
        height: size.map(|it| it.height),
    }
}

/// Pictures by their size, those of one size together.
fn described(images: &[Image]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for image in images {
        let kind = match ImageFacts::of(&image.bytes) {
            Ok(facts) => facts.dimensions.to_string(),
            Err(_) => format!("{} bytes", image.bytes.len()),
        };
        match kinds.iter_mut().find(|it| it.0 == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let said = kinds.iter().map(|(kind, count)| match count {
        1 => format!("a picture of {kind}"),
        many => format!("{many} pictures of {kind}"),
    });
    said.collect::<Vec<_>>().join(", ")
}
