//! `bench start`: how long the program takes to say what it knows.

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use super::figure::median;
use super::{Figure, Place, Report};

const GOAL_MS: f64 = 15.0;
const WARM_UPS: usize = 3;
const TIMES: usize = 20;

pub(super) fn run(place: &Place) -> Result<Report, String> {
    let program = place.built("repaint-cli")?.join("repaint");
    let start = || -> Result<Output, String> {
        let mut command = Command::new(&program);
        let output = command.arg("models").stdin(Stdio::null()).output();
        output.map_err(|err| format!("repaint cannot be run: {err}"))
    };
    let mut report = Report {
        bench: "start",
        title: format!("wall time of `repaint models`, a release build; median of {TIMES}"),
        table: Vec::new(),
        figures: Vec::new(),
        not_run: Vec::new(),
    };
    for _ in 0..WARM_UPS {
        let output = start()?;
        if !output.status.success() || output.stdout.is_empty() {
            let why = "the program lists no models".to_owned();
            report.not_run.push(("repaint models".to_owned(), why));
            return Ok(report);
        }
    }
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        start()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let value = median(times).ok_or("no figure")?;
    let name = "repaint models".to_owned();
    report.figures.push(Figure { name, value, unit: "ms", goal: Some(GOAL_MS), aim: None });
    Ok(report)
}
