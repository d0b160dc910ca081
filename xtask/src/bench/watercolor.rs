//! `bench watercolor`: the local model, on the example picture tiled to one and four megapixels.

use std::process::Command;

use super::{Figure, Place, Report, measured};

const GOAL_SECONDS: f64 = 3.0;

pub(super) fn run(place: &Place) -> Result<Report, String> {
    let program = place.built("repaint-bench")?.join("repaint-bench");
    let mut program = Command::new(program);
    program.arg("watercolor").arg(place.root.join("examples/astronaut.png")).arg(&place.scratch);
    let found = measured(&mut program)?;
    let mut figures = Vec::new();
    for row in found.as_array().into_iter().flatten() {
        let megapixels = row["megapixels"].as_f64().ok_or("no figure")?;
        figures.push(Figure {
            name: format!("local/watercolor on {megapixels:.1} megapixels"),
            value: row["cpu_s_per_megapixel"].as_f64().ok_or("no figure")?,
            unit: "CPU s / MP",
            goal: Some(GOAL_SECONDS),
        });
    }
    Ok(Report {
        bench: "watercolor",
        title: "CPU of all threads for a megapixel, PNG in and out, through the client".to_owned(),
        table: Vec::new(),
        figures,
        not_run: Vec::new(),
    })
}
