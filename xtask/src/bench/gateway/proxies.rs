//! What stands between, how each is started, and how it is known to do its work.

use std::net::TcpListener;
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
    /// What is called so on this machine, in one process.
    Nginx,
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
        proxy("nginx, buffers of 128k", Which::Nginx, false),
        proxy("repaint", Which::Repaint { on_disk: true }, false),
        proxy("repaint, store in memory", Which::Repaint { on_disk: false }, false),
    ]
}

impl Proxy {
    /// Installs it unless it is there; the error says why it cannot be.
    pub(super) fn install(&self, _: &Place) -> Result<(), String> {
        match self.which {
            Which::Raw | Which::Buffering | Which::Repaint { .. } => Ok(()),
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
                Running::at(&mut command, port, Vec::new())
            }
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
