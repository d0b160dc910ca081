//! `cargo xtask soak`: the gateway under load for minutes, before a provider that fails in all ways.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::Place;

const USAGE: &str = "usage: cargo xtask soak [--minutes 10] [--callers 24] [--seed 1]

Fails if anything is lost or paid twice, or if the memory grows by more than a tenth from the middle third of the
time to the last.";

pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (mut minutes, mut callers, mut seed) = ("10", "24", "1");
    for pair in args.chunks(2) {
        match pair {
            ["--minutes", value] => minutes = value,
            ["--callers", value] => callers = value,
            ["--seed", value] => seed = value,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let place = Place::here()?;
    let program = place.built("repaint-cli")?.join("repaint");
    let mut soak = Command::new(place.built("repaint-bench")?.join("repaint-bench"));
    soak.arg("soak").arg(program).args([minutes, callers, seed]).stderr(Stdio::inherit());
    let output = soak.output().map_err(|err| format!("it cannot be run: {err}"))?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| "it broke off; see above why".to_owned())?;
    for (name, value) in report.as_object().into_iter().flatten() {
        println!("{name:22} {value}");
    }
    match report["holds"] == true {
        true => Ok(()),
        false => Err("it does not hold: see above".to_owned()),
    }
}
