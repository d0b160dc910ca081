//! `repaint probe`: asks a provider itself for its limits, by orders that are built to be refused.

mod heard;
mod learned;
mod plan;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use repaint::{
    Answer, Client, Date, Done, Error, ErrorKind, Handle, Image, ImageModel, ImageRequest, Job,
    Lifted, OfferOverlay, Overlay, Payload, Picture, Policy, Preview, Registry, Result, Run, Step,
    Usd,
};
use repaint_schema::printed::{
    HeardProbe, Lesson as ShownLesson, LessonVerdict as Verdict, PlannedProbe, Probe as Printed,
    ProbePlan, ShownCall,
};
use serde_json::{Map, Value, json};

use crate::args::Probe as Args;
use crate::edit::{Ended, Failed};
use crate::output::{self, Output};
use crate::probe::heard::complaints;
use crate::probe::learned::{Lesson, short};
use crate::probe::plan::{Probe, probes};
use crate::settings::Settings;
use crate::show::BOLD;
use crate::{ask, explain, show, signals};

/// A probe with what came of it.
struct Heard {
    probe: Probe,
    status: u16,
    lesson: Lesson,
}

/// How the probing ended before its end.
enum Stopped {
    /// A probe was taken: something may have been bought.
    Taken,
    /// The provider says no more now, or it is not known what became of a probe.
    Failed(Error),
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> Result<Ended, Failed> {
    let registry = ask::registry(args.capabilities.as_deref()).map_err(Failed::misuse)?;
    let model = only(&registry, &args.offer).map_err(Failed::misuse)?;
    let probes = probes(&registry, model, args.unknown_fields).map_err(Failed::misuse)?;
    let client = settings.client(&registry)?;
    if args.dry_run {
        dry(&client, model, &probes, args.json)?;
        return Ok(Ended::Done);
    }
    let worst = Usd(probes.iter().map(|it| it.cost.0).sum());
    let endpoint = model.provider().endpoint.as_ref();
    if let Some(endpoint) = endpoint.filter(|_| !client.has_key(model.provider())) {
        let message = format!(
            "there is no key for {}: set {}, or look at what would be sent with --dry-run",
            model.provider().name,
            endpoint.auth.env
        );
        return Err(Error::new(ErrorKind::Denied, message).into());
    }
    let path = place(args, model).map_err(Failed::misuse)?;
    consent(model, probes.len(), worst, args.yes).map_err(Failed::misuse)?;

    let job = Job {
        policy: Policy { timeout_seconds: args.timeout, ..Policy::default() },
        ..Job::new(ImageRequest::new(""))
    };
    let run = client.watched(&job, |_| {});
    let cancel = run.canceller();
    let listener = tokio::spawn(signals::interrupted(cancel.clone(), Vec::new()));
    let asked = probes.len();
    let (heard, facts, stopped) = send(&run, model, probes).await;
    listener.abort();

    // Whatever ended it, what was paid for is kept: in a file, and if there can be none, in sight.
    let facts = that_fit(&registry, model, facts);
    let overlay = overlay(model, &facts);
    let kept =
        if facts.is_empty() { Ok(None) } else { write(&overlay, &path, args.force).map(Some) };
    let unwritten = kept.as_ref().err().map(|_| &overlay);
    let told = Told {
        heard: &heard,
        kept: kept.as_ref().ok().copied().flatten(),
        unwritten,
        unwritten_since: kept.as_ref().err(),
        stopped: &stopped,
        worst,
    };
    tell(&told, args.json);
    let failed = match (kept, stopped) {
        (Ok(_), None) => return Ok(Ended::Done),
        (Ok(_), Some(Stopped::Taken)) => return Ok(Ended::Partly),
        (_, Some(Stopped::Failed(error))) => {
            let left = asked - heard.len();
            show::note(&format!("stopped with {left} of {asked} probes unanswered"));
            error
        }
        (Err(error), _) => error,
    };
    // Its JSON has been printed.
    Err(Failed { shown: args.json, interrupted: cancel.is_cancelled(), ..failed.into() })
}

/// Sends one after another until one is not refused. Returns what was heard, and the facts by name.
async fn send(
    run: &Run,
    model: &dyn ImageModel,
    probes: Vec<Probe>,
) -> (Vec<Heard>, BTreeMap<&'static str, Value>, Option<Stopped>) {
    let (mut heard, mut facts) = (Vec::new(), BTreeMap::new());
    let known = serde_json::to_value(model.capabilities()).unwrap_or_default();
    let Some(endpoint) = &model.provider().endpoint else { return (heard, facts, None) };
    for probe in probes {
        let Answer { reply, lifted } = match run.once(model.provider(), probe.call.clone()).await {
            Ok(answer) => answer,
            Err(err) => return (heard, facts, Some(Stopped::Failed(err))),
        };
        let name = probe.fact.unwrap_or_default();
        let fact = facts.get(name).unwrap_or(&known[name]);
        let value = fact["value"].clone();
        let (lesson, stopped) = match (endpoint.advance)(&probe.call, &reply) {
            Ok(step) => {
                let images: Vec<Image> = lifted.iter().filter_map(Lifted::image).collect();
                let pictures = bought(model, step, &images);
                (learned::taken(&probe, &value, pictures), Some(Stopped::Taken))
            }
            Err(err) if err.kind() == ErrorKind::InvalidRequest => {
                (learned::refused(&probe, &value, &complaints(&reply)), None)
            }
            Err(err) => {
                let why = short(err.message());
                (learned::nothing(why), Some(Stopped::Failed(err)))
            }
        };
        if let Some(value) = lesson.value.clone().filter(|_| probe.fact.is_some()) {
            let source = format!(
                "probe {}, {} = {}: HTTP {}: {}",
                Date::today(),
                probe.field,
                sent(&probe),
                reply.status,
                short(&reply.words())
            );
            // A second probe of the same fact adds to what the first has taught.
            // What is said of a part of a fact makes the whole no surer than it was.
            let sure = if lesson.whole { json!("observed") } else { fact["sure"].clone() };
            let fact = json!({
                "value": value, "sure": sure, "source": source, "date": Date::today(),
            });
            facts.insert(name, fact);
        }
        heard.push(Heard { probe, status: reply.status, lesson });
        if stopped.is_some() {
            return (heard, facts, stopped);
        }
    }
    (heard, facts, None)
}

/// Says what a probe that was taken has bought, and keeps what has come of it; returns how many
/// pictures there are, where that is seen.
fn bought(model: &dyn ImageModel, step: Step, images: &[Image]) -> Option<usize> {
    let provider = model.provider().id.to_owned();
    match step {
        Step::Accepted { handle, charge, .. } => {
            show::handle(&handle);
            if let Some(cost) = charge.cost {
                show::note(&format!("the provider says that it charged {cost}"));
            }
            None
        }
        Step::Call { .. } => None,
        Step::Done(Done { pictures, request_id, charge: _ }) => {
            let addresses = pictures.iter().filter_map(|it| match it {
                Picture::Url(url) => Some(url.clone()),
                Picture::Payload(Payload::Inline(_) | Payload::Lifted(_)) | Picture::Missing => {
                    None
                }
            });
            let handle = Handle {
                provider,
                id: request_id.unwrap_or_default(),
                poll: None,
                pictures: addresses.collect(),
            };
            show::handle(&handle);
            if !images.is_empty() {
                let name = PathBuf::from(format!("{}-probe.png", model.offer().model));
                let saved = Output::reserve(Some(&name), true, 1, None).map(|it| it.save(images));
                for place in saved.into_iter().flatten().flatten() {
                    if let Some(path) = place.path() {
                        show::note(&format!("its picture is in {}", path.display()));
                    }
                }
            }
            Some(pictures.len())
        }
    }
}

/// The one offer that is named.
fn only<'a>(registry: &'a Registry, name: &str) -> Result<&'a dyn ImageModel> {
    let models = registry.resolve(name)?;
    match models.as_slice() {
        [model] => Ok(*model),
        many => {
            let ids: Vec<&str> = many.iter().map(|it| it.id()).collect();
            Err(invalid(format!("{name} stands for several offers; name one: {}", ids.join(", "))))
        }
    }
}

/// Where the overlay goes; nothing is sent if it cannot be written there.
fn place(args: &Args, model: &dyn ImageModel) -> Result<PathBuf> {
    let path = args.output.clone().unwrap_or_else(|| {
        PathBuf::from(format!("{}.{}.json", model.id().replace('/', "-"), Date::today()))
    });
    output::is_file(&path)?;
    if !args.force && path.symlink_metadata().is_ok() {
        let name = path.display();
        return Err(invalid(format!("{name} is there already: name another file, or use --force")));
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|it| !it.is_dir()) {
        let (name, folder) = (path.display(), folder.display());
        return Err(invalid(format!("{name}: there is no folder {folder}: make it first")));
    }
    Ok(path)
}

/// Asks before money may be spent.
fn consent(model: &dyn ImageModel, count: usize, worst: Usd, yes: bool) -> Result<()> {
    let id = model.id();
    say(&format!("{id}: {count} orders that are built to be refused before anything is rendered."));
    say(&format!(
        "If every one is rendered after all, they cost at most {worst}; the first that is taken \
         ends it."
    ));
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(invalid("nobody is there to agree to that: use --yes"));
    }
    let mut err = io::stderr();
    // Whoever cannot see the question cannot answer it, and then nothing is sent.
    let _ = write!(err, "Send them? [y/N] ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match (read, answer.trim().to_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(invalid("nothing was sent")),
    }
}

/// Those facts that a reader of the overlay will take; of the others it is said why not.
fn that_fit(
    registry: &Registry,
    model: &dyn ImageModel,
    facts: BTreeMap<&'static str, Value>,
) -> BTreeMap<&'static str, Value> {
    let fits = |name: &&'static str, fact: &mut Value| {
        let alone = overlay(model, &BTreeMap::from([(*name, fact.clone())]));
        match registry.clone().with_overlay(&alone) {
            Ok(_) => true,
            Err(err) => {
                say(&format!(
                    "what was said of {name} is no fact, and is left out: {}",
                    err.message()
                ));
                false
            }
        }
    };
    let mut facts = facts;
    facts.retain(fits);
    facts
}

/// Writes the overlay.
fn write<'a>(overlay: &Overlay, path: &'a Path, force: bool) -> Result<&'a Path> {
    let mut text = serde_json::to_string_pretty(overlay)
        .map_err(|err| Error::new(ErrorKind::Unexpected, err.to_string()))?;
    text.push('\n');
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!force);
    let written = options.open(path).and_then(|mut it| it.write_all(text.as_bytes()));
    written.map_err(|err| invalid(format!("{} cannot be written: {err}", path.display())))?;
    Ok(path)
}

fn overlay(model: &dyn ImageModel, facts: &BTreeMap<&'static str, Value>) -> Overlay {
    let accepts: Map<String, Value> =
        facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())).collect();
    let facts = OfferOverlay { accepts, ..OfferOverlay::default() };
    Overlay { offers: [(model.id().to_owned(), facts)].into() }
}

/// What is told in the end.
struct Told<'a> {
    heard: &'a [Heard],
    /// Where the overlay is.
    kept: Option<&'a Path>,
    /// The overlay, where it could not be written.
    unwritten: Option<&'a Overlay>,
    unwritten_since: Option<&'a Error>,
    stopped: &'a Option<Stopped>,
    worst: Usd,
}

fn tell(told: &Told<'_>, as_json: bool) {
    let Told { heard, kept, unwritten, unwritten_since, stopped, worst } = told;
    let taken = match stopped {
        None => Some(false),
        Some(Stopped::Taken) => Some(true),
        Some(Stopped::Failed(err)) if err.kind() == ErrorKind::OutcomeUnknown => None,
        Some(Stopped::Failed(_)) => Some(false),
    };
    let error = match stopped {
        Some(Stopped::Failed(err)) => Some(err),
        Some(Stopped::Taken) | None => *unwritten_since,
    };
    if as_json {
        show::json(&Printed {
            probes: heard.iter().map(shown).collect(),
            overlay: kept.map(show::path),
            unwritten: unwritten.cloned(),
            taken,
            worst_case: *worst,
            error: error.cloned(),
        });
    } else {
        if let Some(overlay) = unwritten {
            show::json(overlay);
        }
        let row = |it: &Heard| {
            let verdict = match it.lesson.verdict {
                Verdict::Confirmed => "confirmed",
                Verdict::Differs => "differs",
                Verdict::Nothing => "nothing learned",
            };
            let fact = it.probe.fact.unwrap_or("–").to_owned();
            let sent = format!("{} = {}", it.probe.field, sent(&it.probe));
            vec![fact, sent, format!("{verdict}: {}", it.lesson.says)]
        };
        let rows: Vec<Vec<String>> = heard.iter().map(row).collect();
        show::result(&show::table(&rows, &["fact", "sent", "learned"]));
    }
    match kept {
        Some(path) if !as_json => say(&format!(
            "{} has what was seen: use it with --capabilities, and put it into the tables",
            path.display()
        )),
        Some(_) => {}
        None if unwritten.is_some() => {}
        None => show::note("nothing was learned that could be written down"),
    }
    if taken == Some(true) {
        say("the last one was taken, not refused, so it may have been paid; nothing more was sent");
    }
}

fn shown(it: &Heard) -> HeardProbe {
    let Heard { probe, status, lesson: Lesson { verdict, says, value, whole: _ } } = it;
    HeardProbe {
        fact: probe.fact.map(str::to_owned),
        field: probe.field.clone(),
        sent: sent(probe),
        status: *status,
        lesson: ShownLesson { verdict: *verdict, says: says.clone(), value: value.clone() },
    }
}

/// What was sent, short: no list of addresses, no bytes of an image.
fn sent(probe: &Probe) -> String {
    match &probe.sent {
        Value::Array(items) if 1 < items.len() => format!("{} addresses", items.len()),
        sent if probe.fact == Some("media_types") => {
            let list = if sent.is_array() { "a list of " } else { "" };
            format!("{list}a GIF")
        }
        sent => sent.to_string(),
    }
}

/// Shows what would be sent.
fn dry(client: &Client, model: &dyn ImageModel, probes: &[Probe], as_json: bool) -> Result<()> {
    let calls = probes.iter().map(|it| {
        let call = client.addressed(model.provider(), it.call.clone())?;
        Ok((it, explain::shown(&Preview::Http(call))?))
    });
    let calls: Vec<(&Probe, ShownCall)> = calls.collect::<Result<_>>()?;
    let worst = Usd(probes.iter().map(|it| it.cost.0).sum());
    if as_json {
        let probes = calls.into_iter().map(|(probe, call)| PlannedProbe {
            fact: probe.fact.map(str::to_owned),
            field: probe.field.clone(),
            at_most: probe.cost,
            call,
        });
        show::json(&ProbePlan { probes: probes.collect(), worst_case: worst });
        return Ok(());
    }
    let mut text = String::new();
    for (probe, call) in &calls {
        let about = probe.fact.unwrap_or("whether strange fields are refused");
        text.push_str(&format!("{BOLD}{about}{BOLD:#}: {} = {}\n", probe.field, sent(probe)));
        let body = call.body.as_ref().map_or_else(String::new, Value::to_string);
        text.push_str(&format!("{body}\n\n"));
    }
    let address = calls.first().and_then(|(_, call)| call.url.as_deref()).unwrap_or_default();
    text.push_str(&format!(
        "{} orders to {address}, at most {worst} if all are rendered\n",
        calls.len()
    ));
    show::result(&text);
    Ok(())
}

/// A line beside the result, broken to fit.
fn say(text: &str) {
    show::note(&show::wrapped(text, show::line_width()).join("\n"));
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
