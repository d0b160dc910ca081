//! How commands are kept from every other machine: what is tried here needs none, and must not.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use super::tools::{quiet, target};

/// The command without a way out: in a network of its own where the system lets us make one, and told so in
/// any case.
pub(super) fn offline(command: &Command) -> Command {
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
    confined(&mut inner);
    inner
}

/// Tells a command that there is no way out but to this machine itself.
fn confined(command: &mut Command) {
    let nowhere = "http://127.0.0.1:9";
    command
        .envs(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map(|it| (it, nowhere)))
        .envs(["no_proxy", "NO_PROXY"].map(|it| (it, "127.0.0.1")))
        .envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOTELEMETRY", "off")])
        .envs([("PIP_NO_INDEX", "1"), ("npm_config_offline", "true"), ("NO_COLOR", "1")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GOCACHE", target().join("go-cache"));
}

/// A network of its own for servers and their callers, where the system lets us make one: nothing is in it but its loopback.
pub(super) struct Network(Option<Child>);

impl Network {
    pub(super) fn new() -> Self {
        let mut network = Self(None);
        // It is there for as long as this process is, which holds the other end of what cat reads.
        let shell = "ip link set lo up && echo up && exec cat";
        let mut keeper = Command::new("unshare");
        keeper.args(["--map-root-user", "--net", "--", "sh", "-c", shell]);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Ok(mut child) = keeper.spawn() {
            let mut up = String::new();
            // Whatever goes wrong, `up` is not what it says then.
            let _ = child.stdout.as_mut().map(|it| BufReader::new(it).read_line(&mut up));
            network.0 = Some(child);
            if up.trim() != "up" || quiet(&mut network.command(Path::new("true"))).is_err() {
                network.close();
            }
        }
        network
    }

    /// A command that will run in it.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match &self.0 {
            Some(keeper) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--target={}", keeper.id()));
                command.args(["--user", "--net", "--preserve-credentials", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        confined(&mut command);
        command
    }

    fn close(&mut self) {
        if let Some(mut keeper) = self.0.take() {
            // It has ended by itself, or does now.
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.close();
    }
}
