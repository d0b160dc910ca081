//! The document of the gateway, `openapi.json`: linters find nothing in it, and the gateway does what it says.

use std::process::Command;

use super::network::Network;
use super::sdks::Servers;
use super::tools::{Tool, Trouble, ended, output};
use super::trials::Bench;
use crate::{cargo, root};

/// What all of this needs, and how it is told to go about it.
const FOLDER: &str = "tests/clients/openapi";
const DOCUMENT: &str = "schemas/openapi.json";

pub(super) fn redocly(bench: &mut Bench) -> Result<String, Trouble> {
    let place = bench.tools.get(Tool::Npm(FOLDER))?;
    let mut command = Command::new(place.join("node_modules/.bin/redocly"));
    command.args(["lint", "--config"]).arg(root().join(FOLDER).join("redocly.yaml"));
    // It would look for a newer one of itself, and say that it was run.
    command.envs([("REDOCLY_TELEMETRY", "off"), ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")]);
    output(command.arg(root().join(DOCUMENT))).map(|_| String::new())
}

pub(super) fn spectral(bench: &mut Bench) -> Result<String, Trouble> {
    let place = bench.tools.get(Tool::Npm(FOLDER))?;
    let mut command = Command::new(place.join("node_modules/.bin/spectral"));
    command.args(["lint", "--fail-severity=hint", "--ruleset"]);
    command.arg(root().join(FOLDER).join("spectral.yaml"));
    output(command.arg(root().join(DOCUMENT))).map(|_| String::new())
}

/// Sends what the document of a running gateway allows, and what it does not, and looks at the answers.
pub(super) fn schemathesis(bench: &mut Bench) -> Result<String, Trouble> {
    let place = bench.tools.get(Tool::Pip(FOLDER))?;
    cargo(&["build", "--quiet", "-p", "repaint-cli"]).map_err(Trouble::Failed)?;
    let network = Network::new();
    let mut servers = Servers::none(&network);
    let gateway = servers.emulated()?;
    let folder = root().join(FOLDER);
    let mut command = network.command(&place.join("bin/python"));
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(folder.join("schemathesis.toml"));
    command.args(["run", "--no-color", "--url", &gateway]).arg(format!("{gateway}/openapi.json"));
    command.envs([("SCHEMATHESIS_HOOKS", "checks"), ("PYTHONUTF8", "1")]);
    command.env("PYTHONPATH", &folder).current_dir(super::emptied("schemathesis")?);
    let printed = ended(&mut command)?;
    let found = printed.lines().find_map(|it| it.trim().split_once(" generated, "));
    let tried = found.ok_or_else(|| Trouble::Failed(format!("it tried nothing:\n{printed}")))?.0;
    Ok(format!("{tried} requests"))
}
