//! The real program, killed at every write, sync and send of an edit: whatever the provider took comes back with `resume
//! --all` or is listed as unknown, and nothing is bought twice. And what a machine that loses its power would find on its
//! disk: the order before it is sent, and what leads to its pictures soon after it is known.
//!
//! `strace` kills it as it enters the Nth such call; it counts for each thread by itself, so each kind of call is
//! gone through alone.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use repaint::{Filter, Store, Submit, SubmitState};
use serde_json::Value;

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
const KEY: &str = "a-key-that-opens-nothing";
/// Runs at a time; each waits most of its time.
const WORKERS: usize = 4;
/// No edit makes so many calls of a kind.
const MOST: u32 = 200;

/// Calls at which the program is killed, one after the other.
#[derive(Clone, Copy, Debug)]
struct Boundary {
    model: &'static str,
    calls: &'static str,
    /// Only those on this file of the store.
    file: Option<&'static str>,
}

const fn boundary(
    model: &'static str,
    calls: &'static str,
    file: Option<&'static str>,
) -> Boundary {
    Boundary { model, calls, file }
}

const POLLED: &str = "bfl/flux2-pro";
const ANSWERED: &str = "together/flux2-pro";
const SENDS: &str = "sendto,sendmsg,writev";
const SYNCS: &str = "fsync,fdatasync";
const RENAMES: &str = "rename,renameat,renameat2,link,linkat";

const BOUNDARIES: &[Boundary] = &[
    boundary(POLLED, "pwrite64", Some("orders.sqlite-wal")),
    boundary(POLLED, SYNCS, None),
    boundary(POLLED, SENDS, None),
    boundary(POLLED, RENAMES, None),
    // The store is closed.
    boundary(POLLED, "pwrite64,ftruncate,fsync,fdatasync,unlink", Some("orders.sqlite")),
    // The picture, what is printed, and every word from one thread to another.
    boundary(POLLED, "write", None),
    boundary(ANSWERED, "pwrite64", Some("orders.sqlite-wal")),
    boundary(ANSWERED, SENDS, None),
    boundary(ANSWERED, RENAMES, None),
];

#[test]
fn whenever_the_program_is_killed_what_was_bought_comes_back_or_is_listed() {
    let began = Instant::now();
    if !has_strace("the program killed at every write, sync and send") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.sqlite");
    let made = repaint("", &empty).args(["jobs"]).output().expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let next = Mutex::new(BOUNDARIES.iter().map(|it| (*it, 1)).collect::<Vec<_>>());
    let ends = thread::scope(|scope| {
        let workers = [(); WORKERS].map(|()| scope.spawn(|| worker(&next, folder.path(), &empty)));
        workers.map(|it| it.join().expect("every run ends well")).concat()
    });
    let count = |end: End| ends.iter().filter(|it| **it == end).count();
    println!(
        "killed {} times in {:.0} s: {} before anything was bought, {} pictures came back, {} orders unknown",
        ends.len(),
        began.elapsed().as_secs_f64(),
        count(End::Nothing),
        count(End::Back),
        count(End::Unknown)
    );
    assert!(
        [End::Nothing, End::Back, End::Unknown].into_iter().all(|it| 3 < count(it)),
        "{ends:?}"
    );
}

#[test]
fn an_order_is_on_the_disk_before_it_is_sent_and_its_handle_soon_after() {
    if !has_strace("what is on the disk when an order is sent") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let emulator = Emulator::start(folder.path());
    let (store, trace) = (folder.path().join("orders.sqlite"), folder.path().join("trace"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-s", "16", "-o"]).arg(&trace);
    strace.args(["-e", &format!("trace=pwrite64,{SYNCS},{SENDS},{RENAMES}")]);
    strace.arg(env!("CARGO_BIN_EXE_repaint"));
    strace.args(["edit", CAT, "-p", "make it night", "-m", POLLED, "-o"]);
    strace.arg(folder.path().join("night.jpg"));
    let output = prepared(strace, &emulator.address, &store).output().expect("strace runs");
    assert!(output.status.success(), "{output:?}");

    let trace = fs::read_to_string(trace).expect("a trace");
    let happened = happened(&trace);
    let at = |wanted: Happened| happened.iter().position(|it| *it == wanted).expect("it happened");
    let (ordered, asked, kept) = (at(Happened::Order), at(Happened::Poll), at(Happened::Renamed));
    let on_disk = |part: &[Happened]| {
        let [written, synced] = [Happened::Written, Happened::OnDisk]
            .map(|wanted| part.iter().rposition(|it| *it == wanted));
        written < synced
    };
    assert!(on_disk(&happened[..ordered]), "sent before it was on the disk: {happened:?}");
    let written = |it: &Happened| *it == Happened::Written;
    let handle = happened[ordered..asked].iter().rposition(written).expect("a handle is written");
    let soon = happened[ordered + handle..kept].contains(&Happened::OnDisk);
    assert!(soon, "the handle was not on the disk: {happened:?}");
}

#[test]
fn where_the_disk_fails_an_order_that_is_not_on_it_is_never_sent() {
    if !has_strace("a disk that fails before an order is sent") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let emulator = Emulator::start(folder.path());
    let (store, picture) = (folder.path().join("orders.sqlite"), folder.path().join("night.jpg"));
    let made = repaint("", &store).args(["jobs"]).output().expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={SYNCS}")]);
    strace.args(["-e", &format!("inject={SYNCS}:error=EIO"), "-P"]);
    strace.arg(folder.path().join("orders.sqlite-wal")).arg(env!("CARGO_BIN_EXE_repaint"));
    strace.args(["edit", CAT, "-p", "make it night", "-m", ANSWERED, "-o"]).arg(&picture);
    let output = prepared(strace, &emulator.address, &store).output().expect("strace runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("orders.sqlite"), "{output:?}");
    assert_eq!(emulator.billed(), (0, 0), "nothing was sent: {said}");
    assert!(!picture.exists(), "and no file is left");
    assert!(orders(&store).is_empty(), "what was never sent is no order: {said}");
    // The disk is well again, and so is the store.
    let again = ["edit", CAT, "-p", "make it night", "-m", ANSWERED, "-o"];
    let output = repaint(&emulator.address, &store).args(again).arg(&picture).output();
    assert!(output.as_ref().is_ok_and(|it| it.status.success()), "{output:?}");
    assert_eq!((emulator.billed().0, orders(&store).len()), (1, 1));
}

/// What counts for a machine that loses its power.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Happened {
    /// The store's log was written.
    Written,
    /// It is on the disk, with all that was written before it was begun.
    OnDisk,
    Order,
    Poll,
    /// The picture is where it is to be.
    Renamed,
}

fn happened(trace: &str) -> Vec<Happened> {
    let (mut happened, mut begun) = (Vec::new(), Vec::new());
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').expect("a number of a process");
        let (call, is_log) = (call.trim_start(), call.contains("orders.sqlite-wal>"));
        if call.starts_with("pwrite64(") && is_log {
            happened.push(Happened::Written);
            // It may be in what another thread syncs already, or not.
            begun.clear();
        } else if call.starts_with('f') && is_log {
            match call.ends_with("= 0") {
                true => happened.push(Happened::OnDisk),
                false => begun.push(process),
            }
        } else if call.starts_with("<... f") && call.ends_with("= 0") && begun.contains(&process) {
            happened.push(Happened::OnDisk);
        } else if call.contains("\"POST ") {
            happened.push(Happened::Order);
        } else if call.contains("\"GET ") {
            happened.push(Happened::Poll);
        } else if call.starts_with("rename") || call.starts_with("link") {
            happened.push(Happened::Renamed);
        }
    }
    happened
}

/// Whether calls can be looked at; if not, that is said, and is wrong in CI.
fn has_strace(test: &str) -> bool {
    let Err(why) = Command::new("strace").arg("--version").output() else { return true };
    println!("NOT RUN: {test}: no strace here ({why})");
    assert!(std::env::var_os("CI").is_none(), "strace is not here");
    false
}

/// What became of a run that was killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Nothing,
    Back,
    Unknown,
}

fn worker(next: &Mutex<Vec<(Boundary, u32)>>, folder: &Path, empty: &Path) -> Vec<End> {
    let mut ends = Vec::new();
    let emulator = Emulator::start(folder);
    loop {
        let (boundary, number) = {
            let mut next = next.lock().expect("nobody panics while it is held");
            let Some((boundary, number)) = next.first_mut() else { return ends };
            *number += 1;
            (*boundary, *number - 1)
        };
        assert!(number < MOST, "{boundary:?} comes to no end");
        let run = tempfile::tempdir_in(folder).expect("a folder");
        // Whoever made it may have ended before all of it was in the one file.
        for end in ["", "-wal"] {
            let from = empty.with_file_name(format!("empty.sqlite{end}"));
            if from.exists() {
                fs::copy(from, run.path().join(format!("orders.sqlite{end}"))).expect("copied");
            }
        }
        match killed(boundary, number, run.path(), &emulator) {
            Some(end) => ends.push(end),
            None => next.lock().expect("nobody panics while it is held").retain(|it| {
                (it.0.model, it.0.calls, it.0.file)
                    != (boundary.model, boundary.calls, boundary.file)
            }),
        }
    }
}

/// Kills an edit at its Nth call of a kind, and picks up what is left; nothing if it ended before.
fn killed(boundary: Boundary, number: u32, folder: &Path, emulator: &Emulator) -> Option<End> {
    let Boundary { model, calls, file } = boundary;
    let name = format!("{model} killed at {calls} {number} of {}", file.unwrap_or("any file"));
    let (store, picture) = (folder.join("orders.sqlite"), folder.join("night.jpg"));
    emulator.ask("DELETE");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:signal=SIGKILL:when={number}")]);
    if let Some(file) = file {
        strace.arg("-P").arg(folder.join(file));
    }
    strace.arg(env!("CARGO_BIN_EXE_repaint"));
    strace.args(["edit", CAT, "-p", "make it night", "-m", model, "-o"]).arg(&picture);
    let output = prepared(strace, &emulator.address, &store).output().expect("strace runs");
    if output.status.signal() != Some(9) {
        assert!(output.status.success(), "{name}: {output:?}");
        return None;
    }
    let (taken, billed) = emulator.billed();
    let left = time_passes(&store);
    let resumed = repaint(&emulator.address, &store).args(["resume", "--all"]).output();
    let resumed = resumed.expect("it runs");
    let said = String::from_utf8_lossy(&resumed.stderr);
    let orders = orders(&store);
    let all = format!("{name}: {taken} taken; {left:?}; then {orders:?}\n{said}");
    assert_eq!(emulator.billed(), (taken, billed), "to resume buys nothing: {all}");
    assert!(taken <= 1 && orders.len() <= 1, "{all}");
    let (low, high) =
        orders.iter().fold((0, 0), |it, one| (it.0 + one.low().0, it.1 + one.high().0));
    assert!((low..=high).contains(&billed), "{billed} were charged: {all}");
    if let Ok(bytes) = fs::read(&picture) {
        assert!(
            bytes.starts_with(b"\xff\xd8") && bytes.ends_with(b"\xff\xd9"),
            "half a picture: {all}"
        );
    }
    let Some(order) = orders.first() else {
        assert_eq!(taken, 0, "{all}");
        return Some(End::Nothing);
    };
    match order.state {
        SubmitState::Safe => {
            assert!(taken == 1 && order.paths.iter().all(|it| Path::new(it).exists()), "{all}");
            Some(End::Back)
        }
        SubmitState::Sent | SubmitState::Unknown => {
            let jobs = repaint(&emulator.address, &store).args(["jobs", "--json"]).output();
            let jobs: Value = serde_json::from_slice(&jobs.expect("it runs").stdout).expect("JSON");
            let (id, state) = (&jobs["jobs"][0]["order"]["id"], &jobs["jobs"][0]["state"]);
            assert_eq!((id, state), (&order.id.as_str().into(), &"unknown".into()), "{all}");
            Some(End::Unknown)
        }
        _ => panic!("neither brought back nor unknown: {all}"),
    }
}

/// The program, with an emulator for its providers and a store of its own.
fn repaint(address: &str, store: &Path) -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_repaint")), address, store)
}

fn prepared(mut command: Command, address: &str, store: &Path) -> Command {
    for name in ["TOGETHER", "BFL"] {
        command.env(format!("{name}_BASE_URL"), address).env(format!("{name}_API_KEY"), KEY);
    }
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", store).stdin(Stdio::null());
    command
}

fn in_store<T>(store: &Path, work: impl AsyncFnOnce(&dyn Store) -> T) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let place = store.to_str().expect("a path in UTF-8");
        let store = repaint_store::connect(place).await.expect("the store is sound");
        work(store.as_ref()).await
    })
}

/// As if so much time had passed that nobody holds an order any more; gives what was left behind.
fn time_passes(store: &Path) -> Vec<Submit> {
    in_store(store, async |store| {
        let orders = store.list(&Filter::default()).await.expect("orders can be listed");
        for order in &orders {
            let order =
                Submit { held_until_ms: now_ms().min(order.held_until_ms), ..order.clone() };
            store.write(&order).await.expect("it can be written");
        }
        orders
    })
}

fn orders(store: &Path) -> Vec<Submit> {
    in_store(store, async |store| {
        store.list(&Filter::default()).await.expect("orders can be listed")
    })
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `repaint emulate`, in a process of its own.
struct Emulator {
    program: Child,
    address: String,
}

impl Emulator {
    fn start(folder: &Path) -> Self {
        let mut command = repaint("", &PathBuf::from("none"));
        command.current_dir(folder).args(["emulate", "--latency", "50"]).stderr(Stdio::null());
        let mut program = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let output = program.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on ").expect("an address").to_owned();
        Self { program, address }
    }

    /// How many orders were taken, and what they would have cost.
    fn billed(&self) -> (u64, u64) {
        let told = self.ask("GET");
        let number = |name: &str| told[name].as_u64().expect("a number");
        (number("orders_taken"), number("billed_micro_usd"))
    }

    fn ask(&self, method: &str) -> Value {
        let host = self.address.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(host).expect("it listens");
        let head = format!(
            "{method} /__emulator/requests HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
