//! `repaint explain`: who would take a request, what would be sent, and why all others would not.

use std::collections::BTreeSet;
use std::path::PathBuf;

use repaint::{Candidate, Error, ErrorKind, Job, OfferRefusals, Preview, Result, Router};
use repaint_schema::printed::{Explain, ShownCall};
use serde_json::Value;

use crate::args::Ask;
use crate::edit::{Ended, Failed, Place};
use crate::settings::Settings;
use crate::show::{BOLD, DIM};
use crate::{ask, each, show};

pub(crate) async fn run(ask: &Ask, settings: &Settings) -> Result<Ended, Failed> {
    let (router, job) = ask::asked(ask, settings)?;
    if ask.each {
        return each::explain(ask, &router, job).await;
    }
    let taken = one(ask, &router, job).await?;
    Ok(if taken { Ended::Done } else { Ended::Nobody })
}

/// A dry run: who would take it, for how much, and which files would be written. Why others would not
/// is for `repaint explain`, and for JSON.
pub(crate) async fn shortly(ask: &Ask, router: &Router, mut job: Job) -> Result<Ended, Failed> {
    if ask.json {
        let taken = one(ask, router, job).await?;
        return Ok(if taken { Ended::Done } else { Ended::Nobody });
    }
    let plan = router.plan(&mut job).await?;
    let chosen = plan.first().map_err(|err| each::suggested(err, &plan, ask.images.len()))?;
    let files = Place::reserve(ask, &job).map_err(Failed::misuse)?;
    let files = files.names(ask, &mut BTreeSet::new());
    chosen.warnings.iter().for_each(show::warning);
    show::result(&format!("{}{}", head(chosen), written(&files)));
    show::said(
        "nothing was sent; `repaint explain` shows the call, and why others would not take it",
    );
    Ok(Ended::Done)
}

/// Explains a job that stands for itself; returns whether anybody would take it.
pub(crate) async fn one(ask: &Ask, router: &Router, mut job: Job) -> Result<bool> {
    let plan = router.plan(&mut job).await?;
    let chosen = plan.candidates.first();
    let call = chosen.map(|it| router.preview(&job, &it.offer)).transpose()?;
    let files = match ask.dry_run {
        true => Some(Place::reserve(ask, &job)?.names(ask, &mut BTreeSet::new())),
        false => None,
    };
    if ask.json {
        let files = files.map(|it| it.iter().map(|it| show::path(it)).collect());
        show::json(&Explain {
            offer: chosen.map(|it| it.offer.clone()),
            call: call.as_ref().map(shown).transpose()?,
            adaptations: chosen.map_or_else(Vec::new, |it| it.adaptations.clone()),
            warnings: chosen.map_or_else(Vec::new, |it| it.warnings.clone()),
            estimate: chosen.map(|it| it.estimate),
            alternatives: plan.candidates.iter().skip(1).cloned().collect(),
            refusals: plan.refusals.to_vec(),
            files,
        });
        return Ok(chosen.is_some());
    }
    let mut text = String::new();
    match (chosen, &call) {
        (Some(chosen), Some(call)) => text.push_str(&would(chosen, call)?),
        _ => text.push_str(&format!("{BOLD}no model would take it as things are{BOLD:#}\n")),
    }
    let others: Vec<String> = plan
        .candidates
        .iter()
        .skip(1)
        .map(|it| format!("{} ({})", it.offer, it.estimate))
        .collect();
    if !others.is_empty() {
        let line = format!("then {}", others.join(", "));
        text.push_str(&format!("\n{}\n", show::wrapped(&line, show::line_width()).join("\n")));
    }
    for (way, offers) in plan.could() {
        let line = format!("{way} to use {}", offers.join(", "));
        text.push_str(&format!("\n{}\n", show::wrapped(&line, show::line_width()).join("\n")));
    }
    let against: Vec<&OfferRefusals> = plan.refusals.iter().filter(|it| !it.could()).collect();
    if !against.is_empty() {
        text.push('\n');
        text.push_str(&refusals(&against));
    }
    if let Some(files) = files.filter(|_| chosen.is_some()) {
        text.push_str(&format!("\n{}", written(&files)));
    }
    for warning in chosen.map_or(&[][..], |it| &it.warnings) {
        show::warning(warning);
    }
    show::result(&text);
    Ok(chosen.is_some())
}

/// A call as it is printed.
pub(crate) fn shown(call: &Preview) -> Result<ShownCall> {
    serde_json::from_value(call.shown())
        .map_err(|err| Error::new(ErrorKind::Unexpected, format!("the call has no preview: {err}")))
}

/// Names in one line.
pub(crate) fn named(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
    names.join(", ")
}

/// Which files would be written, as a line.
fn written(files: &[PathBuf]) -> String {
    let line = match files {
        [] => "would write to standard output".to_owned(),
        files => format!("would write {}; extensions follow the bytes", named(files)),
    };
    format!("{}\n", show::wrapped(&line, show::line_width()).join("\n"))
}

/// Who would take it, for how much, and what would be changed for that.
fn head(chosen: &Candidate) -> String {
    let Candidate { offer, adaptations, calls, estimate, warnings: _ } = chosen;
    let calls = if *calls == 1 { String::new() } else { format!(" in {calls} calls") };
    let mut text = format!("{BOLD}{offer}{BOLD:#} would take it{calls}: {estimate}\n");
    for adaptation in adaptations {
        text.push_str(&format!("adapted {adaptation}\n"));
    }
    text
}

fn would(chosen: &Candidate, call: &Preview) -> Result<String> {
    let mut text = head(chosen);
    let shown = shown(call)?;
    let pretty = |value: &Value| {
        serde_json::to_string_pretty(value)
            .map_err(|err| Error::new(ErrorKind::Unexpected, err.to_string()))
    };
    match call {
        Preview::Http(_) => {
            let (method, url) = (shown.method.unwrap_or_default(), shown.url.unwrap_or_default());
            text.push_str(&format!("\n{method} {url}\n"));
            for (name, value) in shown.headers.into_iter().flatten() {
                let value = value.as_str().unwrap_or_default();
                text.push_str(&format!("{DIM}{name}: {value}{DIM:#}\n"));
            }
            text.push_str(&format!("\n{}\n", pretty(&shown.body.unwrap_or_default())?));
        }
        Preview::Local(operation) => {
            text.push_str(&format!("\nin this process: {}\n", pretty(operation)?))
        }
    }
    Ok(text)
}

/// Whether it was asked matters less than what in the request speaks against it.
fn refusals(refused: &[&OfferRefusals]) -> String {
    let rows: Vec<Vec<String>> =
        refused.iter().map(|it| vec![it.offer.clone(), it.said()]).collect();
    show::table(&rows, &["not", "since it"])
}
