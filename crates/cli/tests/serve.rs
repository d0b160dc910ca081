//! `repaint serve`, run as a program beside clients that ask it.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A server, with the address that it said.
struct Serve {
    program: Child,
    address: String,
}

impl Serve {
    fn command(folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
        command.current_dir(folder).arg("serve").args(args).stdin(Stdio::null());
        command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", folder.join("orders.sqlite"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(mut command: Command) -> Self {
        let mut program = command.spawn().expect("it runs");
        let mut line = String::new();
        let output = program.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.strip_prefix("listening on http://").map(|it| it.trim_end().to_owned());
        let address = address.unwrap_or_else(|| panic!("the first line is {line:?}"));
        Self { program, address }
    }

    fn ask(&self, method: &str, path: &str, body: &str, headers: &str) -> (u16, Value) {
        let (status, body) = self.send(method, path, body, headers);
        (status, serde_json::from_str(&body).unwrap_or_else(|err| panic!("{err}: {body}")))
    }

    /// One request on a connection of its own: status and body.
    fn send(&self, method: &str, path: &str, body: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    fn text(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "", "")
    }

    /// Asks it to stop; it ends well.
    fn stop(mut self) -> String {
        let id = self.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        assert_eq!(self.program.wait().expect("it ends").code(), Some(0));
        let mut log = String::new();
        self.program.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        log
    }
}

/// A test that fails leaves no program behind.
impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

const EDIT: &str = r#"{"model":"black-forest-labs/FLUX.2-pro","width":1024,"height":768,"prompt":"make it blue",
    "reference_images":["https://images.pexels.com/photos/3729464/pexels-photo-3729464.jpeg"]}"#;

#[test]
fn one_command_is_a_gateway_that_needs_no_key() {
    let folder = folder();
    let args = ["--listen", "127.0.0.1:0", "--emulate"];
    let serve = Serve::start(Serve::command(folder.path(), &args));
    let (status, answer) = serve.ask("POST", "/v1/images/generations", EDIT, "");
    assert_eq!((status, &answer["data"][0]["type"]), (200, &json!("url")), "{answer}");
    let (status, document) = serve.ask("GET", "/openapi.json", "", "");
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.1")));
    let log = serve.stop();
    assert!(log.contains("only this machine can call"), "{log}");
    assert!(!log.contains("make it blue") && !log.contains("emulated\""), "{log}");
}

#[test]
fn what_goes_wrong_at_a_provider_is_a_line_of_the_log() {
    let folder = folder();
    let mut command = Serve::command(folder.path(), &["--listen", "127.0.0.1:0"]);
    // Nobody listens there.
    command.env("TOGETHER_BASE_URL", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1");
    command.env("TOGETHER_API_KEY", "a-key-that-nobody-may-see");
    let serve = Serve::start(command);
    let body = EDIT.replace("\"prompt\"", "\"policy\":{\"timeout_seconds\":1},\"prompt\"");
    let (status, answer) = serve.ask("POST", "/v1/images/generations", &body, "");
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("unavailable")), "{answer}");
    let log = serve.stop();
    let told = log.lines().find(|it| it.starts_with("warning: left an offer without a picture"));
    assert!(told.is_some_and(|it| it.contains("together/flux2-pro")), "{log}");
    assert!(!log.contains("make it blue") && !log.contains("nobody-may-see"), "{log}");
}

#[test]
fn it_does_not_listen_where_strangers_could_spend() {
    let folder = folder();
    let output = Serve::command(folder.path(), &["--listen", "0.0.0.0:0", "--emulate"]);
    let output = { output }.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("listen on 127.0.0.1"), "{said}");
}

/// An emulator, and two servers with one store before it.
#[test]
fn a_key_that_was_made_lets_its_caller_in_and_nobody_else() {
    let folder = folder();
    let made = Command::new(env!("CARGO_BIN_EXE_repaint")).args(["key", "web"]).output();
    let made = made.expect("it runs");
    let words = String::from_utf8(made.stderr).expect("text");
    let (_, key) = words.trim_end().rsplit_once(' ').expect("the key");
    assert!(key.starts_with("repaint_") && !String::from_utf8_lossy(&made.stdout).contains(key));
    let callers = folder.path().join("callers.toml");
    let entry = String::from_utf8(made.stdout).expect("text");
    std::fs::write(&callers, format!("{entry}rate = 60\nmodels = [\"flux2-*\"]\n"))
        .expect("written");
    let args = ["--listen", "0.0.0.0:0", "--callers", "callers.toml", "--emulate"];
    let mut serve = Serve::start(Serve::command(folder.path(), &args));
    serve.address = serve.address.replace("0.0.0.0", "127.0.0.1");
    let (status, answer) = serve.ask("POST", "/v1/images/generations", EDIT, "");
    assert_eq!((status, &answer["error"]["code"]), (401, &json!("invalid_api_key")), "{answer}");
    let header = format!("authorization: Bearer {key}\r\n");
    let (status, answer) = serve.ask("POST", "/v1/images/generations", EDIT, &header);
    assert_eq!(status, 200, "{answer}");
    let log = serve.stop();
    assert!(log.contains("1 caller has a key") && !log.contains(key), "{log}");
    // Whose money it was is written down.
    let mut spend = Command::new(env!("CARGO_BIN_EXE_repaint"));
    spend.args(["jobs", "--account", "web", "--json"]).env("REPAINT_CONFIG", "none");
    spend.env("REPAINT_STORE", folder.path().join("orders.sqlite"));
    let listed: Value =
        serde_json::from_slice(&spend.output().expect("it runs").stdout).expect("JSON");
    assert_eq!(listed["jobs"][0]["order"]["account"], "web", "{listed}");
}

#[test]
fn a_file_of_callers_that_is_wrong_is_told_before_anybody_can_call() {
    let folder = folder();
    for (text, needle) in [
        ("", "nobody is in it"),
        (
            "[[caller]]\nname = \"web\"\nhashes = [\"sha256:12\"]\n",
            "a hash is `sha256:` and 64 hex digits",
        ),
        ("[[caller]]\nnmae = \"web\"\n", "line 2: unknown field `nmae`"),
    ] {
        std::fs::write(folder.path().join("callers.toml"), text).expect("written");
        let args = ["--listen", "127.0.0.1:0", "--callers", "callers.toml", "--emulate"];
        let output = Serve::command(folder.path(), &args).output().expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words}");
        assert!(words.contains(needle) && words.contains("callers.toml"), "{words}");
    }
}

fn two(folder: &Path, latency: &str) -> (Serve, Serve, Serve) {
    let mut emulator = Command::new(env!("CARGO_BIN_EXE_repaint"));
    emulator
        .args(["emulate", "--latency", latency])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null());
    emulator.env("REPAINT_CONFIG", "none");
    let emulator = Serve::start(emulator);
    let serve = || {
        let mut command = Serve::command(folder, &["--listen", "127.0.0.1:0"]);
        for name in ["TOGETHER", "BFL"] {
            command.env(format!("{name}_BASE_URL"), format!("http://{}", emulator.address));
            command.env(format!("{name}_API_KEY"), "a-key-that-nobody-may-see");
        }
        Serve::start(command)
    };
    let (first, second) = (serve(), serve());
    (emulator, first, second)
}

/// Waits for something that comes soon.
fn until(mut is: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it did not come within 10 s");
}

fn taken(emulator: &Serve) -> Value {
    emulator.ask("GET", "/__emulator/requests", "", "").1["orders_taken"].clone()
}

#[test]
fn what_was_left_at_one_server_is_taken_at_another_with_the_same_store() {
    let folder = folder();
    let (emulator, first, second) = two(folder.path(), "700");
    let mut stream = TcpStream::connect(&first.address).expect("a connection");
    let head = "POST /v1/images/generations HTTP/1.1\r\nhost: a\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{EDIT}", EDIT.len());
    stream.write_all(request.as_bytes()).expect("it is sent");
    until(|| taken(&emulator) == 1);
    drop(stream);
    until(|| {
        let (_, text) = first.text("/metrics");
        text.contains("repaint_calls_left_total 1")
    });
    let (status, answer) = second.ask("POST", "/v1/images/generations", EDIT, "");
    assert_eq!((status, &answer["data"][0]["type"]), (200, &json!("url")), "{answer}");
    assert_eq!(taken(&emulator), 1);
}

#[test]
fn two_servers_with_one_store_hold_to_one_key() {
    let folder = folder();
    let (emulator, first, second) = two(folder.path(), "0");
    let key = "idempotency-key: order-17\r\n";
    let (status, one) = first.ask("POST", "/v1/images/generations", EDIT, key);
    assert_eq!(status, 200, "{one}");
    let (status, two) = second.ask("POST", "/v1/images/generations", EDIT, key);
    assert_eq!((status, &two["data"][0]["url"]), (200, &one["data"][0]["url"]), "{two}");
    assert_eq!(taken(&emulator), 1);
    // Each knows what the other did.
    let id = one["id"].as_str().expect("an id");
    let (status, job) = second.ask("GET", &format!("/v1/jobs/{id}"), "", "");
    assert_eq!((status, &job["orders"][0]["order"]["offer"]), (200, &json!("together/flux2-pro")));
    for server in [first, second] {
        let log = server.stop();
        assert!(!log.contains("a-key-that-nobody-may-see"), "{log}");
    }
}
