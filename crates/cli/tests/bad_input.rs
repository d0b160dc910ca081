//! Every option of every command with values that are wrong: a clear error or a clean end, and nothing half
//! written. What there is to try is read off the command line's own definition, so that a new option is
//! tried as soon as it is there.

#[path = "../src/args.rs"]
#[allow(dead_code, reason = "only its definition is wanted")]
mod args;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Arg, CommandFactory};
use tempfile::TempDir;

use args::Line;

/// Whoever takes longer waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is right for an argument without which a command does nothing.
fn right(argument: &str) -> &'static str {
    match argument {
        "images" => "a.png",
        "prompt" => "watercolor",
        "offer" => "together/flux2-pro",
        "name" => "job",
        "file" => "job.json",
        "shell" => "bash",
        "command" => "edit",
        other => panic!("say here what is right for `{other}`"),
    }
}

/// What is wrong for most of them: a text, a number, what is not there, what is no regular file.
fn wrong() -> Vec<OsString> {
    let texts = [
        "",
        " ",
        "no-such-thing",
        "\u{1b}[2Jred",
        "-1",
        "0",
        "1.5",
        "NaN",
        "99999999999999999999999",
        "=",
        "a=b",
        "{}",
        "missing.png",
        "no-folder/a.png",
        "folder",
        "folder/",
        "empty.png",
        "text.png",
        "a.png",
        "unreadable.png",
        "locked/a.png",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "-",
        "https://",
        "data:image/png;base64,",
        "none",
    ];
    let mut wrong: Vec<OsString> = texts.map(OsString::from).to_vec();
    wrong.push("x".repeat(300).into());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        wrong.push(OsString::from_vec(b"a\xff.png".to_vec()));
    }
    wrong
}

/// One run of the program.
#[derive(Clone, Debug)]
struct Trial {
    command: String,
    /// What is tried, as an error may name it.
    names: Vec<String>,
    args: Vec<OsString>,
}

/// Every command, with what it needs.
fn lines() -> Vec<(clap::Command, BTreeMap<String, Vec<OsString>>)> {
    let mut line = Line::command();
    line.build();
    let commands: Vec<clap::Command> = line
        .get_subcommands()
        // What serves until it is told to stop is tried in `emulate.rs`.
        .filter(|it| !["help", "emulate"].contains(&it.get_name()))
        .cloned()
        .collect();
    let needed = |command: &clap::Command| {
        let wanted =
            |it: &&Arg| it.is_required_set() || (it.is_positional() && it.get_id() == "images");
        let needed = command.get_arguments().filter(wanted);
        needed
            .map(|it| (it.get_id().to_string(), said(it, right(it.get_id().as_str()).as_ref())))
            .collect()
    };
    commands.into_iter().map(|it| (it.clone(), needed(&it))).collect()
}

/// An argument with a value, as it is typed.
fn said(arg: &Arg, value: &OsStr) -> Vec<OsString> {
    match arg.get_long() {
        None => vec![value.to_owned()],
        Some(long) => {
            let mut whole = OsString::from(format!("--{long}="));
            whole.push(value);
            vec![whole]
        }
    }
}

/// Options first: what comes after `--` begins with nothing that means more.
fn line(
    command: &str,
    needed: &BTreeMap<String, Vec<OsString>>,
    more: &[OsString],
) -> Vec<OsString> {
    let (options, others): (Vec<OsString>, Vec<OsString>) = needed
        .values()
        .flatten()
        .chain(more)
        .cloned()
        .partition(|it| it.as_encoded_bytes().starts_with(b"--"));
    let end = Some(OsString::from("--")).filter(|_| !others.is_empty());
    [OsString::from(command)].into_iter().chain(options).chain(end).chain(others).collect()
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (command, needed) in lines() {
        let name = command.get_name().to_owned();
        for arg in command.get_arguments() {
            let id = arg.get_id().to_string();
            if id == "help" || id == "version" {
                continue;
            }
            let mut names = vec![id.clone()];
            names.extend(arg.get_long().map(|it| format!("--{it}")));
            names.extend(arg.get_value_names().into_iter().flatten().map(ToString::to_string));
            if !arg.get_action().takes_values() {
                let flag =
                    OsString::from(format!("--{}", arg.get_long().expect("a flag has a name")));
                let args = line(&name, &needed, &[flag]);
                trials.push(Trial { command: name.clone(), names, args });
                continue;
            }
            for value in wrong() {
                let mut needed = needed.clone();
                needed.insert(id.clone(), said(arg, &value));
                let names = names.iter().cloned().chain([value.to_string_lossy().into_owned()]);
                let args = line(&name, &needed, &[]);
                trials.push(Trial { command: name.clone(), names: names.collect(), args });
            }
        }
    }
    trials
}

fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(16, 16, image::Rgb([200, 80, 40]));
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
    bytes.into_inner()
}

/// A folder with what the trials name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, bytes: &[u8]| fs::write(at(name), bytes).expect("written");
    write("a.png", &picture());
    write("empty.png", b"");
    write("text.png", b"hello");
    write("unreadable.png", &picture());
    write("job.json", br#"{"request": {"prompt": "a cat"}}"#);
    for name in ["folder", "locked"] {
        fs::create_dir(at(name)).expect("made");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for (name, mode) in [("unreadable.png", 0o000), ("locked", 0o555)] {
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("set");
        }
    }
    folder
}

fn repaint(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["REPAINT_", "TOGETHER_", "BFL_", "XDG_"].iter().any(|it| text.starts_with(it)) {
            command.env_remove(&name);
        }
    }
    // Nobody listens there.
    command
        .env("TOGETHER_BASE_URL", "http://127.0.0.1:9")
        .env("BFL_BASE_URL", "http://127.0.0.1:9");
    command.env("HOME", folder.join("folder")).env("APPDATA", folder.join("folder"));
    command.env("NO_PROXY", "127.0.0.1").env("TMPDIR", folder);
    command
}

/// Runs it to its end, which comes.
fn ended(mut command: Command, what: &dyn std::fmt::Debug) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let id = child.id();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    match receive.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("its output"),
        Err(_) => panic!("{what:?} does not end (process {id})"),
    }
}

fn command_of(folder: &Path, args: &[OsString]) -> Command {
    let mut command = repaint(folder);
    command.args(args);
    command
}

/// Every file below a folder, with its length.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            let data = entry.metadata().expect("there");
            if data.is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).expect("below").to_path_buf();
                found.insert(name, data.len());
            }
        }
    }
    found
}

/// The codes that the help lists.
fn codes() -> BTreeSet<i32> {
    let help = Line::command().render_help().to_string();
    let (_, list) = help.split_once("Exit codes:").expect("a list");
    let (list, _) = list.split_once("\n\n").expect("its end");
    let codes: BTreeSet<i32> = list.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    assert!(codes.contains(&0) && codes.contains(&11) && codes.contains(&130), "{codes:?}");
    codes
}

#[test]
fn every_option_with_a_wrong_value_is_a_clear_error_and_writes_nothing() {
    let (trials, codes) = (trials(), codes());
    assert!(1000 < trials.len(), "{}", trials.len());
    let commands: BTreeSet<&str> = trials.iter().map(|it| it.command.as_str()).collect();
    assert!(commands.contains("edit") && commands.contains("config"), "{commands:?}");
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let folder = folder();
        let before = files(folder.path());
        while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(fault) = fault(trial, folder.path(), &before, &codes) {
                faults.lock().expect("no other fails").push(format!("{:?}: {fault}", trial.args));
            }
        }
    };
    std::thread::scope(|scope| {
        let count = std::thread::available_parallelism().map_or(2, |it| it.get().min(8));
        for _ in 0..count {
            scope.spawn(work);
        }
    });
    let faults = faults.into_inner().expect("no other fails");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong with how the program met it.
fn fault(
    trial: &Trial,
    folder: &Path,
    before: &BTreeMap<PathBuf, u64>,
    codes: &BTreeSet<i32>,
) -> Option<String> {
    let mut command = repaint(folder);
    command.args(&trial.args);
    let began = Instant::now();
    let output = ended(command, &trial.args);
    let told = String::from_utf8_lossy(&output.stderr);
    let after = files(folder);
    for name in after.keys().filter(|it| !before.contains_key(*it)) {
        fs::remove_file(folder.join(name)).expect("removed");
    }
    let Some(code) = output.status.code().filter(|it| codes.contains(it)) else {
        return Some(format!("ends with {}: {told}", output.status));
    };
    if told.contains("panicked") || told.contains("RUST_BACKTRACE") {
        return Some(format!("panics: {told}"));
    }
    if told.contains('\u{1b}') {
        return Some(format!("steers the terminal: {told:?}"));
    }
    if before.iter().any(|(name, length)| after.get(name) != Some(length)) {
        return Some(format!("changes what was there: {after:?}"));
    }
    if code <= 1 {
        return None;
    }
    if after.len() != before.len() {
        return Some(format!("leaves something behind: {after:?}"));
    }
    // To say of a request that nobody takes it is what `explain` is for.
    if !told.contains("error: ") && !output.stdout.is_empty() {
        return None;
    }
    let errors = told.lines().filter(|it| it.starts_with("error: ")).count();
    if errors != 1 {
        return Some(format!("has {errors} errors: {told}"));
    }
    // What a shell cannot show is named by another of its names.
    let named = |it: &String| match it.as_str() {
        // An empty text is named by its quotes, and what comes through a pipe by that.
        "" => told.contains("``"),
        "-" if told.contains("standard input") => true,
        // It lacks another option.
        "amount" | "remove" if told.contains("--per") => true,
        name => told.contains(name) || told.contains(&name.escape_default().to_string()),
    };
    if code == 2 && !trial.names.iter().any(named) {
        return Some(format!("names none of {:?}: {told}", trial.names));
    }
    (PATIENCE / 4 < began.elapsed()).then(|| format!("takes {:?}", began.elapsed()))
}

/// Every command as it is meant, which prints something.
fn meant() -> Vec<Vec<OsString>> {
    lines()
        .iter()
        .map(|(command, needed)| {
            let mut more = Vec::new();
            if command.get_arguments().any(|it| it.get_id() == "dry_run")
                && command.get_name() == "probe"
            {
                more.push("--dry-run".into());
            }
            if command.get_name() == "resume" {
                more.push("--all".into());
            }
            line(command.get_name(), needed, &more)
        })
        .collect()
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let codes = codes();
    for args in meant() {
        for more in ["--json", "--help"] {
            let folder = folder();
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let mut command = repaint(folder.path());
            let (name, rest) = args.split_first().expect("a command");
            command.arg(name);
            let has_json = !["man", "completions"].map(OsStr::new).contains(&name.as_os_str());
            if more == "--help" || has_json {
                command.arg(more);
            }
            let output =
                command.args(rest).stdout(writer).stderr(Stdio::piped()).output().expect("runs");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!told.contains("panicked"), "{args:?}: {told}");
            assert_eq!(output.status.code(), Some(0), "{args:?} {more}: {told}");
            assert!(codes.contains(&0));
        }
    }
}

/// A disk that is full.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    for args in meant() {
        let folder = folder();
        if ended(command_of(folder.path(), &args), &args).stdout.is_empty() {
            // There is nothing to list.
            continue;
        }
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
        let mut command = repaint(folder.path());
        let output =
            command.args(&args).stdout(full).stderr(Stdio::piped()).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("error: standard output: no space left"), "{args:?}: {told}");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn a_terminal_of_one_column_is_enough() {
    for args in meant() {
        for more in [&["--help"][..], &[]] {
            let folder = folder();
            let mut command = repaint(folder.path());
            command.args(&args[..1]).args(more).args(&args[1..]).env("TERM", "xterm-256color");
            if args[0] == "edit" && more.is_empty() {
                command = repaint(folder.path());
                command.args(["edit", "--show", "a.png", "-p", "watercolor"]);
            }
            let (seen, code) = on_terminal(command, 1);
            assert!(!seen.contains("panicked"), "{args:?}: {seen}");
            assert_eq!(code, Some(0), "{args:?} {more:?}: {seen}");
            assert!(!seen.is_empty(), "{args:?}");
        }
    }
    // And what is wrong is said there, too.
    let folder = folder();
    let mut command = repaint(folder.path());
    command.args(["edit", "missing.png", "-p", "watercolor"]);
    let (seen, code) = on_terminal(command, 1);
    assert_eq!(code, Some(4), "{seen}");
    assert!(seen.contains("missing.png"), "{seen}");
}

/// Runs it on a terminal of so many columns; what is seen there, and how it ends.
#[cfg(unix)]
fn on_terminal(mut command: Command, columns: u16) -> (String, Option<i32>) {
    use std::io::Read;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("granted");
    unlockpt(&ours).expect("unlocked");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).expect("its size");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let name = Path::new(name.to_str().expect("a path")).to_path_buf();
    let theirs =
        || fs::OpenOptions::new().read(true).write(true).open(&name).expect("the other end");
    let mut child = command.stdout(theirs()).stderr(theirs()).spawn().expect("it starts");
    // It holds the other end, too, and the end of what is seen would never come.
    drop(command);
    let mut seen = Vec::new();
    // Linux ends it with an error.
    let _ = fs::File::from(ours).read_to_end(&mut seen);
    let status = child.wait().expect("it ends");
    (String::from_utf8_lossy(&seen).into_owned(), status.code())
}
