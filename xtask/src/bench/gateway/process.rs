//! A process that is measured from outside: its CPU and its memory as Linux tells them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(90);
/// `/proc` counts CPU in hundredths of a second on every machine that Linux runs on.
const TICK_MS: f64 = 10.0;

/// A process that ends with this value.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Open as long as it runs: whoever writes to a closed one fails.
    _output: Option<BufReader<ChildStdout>>,
    /// Where its API is, up to `/v1`.
    pub(super) base: String,
    /// What it wants to be told besides.
    pub(super) headers: Vec<String>,
    /// From its start to when it could be asked.
    pub(super) ready_ms: f64,
}

impl Running {
    /// One that says in its first line where it is.
    pub(super) fn told(command: &mut Command) -> Result<(Self, String), String> {
        let began = Instant::now();
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|err| format!("it cannot be run: {err}"))?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let (mut output, mut line) = (BufReader::new(output), String::new());
        let read = output.read_line(&mut line);
        let ready_ms = began.elapsed().as_secs_f64() * 1e3;
        let address = line.trim().rsplit_once(' ').map_or("", |it| it.1);
        let running = Self {
            child,
            _output: Some(output),
            base: format!("{address}/v1"),
            headers: Vec::new(),
            ready_ms,
        };
        match read {
            Ok(1..) => Ok((running, line)),
            Ok(_) | Err(_) => Err("it ended before it could be asked".to_owned()),
        }
    }

    /// One that was told where to listen; it can be asked when it takes a connection.
    /// What it says is kept in the file `said`.
    pub(super) fn at(
        command: &mut Command,
        port: u16,
        headers: Vec<String>,
        said: &Path,
    ) -> Result<Self, String> {
        let began = Instant::now();
        let opened = File::create(said).and_then(|it| Ok((it.try_clone()?, it)));
        let (out, err) = opened.map_err(|err| format!("{}: {err}", said.display()))?;
        let command = command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn().map_err(|err| format!("it cannot be run: {err}"))?;
        let base = format!("http://127.0.0.1:{port}/v1");
        let mut running = Self { child, _output: None, base, headers, ready_ms: 0.0 };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = running.child.try_wait() {
                let last = last_words(said);
                return Err(format!("it ended with {status} before it could be asked: {last}"));
            }
            if PATIENCE < began.elapsed() {
                let last = last_words(said);
                return Err(format!("it took no connection within {PATIENCE:?}: {last}"));
            }
            sleep(Duration::from_millis(1));
        }
        running.ready_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok(running)
    }

    /// User and system time of all its threads so far.
    pub(super) fn cpu_ms(&self) -> Result<f64, String> {
        let text = self.proc("stat")?;
        // The name may have anything in it; what counts stands behind its end.
        let fields = text.rsplit_once(')').map_or("", |it| it.1).split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|it| it.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() * TICK_MS)
    }

    /// Memory that is resident, in MB of 2^20 bytes.
    pub(super) fn resident(&self) -> Result<f64, String> {
        self.memory("VmRSS:")
    }

    /// The most that was.
    pub(super) fn peak(&self) -> Result<f64, String> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<f64, String> {
        let text = self.proc("status")?;
        let line = text.lines().find_map(|it| it.strip_prefix(name));
        let kilobytes =
            line.and_then(|it| it.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
        kilobytes.map(|it| it / 1024.0).ok_or_else(|| format!("{name} is not told"))
    }

    fn proc(&self, file: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(path).map_err(|err| format!("this bench needs Linux: {err}"))
    }

    /// What it says at an address of its own, such as `/metrics`.
    pub(super) fn says(&self, path: &str) -> Result<String, String> {
        let host = self.base.trim_start_matches("http://").trim_end_matches("/v1");
        let get = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let more: String = self.headers.iter().map(|it| format!("{it}\r\n")).collect();
            let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
            write!(stream, "{head}{more}\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        get().map_err(|err| format!("{path}: {err}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a file that are not empty, as one: three at most, each cut to 200 characters.
fn last_words(said: &Path) -> String {
    let text = std::fs::read(said).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last: Vec<String> = text
        .lines()
        .rev()
        .map(|it| it.trim().chars().filter(|it| !it.is_control()).take(200).collect::<String>())
        .filter(|it| !it.is_empty())
        .take(3)
        .collect();
    last.reverse();
    if last.is_empty() { "it said nothing".to_owned() } else { last.join(" / ") }
}
