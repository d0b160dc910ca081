//! Chores that cargo cannot express; `cargo xtask` lists them.

mod bench;
mod codegen;
mod corpus;
mod licences;
mod provenance;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

// Everything that is generated is about all adapters.
use repaint_adapters as _;

const USAGE: &str = "\
usage: cargo xtask CHORE

  bench             measures speed against goals and peers: [client|decide|start|watercolor] [--json]
  codegen           writes schemas/, docs/models.md and what the README says of models
  codegen --check   fails if one of them is not what it would write
  corpus --lines N FILE   writes N bodies and jobs with their verdicts, one JSON object a line
  corpus --jobs FILE      writes jobs with the body that each offer is sent, one JSON object a line
  licences          fails if a dependency has a licence that is not on the list
  provenance        lists the facts that are assumed, old or about to end: [--json] [--today YYYY-MM-DD]
  test              runs every test of the workspace";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["bench", ..] => bench::run(&args[1..]),
        ["codegen"] => codegen::run(codegen::Mode::Write),
        ["codegen", "--check"] => codegen::run(codegen::Mode::Check),
        ["corpus", "--lines", count, file] => corpus::values(count, Path::new(file)),
        ["corpus", "--jobs", file] => corpus::jobs(Path::new(file)),
        ["licences"] => licences::run(),
        ["provenance", rest @ ..] => provenance::run(rest),
        ["test", rest @ ..] => cargo(&[&["test", "--workspace"], rest].concat()),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(args: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(args).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {} ended with {status}", args.join(" "))),
        Err(err) => Err(format!("cargo could not be run: {err}")),
    }
}
