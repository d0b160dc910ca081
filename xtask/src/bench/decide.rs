//! `bench decide`: admission, encoding and planning, none of which does I/O.

use std::process::Command;

use super::{Figure, Place, Report, measured};

/// Admission and encoding, each.
const GOAL_NS: f64 = 10_000.0;
/// A plan over the registry, and over a thousand offers; without its words, which nobody waits for.
const GOALS_OF_PLANS: [f64; 2] = [20_000.0, 200_000.0];
/// The validator, on a body of 1 KB and on one of 20 MB.
const GOALS_OF_VALIDATE: [(&str, f64); 2] = [("1 KB", 20_000.0), ("20 MB of data URIs", 1e7)];

pub(super) fn run(place: &Place) -> Result<Report, String> {
    let program = place.built("repaint-bench")?.join("repaint-bench");
    let found = measured(Command::new(program).arg("decide"))?;
    let mut figures = Vec::new();
    for row in found.as_array().into_iter().flatten() {
        let what = row["what"].as_str().unwrap_or_default();
        let value = row["ns"].as_f64().ok_or("no figure")?;
        if let Some(of) = row["of"].as_str() {
            let goal = GOALS_OF_VALIDATE.iter().find(|it| it.0 == of).map(|it| it.1);
            let name = format!("validate {of}");
            figures.push(Figure { name, value, unit: "ns", goal, aim: None });
            let theirs = row["peer_ns"].as_f64().ok_or("no figure")?;
            let name = format!("  the crate jsonschema, by schema alone, {of}");
            figures.push(Figure { name, value: theirs, unit: "ns", goal: None, aim: None });
            continue;
        }
        let images = &row["images"];
        if let Some(offer) = row["offer"].as_str() {
            let (name, goal) = (format!("{what} {offer}, {images} addresses"), Some(GOAL_NS));
            figures.push(Figure { name, value, unit: "ns", goal, aim: None });
            continue;
        }
        let offers = row["offers"].as_u64().ok_or("no figure")?;
        let goal = Some(GOALS_OF_PLANS[usize::from(500 < offers)]);
        let name = format!("{what} over {offers} offers, {images} addresses");
        figures.push(Figure { name, value, unit: "ns", goal, aim: None });
        let value = row["read_ns"].as_f64().ok_or("no figure")?;
        let name = "  the same, every word of it written as JSON".to_owned();
        figures.push(Figure { name, value, unit: "ns", goal: None, aim: None });
    }
    Ok(Report {
        bench: "decide",
        title: "the time of one decision, images as addresses; medians".to_owned(),
        table: Vec::new(),
        figures,
        not_run: Vec::new(),
    })
}
