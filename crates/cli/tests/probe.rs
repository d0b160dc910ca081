//! `repaint probe`, run as a program against providers on this machine that answer by a script.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const KEY: &str = "tgp_v1_a-key-that-nobody-may-see";

fn repaint(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in ["TOGETHER_API_KEY", "TOGETHER_BASE_URL", "BFL_API_KEY", "BFL_BASE_URL"] {
        command.env_remove(name);
    }
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
    command
}

fn hosted(folder: &Path, server: &MockServer, args: &[&str]) -> Output {
    let mut command = repaint(folder);
    command.env("TOGETHER_API_KEY", KEY).env("TOGETHER_BASE_URL", server.uri());
    command.env("BFL_API_KEY", KEY).env("BFL_BASE_URL", server.uri());
    command.arg("probe").args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn files(folder: &Path) -> usize {
    folder.read_dir().expect("a folder").count()
}

fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}

async fn serve(answer: impl Fn(&Value) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    let server = MockServer::start().await;
    let respond = move |request: &Request| answer(&request.body_json().expect("a JSON body"));
    Mock::given(method("POST")).respond_with(respond).mount(&server).await;
    server
}

async fn received(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.expect("recorded");
    requests.iter().map(|it| it.body_json().expect("a JSON body")).collect()
}

/// Refusals in the words in which Together was seen to refuse, one parameter at a time, the seed first.
fn together(body: &Value) -> ResponseTemplate {
    let has = |field: &str| body.get(field).is_some();
    let number = |field: &str| body[field].as_u64().unwrap_or_default();
    let message = if 2_147_483_647 < number("seed") {
        "Invalid value for 'seed' parameter. Seed must be an integer value between 0 and 2147483647. \
         Default: Random."
            .to_owned()
    } else if 4 < number("n") {
        format!("Invalid value for 'n' parameter: it must be between 1 and 4 (key {KEY})")
    } else if !(256..=1440).contains(&number("width")) {
        "Invalid value for 'width' parameter. Width must be between 256 and 1440.".to_owned()
    } else if has("output_format") {
        "Invalid value for 'output_format' parameter. Supported values are: 'JPEG', 'PNG', 'WEBP'."
            .to_owned()
    } else if body["reference_images"].as_array().is_some_and(|it| 6 < it.len()) {
        "Too many input images. This model accepts up to 6 input images.".to_owned()
    } else {
        "The image could not be decoded.".to_owned()
    };
    let error =
        json!({ "message": message, "type": "invalid_request_error", "param": null, "code": null });
    ResponseTemplate::new(400).set_body_json(json!({ "id": "o-1", "error": error }))
}

#[test]
fn what_a_provider_refuses_becomes_an_overlay_that_is_taken() {
    on_runtime(async {
        let (server, folder) = (serve(together).await, folder());
        let args = ["together/flux2-pro", "--yes", "-o", "facts.json"];
        let output = hosted(folder.path(), &server, &args);
        let (table, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains("cost at most $1."), "{told}");
        for (fact, learned) in [
            ("seed ", "confirmed: 0 to 2147483647"),
            ("count ", "confirmed: 1 to 4"),
            ("pixels ", "differs: 256 to 1440, not 256 to 1920"),
            ("output_formats ", "differs: jpeg, png, webp (1 more, 0 fewer)"),
            ("images ", "differs: 0 to 6, not 0 to 8"),
            ("media_types ", "nothing learned"),
        ] {
            let line = |it: &&str| it.starts_with(fact) && it.contains(learned);
            assert!(table.lines().any(|it| line(&it)), "{fact}{learned} is not in\n{table}");
        }
        // One order for each line, each with one field that the least order has not, or has otherwise.
        let bodies = received(&server).await;
        assert_eq!(bodies.len(), table.lines().count() - 1);
        for body in &bodies {
            assert_eq!(body["model"], "black-forest-labs/FLUX.2-pro");
            let odd = body["width"] != 256;
            assert_eq!(body.as_object().expect("fields").len(), if odd { 5 } else { 6 }, "{body}");
        }

        let written = fs::read_to_string(folder.path().join("facts.json")).expect("written");
        for secret in [KEY, "base64", "R0lGOD"] {
            assert!(!(written.clone() + &table + &told).contains(secret), "{secret}");
        }
        let overlay: Value = serde_json::from_str(&written).expect("JSON");
        let accepts = &overlay["offers"]["together/flux2-pro"]["accepts"];
        assert_eq!(accepts["images"]["value"], json!({ "min": 0, "max": 6 }));
        assert_eq!(accepts["images"]["sure"], "observed");
        let source = accepts["images"]["source"].as_str().expect("a source");
        assert!(
            source.starts_with("probe 20") && source.contains("HTTP 400: Too many"),
            "{source}"
        );
        assert!(accepts.get("media_types").is_none());

        // It is what --capabilities takes, and it decides.
        let explain = |images: usize| {
            let mut command = repaint(folder.path());
            command.args(["explain", "-p", "x", "-m", "together/flux2-pro", "--json"]);
            command.args(["--capabilities", "facts.json"]);
            command.args((0..images).map(|it| format!("https://example.com/{it}.png")));
            command.output().expect("runs").status.code()
        };
        assert_eq!((explain(6), explain(7)), (Some(0), Some(3)));
    });
}

#[test]
fn what_is_taken_ends_it_and_names_the_job() {
    on_runtime(async {
        // FastAPI's form; the seed has no limit there, so it is taken.
        let server = serve(|body| {
            let over = |field: &str, kind: &str, limit: &str, at: Value, message: String| {
                let detail = json!([{ "type": kind, "loc": ["body", field], "msg": message,
                                      "input": body[field], "ctx": { limit: at } }]);
                ResponseTemplate::new(422).set_body_json(json!({ "detail": detail }))
            };
            let at_most = |field: &str, most: Value| {
                let message = format!("Input should be less than or equal to {most}");
                over(field, "less_than_equal", "le", most, message)
            };
            if body.get("steps").is_some() {
                at_most("steps", json!(50))
            } else if body.get("guidance").is_some() {
                at_most("guidance", json!(10.0))
            } else if body.get("output_format").is_some() {
                let expected = "'jpeg', 'png' or 'webp'";
                let message = format!("Input should be {expected}");
                over("output_format", "enum", "expected", json!(expected), message)
            } else {
                let ticket = json!({ "id": "job-7", "polling_url": "https://api.bfl.ai/v1/get_result?id=job-7",
                                     "cost": 6, "input_mp": 0, "output_mp": 0.01 });
                ResponseTemplate::new(200).set_body_json(ticket)
            }
        })
        .await;
        let folder = folder();
        let args = ["bfl/flux2-flex", "--yes", "--json", "-o", "facts.json"];
        let output = hosted(folder.path(), &server, &args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        for needle in ["job-7", "it may have been paid", "charged $0.06", "nothing more was sent"] {
            assert!(told.contains(needle), "{needle} is not in {told}");
        }
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(shown["taken"], true);
        let verdicts: Vec<(&str, &str)> = shown["probes"]
            .as_array()
            .expect("probes")
            .iter()
            .map(|it| {
                (
                    it["fact"].as_str().expect("a fact"),
                    it["lesson"]["verdict"].as_str().expect("one"),
                )
            })
            .collect();
        assert_eq!(
            verdicts,
            [
                ("steps", "confirmed"),
                ("guidance", "confirmed"),
                ("output_formats", "differs"),
                // It was taken, and perhaps ignored: that raises no limit.
                ("seed", "nothing"),
            ]
        );
        assert_eq!(received(&server).await.len(), 4, "something was sent after one was taken");
        let overlay = fs::read_to_string(folder.path().join("facts.json")).expect("written");
        let overlay: Value = serde_json::from_str(&overlay).expect("JSON");
        let accepts = &overlay["offers"]["bfl/flux2-flex"]["accepts"];
        assert!(accepts.get("seed").is_none());
        assert_eq!(accepts["output_formats"]["value"], json!(["jpeg", "png", "webp"]));
    });
}

#[test]
fn a_picture_that_came_nevertheless_is_named() {
    on_runtime(async {
        let answer = json!({ "id": "o-9", "data": [{ "index": 0, "url": "https://api.together.ai/shrt/x" }] });
        let server = serve(move |_| ResponseTemplate::new(200).set_body_json(&answer)).await;
        let folder = folder();
        let output = hosted(folder.path(), &server, &["together/flux2-pro", "--yes"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("o-9") && told.contains("https://api.together.ai/shrt/x"), "{told}");
        assert_eq!(received(&server).await.len(), 1);
        // Of five pictures one came: a number that is not honoured raises no limit.
        assert!(text(&output.stdout).contains("1 made"), "{}", text(&output.stdout));
        assert_eq!(files(folder.path()), 0);
    });
}

#[test]
fn an_answer_that_is_no_refusal_ends_it_and_nothing_is_sent_twice() {
    on_runtime(async {
        let body = json!({ "error": { "message": "Safety checker triggered", "code": null } });
        for (status, code) in [(401, 5), (402, 7), (429, 7), (422, 6), (500, 9), (503, 8)] {
            let answer = ResponseTemplate::new(status).set_body_json(&body);
            let server = serve(move |_| answer.clone()).await;
            let folder = folder();
            let output = hosted(folder.path(), &server, &["together/flux2-pro", "--yes"]);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{status}: {told}");
            assert_eq!(received(&server).await.len(), 1, "{status}");
            assert_eq!(files(folder.path()), 0, "{status}");
        }
    });
}

#[test]
fn an_order_whose_answer_is_lost_may_have_been_paid() {
    on_runtime(async {
        let slow = std::time::Duration::from_secs(30);
        let server = serve(move |_| ResponseTemplate::new(400).set_delay(slow)).await;
        let folder = folder();
        let output =
            hosted(folder.path(), &server, &["together/flux2-pro", "-y", "--timeout", "1"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(9), "{told}");
        assert!(told.contains("may be made and charged"), "{told}");
        assert_eq!(received(&server).await.len(), 1);
    });
}

#[test]
fn nothing_is_sent_before_somebody_agrees() {
    on_runtime(async {
        let (server, folder) = (serve(together).await, folder());
        fs::write(folder.path().join("there.json"), "mine").expect("written");
        for (args, code, needle) in [
            (vec!["together/flux2-pro"], 2, "use --yes"),
            (vec!["together/flux2-pro", "-y", "-o", "there.json"], 2, "there already"),
            (vec!["together/flux2-pro", "-y", "-o", "nowhere/a.json"], 2, "no folder nowhere"),
            (vec!["flux2-pro", "-y"], 2, "name one: bfl/flux2-pro, together/flux2-pro"),
            (vec!["local/watercolor", "-y"], 2, "runs in this process"),
            (vec!["together/flux2-por", "-y"], 2, "did you mean together/flux2-pro"),
        ] {
            let output = hosted(folder.path(), &server, &args);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
            assert!(told.contains(needle), "{args:?}: `{needle}` is not in {told}");
        }
        let output = repaint(folder.path()).args(["probe", "together/flux2-pro", "-y"]).output();
        let output = output.expect("runs");
        assert_eq!(output.status.code(), Some(5));
        assert!(text(&output.stderr).contains("set TOGETHER_API_KEY"), "{}", text(&output.stderr));
        assert_eq!(received(&server).await.len(), 0);
        assert_eq!(files(folder.path()), 1);
    });
}

#[test]
fn a_dry_run_needs_no_key_and_shows_each_body() {
    let folder = folder();
    let all = repaint(folder.path()).args(["models", "--json"]).output().expect("runs");
    let all: Value = serde_json::from_slice(&all.stdout).expect("JSON");
    let hosted =
        all["models"].as_array().expect("models").iter().filter(|it| it.get("key").is_some());
    for id in hosted.filter_map(|it| it["id"].as_str()) {
        for more in [&[][..], &["--unknown-fields"]] {
            let mut command = repaint(folder.path());
            command.args(["probe", id, "--dry-run", "--json"]).args(more);
            let output = command.output().expect("runs");
            assert_eq!(output.status.code(), Some(0), "{id}: {}", text(&output.stderr));
            let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let probes = shown["probes"].as_array().expect("probes");
            // Of a model of which little is known, only fields can be asked for that it surely lacks.
            assert!(more.is_empty() || !probes.is_empty(), "{id}: {shown}");
            for probe in probes {
                let field = probe["field"].as_str().expect("a field");
                assert!(probe["call"]["body"].get(field).is_some(), "{id}: {probe}");
            }
            let sum: u64 = probes.iter().filter_map(|it| it["at_most"].as_u64()).sum();
            assert_eq!(shown["worst_case"], sum, "{id}");
        }
    }
    assert_eq!(files(folder.path()), 0);
}

/// What a provider says may fit no fact; all else that was learned is kept, and told once.
#[test]
fn a_limit_that_is_no_number_of_images_spoils_nothing_else() {
    on_runtime(async {
        let server = serve(|body| {
            let message = if body["reference_images"].as_array().is_some_and(|it| 3 < it.len()) {
                "This model accepts up to 3.5 input images."
            } else if body["seed"].as_u64().is_some_and(|it| 2_147_483_647 < it) {
                "Seed must be an integer value between 0 and 2147483647."
            } else {
                // Not a word of what would be taken.
                "Invalid value for 'n' parameter."
            };
            let error = json!({ "message": message, "type": "invalid_request_error" });
            ResponseTemplate::new(400).set_body_json(json!({ "error": error }))
        })
        .await;
        let folder = folder();
        let args = ["together/flux2-pro", "--yes", "--json", "-o", "facts.json"];
        let output = hosted(folder.path(), &server, &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("what was said of images is no fact"));
        let shown: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        assert_eq!(shown["taken"], false);
        let overlay = fs::read_to_string(folder.path().join("facts.json")).expect("written");
        let overlay: Value = serde_json::from_str(&overlay).expect("JSON");
        let accepts = &overlay["offers"]["together/flux2-pro"]["accepts"];
        let names: Vec<&String> = accepts.as_object().expect("facts").keys().collect();
        // The count was refused, but nothing was said of how many are made.
        assert_eq!(names, ["seed"]);
    });
}

#[test]
fn an_answer_that_is_lost_is_told_once_and_not_as_untaken() {
    on_runtime(async {
        let server = serve(|_| ResponseTemplate::new(200).set_body_json(json!([1]))).await;
        let folder = folder();
        let output = hosted(folder.path(), &server, &["together/flux2-pro", "--yes", "--json"]);
        assert_ne!(output.status.code(), Some(0));
        let shown: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        assert_eq!(shown["taken"], Value::Null);
        assert_eq!(shown["error"]["code"], "outcome_unknown");
    });
}
