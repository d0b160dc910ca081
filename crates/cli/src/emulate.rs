//! `repaint emulate`: hosted providers on this machine, for tests in any language.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use repaint::{Error, ErrorKind, Result};
use repaint_emulator::{Emulator, Script, Seen, Server, Serving, Settings};
use serde_json::json;

use crate::args::Emulate;
use crate::{ask, signals};

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
    let stop = tokio::spawn(signals::signal());
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
