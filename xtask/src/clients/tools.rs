//! The tools of other languages: set up from hashed lock files, kept below target/, and run without a network.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::network::offline;
use super::{copy, write};
use crate::root;

/// Something that must be there before a trial can run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Tool {
    /// The packages that package-lock.json of this folder names; what is returned has node_modules.
    Npm(&'static str),
    /// A virtual environment of what requirements.txt of this folder names.
    Pip(&'static str),
    /// A program of the machine, and how it says that it is there.
    Program(&'static str, &'static str),
}

/// Why something could not be done.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// A tool is not there and could not be installed.
    Missing(String, String),
    /// It was tried and went wrong.
    Failed(String),
}

/// The tools that were asked for, each set up once.
#[derive(Default)]
pub(super) struct Tools(BTreeMap<Tool, Result<PathBuf, String>>);

impl Tools {
    /// Where a tool is. Only this may download: what a lock file names, and only if its hash is right.
    pub(super) fn get(&mut self, tool: Tool) -> Result<PathBuf, Trouble> {
        let found = self.0.entry(tool).or_insert_with(|| match tool {
            Tool::Npm(name) => npm(name),
            Tool::Pip(name) => pip(name),
            Tool::Program(name, version) => {
                quiet(Command::new(name).arg(version)).map(|()| PathBuf::from(name))
            }
        });
        found.clone().map_err(|why| Trouble::Missing(tool.to_string(), why))
    }
}

/// Where everything of the clients is that is no source.
pub(super) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| root().join("target"), PathBuf::from).join("clients")
}

/// Runs a command to its end, with nothing beyond this machine in reach.
pub(super) fn done(command: &mut Command) -> Result<(), Trouble> {
    output(command).map(drop)
}

/// The same, and what it printed.
pub(super) fn output(command: &mut Command) -> Result<String, Trouble> {
    ended(&mut offline(command))
}

/// The same for a command that is kept in already, as those of a `Network` are.
pub(super) fn ended(command: &mut Command) -> Result<String, Trouble> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|err| Trouble::Failed(format!("{shown} could not be run: {err}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Trouble::Failed(format!("{shown} ended with {}\n{text}{errors}", output.status)))
}

/// Packages of npm, without running a script of theirs.
fn npm(name: &str) -> Result<PathBuf, String> {
    // Packages that were installed before are of no use without them.
    quiet(Command::new("node").arg("--version"))?;
    quiet(Command::new("npm").arg("--version"))?;
    let place = place("npm", name);
    let from = root().join(name);
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        copy(&from.join(file), &place.join(file)).map_err(|it| it.to_string())?;
    }
    let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    once(&place, &from.join("package-lock.json"), || {
        quiet(Command::new("npm").args(flags).current_dir(&place))
    })?;
    Ok(place)
}

/// A virtual environment of wheels: nothing is built, so nothing of a package runs.
fn pip(name: &str) -> Result<PathBuf, String> {
    let place = place("venv", name);
    let wanted = root().join(name).join("requirements.txt");
    let flags =
        ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"];
    once(&place, &wanted, || {
        quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let mut install = Command::new(place.join("bin/python"));
        quiet(install.args(["-m", "pip", "install"]).args(flags).arg("-r").arg(&wanted))
    })?;
    Ok(place)
}

/// Where what a folder of the project names is installed.
fn place(kind: &str, folder: &str) -> PathBuf {
    target().join(format!("{kind}-{}", folder.replace('/', "-")))
}

/// Does it unless it was done for the same lock file.
fn once(
    place: &Path,
    lock: &Path,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let wanted = fs::read(lock).map_err(|err| format!("{}: {err}", lock.display()))?;
    let stamp = place.join("installed.lock");
    if fs::read(&stamp).is_ok_and(|it| it == wanted) {
        return Ok(());
    }
    install()?;
    write(&stamp, &wanted).map_err(|it| it.to_string())
}

/// Runs a command of the set-up; what it calls an error is the reason if it fails.
pub(super) fn quiet(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|err| format!("{shown} could not be run: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = || said.lines().map(str::trim).filter(|it| !it.is_empty());
    let error = lines().find(|it| it.to_ascii_lowercase().contains("error:"));
    let why = error.or_else(|| lines().next()).unwrap_or("it does not say why");
    Err(format!("{shown} ended with {}: {why}", output.status))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let first = command.get_args().next().unwrap_or_default();
    format!("{} {}", program.to_string_lossy(), first.to_string_lossy()).trim_end().to_owned()
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Npm(name) => write!(f, "npm packages of {name}"),
            Self::Pip(name) => write!(f, "Python packages of {name}"),
            Self::Program(name, _) => f.write_str(name),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(tool, why) => write!(f, "{tool}: {why}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}
