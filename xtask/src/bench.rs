//! `cargo xtask bench`: what the README claims of speed, as anyone can measure it, against goals and, in
//! the same run, against peers.

mod client;
mod decide;
mod figure;
mod gateway;
mod local;
mod peers;
mod random;
mod start;
mod upstream;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use figure::{Figure, Report};

type Bench = (&'static str, fn(&Place) -> Result<Vec<Report>, String>);

const BENCHES: [Bench; 5] = [
    ("client", |place| Ok(vec![client::run(place)?])),
    ("decide", |place| Ok(vec![decide::run(place)?])),
    ("gateway", gateway::run),
    ("local", |place| Ok(vec![local::run(place)?])),
    ("start", |place| Ok(vec![start::run(place)?])),
];

const USAGE: &str = "usage: cargo xtask bench [client|decide|gateway|local|start] … [--json]

Without a name, all are run. Fails if a goal is missed. The peers' libraries are installed under the
target directory by `pip` and `npm`; what cannot be installed is reported as NOT RUN.";

/// Where things are.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    /// The target directory, whatever it is called.
    target: PathBuf,
    /// A folder of ours in it.
    scratch: PathBuf,
}

/// Runs the named benches, or all; fails if a goal is missed.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (flags, names): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|it| it.starts_with('-'));
    let unknown = names.iter().find(|it| BENCHES.iter().all(|bench| bench.0 != it.as_str()));
    if unknown.is_some() || flags.iter().any(|it| *it != "--json") {
        return Err(USAGE.to_owned());
    }
    let place = Place::here()?;
    let mut reports = Vec::new();
    for (name, bench) in BENCHES {
        if names.is_empty() || names.iter().any(|it| *it == name) {
            let found = bench(&place)?;
            if flags.is_empty() {
                found.iter().for_each(Report::print);
            }
            reports.extend(found);
        }
    }
    if !flags.is_empty() {
        println!("{}", reports.iter().map(Report::json).collect::<Value>());
    }
    let missed: Vec<&str> = reports
        .iter()
        .flat_map(|it| &it.figures)
        .filter(|it| it.is_missed())
        .map(|it| it.name.as_str())
        .collect();
    match missed.as_slice() {
        [] => Ok(()),
        missed => Err(format!("missed: {}", missed.join(", "))),
    }
}

impl Place {
    pub(crate) fn here() -> Result<Self, String> {
        // This program lies in `debug`, or another profile's folder, of the target directory.
        let program = std::env::current_exe().map_err(|err| err.to_string())?;
        let target = program.ancestors().nth(2).ok_or("the target directory is not to be found")?;
        let scratch = target.join("bench");
        std::fs::create_dir_all(&scratch).map_err(|err| err.to_string())?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Ok(Self { root, target: target.to_owned(), scratch })
    }

    /// Builds a package as it is released; the folder of its programs comes back.
    pub(crate) fn built(&self, package: &str) -> Result<PathBuf, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "--package", package, "--target-dir"]);
        let status = build.arg(&self.target).current_dir(&self.root).status();
        match status {
            Ok(status) if status.success() => Ok(self.target.join("release")),
            Ok(status) => Err(format!("the build of {package} ended with {status}")),
            Err(err) => Err(format!("cargo could not be run: {err}")),
        }
    }
}

/// The JSON that a measured program prints.
fn measured(program: &mut Command) -> Result<Value, String> {
    let output = program.output().map_err(|err| format!("it cannot be run: {err}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|it| !it.trim().is_empty()).unwrap_or("no reason");
        return Err(last.trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|err| format!("it printed no JSON: {err}"))
}
