//! The program, run as a program: what a person or a script meets.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use repaint_testkit::png;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
const KEY: &str = "tgp_v1_a-key-that-nobody-may-see";

/// The program in a folder of its own, with no key and no address of ours in its environment.
fn repaint(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in ["TOGETHER_API_KEY", "TOGETHER_BASE_URL", "BFL_API_KEY", "BFL_BASE_URL"] {
        command.env_remove(name);
    }
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    repaint(folder).args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_first_picture_needs_no_key() {
    let folder = folder();
    let prompt = "Transform this into a watercolor painting";
    let output =
        run(folder.path(), &["edit", CAT, "--prompt", prompt, "--output", "watercolor.png"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "watercolor.png\n");
    let picture = fs::read(folder.path().join("watercolor.png")).expect("a picture");
    assert!(picture.starts_with(b"\x89PNG"));
    assert_ne!(picture, fs::read(CAT).expect("the cat"));
    assert!(text(&output.stderr).contains("not a generative model"));
}

#[test]
fn a_picture_comes_through_standard_input() {
    let folder = folder();
    let mut command = repaint(folder.path());
    command.args(["edit", "-", "-p", "watercolor", "-o", "a.png"]);
    let output = command.stdin(fs::File::open(CAT).expect("the cat")).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(files(folder.path()), ["a.png"]);
}

#[test]
fn a_picture_goes_to_standard_output_whole_and_alone() {
    let folder = folder();
    let output = run(folder.path(), &["edit", CAT, "-p", "watercolor", "-o", "-", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout.starts_with(b"\x89PNG") && output.stdout.ends_with(b"IEND\xaeB`\x82"));
    // What is said of it goes beside, as JSON where that is asked for.
    assert!(text(&output.stderr).contains(r#""offer":"local/watercolor""#));
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn explain_ends_with_the_code_of_a_refusal_when_nobody_would_take_it() {
    let folder = folder();
    for (prompt, code) in [("watercolor", 0), ("an oil painting", 3)] {
        let output = run(folder.path(), &["explain", CAT, "-p", prompt]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stdout));
    }
}

#[test]
fn a_name_that_means_another_kind_of_file_is_told() {
    let folder = folder();
    let output = run(folder.path(), &["edit", CAT, "-p", "watercolor", "-o", "a.jpg"]);
    assert_eq!(text(&output.stdout), "a.png\n");
    assert!(text(&output.stderr).contains("not a.jpg"), "{}", text(&output.stderr));
}

/// Row 26 of what others got wrong.
#[test]
fn the_extension_follows_the_bytes() {
    let folder = folder();
    let args = ["edit", CAT, "-p", "watercolor", "-o", "a.jpg", "--json"];
    let output = run(folder.path(), &args);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["files"][0]["path"], "a.png");
    assert_eq!(shown["files"][0]["media_type"], "image/png");
    assert_eq!(shown["files"][0]["width"], 451);
    assert_eq!(files(folder.path()), ["a.png"]);
    let output =
        run(folder.path(), &["edit", CAT, "-p", "watercolor", "-o", "b.png", "--format", "jpeg"]);
    assert_eq!(text(&output.stdout), "b.jpg\n");
}

/// Row 31 of what others got wrong.
#[test]
fn warnings_are_in_json_as_in_text() {
    let folder = folder();
    let output = run(folder.path(), &["edit", CAT, "-p", "watercolor", "-o", "a.png", "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let warning = shown["receipt"]["warnings"][0]["message"].as_str().expect("a warning");
    assert!(text(&output.stderr).contains(warning));
    let args = ["explain", "https://example.com/a.png", "-p", "x", "-m", "flux2-dev", "--json"];
    let output = run(folder.path(), &args);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let codes: Vec<&str> = shown["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .filter_map(|it| it["code"].as_str())
        .collect();
    assert_eq!(codes, ["unchecked", "no_key"]);
}

#[test]
fn what_the_local_offer_does_not_understand_is_refused_with_who_could() {
    let folder = folder();
    let prompt = "Replace the color of the car to blue";
    let output = run(folder.path(), &["edit", CAT, "-p", prompt, "-m", "local/watercolor"]);
    assert_eq!(output.status.code(), Some(3));
    let told = text(&output.stderr);
    for needle in [
        "`car`",
        "watercolor painting",
        "set TOGETHER_API_KEY to use",
        "together/flux2-dev",
        "set BFL_API_KEY",
    ] {
        assert!(told.contains(needle), "{needle} is not in {told}");
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

/// Every wrong input: a line that names the thing, the exit code of its kind, and nothing written.
#[test]
fn bad_input_is_named_and_nothing_is_written() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let cat = fs::read(CAT).expect("the cat");
    let write =
        |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("written");
    write("cut.png", &cat[..cat.len() / 2]);
    write("empty.png", b"");
    write("text.png", b"hello");
    write("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\0");
    write("wide.png", &png(20_000, 20_000, 1));
    write("there.png", b"mine");
    write("overlay.json", br#"{"offers":{"together/flux2-pro":{"accepts":{"imagse":{}}}}}"#);
    let mut big = png(100, 100, 1);
    let end = big.split_off(big.len() - 12);
    big.resize(100_000_000, 0);
    write("big.png", &[big, end].concat());
    fs::create_dir(at("folder")).expect("made");
    let before = files(folder.path());

    let water = "watercolor";
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (vec!["edit", CAT, "-p", water, "-m", "flux2-por"], 2, "did you mean flux2-pro"),
        (vec!["edit", CAT, "-p", water, "-m", "FLUX2-PRO"], 2, "did you mean flux2-pro"),
        (vec!["edit", "missing.png", "-p", water], 4, "missing.png cannot be read: no such file"),
        (vec!["edit", "text.png", "-p", water], 4, "text.png is no picture that can be recognised"),
        (vec!["edit", "cut.png", "-p", water], 4, "cut.png is image/png but is cut short"),
        (vec!["edit", "empty.png", "-p", water], 4, "empty.png is empty"),
        (vec!["edit", "folder", "-p", water], 4, "folder is a folder"),
        (vec!["edit", "/dev/null", "-p", water], 4, "no regular file"),
        (vec!["edit", "photo.heic", "-p", water], 4, "photo.heic is image/heic"),
        (vec!["edit", "wide.png", "-p", water], 3, "scale it to 10000x10000"),
        (vec!["edit", "big.png", "-p", water], 3, "takes at most 80.0 MB an image, not 100.0 MB"),
        (vec!["edit", "", "-p", water], 4, "empty text"),
        (vec!["edit", "-", "-", "-p", water], 2, "only once"),
        (vec!["edit", "-", "-p", water], 4, "standard input"),
        (vec!["edit", CAT, "-p", ""], 4, "the prompt is empty"),
        (vec!["edit", CAT, "-p", "  "], 4, "the prompt is empty"),
        (vec!["edit", CAT], 2, "--prompt"),
        (vec!["edit", CAT, "make it night"], 2, "The prompt is an option, such as -p"),
        (vec!["edit", CAT, "-p", water, "--guidance", "NaN"], 2, "`NaN` is no number"),
        (vec!["edit", CAT, "-p", water, "--guidance=-inf"], 2, "is no number"),
        (vec!["edit", CAT, "-p", water, "--seed=-1"], 2, "it is no whole number"),
        (vec!["edit", CAT, "-p", water, "--count", "0"], 2, "0 is not in 1.."),
        (vec!["edit", CAT, "-p", water, "--count=-3"], 2, "-3 is not in 1.."),
        (vec!["edit", CAT, "-p", water, "--size", "1024"], 2, "`1024` is not a width and height"),
        (vec!["edit", CAT, "-p", water, "--size", "0x5"], 2, "`0x5` is not a width and height"),
        (vec!["edit", CAT, "-p", water, "--ratio", "16x9"], 2, "`16x9` is not a ratio"),
        (
            vec!["edit", CAT, "-p", water, "--size", "8x8", "--ratio", "1:1"],
            2,
            "cannot be used with",
        ),
        (vec!["edit", CAT, "-p", water, "--format", "bmp"], 2, "possible values: png, jpeg, webp"),
        (vec!["edit", CAT, "-p", water, "--max-cost", "much"], 2, "no amount in US dollars"),
        (vec!["edit", CAT, "-p", water, "--max-cost=-1"], 2, "no amount in US dollars"),
        (vec!["edit", CAT, "-p", water, "--timeout", "0"], 2, "0 is not in 1.."),
        (vec!["edit", CAT, "-p", water, "--option", "x"], 2, "KEY=JSON"),
        (vec!["edit", CAT, "-p", water, "--option", "x=y"], 2, "is not JSON"),
        (vec!["edit", CAT, "-p", water, "--option", "image_url=\"x\""], 3, "use `images`"),
        (vec!["edit", CAT, "-p", water, "--adapt", "images=drop"], 2, "never changed away"),
        (vec!["edit", CAT, "-p", water, "--colour", "red"], 2, "unexpected argument '--colour'"),
        (vec!["edit", CAT, "-p", water, "-o", "nowhere/a.png"], 2, "there is no folder nowhere"),
        (vec!["edit", CAT, "-p", water, "-o", "there.png"], 2, "there already"),
        (
            vec!["edit", CAT, "-p", water, "--capabilities", "missing.json"],
            2,
            "missing.json cannot be read",
        ),
        (vec!["edit", CAT, "-p", water, "--capabilities", "there.png"], 2, "no overlay"),
        (
            vec!["edit", CAT, "-p", water, "--capabilities", "overlay.json"],
            2,
            "no fact is called `imagse`",
        ),
        (vec!["edit", CAT, "-p", "make it night", "-m", "kontext-pro"], 5, "set BFL_API_KEY"),
        (
            vec!["edit", "ftp://a/b.png", "-p", water],
            4,
            "ftp://a/b.png is no http or https address",
        ),
        (vec!["edit", "data:image/png,abc", "-p", water], 4, "data: address"),
        (vec!["models", "--provider", "togehter"], 2, "there are bfl, local, together"),
        (vec!["schema", "flux2-pro"], 2, "bfl/flux2-pro, together/flux2-pro"),
        (vec!["schema", "local/watercolor"], 2, "repaint schema job"),
        (vec!["paint"], 2, "unrecognized subcommand"),
        // Wrong use is one thing, whoever finds it.
        (vec!["edit", CAT, "-p", water, "--max-cost", "-1"], 2, "`-1` is no amount in US dollars"),
        (vec!["edit", CAT, "-p", water, "--seed", "x"], 2, "it is no whole number"),
        (vec!["edit", CAT, "-p", water, "--seed", "99999999999999999999"], 2, "it is too large"),
        (vec!["edit", CAT, "-p", water, "--allow-provider", "x"], 2, "no provider is called `x`"),
        (vec!["edit", CAT, "-p", water, "--option", "a=1", "--option", "a=2"], 2, "given twice"),
        (vec!["edit", CAT, "--show", "blocks", "-p", water], 2, "is written --show=blocks"),
        (vec!["models", "--images", "x"], 2, "it is no whole number"),
        (vec!["models", "kontxt"], 2, "did you mean kontext"),
        (vec!["man", "paint"], 2, "no command is called `paint`"),
        (vec!["schema", "nope"], 2, "no model is called `nope`"),
        (
            vec!["validate", "missing.json"],
            2,
            "missing.json cannot be read: no such file or directory\n",
        ),
        (vec!["inspect", CAT, "-m", "nope"], 2, "no model is called `nope`"),
    ];
    for (args, code, needle) in cases {
        let output = run(folder.path(), &args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(needle), "{args:?}: `{needle}` is not in {told}");
        assert!(!told.contains("panicked"), "{args:?}: {told}");
        assert_eq!(files(folder.path()), before, "{args:?} wrote something");
    }
    assert_eq!(fs::read(at("there.png")).expect("there"), b"mine");
}

#[test]
fn an_error_is_json_where_json_is_asked_for() {
    let output = run(
        folder().path(),
        &["edit", CAT, "-p", "an oil painting", "-m", "local/watercolor", "--json"],
    );
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["error"]["code"], "refused");
    assert_eq!(shown["error"]["refusals"][0]["code"], "not_understood");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn explain_shows_the_exact_call_and_every_refusal() {
    let args = [
        "explain",
        CAT,
        "-p",
        "make it night",
        "-m",
        "together/kontext-pro",
        "--size",
        "1024x768",
        "--json",
    ];
    let output = run(folder().path(), &args);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["offer"], "together/kontext-pro");
    assert_eq!(
        shown["call"],
        json!({
            "method": "POST",
            "url": "https://api.together.ai/v1/images/generations",
            "headers": {
                "authorization": "Bearer <TOGETHER_API_KEY>",
                "content-type": "application/json",
            },
            "body": {
                "model": "black-forest-labs/FLUX.1-kontext-pro",
                "prompt": "make it night",
                "image_url": "data:image/png;base64,…(240512 bytes)",
                "width": 1024,
                "height": 768,
                "response_format": "url",
            },
        })
    );
    let refusals = shown["refusals"].as_array().expect("refusals");
    let all = run(folder().path(), &["models", "--json"]);
    let all: Value = serde_json::from_slice(&all.stdout).expect("JSON");
    assert_eq!(refusals.len() + 1, all["models"].as_array().expect("models").len());
    for reason in refusals.iter().flat_map(|it| it["reasons"].as_array().expect("reasons")) {
        for field in ["code", "field", "limit", "got", "message", "fix"] {
            assert!(reason.get(field).is_some(), "{field} is not in {reason}");
        }
    }
}

#[test]
fn an_overlay_changes_what_is_taken_and_says_so() {
    let folder = folder();
    let fact = json!({ "value": { "min": 0, "max": 2 }, "sure": "observed", "source": "our probe", "date": "2026-11-20" });
    let overlay =
        json!({ "offers": { "together/kontext-pro": { "accepts": { "images": fact } } } });
    fs::write(folder.path().join("facts.json"), overlay.to_string()).expect("written");
    let args = ["explain", CAT, CAT, "-p", "x", "-m", "together/kontext-pro", "--json"];
    let shown = |args: &[&str]| -> Value {
        serde_json::from_slice(&run(folder.path(), args).stdout).expect("JSON")
    };
    assert_eq!(shown(&args)["offer"], Value::Null);
    // The wire of Kontext has one field for an image: an overlay cannot lose another.
    let output = run(folder.path(), &[&args[..], &["--capabilities", "facts.json"]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let fewer = json!({ "value": { "min": 0, "max": 0 }, "sure": "observed", "source": "our probe", "date": "2026-11-20" });
    let overlay = json!({ "offers": { "together/flux2-dev": { "accepts": { "images": fewer } } } });
    fs::write(folder.path().join("facts.json"), overlay.to_string()).expect("written");
    let args = [
        "explain",
        CAT,
        "-p",
        "x",
        "-m",
        "together/flux2-dev",
        "--capabilities",
        "facts.json",
        "--json",
    ];
    assert_eq!(shown(&args)["offer"], Value::Null);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let program = env!("CARGO_BIN_EXE_repaint");
    let script = format!("set -o pipefail; {program} models --json | head -c 10");
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn what_is_no_terminal_gets_no_colours() {
    let output = run(folder().path(), &["models"]);
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}

/// A provider on this machine that answers every order alike.
async fn together(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let order = Mock::given(method("POST")).and(path("/v1/images/generations"));
    order.respond_with(answer).mount(&server).await;
    server
}

fn hosted(folder: &Path, server: &MockServer, args: &[&str]) -> Output {
    let mut command = repaint(folder);
    // With and without /v1 the address means the same.
    command.env("TOGETHER_API_KEY", KEY).env("TOGETHER_BASE_URL", server.uri()).args(args);
    command.output().expect("the program runs")
}

#[test]
fn a_hosted_edit_sends_the_picture_and_saves_the_result() {
    on_runtime(async {
        let server = MockServer::start().await;
        let url = format!("{}/cat", server.uri());
        let answer = json!({ "id": "o1", "data": [{ "index": 0, "url": url }] });
        let picture = ResponseTemplate::new(200).set_body_bytes(fs::read(CAT).expect("the cat"));
        Mock::given(method("GET")).and(path("/cat")).respond_with(picture).mount(&server).await;
        Mock::given(method("POST"))
            .and(path("/v1/images/generations"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
        let folder = folder();
        let args =
            ["edit", CAT, "-p", "make it night", "-m", "flux2-dev", "-o", "night.png", "--json"];
        let output = hosted(folder.path(), &server, &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(fs::read(folder.path().join("night.png")).ok(), fs::read(CAT).ok());
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(shown["receipt"]["offer"], "together/flux2-dev");
        assert_eq!(shown["receipt"]["request_id"], "o1");
        let requests = server.received_requests().await.expect("recorded");
        let body: Value = serde_json::from_slice(&requests[0].body).expect("JSON");
        let image = body["reference_images"][0].as_str().expect("the image");
        assert!(image.starts_with("data:image/png;base64,iVBORw0KGgo"));
        assert!(body.get("image_url").is_none());
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(
            !told.contains(KEY) && !told.contains("iVBORw0KGgo"),
            "a secret or an image is shown"
        );
    });
}

#[test]
fn a_picture_of_another_size_or_too_few_are_told_and_saved() {
    on_runtime(async {
        let server = MockServer::start().await;
        let url = format!("{}/cat", server.uri());
        let picture = ResponseTemplate::new(200).set_body_bytes(fs::read(CAT).expect("the cat"));
        Mock::given(method("GET")).and(path("/cat")).respond_with(picture).mount(&server).await;
        let answer = ResponseTemplate::new(200).set_body_json(json!({ "data": [{ "url": url }] }));
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let folder = folder();
        let args = ["edit", CAT, "-p", "x", "-m", "flux2-dev", "--size", "1024x768", "-n", "2"];
        let output = hosted(folder.path(), &server, &[&args[..], &["-o", "a.png"]].concat());
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("a picture is 451x300, not 1024x768"), "{told}");
        assert!(told.contains("made 1 picture, not 2"), "{told}");
        assert_eq!(files(folder.path()), ["a.png"]);
    });
}

#[test]
fn the_kind_of_an_error_is_the_exit_code() {
    on_runtime(async {
        let body = json!({ "error": { "message": "so it is", "code": null } });
        for (status, code) in [(400, 4), (401, 5), (402, 7), (422, 4), (500, 9), (503, 8)] {
            let server = together(ResponseTemplate::new(status).set_body_json(&body)).await;
            let folder = folder();
            let output = hosted(
                folder.path(),
                &server,
                &["edit", CAT, "-p", "x", "-m", "flux2-dev", "-o", "a.png"],
            );
            assert_eq!(output.status.code(), Some(code), "{status}: {}", text(&output.stderr));
            assert!(text(&output.stderr).contains("so it is"));
            assert_eq!(files(folder.path()), [""; 0]);
            assert_eq!(server.received_requests().await.expect("recorded").len(), 1, "{status}");
        }
    });
}

/// What a trial has instead of a key is a part of any word.
#[test]
fn a_key_of_one_letter_spoils_no_words() {
    on_runtime(async {
        let body = json!({ "error": { "message": "a bad day at Together", "code": null } });
        let server = together(ResponseTemplate::new(400).set_body_json(&body)).await;
        let folder = folder();
        for key in ["a", "day"] {
            let mut command = repaint(folder.path());
            command.env("TOGETHER_API_KEY", key).env("TOGETHER_BASE_URL", server.uri());
            command.args(["edit", CAT, "-p", "x", "-m", "flux2-dev"]);
            let told = text(&command.output().expect("the program runs").stderr);
            assert!(told.contains("a bad day at Together"), "{told}");
        }
    });
}

#[test]
fn an_order_that_brought_no_picture_is_one_to_look_after_whatever_the_answer_is() {
    on_runtime(async {
        for answer in [
            ResponseTemplate::new(200).set_body_json(json!({ "id": "o1", "data": [] })),
            ResponseTemplate::new(200).set_body_string("<html>a page in the way</html>"),
        ] {
            let server = together(answer).await;
            let folder = folder();
            let args = ["edit", CAT, "-p", "x", "-m", "flux2-dev"];
            let output = hosted(folder.path(), &server, &args);
            assert_eq!(output.status.code(), Some(9), "{}", text(&output.stderr));
        }
    });
}

#[test]
fn a_status_for_moderation_is_one_only_where_the_answer_says_so() {
    on_runtime(async {
        for (words, code) in
            [("Safety checker triggered", 6), ("width must be a multiple of 16", 4)]
        {
            let body = json!({ "error": { "message": words } });
            let server = together(ResponseTemplate::new(422).set_body_json(&body)).await;
            let args = ["edit", CAT, "-p", "x", "-m", "flux2-dev"];
            let output = hosted(folder().path(), &server, &args);
            assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        }
    });
}

#[test]
fn a_picture_that_is_gone_is_not_said_to_be_somewhere() {
    on_runtime(async {
        let server = MockServer::start().await;
        let url = format!("{}/gone.png", server.uri());
        let answer = ResponseTemplate::new(200).set_body_json(json!({ "data": [{ "url": url }] }));
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let output = hosted(folder().path(), &server, &["edit", CAT, "-p", "x", "-m", "flux2-dev"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(10), "{told}");
        assert!(told.contains("no longer there (404)") && !told.contains("gone.png"), "{told}");
    });
}

#[test]
fn what_is_missing_comes_first_and_each_reason_once() {
    let folder = folder();
    let told = text(&run(folder.path(), &["edit", CAT, CAT, "-p", "make it night"]).stderr);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "error: no model can take this request as things are");
    assert!(lines[1].starts_with("  set BFL_API_KEY to use bfl/flux2-flex, "), "{told}");
    assert!(lines[2].starts_with("  set TOGETHER_API_KEY to use together/flux2-dev, "), "{told}");
    let many = "  bfl/kontext-max, bfl/kontext-pro: each takes at most 1 input image, not 2";
    assert!(told.contains(many), "{told}");
    assert_eq!(told.matches("at most 1 input image").count(), 2, "{told}");
    // A key that is missing is said once, and every one that would do.
    let told = text(&run(folder.path(), &["edit", CAT, "-p", "x", "-m", "flux2-pro"]).stderr);
    let wanted = "error: there is no key: set BFL_API_KEY to use bfl/flux2-pro, or set TOGETHER_API_KEY to \
                  use together/flux2-pro\n";
    assert_eq!(told, wanted);
}

#[test]
fn pictures_of_one_kind_are_told_together() {
    on_runtime(async {
        let server = MockServer::start().await;
        let url = format!("{}/cat", server.uri());
        let picture = ResponseTemplate::new(200).set_body_bytes(fs::read(CAT).expect("the cat"));
        Mock::given(method("GET")).and(path("/cat")).respond_with(picture).mount(&server).await;
        let data = json!([{ "url": url }, { "url": url }, { "url": url }]);
        let answer = ResponseTemplate::new(200).set_body_json(json!({ "data": data }));
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let folder = folder();
        let args = ["draw", "-p", "x", "-m", "flux2-dev", "-n", "3", "-o", "a.jpg"];
        let output = hosted(folder.path(), &server, &args);
        assert_eq!(text(&output.stdout), "a.png\na-2.png\na-3.png\n");
        let told = text(&output.stderr);
        assert!(told.contains("made 3 pictures of 451x300"), "{told}");
        assert_eq!(told.matches("not a.jpg").count(), 1, "{told}");
    });
}

#[test]
fn models_are_listed_by_name_as_they_are_asked() {
    let folder = folder();
    let listed = |names: &[&str]| -> Vec<String> {
        let output = run(folder.path(), &[&["models", "--json"], names].concat());
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let models = shown["models"].as_array().expect("models").iter();
        models.map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
    };
    let kontext = listed(&["kontext"]);
    assert_eq!(kontext.len(), 4);
    assert!(kontext.iter().all(|it| it.contains("/kontext-")), "{kontext:?}");
    assert_eq!(listed(&["flux2-pro", "local/palette"]).len(), 3);
    assert_eq!(listed(&["kontext", "--provider", "bfl"]).len(), 2);
}

#[test]
fn an_error_about_a_schema_is_on_standard_error() {
    let folder = folder();
    let output = run(folder.path(), &["schema", "nope"]);
    assert!(output.stdout.is_empty() && text(&output.stderr).starts_with("error: "));
    let output = run(folder.path(), &["schema", "nope", "--json"]);
    assert!(text(&output.stdout).contains("invalid_request"));
}

#[test]
fn explain_lists_no_option_without_effect_and_takes_it_all_the_same() {
    let folder = folder();
    let help = text(&run(folder.path(), &["explain", "--help"]).stdout);
    let (options, _) = help.split_once("Examples:").expect("examples");
    for option in ["--output", "--force", "--compare", "--show", "--dry-run"] {
        assert!(!options.contains(option), "{option}: {options}");
    }
    assert!(options.contains("--each") && options.contains("--ratio"));
    let args = ["explain", CAT, "-p", "watercolor", "-o", "a.png", "--force"];
    assert_eq!(run(folder.path(), &args).status.code(), Some(0));
}

#[test]
fn a_dry_run_is_short_and_says_what_an_edit_would() {
    let folder = folder();
    let args = ["edit", CAT, "-p", "watercolor", "-m", "local/watercolor", "--dry-run"];
    let output = run(folder.path(), &args);
    let wanted = "local/watercolor would take it: free\nwould write cat-repainted.png; extensions follow the bytes\n";
    assert_eq!(text(&output.stdout), wanted, "{}", text(&output.stderr));
    // Who takes nothing says why, with the same code.
    for more in [&[][..], &["--dry-run"]] {
        let args = [&["edit", CAT, CAT, "-p", "watercolor", "-m", "local/watercolor"], more];
        let output = run(folder.path(), &args.concat());
        assert_eq!(output.status.code(), Some(3));
        assert!(text(&output.stderr).contains("takes 1 input image, not 2"));
    }
}

#[test]
fn nothing_is_sent_when_the_output_cannot_be_written_or_costs_too_much() {
    on_runtime(async {
        let server = together(ResponseTemplate::new(200)).await;
        let folder = folder();
        for (args, code) in [
            (vec!["edit", CAT, "-p", "x", "-m", "flux2-dev", "-o", "nowhere/a.png"], 2),
            (vec!["edit", CAT, "-p", "x", "-m", "flux2-dev", "--max-cost", "0.001"], 3),
            (vec!["edit", CAT, "-p", "x", "-m", "flux2-dev", "--mask", CAT], 3),
            (vec!["edit", CAT, CAT, "-p", "x", "-m", "kontext-pro"], 3),
        ] {
            let output = hosted(folder.path(), &server, &args);
            assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        }
        assert_eq!(server.received_requests().await.expect("recorded").len(), 0);
    });
}

#[test]
fn a_job_is_picked_up_by_its_handle_and_not_ordered_again() {
    on_runtime(async {
        let server = ready().await;
        let folder = folder();
        let handle =
            json!({ "provider": "bfl", "id": "job-1", "poll": format!("{}/poll", server.uri()) });
        // As it stands in an error, and alone.
        for (handle, name) in
            [(json!({ "error": { "resume": handle } }), "a.png"), (handle.clone(), "b.png")]
        {
            let mut command = repaint(folder.path());
            command.env("BFL_API_KEY", KEY).env("BFL_BASE_URL", server.uri());
            let output =
                command.args(["resume", &handle.to_string(), "-o", name]).output().expect("runs");
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        assert_eq!(files(folder.path()), ["a.png", "b.png"]);
        let asked = server.received_requests().await.expect("recorded");
        assert!(asked.iter().all(|it| it.method.as_str() == "GET"), "nothing is ordered");
        for odd in ["", "{}", "{\"provider\":\"bfl\"}"] {
            let output = run(folder.path(), &["resume", odd]);
            assert_eq!(output.status.code(), Some(4), "{odd}");
            assert!(text(&output.stderr).contains("this is no order and no handle"), "{odd}");
        }
    });
}

#[test]
fn another_provider_is_asked_when_one_does_not_let_us_in_unless_that_is_forbidden() {
    on_runtime(async {
        let server = ready().await;
        let closed = ResponseTemplate::new(401).set_body_json(json!({ "error": "no" }));
        let order = Mock::given(method("POST")).and(path("/v1/images/generations"));
        order.respond_with(closed).mount(&server).await;
        let ticket = json!({ "id": "job-1", "polling_url": format!("{}/poll", server.uri()) });
        let ticket = ResponseTemplate::new(200).set_body_json(ticket);
        Mock::given(method("POST"))
            .and(path("/v1/flux-2-pro"))
            .respond_with(ticket)
            .mount(&server)
            .await;
        let folder = folder();
        let edit = |more: &[&str]| {
            let mut command = repaint(folder.path());
            command.env("BFL_API_KEY", KEY).env("BFL_BASE_URL", server.uri());
            command.env("TOGETHER_API_KEY", KEY).env("TOGETHER_BASE_URL", server.uri());
            command.args([
                "edit",
                CAT,
                "-p",
                "x",
                "-m",
                "together/flux2-pro",
                "-m",
                "bfl/flux2-pro",
            ]);
            command
                .args(["--order", "preference", "-o", "a.png"])
                .args(more)
                .output()
                .expect("runs")
        };
        let output = edit(&["--no-fallback"]);
        assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
        let output = edit(&["--deny-provider", "bfl"]);
        assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
        assert_eq!(files(folder.path()), [""; 0]);
        let output = edit(&[]);
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(told.contains("together/flux2-pro did not take it (denied)"), "{told}");
        assert!(told.contains("bfl/flux2-pro made a picture"), "{told}");
    });
}

/// A provider that has a finished job.
async fn ready() -> MockServer {
    let server = MockServer::start().await;
    let sample = json!({ "sample": format!("{}/sample.png", server.uri()) });
    let done = json!({ "id": "job-1", "status": "Ready", "result": sample });
    let done = ResponseTemplate::new(200).set_body_json(done);
    Mock::given(method("GET")).and(path("/poll")).respond_with(done).mount(&server).await;
    let picture = ResponseTemplate::new(200).set_body_bytes(png(64, 64, 1));
    Mock::given(method("GET")).and(path("/sample.png")).respond_with(picture).mount(&server).await;
    server
}

#[cfg(unix)]
#[test]
fn an_interrupt_names_the_started_job_and_leaves_no_file() {
    on_runtime(async {
        let server = MockServer::start().await;
        let ticket =
            json!({ "id": "job-1", "polling_url": format!("{}/poll", server.uri()), "cost": 3 });
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_json(ticket))
            .mount(&server)
            .await;
        let pending =
            ResponseTemplate::new(200).set_body_json(json!({ "id": "job-1", "status": "Pending" }));
        Mock::given(method("GET")).respond_with(pending).mount(&server).await;
        let folder = folder();
        let mut command = repaint(folder.path());
        command.env("BFL_API_KEY", KEY).env("BFL_BASE_URL", server.uri());
        command.args(["edit", CAT, "-p", "x", "-m", "bfl/kontext-pro", "-o", "a.png"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        // The first poll shows that the job was started.
        while server.received_requests().await.expect("recorded").len() < 2 {
            tokio::task::yield_now().await;
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
        let output = child.wait_with_output().expect("ends");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{told}");
        assert!(told.contains("job-1") && told.contains("/poll"), "{told}");
        assert_eq!(files(folder.path()), [""; 0]);
    });
}

fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}

#[test]
fn the_examples_in_the_help_are_taken() {
    let folder = folder();
    for (name, side) in [
        ("car.jpg", 512),
        ("person.jpg", 512),
        ("cat.jpg", 512),
        ("photo.jpg", 512),
        ("cat.png", 512),
    ] {
        fs::write(folder.path().join(name), png(side, side, 1)).expect("written");
    }
    let help = text(&run(folder.path(), &["edit", "--help"]).stdout);
    let examples: Vec<&str> = help.lines().filter_map(|it| it.strip_prefix("  repaint ")).collect();
    assert!(4 < examples.len(), "{help}");
    for example in examples {
        let script = format!(
            "{} explain {}",
            env!("CARGO_BIN_EXE_repaint"),
            example.split_once(' ').expect("a command").1
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder.path())
            .env("TOGETHER_API_KEY", KEY)
            .output();
        let output = output.expect("bash runs");
        assert!(output.status.success(), "{example}: {}", text(&output.stderr));
        let told = text(&output.stdout);
        assert!(
            told.contains("would take it")
                || told.contains("would be taken by")
                || told.contains("\"method\": \"POST\""),
            "{example}: {told}"
        );
    }
}

#[test]
fn a_body_is_validated_with_pointers_that_a_form_can_use() {
    let folder = folder();
    let body = json!({
        "model": "black-forest-labs/FLUX.2-pro",
        "image_url": "https://example.com/a.png",
        "width": 1000,
        "n": 9,
    });
    fs::write(folder.path().join("body.json"), body.to_string()).expect("written");
    let args = ["validate", "body.json", "--model", "together/flux2-pro"];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("use `reference_images`"), "{shown}");
    let output = run(folder.path(), &[&args[..], &["--json"]].concat());
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found: Vec<(&str, &str)> = said["violations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| {
            (it["pointer"].as_str().expect("a pointer"), it["code"].as_str().expect("a code"))
        })
        .collect();
    let expected =
        [("/prompt", "empty"), ("/image_url", "unknown"), ("/n", "too_many"), ("/height", "empty")];
    for one in expected {
        assert!(found.contains(&one), "{one:?} {found:?}");
    }
}

#[test]
fn a_job_is_validated_as_it_would_be_admitted() {
    let folder = folder();
    let images = ["https://example.com/a.png", "https://example.com/b.png"];
    let job = json!({ "request": { "prompt": "both", "images": images, "count": 1.0 } });
    fs::write(folder.path().join("job.json"), job.to_string()).expect("written");
    let taken = run(folder.path(), &["validate", "job.json", "-m", "together/flux2-pro"]);
    assert_eq!(taken.status.code(), Some(0), "{}", text(&taken.stderr));
    assert_eq!(text(&taken.stdout), "the job in job.json is one that together/flux2-pro takes\n");
    let refused = run(folder.path(), &["validate", "job.json", "-m", "bfl/kontext-pro", "--json"]);
    assert_eq!(refused.status.code(), Some(4));
    let said: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(said["violations"][0]["code"], "too_many");
    assert_eq!(said["violations"][0]["pointer"], "/request/images");
    assert_eq!(said["violations"][0]["limit"]["max"], 1);
}

#[test]
fn what_cannot_be_validated_is_said() {
    let folder = folder();
    fs::write(folder.path().join("broken.json"), "{\"prompt\": ").expect("written");
    fs::write(folder.path().join("body.json"), "{\"prompt\": \"a cat\"}").expect("written");
    for (args, word) in [
        (&["validate", "broken.json", "-m", "together/flux2-pro"][..], "is no JSON"),
        (&["validate", "none.json", "-m", "together/flux2-pro"], "none.json cannot be read"),
        (&["validate", "body.json"], "say which with --model"),
        (&["validate", "body.json", "-m", "flux2-pro"], "is several offers"),
        (&["validate", "body.json", "-m", "nobody"], "nobody"),
    ] {
        let output = run(folder.path(), args);
        // 4 says that a body is not taken.
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(word), "{args:?}: {}", text(&output.stderr));
    }
}
