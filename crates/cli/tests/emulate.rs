//! `repaint emulate`, run as a program beside a program that asks it.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
const KEY: &str = "a-key-that-nobody-may-see";

/// The emulator, with the address that it said.
struct Emulator {
    program: Child,
    address: String,
}

impl Emulator {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
        command.current_dir(folder).arg("emulate").args(args).stdin(Stdio::null());
        let mut program =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let output = program.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.strip_prefix("listening on ").map(|it| it.trim_end().to_owned());
        let address = address.unwrap_or_else(|| panic!("the first line is {line:?}"));
        assert!(address.starts_with("http://127.0.0.1:"), "{address}");
        Self { program, address }
    }

    fn edit(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
        for name in ["TOGETHER", "BFL"] {
            command.env(format!("{name}_BASE_URL"), &self.address);
            command.env(format!("{name}_API_KEY"), KEY);
        }
        command.current_dir(folder).args(["edit", CAT, "-p", "make it night", "--json"]);
        command.args(args).stdin(Stdio::null()).output().expect("it runs")
    }

    /// Asks it to stop, and reads its log.
    fn stop(mut self) -> Vec<Value> {
        let id = self.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        assert_eq!(self.program.wait().expect("it ends").code(), Some(0));
        let mut log = String::new();
        self.program.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        assert!(!log.contains(KEY) && !log.contains("make it night"), "{log}");
        log.lines().map(|it| serde_json::from_str(it).expect("a line of JSON")).collect()
    }
}

/// A test that fails leaves no program behind.
impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn both_providers_are_stood_in_for_and_every_request_is_a_line_of_the_log() {
    let folder = folder();
    let emulator = Emulator::start(folder.path(), &["--latency", "1"]);
    for model in ["together/kontext-pro", "bfl/flux2-pro"] {
        let args = ["-m", model, "-o", "night", "--format", "png", "--force"];
        let output = emulator.edit(folder.path(), &args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let picture = fs::read(folder.path().join("night.png")).expect("a picture");
        let mark = b"emulated by repaint";
        assert!(picture.windows(mark.len()).any(|it| it == mark), "it says what it is");
    }
    let log = emulator.stop();
    let orders: Vec<&str> = log
        .iter()
        .filter(|it| it["taken"] == true)
        .map(|it| it["offer"].as_str().expect("an offer"))
        .collect();
    assert_eq!(orders, ["together/kontext-pro", "bfl/flux2-pro"]);
    assert!(log.iter().filter(|it| it["taken"] == true).all(|it| it["images"] == 1), "{log:?}");
}

#[test]
fn a_script_says_what_befalls_which_request_and_a_flag_what_befalls_the_rest() {
    let folder = folder();
    fs::write(folder.path().join("faults.json"), r#"["429", "moderated-input"]"#).expect("written");
    let args = ["--script", "faults.json", "--fault", "402"];
    let emulator = Emulator::start(folder.path(), &args);
    let codes = [(); 2].map(|()| {
        emulator.edit(folder.path(), &["-m", "together/flux2-pro", "-o", "x.png"]).status.code()
    });
    assert_eq!(codes, [Some(6), Some(7)], "moderated, after a pause; then out of credit");
    let statuses: Vec<Value> = emulator
        .stop()
        .iter()
        .filter(|it| it["stage"] == "order")
        .map(|it| it["status"].clone())
        .collect();
    assert_eq!(statuses, [429, 400, 402]);
}

#[test]
fn what_cannot_be_done_is_said_before_it_listens() {
    let folder = folder();
    fs::write(folder.path().join("faults.json"), r#"["oops"]"#).expect("written");
    for (args, code, words) in [
        (["--script", "faults.json"], 2, "no fault is called `oops`"),
        (["--script", "nowhere.json"], 2, "nowhere.json is no script"),
        (["--fault", "oops"], 2, "there are 402, 429"),
        (["--listen", "192.0.2.1:9"], 2, "--listen names another"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
        let output = command.current_dir(folder.path()).arg("emulate").args(args).output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{args:?}");
    }
}
