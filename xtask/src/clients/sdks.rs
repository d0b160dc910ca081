//! Libraries of others against our servers: tests/clients/ has a program for each, which gets the servers that are started here.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::network::Network;
use super::tools::{self, Tool, Trouble};
use super::trials::{Bench, typescript};
use super::{copy, emptied, failed};
use crate::{cargo, root};

/// A library, what it needs, and its program in tests/clients/.
struct Sdk {
    name: &'static str,
    tool: Tool,
    program: &'static str,
}

const NODE: Tool = Tool::Npm("tests/clients/node");
const PYTHON: Tool = Tool::Pip("tests/clients/python");
const TOGETHER2: Tool = Tool::Pip("tests/clients/together2");
const LITELLM: Tool = Tool::Pip("tests/clients/litellm");
const OURS: Tool = Tool::Pip("clients/python");
const OURS_TOO: Tool = Tool::Npm("clients/typescript");
const CURL: Tool = Tool::Program("curl", "--version");

const SDKS: &[Sdk] = &[
    Sdk { name: "together 3 for Python", tool: PYTHON, program: "try_together.py" },
    Sdk { name: "together 2 for Python", tool: TOGETHER2, program: "try_together.py" },
    Sdk { name: "openai for Python", tool: PYTHON, program: "try_openai.py" },
    Sdk { name: "huggingface_hub", tool: PYTHON, program: "try_huggingface.py" },
    Sdk { name: "litellm", tool: LITELLM, program: "try_litellm.py" },
    Sdk { name: "together-ai for Node", tool: NODE, program: "try-together.mjs" },
    Sdk { name: "openai for Node", tool: NODE, program: "try-openai.mjs" },
    Sdk { name: "ai for Node", tool: NODE, program: "try-ai.mjs" },
    Sdk { name: "cURL", tool: CURL, program: "try_curl.py" },
    Sdk { name: "our package for Python", tool: OURS, program: "try_repaint.py" },
    Sdk { name: "our package for TypeScript", tool: OURS_TOO, program: "try-repaint.mjs" },
];

/// What befalls the orders at a server, by the name that the cases have for it: the emulator's flags.
const SERVERS: &[(&str, &[&str])] = &[
    ("sound", &[]),
    ("slow", &["--latency", "2500"]),
    ("402", &["--fault", "402"]),
    ("503", &["--fault", "503"]),
    ("504", &["--fault", "504"]),
    ("moderated-output", &["--fault", "moderated-output"]),
];

/// What stands between a library and the emulator: the cases tell what comes of it.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Nothing: it is the provider, with all its silence.
    Emulate,
    /// The gateway, which takes it for its provider.
    Serve,
}

const WAYS: &[Way] = &[Way::Emulate, Way::Serve];

/// So many programs run at a time; they wait most of it.
const AT_A_TIME: usize = 4;

/// A trial's name, and what it found or why not.
pub(super) type Tried = (String, Result<String, Trouble>);

/// Tries the libraries in every way, but only those whose trial is `wanted` by its name.
pub(super) fn run(bench: &mut Bench, wanted: impl Fn(&str) -> bool) -> Result<Vec<Tried>, Trouble> {
    let names = |sdk: &Sdk| WAYS.iter().map(|way| (*way, way.trial(sdk))).collect::<Vec<_>>();
    let mut all = Vec::new();
    for sdk in SDKS {
        let names: Vec<_> = names(sdk).into_iter().filter(|(_, name)| wanted(name)).collect();
        if !names.is_empty() {
            let program = program(sdk, bench);
            all.extend(names.into_iter().map(|(way, name)| (name, way, program.clone())));
        }
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    cargo(&["build", "--quiet", "-p", "repaint-cli"]).map_err(Trouble::Failed)?;
    emptied(LOGS)?;
    let network = Network::new();
    let mut tried = Vec::new();
    for some in all.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let start = |(name, way, program): &(String, Way, Result<Line, Trouble>)| {
                let (way, network, program) = (*way, &network, program.clone());
                let run = scope.spawn(move || program.and_then(|it| one(&it, way, network)));
                (name.clone(), run)
            };
            let runs: Vec<_> = some.iter().map(start).collect();
            tried.extend(runs.into_iter().map(|(name, run)| {
                let panicked = |_| Err(Trouble::Failed("the trial panicked".to_owned()));
                (name, run.join().unwrap_or_else(panicked))
            }));
        });
    }
    Ok(tried)
}

/// An interpreter and its program.
type Line = (PathBuf, PathBuf);

fn program(sdk: &Sdk, bench: &mut Bench) -> Result<Line, Trouble> {
    let from = root().join("tests/clients");
    let place = match sdk.tool {
        OURS_TOO => typescript(bench)?,
        tool => bench.tools.get(tool)?,
    };
    Ok(match sdk.tool {
        // It must stand beside its packages, where node looks for them.
        Tool::Npm(_) => {
            for file in ["trial.mjs", "cases.json", "picture.png", sdk.program] {
                copy(&from.join(file), &place.join(file))?;
            }
            ("node".into(), place.join(sdk.program))
        }
        Tool::Pip(_) => (place.join("bin/python"), from.join(sdk.program)),
        Tool::Program(..) => {
            (bench.tools.get(Tool::Program("python3", "--version"))?, from.join(sdk.program))
        }
    })
}

/// Runs a program with servers of its own, and says what its last line does.
fn one((interpreter, program): &Line, way: Way, network: &Network) -> Result<String, Trouble> {
    let servers = Servers::start(way, network)?;
    let mut command = network.command(interpreter);
    // Only ours is not installed.
    command.env("PYTHONPATH", root().join("clients/python"));
    command.arg(program).args(["--as", way.mode()]).args(&servers.words);
    let printed = tools::ended(&mut command)?;
    let last = printed.lines().last().unwrap_or_default().to_owned();
    match last.contains("without a server") {
        true => Err(Trouble::Failed(last)),
        false => Ok(last),
    }
}

impl Way {
    fn mode(self) -> &'static str {
        match self {
            Self::Emulate => "emulate",
            Self::Serve => "serve",
        }
    }

    fn trial(self, sdk: &Sdk) -> String {
        match self {
            Self::Emulate => format!("{} meets a provider as it is", sdk.name),
            Self::Serve => format!("{} goes through the gateway", sdk.name),
        }
    }
}

/// The servers of one program; they end with this.
pub(super) struct Servers<'a> {
    network: &'a Network,
    children: Vec<Child>,
    /// `NAME=BASE`, as the program is told of them.
    words: Vec<String>,
}

impl<'a> Servers<'a> {
    /// None yet.
    pub(super) fn none(network: &'a Network) -> Self {
        Self { network, children: Vec::new(), words: Vec::new() }
    }

    /// The address of a gateway whose providers are machines within it.
    pub(super) fn emulated(&mut self) -> Result<String, Trouble> {
        let words = ["serve", "--listen", "127.0.0.1:0", "--emulate"];
        self.listen(|it| it.args(words)).map(|(address, _)| address)
    }

    fn start(way: Way, network: &'a Network) -> Result<Self, Trouble> {
        let mut servers = Self::none(network);
        for (name, flags) in SERVERS {
            let word = match way {
                Way::Emulate => format!("{name}={}", servers.emulator(flags)?),
                Way::Serve => format!("{name}={}", servers.gateway(flags)?),
            };
            servers.words.push(word);
        }
        Ok(servers)
    }

    fn emulator(&mut self, flags: &[&str]) -> Result<String, Trouble> {
        self.listen(|it| it.arg("emulate").args(flags)).map(|(address, _)| address)
    }

    /// A gateway's address and that of the emulator behind it, which is within it where nothing befalls orders.
    fn gateway(&mut self, flags: &[&str]) -> Result<String, Trouble> {
        let words = ["serve", "--listen", "127.0.0.1:0"];
        if flags.is_empty() {
            let (gateway, log) = self.listen(|it| it.args(words).arg("--emulate"))?;
            let said = fs::read_to_string(&log).map_err(failed(&log))?;
            let emulator =
                said.lines().find_map(|it| it.split_once("are emulated at ")).map(|it| it.1);
            let silent =
                || Trouble::Failed(format!("{} does not say where: {said}", log.display()));
            let emulator = emulator.ok_or_else(silent)?.trim_end_matches('/');
            return Ok(format!("{gateway},{emulator}"));
        }
        let emulator = self.emulator(flags)?;
        let there = [("TOGETHER_BASE_URL", emulator.as_str()), ("TOGETHER_API_KEY", "any")];
        let (gateway, _) = self.listen(|it| it.args(words).envs(there))?;
        Ok(format!("{gateway},{emulator}"))
    }

    /// Starts a server, and waits for the line that says where it listens: its address, and the file that it logs to.
    fn listen(
        &mut self,
        words: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<(String, PathBuf), Trouble> {
        let repaint = tools::target().join("../debug/repaint");
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = tools::target().join(LOGS).join(format!("{number}.log"));
        let folder = tools::target().join(LOGS);
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let mut command = self.network.command(&repaint);
        words(&mut command).env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&log).map_err(failed(&log))?);
        let mut child = command.spawn().map_err(failed(&repaint))?;
        let mut line = String::new();
        let read = child.stdout.take().map(|it| BufReader::new(it).read_line(&mut line));
        self.children.push(child);
        let silent = || Trouble::Failed(format!("a server does not start: see {}", log.display()));
        read.transpose().map_err(failed(&repaint))?;
        let address = line.trim().strip_prefix("listening on ").map(str::to_owned);
        Ok((address.ok_or_else(silent)?, log))
    }
}

/// How many servers were started; each has a log of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// The folder of those.
const LOGS: &str = "servers";

impl Drop for Servers<'_> {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It has ended by itself, or does now.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
