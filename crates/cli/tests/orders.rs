//! What is written down of orders, as a person meets it: a process that is gone leaves what can be fetched, and a
//! budget is kept by all who share a store.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use repaint_testkit::real_png;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
const KEY: &str = "bfl-key-that-nobody-may-see";
const PROMPT: &str = "a prompt that is nobody's business";

fn repaint(folder: &Path, server: &MockServer, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null()).args(args);
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", folder.join("orders.sqlite"));
    command
        .env_remove("TOGETHER_API_KEY")
        .env("BFL_API_KEY", KEY)
        .env("BFL_BASE_URL", server.uri());
    command
}

fn run(folder: &Path, server: &MockServer, args: &[&str]) -> Output {
    repaint(folder, server, args).output().expect("the program runs")
}

fn shown(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A provider that takes every order, and has the picture ready or not.
async fn provider(ready: bool) -> MockServer {
    let server = MockServer::start().await;
    answers(&server, ready).await;
    server
}

async fn answers(server: &MockServer, ready: bool) {
    let at = |name: &str| format!("{}/{name}", server.uri());
    let ticket = json!({ "id": "job-1", "polling_url": at("poll"), "cost": 4.0 });
    let status = match ready {
        true => json!({ "id": "job-1", "status": "Ready", "result": { "sample": at("1.png") } }),
        false => json!({ "id": "job-1", "status": "Pending" }),
    };
    let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let picture = ResponseTemplate::new(200).set_body_raw(real_png(64, 64, 0), "image/png");
    for mock in [
        Mock::given(method("POST")).and(path_regex("^/v1/flux")).respond_with(answer(ticket)),
        Mock::given(method("GET")).and(path("/poll")).respond_with(answer(status)),
        Mock::given(method("GET")).and(path("/1.png")).respond_with(picture),
    ] {
        mock.mount(server).await;
    }
}

async fn orders(server: &MockServer) -> usize {
    let all = server.received_requests().await.expect("recorded");
    all.iter().filter(|it| it.method.as_str() == "POST").count()
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(CAT, folder.path().join("cat.png")).expect("copied");
    folder
}

const EDIT: [&str; 8] =
    ["edit", "cat.png", "-p", PROMPT, "-m", "bfl/kontext-pro", "-o", "night.png"];

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_was_bought_by_a_process_that_was_killed_is_fetched_and_not_bought_again() {
    let (folder, server) = (folder(), provider(false).await);
    let mut child = repaint(folder.path(), &server, &EDIT)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let list = |open: &[&str]| {
        shown(&run(folder.path(), &server, &[&["jobs", "--json"], open].concat()))["jobs"].clone()
    };
    let began = Instant::now();
    while list(&[])[0]["state"] != "accepted" {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", list(&[]));
    }
    let held = list(&[]);
    assert_eq!(held[0]["resumable"], false, "a living process is at it");
    assert_eq!(held[0]["order"]["cost"], 40_000);
    child.kill().expect("killed");
    child.wait().expect("gone");

    // Nothing of the request stands in the file, nor the key.
    let bytes = fs::read(folder.path().join("orders.sqlite")).expect("the store");
    let log = fs::read(folder.path().join("orders.sqlite-wal")).unwrap_or_default();
    let text = String::from_utf8_lossy(&[bytes, log].concat()).into_owned();
    assert!(text.contains("job-1") && !text.contains(PROMPT) && !text.contains(KEY));

    // The provider is done with it by now. Whoever has the handle need not wait until nobody holds the order.
    server.reset().await;
    answers(&server, true).await;
    let handle = held[0]["order"]["handle"].to_string();
    let output = run(folder.path(), &server, &["resume", &handle, "-o", "night.png", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(shown(&output)["files"][0]["path"], "night.png");
    assert_eq!(list(&[])[0]["state"], "safe");
    assert_eq!(orders(&server).await, 0, "nothing is bought");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_ends_when_its_picture_is_saved_and_spending_is_added_up() {
    let (folder, server) = (folder(), provider(true).await);
    let output = run(folder.path(), &server, &EDIT);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let jobs = shown(&run(folder.path(), &server, &["jobs", "--json"]))["jobs"].clone();
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["order"]["paths"]),
        (&json!("safe"), &json!(["night.png"]))
    );
    let open = shown(&run(folder.path(), &server, &["jobs", "--open", "--json"]));
    assert_eq!(open["jobs"], json!([]));
    let spent = shown(&run(folder.path(), &server, &["spend", "--json"]));
    assert_eq!((&spent["total"]["low"], &spent["total"]["high"]), (&json!(40_000), &json!(40_000)));
    let table = String::from_utf8(run(folder.path(), &server, &["jobs"]).stdout).expect("text");
    assert!(
        table.contains("bfl/kontext-pro") && table.contains("safe") && table.contains("$0.04"),
        "{table}"
    );
    let id = jobs[0]["order"]["id"].as_str().expect("an id");
    let again = run(folder.path(), &server, &["resume", id]);
    assert_eq!(again.status.code(), Some(4));
    assert!(told(&again).contains("its pictures are in night.png"), "{}", told(&again));
    let none = run(folder.path(), &server, &["resume", "--all"]);
    assert_eq!(none.status.code(), Some(0));
    assert!(told(&none).contains("no order can be picked up"), "{}", told(&none));
    assert_eq!(orders(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_refuses_before_anything_is_sent() {
    let (folder, server) = (folder(), provider(true).await);
    let run = |args: &[&str]| run(folder.path(), &server, args);
    assert_eq!(run(&["budget", "0.05", "--per", "day"]).status.code(), Some(0));
    assert_eq!(run(&EDIT).status.code(), Some(0));
    let output = run(&[&EDIT[..], &["--force"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("$0.05 a day is spent or may be"), "{}", told(&output));
    assert!(told(&output).contains("raise the budget"), "{}", told(&output));
    assert_eq!(orders(&server).await, 1);
    let shown = shown(&run(&["budget", "--json"]));
    assert_eq!(shown["budgets"][0]["spent"], 40_000);
    assert_eq!(run(&["budget", "--remove", "--per", "day"]).status.code(), Some(0));
    assert_eq!(run(&["budget", "--remove", "--per", "day"]).status.code(), Some(2));
    assert_eq!(run(&["budget", "5"]).status.code(), Some(2));
    assert_eq!(run(&[&EDIT[..], &["--force"]].concat()).status.code(), Some(0));
    assert_eq!(orders(&server).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_ordered() {
    let (folder, server) = (folder(), provider(true).await);
    for (store, code, needle) in [
        ("/dev/null/orders.sqlite", 8, "cannot be written down"),
        ("mysql://me:hunter2@host/db", 4, "no store is kept at a mysql: address"),
        ("none", 0, ""),
    ] {
        let mut command = repaint(folder.path(), &server, &EDIT);
        let output = command.env("REPAINT_STORE", store).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(code), "{store}: {}", told(&output));
        assert!(
            told(&output).contains(needle) && !told(&output).contains("hunter2"),
            "{}",
            told(&output)
        );
        assert_eq!(orders(&server).await, usize::from(code == 0), "{store}");
    }
    let local = ["edit", "cat.png", "-p", "watercolor", "-m", "local/watercolor", "-o", "a.png"];
    let mut command = repaint(folder.path(), &server, &local);
    let output = command.env("REPAINT_STORE", "/dev/null/x").output().expect("the program runs");
    assert_eq!(
        output.status.code(),
        Some(0),
        "what costs nothing needs no store: {}",
        told(&output)
    );
}
