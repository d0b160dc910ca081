//! `bench decide`: admission, encoding and planning, none of which does I/O.

use std::process::Command;

use super::{Figure, Place, Report, measured};

/// Admission and encoding, each.
const GOAL_NS: f64 = 10_000.0;

pub(super) fn run(place: &Place) -> Result<Report, String> {
    let program = place.built("repaint-bench")?.join("repaint-bench");
    let found = measured(Command::new(program).arg("decide"))?;
    let mut figures = Vec::new();
    for row in found.as_array().into_iter().flatten() {
        let what = row["what"].as_str().unwrap_or_default();
        let images = &row["images"];
        let (name, goal) = match row["offer"].as_str() {
            Some(offer) => (format!("{what} {offer}, {images} addresses"), Some(GOAL_NS)),
            None => (format!("{what} over {} offers, {images} addresses", row["offers"]), None),
        };
        let value = row["ns"].as_f64().ok_or("no figure")?;
        figures.push(Figure { name, value, unit: "ns", goal });
    }
    Ok(Report {
        bench: "decide",
        title: "the time of one decision, images as addresses; medians".to_owned(),
        table: Vec::new(),
        figures,
        not_run: Vec::new(),
    })
}
