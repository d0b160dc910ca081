//! `repaint explain`: who would take a request, what would be sent, and why all others would not.

use repaint::{Candidate, Client, Date, Error, ErrorKind, OfferRefusals, Preview, Result, Terms};
use serde_json::{Value, json};

use crate::args::Ask;
use crate::show::{BOLD, DIM};
use crate::{ask, show};

/// Whether anybody would take it.
pub(crate) async fn run(ask: &Ask) -> Result<bool> {
    let registry = ask::registry(ask.capabilities.as_deref())?;
    let mut job = ask::job(ask)?;
    let client = Client::new()?;
    let plan = client.plan(&registry, &mut job).await?;
    let chosen = plan.candidates.first();
    let call = match chosen.and_then(|it| registry.get(&it.offer)) {
        None => None,
        Some(model) => {
            let terms = Terms { adapt: &job.policy.adapt, today: Date::today() };
            let admitted = model
                .admit(&job.request, terms)
                .map_err(|refusals| Error::refused(model.id(), refusals))?;
            Some(match admitted.encode()? {
                Preview::Http(call) => Preview::Http(client.addressed(model.provider(), call)?),
                local @ Preview::Local(_) => local,
            })
        }
    };
    if ask.json {
        show::json(&json!({
            "offer": chosen.map(|it| &it.offer),
            "call": call.as_ref().map(Preview::shown),
            "adaptations": chosen.map_or(&[][..], |it| &it.adaptations),
            "warnings": chosen.map_or(&[][..], |it| &it.warnings),
            "estimate": chosen.map(|it| it.estimate),
            "alternatives": plan.candidates.iter().skip(1).collect::<Vec<_>>(),
            "refusals": plan.refusals,
        }));
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
    for warning in chosen.map_or(&[][..], |it| &it.warnings) {
        show::warning(warning);
    }
    show::result(&text);
    Ok(chosen.is_some())
}

fn would(chosen: &Candidate, call: &Preview) -> Result<String> {
    let Candidate { offer, adaptations, estimate, warnings: _ } = chosen;
    let mut text = format!("{BOLD}{offer}{BOLD:#} would take it: {estimate}\n");
    for adaptation in adaptations {
        text.push_str(&format!("adapted {adaptation}\n"));
    }
    let shown = call.shown();
    let pretty = |value: &Value| {
        serde_json::to_string_pretty(value)
            .map_err(|err| Error::new(ErrorKind::Unexpected, err.to_string()))
    };
    match call {
        Preview::Http(_) => {
            let word = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
            text.push_str(&format!("\n{} {}\n", word("method"), word("url")));
            for (name, value) in shown["headers"].as_object().into_iter().flatten() {
                text.push_str(&format!(
                    "{DIM}{name}: {}{DIM:#}\n",
                    value.as_str().unwrap_or_default()
                ));
            }
            text.push_str(&format!("\n{}\n", pretty(&shown["body"])?));
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
