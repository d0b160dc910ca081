//! What stands between, how each is started, and how it is known to do its work.

use std::path::Path;
use std::process::Command;

use super::process::Running;
use crate::bench::Place;

/// Something between callers and a provider.
#[derive(Debug)]
pub(super) struct Proxy {
    /// As it is shown.
    pub(super) name: &'static str,
    pub(super) which: Which,
    /// It gets fewer requests, and one round.
    pub(super) is_slow: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Raw,
    Buffering,
    Repaint {
        /// Where it writes orders down: a file as it does by itself, or memory.
        on_disk: bool,
    },
}

/// All of them, the one that the others are compared with first.
pub(super) fn proxies() -> Vec<Proxy> {
    let proxy = |name, which, is_slow| Proxy { name, which, is_slow };
    vec![
        proxy("raw proxy", Which::Raw, false),
        proxy("buffering proxy", Which::Buffering, false),
        proxy("repaint", Which::Repaint { on_disk: true }, false),
        proxy("repaint, store in memory", Which::Repaint { on_disk: false }, false),
    ]
}

impl Proxy {
    /// Installs it unless it is there; the error says why it cannot be.
    pub(super) fn install(&self, _: &Place) -> Result<(), String> {
        match self.which {
            Which::Raw | Which::Buffering | Which::Repaint { .. } => Ok(()),
        }
    }

    /// Starts it before a provider, `http://127.0.0.1:…`.
    pub(super) fn start(
        &self,
        place: &Place,
        program: &Path,
        provider: &str,
        folder: &Path,
    ) -> Result<Running, String> {
        let told = |command: &mut Command| Ok(Running::told(command)?.0);
        match self.which {
            Which::Raw => told(Command::new(program).args(["raw-proxy", provider])),
            Which::Buffering => told(Command::new(program).args(["buffering-proxy", provider])),
            Which::Repaint { on_disk } => {
                let mut command = Command::new(place.target.join("release/repaint"));
                command.args(["serve", "--listen", "127.0.0.1:0"]).env("REPAINT_CONFIG", "none");
                command.env("TOGETHER_BASE_URL", provider).env("TOGETHER_API_KEY", "bench");
                command.env_remove("BFL_API_KEY").env("NO_PROXY", "127.0.0.1");
                let file = folder.join("orders.sqlite");
                match on_disk {
                    true => command.env("REPAINT_STORE", file),
                    false => command.env("REPAINT_STORE", "memory:"),
                };
                told(&mut command)
            }
        }
    }

    /// Whether so many requests had all that is promised: a job each that was admitted, made, counted
    /// and can be looked up with its receipt.
    pub(super) fn check(&self, running: &Running, requests: usize) -> Result<(), String> {
        if !matches!(self.which, Which::Repaint { .. }) {
            return Ok(());
        }
        let metrics = running.says("/metrics")?;
        let made = format!("repaint_jobs_total{{end=\"made\"}} {requests}");
        if !metrics.lines().any(|it| it == made) {
            return Err(format!("its metrics do not say that it made {requests} jobs"));
        }
        let jobs = running.says("/v1/jobs")?;
        if !jobs.contains("\"receipt\"") {
            return Err("its jobs have no receipts".to_owned());
        }
        Ok(())
    }
}
