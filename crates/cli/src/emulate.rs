//! `repaint emulate`: hosted providers on this machine, for tests in any language.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use repaint::{Error, ErrorKind, Result};
use repaint_emulator::{Emulator, Fault, Script, Seen, Server, Serving, Settings};
use serde_json::json;

use crate::{ask, edit};

#[derive(Args, Debug)]
pub(crate) struct Emulate {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Fetch input images that are addresses, and show them
    #[arg(long)]
    pub(crate) fetch: bool,
    /// What befalls every request that it can befall; see the list below
    #[arg(long, value_name = "NAME")]
    pub(crate) fault: Option<Fault>,
    /// A JSON file with a list of what befalls the first requests, such as ["429", null, "500"]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) script: Option<PathBuf>,
    /// Milliseconds that a picture takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) latency: u64,
    /// Ids of jobs follow from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) capabilities: Option<PathBuf>,
}

pub(crate) async fn run(args: &Emulate) -> Result<()> {
    let registry = ask::registry(args.capabilities.as_deref())?;
    let script = args.script.as_deref().map(script).transpose()?.unwrap_or_default();
    let (seed, always) = (args.seed, args.fault);
    let latency = Duration::from_millis(args.latency);
    let emulator =
        Emulator::new(&registry, Settings { latency, thumbnails: false, seed, always, script });
    let watch = Box::new(|seen: &Seen| log(&seen.line()));
    let server = Server::bind(emulator, Serving { listen: args.listen, fetch: args.fetch, watch });
    let server = server.await.map_err(|err| {
        let message = format!("cannot listen on {}: {err}; --listen names another", args.listen);
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    // Whoever has read the line below may ask it to stop at once.
    let stop = tokio::spawn(edit::signal());
    tokio::task::yield_now().await;
    // Whoever started the program waits for this line. One that reads no further does not end it.
    let mut output = std::io::stdout();
    let _ = writeln!(output, "listening on http://{}", server.address());
    let _ = output.flush();
    if !stop.await.unwrap_or(false) {
        // Where no signal can be heard, it goes on until it is killed.
        std::future::pending::<()>().await;
    }
    log(&json!({ "stopped": true }));
    server.stop().await;
    Ok(())
}

fn script(path: &Path) -> Result<Script> {
    let invalid = |err: String| {
        let message = format!("{} is no script: {err}", path.display());
        Error::new(ErrorKind::InvalidRequest, message)
    };
    let text = std::fs::read(path).map_err(|err| invalid(err.to_string()))?;
    serde_json::from_slice(&text).map_err(|err| invalid(err.to_string()))
}

fn log(line: &serde_json::Value) {
    // A log that nobody reads any more does not end the server.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The end of its help.
pub(crate) fn after() -> String {
    let faults: String =
        Fault::all().map(|it| format!("  {:<19}{}\n", it.name(), it.about())).collect();
    format!(
        "\
Examples:
  repaint emulate --listen 127.0.0.1:8080
  TOGETHER_BASE_URL=http://127.0.0.1:8080 TOGETHER_API_KEY=any \\
    repaint edit car.jpg -p \"make it blue\" -m together/flux2-pro
  curl http://127.0.0.1:8080/__emulator/requests

Together and Black Forest Labs, on one port, as far as their documents say what they do. No model
makes the pictures: they show which inputs arrived. Any key is taken. GET /__emulator/requests shows
what came and what would have been billed; DELETE forgets it. The log is JSON, on standard error.

Faults, for --fault, --script and the header x-emulate-fault:
{faults}"
    )
}
