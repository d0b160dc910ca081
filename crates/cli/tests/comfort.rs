//! What makes the program pleasant, run as a program: many images, plans, strips, pages and check-ups.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use repaint_testkit::png;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
const KEY: &str = "tgp_v1_a-key-that-nobody-may-see";

/// A folder with pictures of the cat.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in names {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::copy(CAT, file).expect("copied");
    }
    folder
}

fn repaint(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null()).args(args);
    for name in ["TOGETHER_API_KEY", "TOGETHER_BASE_URL", "BFL_API_KEY", "BFL_BASE_URL"] {
        command.env_remove(name);
    }
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    repaint(folder, args).output().expect("the program runs")
}

fn hosted(folder: &Path, server: &MockServer, args: &[&str]) -> Output {
    let mut command = repaint(folder, args);
    command.env("TOGETHER_API_KEY", KEY).env("TOGETHER_BASE_URL", server.uri());
    command.output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn shown(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}

#[test]
fn one_failure_does_not_stop_the_other_images() {
    let folder = folder(&["a.png", "c.png"]);
    fs::write(folder.path().join("b.png"), "no picture").expect("written");
    let args = ["edit", "a.png", "b.png", "c.png", "-p", "watercolor", "--each"];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "a-repainted.png\nc-repainted.png\n");
    let told = text(&output.stderr);
    assert!(told.contains("2 of 3 images would be taken, free in all"), "{told}");
    assert!(told.contains("b.png is no picture") && told.contains("2 of 3 images done"), "{told}");
    // What is the same for all is said once.
    assert_eq!(told.matches("not a generative model").count(), 1, "{told}");
    let none = run(folder.path(), &["edit", "b.png", "-p", "watercolor", "--each", "--json"]);
    assert_eq!(none.status.code(), Some(4), "{}", text(&none.stderr));
    assert_eq!(shown(&none)["jobs"][0]["error"]["code"], "invalid_request");
}

#[test]
fn pictures_of_many_images_never_overwrite_each_other() {
    let folder = folder(&["x/cat.png", "y/cat.png", "out/cat-repainted-2.png"]);
    let kept = fs::read(folder.path().join("out/cat-repainted-2.png")).expect("there");
    let args = ["edit", "x/cat.png", "y/cat.png", "-p", "watercolor", "--each", "-o"];
    let to = |place: &str, more: &[&str]| run(folder.path(), &[&args[..], &[place], more].concat());
    let planned = shown(&to("out", &["--force", "--dry-run", "--json"]));
    assert_eq!(files(&folder.path().join("out")).len(), 1);
    let output = to("out", &["--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let names = text(&output.stdout);
    for (index, name) in names.lines().enumerate() {
        assert_eq!(planned["jobs"][index]["files"], json!([name]));
    }
    assert_eq!(files(&folder.path().join("out")).len(), 3);
    assert_eq!(fs::read(folder.path().join("out/cat-repainted-2.png")).ok(), Some(kept));
    assert_eq!(text(&to("a.png", &[]).stdout), "a.png\na-2.png\n");
    assert_eq!(to("a.png", &[]).status.code(), Some(2));
    let printed = to("-", &[]);
    assert!(text(&printed.stderr).contains("name a file or a folder"));
    assert_eq!(printed.status.code(), Some(2));
}

#[test]
fn the_cap_on_the_cost_is_for_all_images_together() {
    on_runtime(async {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/cat"))
            .respond_with(
                ResponseTemplate::new(200).set_body_bytes(fs::read(CAT).expect("the cat")),
            )
            .mount(&server)
            .await;
        let answer = json!({ "data": [{ "url": format!("{}/cat", server.uri()) }] });
        // The second order has no answer that can be used, and may have been charged.
        Mock::given(body_string_contains("FLUX"))
            .respond_with(ResponseTemplate::new(500))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
        let folder = folder(&["a.png", "b.png", "c.png"]);
        let args = ["edit", "a.png", "b.png", "c.png", "-p", "night", "-m", "together/flux2-dev"];
        let each = |more: &[&str]| {
            hosted(
                folder.path(),
                &server,
                &[&args[..], &["--each", "--size", "1024x1024"], more].concat(),
            )
        };
        let planned = shown(&each(&["--dry-run", "--json"]));
        let total = planned["estimate"]["high"].as_u64().expect("a number");
        assert_eq!(total, 3 * planned["jobs"][0]["estimate"]["high"].as_u64().expect("a number"));
        let less = format!("{:.6}", (total - 1) as f64 / 1e6);
        let output = each(&["--max-cost", &less]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("all images together may cost"));
        assert_eq!(server.received_requests().await.expect("recorded").len(), 0);

        let enough = format!("{:.6}", total as f64 / 1e6);
        let output = each(&["--max-cost", &enough, "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let jobs = &shown(&output)["jobs"];
        assert_eq!(jobs[0]["error"]["code"], "outcome_unknown", "{jobs}");
        assert_eq!(jobs[2]["files"][0]["path"], "c-repainted.png");
        assert_eq!(files(folder.path()).len(), 5);
    });
}

#[test]
fn each_is_suggested_only_when_nobody_takes_so_many() {
    let folder = folder(&["a.png"]);
    let edit = |images: usize| {
        let images = vec!["a.png"; images];
        let output = run(folder.path(), &[&["edit", "-p", "watercolor"], &images[..]].concat());
        assert_eq!(output.status.code(), Some(3));
        text(&output.stderr)
    };
    assert!(edit(40).contains("use --each"));
    assert!(!edit(2).contains("--each"), "others take two");
    let args =
        ["edit", "a.png", "a.png", "a.png", "-p", "Use the colors of image 2", "-m", "palette"];
    let told = text(&run(folder.path(), &args).stderr);
    assert!(told.contains("takes 2 input images, not 3") && !told.contains("--each"), "{told}");
}

#[test]
fn a_dry_run_names_the_files_and_sends_and_writes_nothing() {
    on_runtime(async {
        let server = MockServer::start().await;
        let folder = folder(&["a.png", "a-repainted.jpg"]);
        let args = ["edit", "a.png", "-p", "night", "-m", "together/flux2-dev", "-n", "2"];
        let more = ["--dry-run", "--format", "jpeg", "--compare", "both.webp", "--json"];
        let output = hosted(folder.path(), &server, &[&args[..], &more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let shown = shown(&output);
        assert_eq!(shown["offer"], "together/flux2-dev");
        let names = json!(["a-repainted-2.jpg", "a-repainted-3.jpg", "both.webp"]);
        assert_eq!(shown["files"], names);
        assert_eq!(files(folder.path()), ["a-repainted.jpg", "a.png"]);
        assert_eq!(server.received_requests().await.expect("recorded").len(), 0);
        let text =
            text(&hosted(folder.path(), &server, &[&args[..], &["--dry-run"]].concat()).stdout);
        assert!(text.contains("would write a-repainted.png, a-repainted-2.png"), "{text}");
    });
}

#[test]
fn more_pictures_than_a_call_makes_are_explained_as_they_are_ordered() {
    let folder = folder(&["a.png"]);
    let mut command =
        repaint(folder.path(), &["explain", "a.png", "-p", "night", "-m", "together/flux2-dev"]);
    let output = command.args(["-n", "6", "--json"]).env("TOGETHER_API_KEY", KEY).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = shown(&output);
    assert_eq!(
        (&shown["offer"], &shown["call"]["body"]["n"]),
        (&json!("together/flux2-dev"), &json!(3))
    );
    assert_eq!(shown["adaptations"][0]["to"], json!([3, 3]));
}

#[test]
fn a_strip_has_both_pictures_and_what_cannot_be_compared_is_said_before() {
    let folder = folder(&["a.png"]);
    let edit = |image: &str, strip: &str| {
        let args = ["edit", image, "-p", "watercolor", "-m", "local/watercolor", "-o", "b.png"];
        run(folder.path(), &[&args[..], &["--force", "--compare", strip, "--json"]].concat())
    };
    for name in ["both.png", "both.jpg", "both.webp"] {
        let output = edit("a.png", name);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(shown(&output)["comparison"], name);
        let seen = shown(&run(folder.path(), &["inspect", name, "--json"]));
        assert_eq!(
            (&seen["images"][0]["width"], &seen["images"][0]["height"]),
            (&json!(906), &json!(300))
        );
    }
    let before = files(folder.path());
    for (strip, needle) in
        [("-", "names"), ("both.gif", ".png, .jpg or .webp"), ("no/a.png", "folder no")]
    {
        let output = edit("a.png", strip);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(told.contains(needle) || told.contains("name one"), "{strip}: {told}");
    }
    let output = repaint(folder.path(), &["edit", "https://example.com/a.png", "-p", "x"])
        .args(["-m", "flux2-dev", "--compare", "c.png"])
        .env("TOGETHER_API_KEY", KEY)
        .output()
        .expect("runs");
    assert!(text(&output.stderr).contains("download it first"), "{}", text(&output.stderr));
    assert_eq!(files(folder.path()), before);
}

#[test]
fn nothing_is_shown_where_there_is_no_terminal() {
    let folder = folder(&["a.png"]);
    let output = run(folder.path(), &["edit", "a.png", "-p", "watercolor", "--show"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "a-repainted.png\n");
    assert!(text(&output.stderr).contains("standard output is no terminal"));
}

#[test]
fn inspect_says_what_a_picture_is_and_who_takes_it() {
    let folder = folder(&["a.png"]);
    fs::write(folder.path().join("small.png"), png(8, 8, 1)).expect("written");
    fs::write(folder.path().join("text.png"), "hello").expect("written");
    let args = ["inspect", "a.png", "small.png", "text.png", "https://example.com/a.png"];
    let output = run(folder.path(), &[&args[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let images = &shown(&output)["images"];
    assert_eq!(images[0]["media_type"], "image/png");
    assert_eq!((&images[0]["width"], &images[0]["height"]), (&json!(451), &json!(300)));
    let offers = images[0]["offers"].as_array().expect("offers");
    let says = |id: &str| offers.iter().find(|it| it["offer"] == id).expect("an offer");
    assert_eq!(says("local/watercolor")["takes"], true, "whatever the prompt is");
    assert_eq!(says("together/seedream-4.0")["reasons"][0]["code"], "unsupported");
    assert_eq!(images[2]["error"]["code"], "invalid_request");
    assert_eq!(images[3]["image"], "https://example.com/a.png");
    let output = run(folder.path(), &["inspect", "a.png", "-m", "kontext"]);
    let table = text(&output.stdout);
    assert!(table.starts_with("a.png: image/png, 451x300 (0.1 megapixels)"), "{table}");
    assert_eq!(table.matches("takes it").count(), 4, "{table}");
}

#[test]
fn the_doctor_reaches_a_provider_without_its_key_and_reads_its_clock() {
    on_runtime(async {
        let server = MockServer::start().await;
        let answer =
            ResponseTemplate::new(404).insert_header("date", "Sun, 22 Nov 2020 08:49:37 GMT");
        Mock::given(method("GET")).respond_with(answer).mount(&server).await;
        let folder = folder(&[]);
        let mut command = repaint(folder.path(), &["doctor", "--json"]);
        command.env("TOGETHER_API_KEY", KEY).env("TOGETHER_BASE_URL", server.uri());
        // Nobody listens there.
        command.env("BFL_BASE_URL", "http://127.0.0.1:9");
        command.env("ALL_PROXY", "").env("NO_PROXY", "127.0.0.1,me:secret@x");
        let output = command.output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told = text(&output.stdout);
        assert!(!told.contains(KEY) && !told.contains("secret"), "{told}");
        let shown = shown(&output);
        let (bfl, together) = (&shown["providers"][0], &shown["providers"][1]);
        assert_eq!((&bfl["has_key"], &bfl["reached"]), (&json!(false), &json!(false)));
        assert_eq!((&together["has_key"], &together["status"]), (&json!(true), &json!(404)));
        assert!(Some(100_000_000) < together["clock_ahead_seconds"].as_i64(), "{together}");
        assert!(shown["chosen"]["offer"].as_str().is_some_and(|it| it.starts_with("together/")));
        let asked = server.received_requests().await.expect("recorded");
        assert!(asked.iter().all(|it| !it.headers.contains_key("authorization")));

        command.args(["--offline"]);
        assert_eq!(command.output().expect("the program runs").status.code(), Some(0));
        assert_eq!(server.received_requests().await.expect("recorded").len(), asked.len());
    });
}

#[test]
fn every_command_has_a_page_examples_and_completions() {
    let folder = folder(&[]);
    let help = text(&run(folder.path(), &["--help"]).stdout);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|it| *it != "Commands:")
        .skip(1)
        .take_while(|it| !it.is_empty())
        .filter_map(|it| it.strip_prefix("  ")?.split(' ').next().filter(|it| !it.is_empty()))
        .filter(|it| *it != "help")
        .collect();
    assert!(9 < commands.len(), "{help}");
    for command in &commands {
        let help = text(&run(folder.path(), &[command, "--help"]).stdout);
        assert!(
            help.contains(&format!("repaint {command} ")) && help.contains("Examples:"),
            "{help}"
        );
        let page = run(folder.path(), &["man", command]);
        let page = text(&page.stdout);
        assert!(page.contains(&format!(".TH repaint-{command} 1")), "{command}");
        assert!(page.contains(".SH EXAMPLES") && !page.contains("EXTRA"), "{command}: {page}");
    }
    assert!(text(&run(folder.path(), &["man"]).stdout).contains(".TH repaint 1"));
    let unknown = run(folder.path(), &["man", "paint"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there are edit, explain"));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&run(folder.path(), &["completions", shell]).stdout);
        let missing: Vec<_> = commands.iter().filter(|it| !script.contains(**it)).collect();
        assert!(missing.is_empty(), "{shell} completes no {missing:?}");
    }
    let wrong = text(&run(folder.path(), &["inspcet", "a.png"]).stderr);
    assert!(wrong.contains("a similar subcommand exists: 'inspect'"), "{wrong}");
}
