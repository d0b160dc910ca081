//! Where pictures go, run as a program: what is refused before anything is sent, what becomes of a picture
//! whose place is gone, and how a job ends that is asked to stop.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tempfile::TempDir;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
const WATER: [&str; 4] = ["-p", "watercolor", "-m", "local/watercolor"];

fn repaint(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null()).args(args);
    for name in ["TOGETHER_API_KEY", "TOGETHER_BASE_URL", "BFL_API_KEY", "BFL_BASE_URL"] {
        command.env_remove(name);
    }
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
    command
}

fn edit(folder: &Path, args: &[&str]) -> Output {
    let args = [&["edit", CAT][..], &WATER, args].concat();
    repaint(folder, &args).output().expect("the program runs")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
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

#[test]
fn a_picture_that_standard_output_does_not_take_is_saved_and_told() {
    let (folder, spare) = (folder(), folder());
    for json in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let args = [&["edit", CAT, "-o", "-"][..], &WATER, json].concat();
        let mut command = repaint(folder.path(), &args);
        command.env("TMPDIR", spare.path()).env("TEMP", spare.path()).env("TMP", spare.path());
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("runs");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("standard output could not be written (broken pipe)"), "{told}");
        let saved = files(spare.path());
        assert_eq!(saved.len(), 1, "{saved:?}");
        let saved = spare.path().join(&saved[0]);
        assert!(told.contains(&*saved.to_string_lossy()), "{told}");
        let picture = fs::read(&saved).expect("the picture");
        assert!(picture.starts_with(b"\x89PNG") && picture.ends_with(b"IEND\xaeB`\x82"));
        assert_eq!(told.contains("\"receipt\""), !json.is_empty(), "{told}");
        fs::remove_file(saved).expect("removed");
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_refused_as_an_output_before_anything_is_made() {
    let folder = folder();
    for place in ["/dev/full", "/dev/null", "/dev/stdout", "pipe"] {
        if place == "pipe" {
            let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status();
            assert!(made.expect("mkfifo runs").success());
        }
        for option in ["-o", "--compare"] {
            let name = if option == "--compare" { "pipe.png" } else { place };
            if option == "--compare" {
                if place != "pipe" {
                    continue;
                }
                fs::rename(folder.path().join("pipe"), folder.path().join("pipe.png"))
                    .expect("moved");
            }
            let output = edit(folder.path(), &[option, name, "--force"]);
            let told = text(&output.stderr);
            assert!(told.contains(&format!("{name} is a device or a pipe, and no file")), "{told}");
            assert!(told.contains("name a file"), "{told}");
            assert!(output.stdout.is_empty() && !output.status.success());
        }
    }
    // A closed standard output is the null device by the time that we run.
    let script = format!("{} edit {CAT} -p watercolor -o - >&-", env!("CARGO_BIN_EXE_repaint"));
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    let told = text(&output.stderr);
    assert!(!output.status.success() && told.contains("the picture would be lost"), "{told}");
    assert_eq!(files(folder.path()), ["pipe.png"]);
}

#[test]
fn a_folder_as_output_gets_the_picture_under_its_usual_name() {
    let folder = folder();
    fs::create_dir(folder.path().join("out")).expect("made");
    for name in ["cat-repainted.png", "cat-repainted-2.png"] {
        let output = edit(folder.path(), &["-o", "out"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let saved = PathBuf::from("out").join(name);
        assert_eq!(text(&output.stdout), format!("{}\n", saved.display()));
    }
    let output = edit(folder.path(), &["-o", "nowhere/"]);
    assert!(text(&output.stderr).contains("there is no folder nowhere/"));
}

#[test]
fn an_extension_that_means_no_picture_is_refused_unless_the_format_is_said() {
    let folder = folder();
    for each in [&[][..], &["--each"]] {
        let output = edit(folder.path(), &[&["-o", "a.xyz"], each].concat());
        let told = text(&output.stderr);
        assert!(
            told.contains("`.xyz` is no kind of picture; name a .png, .jpg or .webp"),
            "{told}"
        );
        assert!(!output.status.success() && files(folder.path()).is_empty());
    }
    let output = edit(folder.path(), &["-o", "a.xyz", "--format", "png"]);
    assert_eq!(text(&output.stdout), "a.xyz.png\n", "{}", text(&output.stderr));
}

#[test]
fn the_strip_never_takes_the_place_of_the_picture() {
    let folder = folder();
    let output = edit(folder.path(), &["-o", "a.png", "--compare", "./a.png", "--force"]);
    assert!(text(&output.stderr).contains("name the same file"), "{}", text(&output.stderr));
    assert!(!output.status.success() && files(folder.path()).is_empty());
    // The name of the picture follows its bytes, and is that of the strip in the end.
    fs::write(folder.path().join("a.png"), "from before").expect("written");
    let output = edit(folder.path(), &["-o", "a.jpg", "--compare", "a.png", "--force", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_ne!(shown["files"][0]["path"], shown["comparison"]);
    for path in [&shown["files"][0]["path"], &shown["comparison"]] {
        assert!(folder.path().join(path.as_str().expect("a path")).is_file(), "{shown}");
    }
}

/// A provider that takes a job, and is never done with it before it is told so.
#[cfg(unix)]
async fn slow(polls: u64) -> MockServer {
    let server = MockServer::start().await;
    let uri = server.uri();
    let ticket = json!({ "id": "job-1", "polling_url": format!("{uri}/poll"), "cost": 3 });
    let ticket = ResponseTemplate::new(200).set_body_json(ticket);
    Mock::given(method("POST")).respond_with(ticket).mount(&server).await;
    let pending = json!({ "id": "job-1", "status": "Pending" });
    let pending = ResponseTemplate::new(200).set_body_json(pending);
    let sample = json!({ "sample": format!("{uri}/sample.png") });
    let ready = json!({ "id": "job-1", "status": "Ready", "result": sample });
    let picture = ResponseTemplate::new(200).set_body_bytes(fs::read(CAT).expect("the cat"));
    let at = wiremock::matchers::path;
    Mock::given(method("GET")).and(at("/sample.png")).respond_with(picture).mount(&server).await;
    let first = Mock::given(method("GET")).and(at("/poll")).respond_with(pending);
    first.up_to_n_times(polls).mount(&server).await;
    let ready = ResponseTemplate::new(200).set_body_json(ready);
    Mock::given(method("GET")).and(at("/poll")).respond_with(ready).mount(&server).await;
    server
}

/// An edit that is hung up on while its picture is made; as a shell begins it.
#[cfg(unix)]
async fn hung_up_on(before: &str, folder: &Path, server: &MockServer) -> Output {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_repaint");
    let line = format!("{before} exec {program} edit {CAT} -p x -m bfl/kontext-pro -o a.png");
    command.args(["-c", &line]).current_dir(folder).stdin(Stdio::null());
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
    command.env("BFL_API_KEY", "a-key").env("BFL_BASE_URL", server.uri());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    while server.received_requests().await.expect("recorded").len() < 2 {
        tokio::task::yield_now().await;
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().expect("kill runs").success());
    child.wait_with_output().expect("ends")
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_away_ends_a_job_with_its_handle_but_not_under_nohup() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (server, folder) = (slow(u64::MAX).await, folder());
        let output = hung_up_on("", folder.path(), &server).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{told}");
        assert!(told.contains("job-1"), "{told}");
        assert_eq!(files(folder.path()), [""; 0]);

        let server = slow(3).await;
        let output = hung_up_on("trap '' HUP;", folder.path(), &server).await;
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "a.png\n");
    });
}
