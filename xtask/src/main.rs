//! Chores that cargo cannot express; `cargo xtask` lists them.

mod bench;
mod book;
mod clients;
mod codegen;
mod corpus;
mod documents;
mod facade;
mod licences;
mod new_adapter;
mod provenance;
mod schemas;
mod soak;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use codegen::Mode;
// Everything that is generated is about all adapters.
use repaint_adapters as _;

const USAGE: &str = "\
usage: cargo xtask CHORE

  bench             measures speed against goals and peers: [client|decide|local|start] [--json]
  book              builds the book of docs/ with mdBook into target/book/html, and checks its links
  clients           writes what is generated in clients/: types and validators of other languages
  clients --check   fails if one of them is not what it would write
  codegen           writes schemas/, docs/models.md and what the README says of models
  codegen --check   fails if one of them is not what it would write
  corpus --lines N FILE   writes N bodies and jobs with their verdicts, one JSON object a line
  corpus --jobs FILE      writes jobs with the body that each offer is sent, one JSON object a line
  facade            checks the library as a dependency: how many crates it costs, that each adapter compiles
                    alone, and that its public API is the one in crates/*/api.txt
  facade --renew    the same, and writes those files
  facade --timed    builds it with two adapters from nothing, in target/cold, and says how long that took
  licences          fails if a dependency has a licence that is not on the list
  new-adapter       FAMILY --provider PROVIDER: writes the crate of a new family, and registers it
  provenance        lists the facts that are assumed, old or about to end: [--json] [--today YYYY-MM-DD]
  release-schemas VERSION
                    makes the present set of schemas the baseline that later ones must not break
  simulate          plays schedules of faults and deaths in paused time: [--schedules N] [--seed S] [--only INDEX]
  soak              loads the gateway for minutes, before a provider that fails: [--minutes N] [--callers N] [--seed S]
  test              runs every test of the workspace
  test --clients [WORDS]
                    builds and tries the clients, and the libraries of others against our servers; says NOT
                    RUN where a tool is missing; with WORDS only what has them in its name";

const SIMULATE: &[&str] = &[
    "run",
    "--quiet",
    "--profile",
    "simulation",
    "-p",
    "repaint-tests",
    "--bin",
    "simulate",
    "--",
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["bench", ..] => bench::run(&args[1..]),
        ["book"] => book::run(),
        ["clients"] => clients::run(Mode::Write),
        ["clients", "--check"] => clients::run(Mode::Check),
        ["codegen"] => codegen::run(Mode::Write),
        ["codegen", "--check"] => codegen::run(Mode::Check),
        ["corpus", "--lines", count, file] => corpus::values(count, Path::new(file)),
        ["corpus", "--jobs", file] => corpus::jobs(Path::new(file)),
        ["facade"] => facade::run(Mode::Check),
        ["facade", "--renew"] => facade::run(Mode::Write),
        ["facade", "--timed"] => facade::timed(),
        ["licences"] => licences::run(),
        ["new-adapter", rest @ ..] => new_adapter::run(rest),
        ["provenance", rest @ ..] => provenance::run(rest),
        ["release-schemas", version] => schemas::release(version),
        ["simulate", rest @ ..] => cargo(&[SIMULATE, rest].concat()),
        ["soak", rest @ ..] => soak::run(rest),
        ["test", "--clients"] => clients::test(""),
        ["test", "--clients", words] => clients::test(words),
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

/// The root of the repository: of the copy that cargo was started in, not of the one that built this.
fn root() -> PathBuf {
    let built_in = || env!("CARGO_MANIFEST_DIR").into();
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built_in)).join("..")
}

/// A call of the cargo that runs this.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

fn cargo(args: &[&str]) -> Result<(), String> {
    match command(args).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {} ended with {status}", args.join(" "))),
        Err(err) => Err(format!("cargo could not be run: {err}")),
    }
}
