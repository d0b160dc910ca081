//! `bench local`: the filters of this machine, on the example picture tiled to one and four megapixels.

use std::process::Command;

use super::{Figure, Place, Report, measured};

/// What each may cost, in seconds of CPU a megapixel; the others are measured without a goal.
const GOALS: &[(&str, f64)] = &[("local/recolour", 0.2), ("local/watercolor", 3.0)];

pub(super) fn run(place: &Place) -> Result<Report, String> {
    let program = place.built("repaint-bench")?.join("repaint-bench");
    let mut program = Command::new(program);
    program.arg("local").arg(place.root.join("examples/astronaut.png")).arg(&place.scratch);
    let found = measured(&mut program)?;
    let mut figures = Vec::new();
    for row in found.as_array().into_iter().flatten() {
        let megapixels = row["megapixels"].as_f64().ok_or("no figure")?;
        let (offer, how) = (row["offer"].as_str(), row["how"].as_str());
        let (offer, how) = offer.zip(how).ok_or("no offer")?;
        figures.push(Figure {
            name: format!("{offer}{how} on {megapixels:.1} megapixels"),
            value: row["cpu_s_per_megapixel"].as_f64().ok_or("no figure")?,
            unit: "CPU s / MP",
            goal: GOALS.iter().find(|(it, _)| *it == offer).map(|(_, goal)| *goal),
            aim: None,
        });
    }
    Ok(Report {
        bench: "local",
        title: "CPU of all threads for a megapixel, PNG in and out, through the client".to_owned(),
        table: Vec::new(),
        figures,
        not_run: Vec::new(),
    })
}
