//! The tools of other languages: set up from hashed lock files, kept below target/, and run without a network.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use super::{copy, write};
use crate::root;

/// Something that must be there before a trial can run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Tool {
    /// The packages that clients/NAME/package-lock.json names; its folder has node_modules.
    Npm(&'static str),
    /// A virtual environment of what clients/NAME/requirements.txt names.
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
    let shown = shown(command);
    let output = offline(command)
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

/// The command without a way out: in a network of its own where the system lets us make one, and told so in
/// any case.
fn offline(command: &Command) -> Command {
    static WALLED: LazyLock<bool> = LazyLock::new(|| {
        quiet(Command::new("unshare").args(["--map-root-user", "--net", "true"])).is_ok()
    });
    let mut inner = match *WALLED {
        true => {
            let mut outer = Command::new("unshare");
            outer.args(["--map-root-user", "--net", "--"]).arg(command.get_program());
            outer
        }
        false => Command::new(command.get_program()),
    };
    inner.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        inner.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            inner.env(name, value);
        }
    }
    let nowhere = "http://127.0.0.1:9";
    inner
        .envs(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map(|it| (it, nowhere)))
        .envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOTELEMETRY", "off")])
        .envs([("PIP_NO_INDEX", "1"), ("npm_config_offline", "true"), ("NO_COLOR", "1")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GOCACHE", target().join("go-cache"));
    inner
}

/// Packages of npm, without running a script of theirs.
fn npm(name: &str) -> Result<PathBuf, String> {
    // Packages that were installed before are of no use without them.
    quiet(Command::new("node").arg("--version"))?;
    quiet(Command::new("npm").arg("--version"))?;
    let place = target().join(format!("npm-{name}"));
    let from = root().join("clients").join(name);
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
    let place = target().join(format!("venv-{name}"));
    let wanted = root().join("clients").join(name).join("requirements.txt");
    let flags =
        ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"];
    once(&place, &wanted, || {
        quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let mut install = Command::new(place.join("bin/python"));
        quiet(install.args(["-m", "pip", "install"]).args(flags).arg("-r").arg(&wanted))
    })?;
    Ok(place)
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
fn quiet(command: &mut Command) -> Result<(), String> {
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
            Self::Npm(name) => write!(f, "npm packages of clients/{name}"),
            Self::Pip(name) => write!(f, "Python packages of clients/{name}"),
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
