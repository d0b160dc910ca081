//! `--each`: every input image is a job of its own, under one cap on the cost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use repaint::{
    Candidate, Error, ErrorKind, Estimate, ImageInput, Job, OfferRefusals, Plan, Refusal,
    RefusalCode, Router, Usd,
};
use repaint_schema::printed::{EditEach, EditJob, ExplainEach, ExplainJob};

use crate::args::Ask;
use crate::compare::Strip;
use crate::edit::{self, Ended, Failed, Place, Teller};
use crate::explain::named;
use crate::names::{self, named_after};
use crate::output::{Output, invalid};
use crate::{ask, show};

/// One image with its job, who would take it, and where its pictures go.
struct Part {
    job: Job,
    planned: Result<Candidate, Error>,
    path: PathBuf,
    /// How many pictures of other images have a name from the same path.
    before: usize,
}

/// The hint that belongs to a refusal of several images when nobody that is asked takes so many.
pub(crate) fn suggested(err: Error, plan: &Plan, images: usize) -> Error {
    let not_asked =
        |it: &&OfferRefusals| it.reasons.iter().any(|it| it.code == RefusalCode::NotAsked);
    let many = |it: &Refusal| {
        it.field == "images" && matches!(it.code, RefusalCode::TooMany | RefusalCode::Unsupported)
    };
    let takes_one = |it: &Refusal| {
        it.code == RefusalCode::TooMany && it.limit["min"].as_u64().is_some_and(|it| it <= 1)
    };
    let asked: Vec<&OfferRefusals> = plan.refusals.iter().filter(|it| !not_asked(it)).collect();
    let all = asked.iter().all(|it| it.reasons.iter().any(many));
    // Who wants two would not take each by itself either.
    let one = asked.iter().any(|it| it.reasons.iter().any(|it| many(it) && takes_one(it)));
    if images < 2 || !all || !one {
        return err;
    }
    err.with(|it| it.message.push_str("\nto edit each image by itself, use --each"))
}

/// Runs all jobs, one after another; what fails does not stop the others.
pub(crate) async fn run(ask: &Ask, router: &Router, job: Job) -> Result<Ended, Failed> {
    let parts = parts(ask, router, job).await.map_err(Failed::misuse)?;
    let total = total(&parts);
    affordable(total, ask.max_cost)?;
    // Without a key nobody lets any of them in: that is one error, and not one for each.
    if let Some(part) = parts.iter().find(|it| it.planned.is_ok()) {
        edit::keyed(router, &router.plan(&mut part.job.clone()).await?.candidates)?;
    }
    let planned = parts.iter().filter_map(|it| it.planned.as_ref().ok());
    let router = &ask::written_down(router.clone(), planned, ask.account.as_deref()).await?;
    for part in parts.iter().filter(|it| it.planned.is_ok()) {
        // What can fail fails before the first picture is bought.
        part.place(ask, 0).map_err(Failed::misuse)?;
    }
    let count = parts.len();
    let taken = parts.iter().filter(|it| it.planned.is_ok()).count();
    show::said(&format!("{taken} of {} would be taken, {total} in all", images(count)));

    let (mut spent, mut whole, mut failed, mut stopped) = (0, 0, None, false);
    let (mut told, mut said) = (Vec::new(), BTreeSet::new());
    for (index, mut part) in parts.into_iter().enumerate() {
        let label = part.label();
        show::said(&format!("{} of {count}: {}", index + 1, show::visible(&label)));
        let estimate = part.planned.as_ref().map_or(Usd(0), |it| it.estimate.high);
        // What was charged may be more than was estimated: it is taken from what is left.
        part.job.policy.max_cost = ask.max_cost.map(|it| Usd(it.0.saturating_sub(spent)));
        match part.carry_out(ask, router, index).await {
            Ok(brought) => {
                let fresh =
                    brought.receipt.warnings.iter().filter(|it| said.insert(it.message.clone()));
                fresh.for_each(show::warning);
                brought.tell(ask.json, ask.output.as_deref(), ask.show);
                spent += brought.receipt.spent.high.0;
                whole += usize::from(brought.is_whole(ask.count));
                stopped = brought.interrupted;
                let brought = Some(brought.shown());
                told.push(EditJob { image: label, brought, error: None, warnings: Vec::new() });
            }
            Err(Failed { error, warnings, interrupted, .. }) => {
                show::error(&error);
                spent += charged(&error, estimate).0;
                stopped = interrupted;
                failed.get_or_insert(error.kind());
                told.push(EditJob { image: label, brought: None, error: Some(error), warnings });
            }
        }
        if stopped {
            break;
        }
    }
    let nothing = told.iter().all(|it| it.error.is_some());
    if ask.json {
        show::json(&EditEach { jobs: told, estimate: total });
    }
    show::said(&format!("{whole} of {} done", images(count)));
    Ok(match failed {
        _ if stopped => Ended::Interrupted,
        _ if whole == count => Ended::Done,
        Some(kind) if nothing => Ended::Failed(kind),
        _ => Ended::Partly,
    })
}

/// Says who would take which image, for how much, and which files would be written.
pub(crate) async fn explain(ask: &Ask, router: &Router, job: Job) -> Result<Ended, Failed> {
    let parts = parts(ask, router, job).await.map_err(Failed::misuse)?;
    let total = total(&parts);
    let (mut rows, mut told, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut refused = None;
    for (index, part) in parts.iter().enumerate() {
        let label = part.label();
        match &part.planned {
            Ok(Candidate { offer, adaptations, calls: _, estimate, warnings }) => {
                let files = part.place(ask, index).map_err(Failed::misuse)?.names(ask, &mut names);
                rows.push(vec![label.clone(), format!("{offer}, {estimate}: {}", named(&files))]);
                told.push(ExplainJob {
                    image: label,
                    offer: Some(offer.clone()),
                    adaptations: Some(adaptations.clone()),
                    warnings: Some(warnings.clone()),
                    estimate: Some(*estimate),
                    files: Some(files.iter().map(|it| show::path(it)).collect()),
                    error: None,
                });
            }
            Err(error) => {
                let first = error.message().lines().next().unwrap_or_default();
                rows.push(vec![label.clone(), format!("{}: {first}", error.kind().code())]);
                told.push(ExplainJob {
                    image: label,
                    offer: None,
                    adaptations: None,
                    warnings: None,
                    estimate: None,
                    files: None,
                    error: Some(error.clone()),
                });
                refused.get_or_insert(error.kind());
            }
        }
    }
    let taken = parts.iter().filter(|it| it.planned.is_ok()).count();
    if ask.json {
        show::json(&ExplainEach { jobs: told, estimate: total });
    } else {
        show::result(&show::table(&rows, &["image", "would be taken by"]));
        let all = images(parts.len());
        show::said(&format!("{taken} of {all} would be taken, {total} in all"));
    }
    affordable(total, ask.max_cost)?;
    Ok(match refused {
        None => Ended::Done,
        Some(kind) if taken == 0 => Ended::Failed(kind),
        Some(_) => Ended::Partly,
    })
}

/// A job for each image, planned. What a plan refuses is kept with its image.
async fn parts(ask: &Ask, router: &Router, job: Job) -> Result<Vec<Part>, Error> {
    if job.request.images.is_empty() {
        return Err(invalid("--each edits every image by itself, and there is none"));
    }
    if ask.output.as_deref() == Some(Path::new("-")) {
        return Err(invalid(
            "standard output takes one picture; name a file or a folder for --each",
        ));
    }
    if let Some(file) = ask.output.as_deref().filter(|it| ask.format.is_none() && !it.is_dir()) {
        names::known(file)?;
    }
    let mut parts = Vec::new();
    let mut used: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for image in job.request.images.clone() {
        let mut job = job.clone();
        let path = path(ask, &image);
        job.request.images = vec![image];
        // A plan that fails keeps nothing of its job, and the image is still to be named.
        let planned = match router.plan(&mut job.clone()).await {
            Ok(plan) => plan.first().cloned(),
            Err(err) => Err(err),
        };
        let before = used.entry(path.clone()).or_default();
        parts.push(Part { job, planned, path, before: *before });
        *before += ask.count.max(1) as usize;
    }
    Ok(parts)
}

impl Part {
    fn label(&self) -> String {
        self.job.request.images.first().map_or_else(String::new, ImageInput::label)
    }

    fn place(&self, ask: &Ask, index: usize) -> Result<Place, Error> {
        let named = ask.output.as_deref().filter(|it| !it.is_dir() && self.before == 0);
        let output = match named {
            Some(_) => Output::reserve(named, ask.force, ask.count, None)?,
            None => Output::hold(self.path.clone(), ask.force && ask.output.is_some())?,
        };
        let strip = Strip::reserve(ask, self.job.request.images.first(), index)?;
        let strip = strip.map(|it| it.beside(&output)).transpose()?;
        Ok(Place { output: output.after(self.before), strip })
    }

    async fn carry_out(
        self,
        ask: &Ask,
        router: &Router,
        index: usize,
    ) -> Result<edit::Brought, Failed> {
        let Candidate { warnings, .. } = self.planned.clone()?;
        let place = self.place(ask, index)?;
        let paths = place.paths(ask.count);
        let task = |teller: Teller| router.watched(self.job, teller).for_paths(paths);
        let brought = edit::carry_out(task, place).await;
        brought.map_err(|failed| Failed { warnings, ..failed })
    }
}

/// The path that the names of an image's pictures begin with.
fn path(ask: &Ask, image: &ImageInput) -> PathBuf {
    match &ask.output {
        Some(folder) if folder.is_dir() => folder.join(named_after(Some(image))),
        Some(file) => file.clone(),
        None => match &ask.folder {
            Some(folder) => folder.join(named_after(Some(image))),
            None => named_after(Some(image)),
        },
    }
}

fn total(parts: &[Part]) -> Estimate {
    let estimates = || parts.iter().filter_map(|it| it.planned.as_ref().ok()).map(|it| it.estimate);
    let sum = |part: fn(Estimate) -> u64| Usd(estimates().map(part).fold(0, u64::saturating_add));
    Estimate { low: sum(|it| it.low.0), high: sum(|it| it.high.0) }
}

fn affordable(total: Estimate, most: Option<Usd>) -> Result<(), Error> {
    let Some(most) = most.filter(|it| *it < total.high) else { return Ok(()) };
    let mut refusal = Refusal::by_rule(RefusalCode::OverBudget, "policy/max_cost");
    refusal.limit = most.0.into();
    refusal.got = total.high.0.into();
    let message = format!("all images together may cost {total}, more than {most}");
    let refusal = refusal.saying(message, format!("allow {}, or give fewer images", total.high));
    Err(Error::new(ErrorKind::Refused, refusal.to_string()).with(|it| it.refusals = vec![refusal]))
}

/// What a failed job has cost: what the provider says; else the worst, where it may have been made.
fn charged(error: &Error, estimate: Usd) -> Usd {
    let worst = match error.kind() {
        ErrorKind::OutcomeUnknown
        | ErrorKind::Moderated
        | ErrorKind::Expired
        | ErrorKind::Unexpected => estimate,
        ErrorKind::Refused
        | ErrorKind::InvalidRequest
        | ErrorKind::Denied
        | ErrorKind::Exhausted
        | ErrorKind::Unavailable => Usd(0),
    };
    error.data().cost.unwrap_or(worst)
}

fn images(count: usize) -> String {
    if count == 1 { "1 image".to_owned() } else { format!("{count} images") }
}
