//! What stands between, how each is started, and how it is known to do its work.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Running;
use crate::bench::peers::quiet;
use crate::bench::{Place, measured};
use crate::command;

/// LiteLLM refuses to start without a key. It guards nothing: the proxy and its provider end with the bench.
const LITELLM_KEY: &str = "sk-repaint-bench";

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
    /// What is called so on this machine, in one process.
    Nginx,
    LiteLlm,
    Portkey,
    Noveum,
    Repaint {
        /// Where it writes orders down: a file as it does by itself, or memory.
        on_disk: bool,
        /// Whether callers have keys.
        keyed: bool,
        /// Whether they say when they ask again, as the libraries of Together and OpenAI do, so that answers are
        /// kept for them.
        repeats: bool,
    },
}

/// All of them, the one that the others are compared with first.
pub(super) fn proxies() -> Vec<Proxy> {
    let proxy = |name, which, is_slow| Proxy { name, which, is_slow };
    let repaint = |on_disk, keyed, repeats| Which::Repaint { on_disk, keyed, repeats };
    vec![
        proxy("raw proxy", Which::Raw, false),
        proxy("buffering proxy", Which::Buffering, false),
        proxy("nginx, buffers of 128k", Which::Nginx, false),
        proxy("repaint, with keys", repaint(true, true, false), false),
        proxy("repaint, with keys, keeping answers", repaint(true, true, true), false),
        proxy("repaint, store in memory", repaint(false, false, false), false),
        proxy("noveum-ai-gateway 2.0.1", Which::Noveum, false),
        proxy("Portkey 1.15.2", Which::Portkey, true),
        proxy("LiteLLM 1.106.2, one worker", Which::LiteLlm, true),
    ]
}

impl Proxy {
    /// Installs it unless it is there; the error says why it cannot be.
    pub(super) fn install(&self, place: &Place) -> Result<(), String> {
        match self.which {
            Which::Raw | Which::Buffering | Which::Repaint { .. } => Ok(()),
            Which::LiteLlm => litellm(&place.scratch.join("litellm")),
            Which::Portkey => portkey(&place.scratch.join("portkey")),
            Which::Noveum if noveum(place).exists() => Ok(()),
            Which::Noveum => {
                let mut install = command(&["install", "noveum-ai-gateway", "--version", "2.0.1"]);
                install.args(["--locked", "--quiet", "--root"]).arg(place.scratch.join("noveum"));
                quiet(&mut install)
            }
            Which::Nginx => match Command::new("nginx").arg("-v").output() {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(format!("it ends with {}", output.status)),
                Err(err) => Err(format!("it cannot be run: {err}")),
            },
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
            Which::Nginx => {
                let port = free().map_err(|err| format!("no port is free: {err}"))?;
                let (path, text) = (folder.join("nginx.conf"), nginx(port, provider));
                std::fs::write(&path, text).map_err(|err| err.to_string())?;
                let mut command = Command::new("nginx");
                command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(&path);
                Running::at(&mut command, port, Vec::new(), &folder.join("nginx.log"))
            }
            Which::LiteLlm => {
                let port = free().map_err(|err| format!("no port is free: {err}"))?;
                let (path, text) = (folder.join("litellm.yaml"), litellm_config(provider));
                std::fs::write(&path, text).map_err(|err| err.to_string())?;
                let mut command = Command::new(place.scratch.join("litellm/bin/litellm"));
                command.arg("--config").arg(&path).args([
                    "--num_workers",
                    "1",
                    "--host",
                    "127.0.0.1",
                ]);
                command.args(["--port", &port.to_string()]).env("NO_PROXY", "127.0.0.1");
                command.env("LITELLM_MASTER_KEY", LITELLM_KEY);
                let headers = vec![format!("authorization: Bearer {LITELLM_KEY}")];
                Running::at(&mut command, port, headers, &folder.join("litellm.log"))
            }
            Which::Portkey => {
                let port = free().map_err(|err| format!("no port is free: {err}"))?;
                let program = "portkey/node_modules/@portkey-ai/gateway/build/start-server.js";
                let mut command = Command::new("node");
                command.arg(place.scratch.join(program)).arg(format!("--port={port}"));
                let headers = vec![
                    "x-portkey-provider: openai".to_owned(),
                    format!("x-portkey-custom-host: {provider}/v1"),
                    "authorization: Bearer bench".to_owned(),
                ];
                Running::at(command.arg("--headless"), port, headers, &folder.join("portkey.log"))
            }
            Which::Noveum => {
                let port = free().map_err(|err| format!("no port is free: {err}"))?;
                let mut command = Command::new(noveum(place));
                command.env("PORT", port.to_string()).env("HOST", "127.0.0.1");
                command.env("OPENAI_BASE_URL", provider);
                let headers =
                    vec!["x-provider: openai".to_owned(), "authorization: Bearer bench".to_owned()];
                Running::at(&mut command, port, headers, &folder.join("noveum.log"))
            }
            Which::Repaint { on_disk, keyed, repeats } => {
                let mut command = Command::new(place.target.join("release/repaint"));
                command.args(["serve", "--listen", "127.0.0.1:0"]).env("REPAINT_CONFIG", "none");
                command.env("TOGETHER_BASE_URL", provider).env("TOGETHER_API_KEY", "bench");
                command.env_remove("BFL_API_KEY").env("NO_PROXY", "127.0.0.1");
                let file = folder.join("orders.sqlite");
                match on_disk {
                    true => command.env("REPAINT_STORE", file),
                    false => command.env("REPAINT_STORE", "memory:"),
                };
                let mut headers = Vec::new();
                if keyed {
                    let (key, file) = (key(&place.target, folder)?, folder.join("callers.toml"));
                    headers.push(format!("authorization: Bearer {key}"));
                    command.arg("--callers").arg(file);
                }
                if repeats {
                    headers.push("x-stainless-retry-count: 0".to_owned());
                }
                let mut running = told(&mut command)?;
                running.headers = headers;
                Ok(running)
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

/// A key of a caller, whose hash is written into a file.
fn key(target: &Path, folder: &Path) -> Result<String, String> {
    let mut command = Command::new(target.join("release/repaint"));
    let made = measured(command.args(["key", "bench", "--json"]))?;
    let text = |name: &str| made[name].as_str().ok_or_else(|| format!("a key has no {name}"));
    std::fs::write(folder.join("callers.toml"), text("entry")?).map_err(|err| err.to_string())?;
    text("key").map(str::to_owned)
}

/// Installs LiteLLM as its lock says, unless it is there.
fn litellm(folder: &Path) -> Result<(), String> {
    let lock = include_str!("litellm/requirements.txt");
    installed(folder, lock, || {
        quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
        let path = folder.join("requirements.txt");
        std::fs::write(&path, lock).map_err(|err| err.to_string())?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--require-hashes"])
            .arg("-r")
            .arg(&path);
        quiet(&mut pip)
    })
}

/// Installs Portkey as its lock says, unless it is there.
fn portkey(folder: &Path) -> Result<(), String> {
    let lock = include_str!("portkey/package-lock.json");
    installed(folder, lock, || {
        for (name, text) in
            [("package.json", include_str!("portkey/package.json")), ("package-lock.json", lock)]
        {
            std::fs::write(folder.join(name), text).map_err(|err| err.to_string())?;
        }
        let install = ["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        quiet(Command::new("npm").args(install).current_dir(folder))
    })
}

/// Installs unless just this lock was installed, which the file `ready` says.
fn installed(
    folder: &Path,
    lock: &str,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let ready = folder.join("ready");
    if std::fs::read_to_string(&ready).is_ok_and(|it| it == lock) {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(|err| err.to_string())?;
    // An install that ends halfway must not pass for the one before.
    std::fs::write(&ready, "").map_err(|err| err.to_string())?;
    install()?;
    std::fs::write(&ready, lock).map_err(|err| err.to_string())
}

fn noveum(place: &Place) -> PathBuf {
    place.scratch.join("noveum/bin/noveum-ai-gateway")
}

/// It passes the bench's model on to the provider, as to OpenAI.
fn litellm_config(provider: &str) -> String {
    format!(
        "model_list:
  - model_name: black-forest-labs/FLUX.2-dev
    litellm_params:
      model: openai/black-forest-labs/FLUX.2-dev
      api_base: {provider}/v1
      api_key: bench
litellm_settings:
  telemetry: false
  drop_params: true
"
    )
}

/// A port that nobody listens at.
fn free() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// It streams both ways, keeps connections to the provider, and keeps no log.
fn nginx(port: u16, provider: &str) -> String {
    let provider = provider.trim_start_matches("http://");
    format!(
        "daemon off; master_process off; pid nginx.pid; events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_buffer_size 128k;
    client_body_temp_path nginx-body;
    proxy_temp_path nginx-proxy;
    fastcgi_temp_path nginx-fastcgi;
    uwsgi_temp_path nginx-uwsgi;
    scgi_temp_path nginx-scgi;
    upstream provider {{ server {provider}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_request_buffering off;
            proxy_buffer_size 128k;
            proxy_buffers 4 128k;
            proxy_busy_buffers_size 128k;
            proxy_max_temp_file_size 0;
            proxy_read_timeout 60s;
        }}
    }}
}}
"
    )
}
