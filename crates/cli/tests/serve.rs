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

/// The entry of a new key in the file of callers, and a header with the key.
fn made(folder: &Path, name: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).args(["key", name, "--json"]).env("REPAINT_CONFIG", "none");
    let made: Value =
        serde_json::from_slice(&command.output().expect("it runs").stdout).expect("JSON");
    let text = |it: &str| made[it].as_str().expect("text").to_owned();
    (text("entry"), format!("authorization: Bearer {}\r\n", text("key")))
}

#[test]
fn callers_come_and_go_with_their_file_while_it_runs() {
    let folder = folder();
    let file = folder.path().join("callers.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    let ((web, web_key), (app, app_key)) = (made(folder.path(), "web"), made(folder.path(), "app"));
    write(&web);
    let args = ["--listen", "127.0.0.1:0", "--callers", "callers.toml", "--emulate"];
    let (mut command, log) = (Serve::command(folder.path(), &args), folder.path().join("log"));
    command.stderr(std::fs::File::create(&log).expect("a file"));
    let serve = Serve::start(command);
    let says = |line: &str| {
        until(|| std::fs::read_to_string(&log).expect("text").contains(line));
    };
    let status = |headers: &str| serve.send("GET", "/v1/models", "", headers).0;
    assert_eq!([status(&web_key), status(&app_key)], [200, 401]);
    write(&format!("{web}{app}"));
    says("callers.toml has changed: 2 callers have keys");
    assert_eq!([status(&web_key), status(&app_key)], [200, 200]);
    write(&app);
    says("callers.toml has changed: 1 caller has a key");
    assert_eq!([status(&web_key), status(&app_key)], [401, 200]);
    // What is wrong, or gone, opens nothing and shuts nobody out.
    write("[[caller]]\nname = 7\n");
    says("line 2: ");
    assert_eq!([status(&web_key), status(&app_key)], [401, 200]);
    std::fs::remove_file(&file).expect("it is there");
    says("cannot be read: No such file or directory");
    assert_eq!([status(&web_key), status(&app_key)], [401, 200]);
    write(&web);
    until(|| [status(&web_key), status(&app_key)] == [200, 401]);
}

/// A store that several servers share, and what it lies in.
struct Shared {
    place: String,
    folder: TempDir,
    database: Option<(String, String)>,
}

impl Shared {
    /// A file, and a database of its own where PostgreSQL is; where it is not, that is said, and is wrong in CI.
    fn all(claim: &str) -> Vec<Self> {
        let folder = folder();
        let file = folder.path().join("orders.sqlite").to_str().expect("UTF-8").to_owned();
        let mut all = vec![Self { place: file, folder, database: None }];
        let server = std::env::var("DATABASE_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
        let name = format!("repaint_serve_{claim}_{}", std::process::id());
        match administer(&server, &format!("CREATE DATABASE {name}")) {
            Ok(()) => {
                let (base, _) = server.rsplit_once('/').expect("DATABASE_URL names a database");
                let place = format!("{base}/{name}");
                all.push(Self { place, folder: self::folder(), database: Some((server, name)) });
            }
            Err(why) => {
                println!("NOT RUN: {claim} on PostgreSQL: {why}");
                assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not here");
            }
        }
        all
    }

    /// An emulator, and two servers before it.
    fn two(&self, latency: &str, config: &str) -> (Serve, Serve, Serve) {
        let mut emulator = Command::new(env!("CARGO_BIN_EXE_repaint"));
        emulator.args(["emulate", "--latency", latency]).stdin(Stdio::null());
        emulator.stdout(Stdio::piped()).stderr(Stdio::piped()).env("REPAINT_CONFIG", "none");
        let emulator = Serve::start(emulator);
        let file = self.folder.path().join("repaint.toml");
        std::fs::write(&file, config).expect("written");
        let serve = || {
            let mut command = Serve::command(self.folder.path(), &["--listen", "127.0.0.1:0"]);
            command.env("REPAINT_STORE", &self.place).env("REPAINT_CONFIG", &file);
            for name in ["TOGETHER", "BFL"] {
                command.env(format!("{name}_BASE_URL"), format!("http://{}", emulator.address));
                command.env(format!("{name}_API_KEY"), "a-key-that-nobody-may-see");
            }
            Serve::start(command)
        };
        let (first, second) = (serve(), serve());
        (emulator, first, second)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.database {
            let _ = administer(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

fn administer(server: &str, statement: &str) -> Result<(), String> {
    use sqlx::Connection;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(|err| err.to_string())?;
    let work = async {
        let mut connection = sqlx::PgConnection::connect(server).await?;
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    };
    runtime.block_on(work).map_err(|err: sqlx::Error| err.to_string())
}

/// An edit that is posted, whose answer nobody has read.
fn posted(at: &Serve, body: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&at.address).expect("a connection");
    let head =
        "POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("it is sent");
    stream
}

fn until_left(at: &Serve, count: u32) {
    let line = format!("repaint_calls_left_total {count}\n");
    until(|| at.text("/metrics").1.contains(&line));
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
fn what_was_left_at_one_server_is_taken_at_another_however_often_it_is_left() {
    for store in Shared::all("left") {
        let (emulator, first, second) = store.two("2500", "");
        let stream = posted(&first, EDIT, "");
        until(|| taken(&emulator) == 1);
        drop(stream);
        until_left(&first, 1);
        // Who takes it goes away, too, before it is made.
        let stream = posted(&second, EDIT, "");
        until(|| second.text("/metrics").1.contains("repaint_replays_total{by=\"elsewhere\"} 1\n"));
        drop(stream);
        until_left(&second, 1);
        let (status, answer) = first.ask("POST", "/v1/images/generations", EDIT, "");
        assert_eq!((status, &answer["data"][0]["type"]), (200, &json!("url")), "{answer}");
        assert_eq!(taken(&emulator), 1, "{}", store.place);
    }
}

#[test]
fn who_asks_again_after_a_server_was_killed_buys_nothing_twice() {
    for store in Shared::all("killed") {
        let (emulator, mut first, second) = store.two("60000", "");
        let edit = EDIT.replacen('{', "{\"policy\":{\"timeout_seconds\":3},", 1);
        let _stream = posted(&first, &edit, "x-stainless-retry-count: 0\r\n");
        until(|| taken(&emulator) == 1);
        first.program.kill().expect("it runs");
        first.program.wait().expect("it ends");
        let again = "x-stainless-retry-count: 1\r\n";
        let (status, answer) = second.ask("POST", "/v1/images/generations", &edit, again);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (424, &json!("outcome_unknown")),
            "{answer}"
        );
        assert_eq!(taken(&emulator), 1, "{}", store.place);
    }
}

#[test]
fn who_asks_again_while_a_server_still_waits_for_the_first_buys_nothing_twice() {
    for store in Shared::all("waits") {
        let (emulator, first, second) = store.two("1500", "");
        // A connection that nobody reads, and that was not broken either.
        let _stream = posted(&first, EDIT, "x-stainless-retry-count: 0\r\n");
        until(|| taken(&emulator) == 1);
        let again = "x-stainless-retry-count: 1\r\n";
        let (status, answer) = second.ask("POST", "/v1/images/generations", EDIT, again);
        assert_eq!((status, taken(&emulator)), (200, json!(1)), "{answer}");
        // The first was written, and nobody asks for that again.
        let once = "x-stainless-retry-count: 0\r\n";
        let (status, answer) = second.ask("POST", "/v1/images/generations", EDIT, once);
        assert_eq!((status, taken(&emulator)), (200, json!(2)), "{answer}");
    }
}

#[test]
fn what_a_server_gives_up_when_it_stops_is_taken_at_another() {
    for store in Shared::all("stops") {
        let (emulator, first, second) = store.two("3000", "[serve]\ndrain_seconds = 1\n");
        // One provider says where to ask for the picture, and of the other it comes with the answer.
        let edit = |model: &str| json!({ "model": model, "prompt": "make it blue" }).to_string();
        let (polled, answered) = (edit("bfl/flux2-pro"), edit("together/flux2-pro"));
        let streams = [&polled, &answered].map(|it| posted(&first, it, ""));
        until(|| taken(&emulator) == 2);
        first.stop();
        drop(streams);
        let (status, answer) = second.ask("POST", "/v1/images/generations", &polled, "");
        assert_eq!(status, 200, "{answer}");
        let (status, answer) = second.ask("POST", "/v1/images/generations", &answered, "");
        assert_eq!(
            (status, &answer["error"]["code"]),
            (424, &json!("outcome_unknown")),
            "{answer}"
        );
        assert_eq!(taken(&emulator), 2, "{}", store.place);
    }
}

#[test]
fn two_servers_with_one_store_hold_to_one_key() {
    for store in Shared::all("key") {
        let (emulator, first, second) = store.two("0", "");
        let key = "idempotency-key: order-17\r\n";
        let (status, one) = first.ask("POST", "/v1/images/generations", EDIT, key);
        assert_eq!(status, 200, "{one}");
        let (status, two) = second.ask("POST", "/v1/images/generations", EDIT, key);
        assert_eq!((status, &two["data"][0]["url"]), (200, &one["data"][0]["url"]), "{two}");
        assert_eq!(taken(&emulator), 1);
        // Each knows what the other did.
        let id = one["id"].as_str().expect("an id");
        let (status, job) = second.ask("GET", &format!("/v1/jobs/{id}"), "", "");
        let offer = &job["orders"][0]["order"]["offer"];
        assert_eq!((status, offer), (200, &json!("together/flux2-pro")));
        for server in [first, second] {
            let log = server.stop();
            assert!(!log.contains("a-key-that-nobody-may-see"), "{log}");
        }
    }
}
