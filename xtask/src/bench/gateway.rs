//! `bench gateway`: what `repaint serve` adds between callers and a provider, beside two proxies that do less
//! and the gateways of others, all in one run.

mod bodies;
mod process;
mod proxies;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::process::Running;
use self::proxies::{Proxy, Which, proxies};
use super::figure::{median, short};
use super::{Figure, Place, Report, measured};

/// The proxies take turns, so that a busy moment of the machine strikes all of them.
const ROUNDS: usize = 3;
/// Requests with large bodies that are counted, in one round; and those before.
const LARGE: usize = 100;
const WARM_UPS: usize = 5;
const SMALL: usize = 1000;
/// Callers at once of the slow provider, and their requests.
const CROWD: usize = 64;
const STARTS: usize = 9;
/// When a process that has started is idle.
const SETTLED: Duration = Duration::from_millis(500);
/// What a round of one proxy may take.
const ROUND: Duration = Duration::from_secs(15 * 60);

/// Our CPU for one of the raw proxy's.
const GOAL_CPU: f64 = 1.8;
const AIM_CPU: f64 = 1.3;
const GOAL_CROWD_MB: f64 = 150.0;
const GOAL_CROWD_P99: f64 = 1.5;
const GOAL_SMALL: f64 = 3.0;
const GOAL_IDLE_MB: f64 = 15.0;
const GOAL_START_MS: f64 = 50.0;

/// What was found of one proxy.
#[derive(Debug, Default)]
struct Row {
    cpu: Vec<f64>,
    peak: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    late_cpu: Vec<f64>,
    replay_cpu: Vec<f64>,
    crowd_cpu: Vec<f64>,
    crowd_peak: Vec<f64>,
    crowd_p50: Vec<f64>,
    crowd_p99: Vec<f64>,
    errors: u64,
    small: Vec<f64>,
    idle: Vec<f64>,
    ready: Vec<f64>,
}

/// What all of it needs.
struct Bench<'a> {
    place: &'a Place,
    program: PathBuf,
    upstream: Value,
    folder: PathBuf,
    /// When the round that runs has taken too long.
    until: Cell<Instant>,
    /// Kept, since it ends with the process that it stands for.
    _provider: Running,
}

pub(super) fn run(place: &Place) -> Result<Vec<Report>, String> {
    let program = place.built("repaint-bench")?.join("repaint-bench");
    place.built("repaint-cli")?;
    let folder = place.scratch.join("gateway");
    bodies::write(&folder).map_err(|err| format!("no bodies could be made: {err}"))?;
    let (provider, line) = Running::told(Command::new(&program).arg("upstream"))?;
    let upstream = serde_json::from_str(&line).map_err(|err| err.to_string())?;
    let until = Cell::new(Instant::now() + ROUND);
    let bench = Bench { place, program, upstream, folder, until, _provider: provider };
    let (mut all, mut not_run) = (Vec::new(), Vec::new());
    for proxy in proxies() {
        match proxy.install(place) {
            Ok(()) => all.push((proxy, Row::default())),
            Err(why) => not_run.push((proxy.name.to_owned(), why)),
        }
    }
    let (mut direct, mut sync) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bench.until.set(Instant::now() + ROUND);
        sync.extend(syncs(&bench.folder).map_err(|err| format!("the disk: {err}"))?);
        direct.push(bench.load(&format!("{}/v1", bench.at("small")), "small", 1, SMALL, &[])?.p50);
        all.retain_mut(|(proxy, row)| {
            // What is slow and not ours is measured once.
            if proxy.is_slow && 0 < round {
                return true;
            }
            bench.until.set(Instant::now() + ROUND);
            let found = bench.round(proxy, row);
            found.map_err(|why| not_run.push((proxy.name.to_owned(), why))).is_ok()
        });
    }
    let floor = Floor { direct: median(direct).unwrap_or(0.0), sync: median(sync).unwrap_or(0.0) };
    reports(&all, &floor, not_run)
}

/// What takes its time whatever is between.
struct Floor {
    /// A small request with nothing between.
    direct: f64,
    /// As much as an order is, brought to the disk.
    sync: f64,
}

/// How long, in milliseconds, it takes to bring as much to the disk as an order is in SQLite's log, at the pace of small
/// requests: a disk that is asked without a pause answers sooner.
fn syncs(folder: &Path) -> io::Result<Vec<f64>> {
    let mut file = File::create(folder.join("sync"))?;
    let order = vec![7; 5 * 4096];
    let sync = |file: &mut File, place: u64| {
        sleep(Duration::from_millis(2));
        file.seek(SeekFrom::Start(place % 200 * order.len() as u64))?;
        file.write_all(&order)?;
        let began = Instant::now();
        file.sync_data()?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    };
    // The first ones make the file as long as it is.
    (0..400).map(|it| sync(&mut file, it)).skip(200).collect()
}

/// What callers saw.
struct Seen {
    p50: f64,
    p99: f64,
    errors: u64,
    first_error: Option<String>,
}

impl Bench<'_> {
    fn at(&self, kind: &str) -> &str {
        self.upstream[kind].as_str().unwrap_or_default()
    }

    fn body(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn load(
        &self,
        base: &str,
        body: &str,
        callers: usize,
        times: usize,
        headers: &[String],
    ) -> Result<Seen, String> {
        let left = self.until.get().saturating_duration_since(Instant::now()).as_secs() + 1;
        let mut command = Command::new("timeout");
        command.args(["--foreground", &left.to_string()]).arg(&self.program);
        command.arg("load").arg(format!("{base}/images/generations")).arg(self.body(body));
        command.arg(callers.to_string()).arg(times.to_string()).args(headers);
        let found = measured(&mut command).map_err(|why| {
            let late = self.until.get() <= Instant::now();
            if late { format!("its round took more than {ROUND:?}") } else { why }
        })?;
        let figure = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
        Ok(Seen {
            p50: figure("p50_ms"),
            p99: figure("p99_ms"),
            errors: found["errors"].as_u64().unwrap_or(0),
            first_error: found["first_error"].as_str().map(str::to_owned),
        })
    }

    /// The same, where an error ends it.
    fn good_load(&self, running: &Running, body: &str, times: usize) -> Result<Seen, String> {
        let seen = self.load(&running.base, body, 1, times, &running.headers)?;
        match seen.first_error {
            Some(why) => Err(format!("{} of {times} requests failed: {why}", seen.errors)),
            None => Ok(seen),
        }
    }

    /// Every case once, each with a process of its own.
    fn round(&self, proxy: &Proxy, row: &mut Row) -> Result<(), String> {
        let start =
            |kind: &str| proxy.start(self.place, &self.program, self.at(kind), &self.folder);
        let starts =
            if matches!(proxy.which, Which::Repaint { .. }) { STARTS.div_ceil(ROUNDS) } else { 1 };
        for _ in 0..starts {
            let running = start("small")?;
            row.ready.push(running.ready_ms);
            sleep(SETTLED);
            row.idle.push(running.resident()?);
        }
        let running = start("small")?;
        self.good_load(&running, "small", WARM_UPS)?;
        row.small.push(
            self.good_load(&running, "small", if proxy.is_slow { SMALL / 10 } else { SMALL })?.p50,
        );
        drop(running);
        let times = if proxy.is_slow { LARGE / 5 } else { LARGE };
        let (running, cpu, seen) = self.large(proxy, "large", "large", times)?;
        row.cpu.push(cpu);
        row.peak.push(running.peak()?);
        row.p50.push(seen.p50);
        row.p99.push(seen.p99);
        drop(running);
        if matches!(proxy.which, Which::Raw | Which::Repaint { .. }) {
            row.late_cpu.push(self.large(proxy, "large", "late", times)?.1);
        }
        if matches!(proxy.which, Which::Repaint { .. }) {
            row.replay_cpu.push(self.large(proxy, "flaky", "replay", times)?.1);
        }
        let running = start("slow")?;
        self.good_load(&running, "small", 1)?;
        let (before, crowd) = (running.cpu_ms()?, if proxy.is_slow { 1 } else { 2 } * CROWD);
        let seen = self.load(&running.base, "slow", CROWD, crowd, &running.headers)?;
        row.crowd_cpu.push((running.cpu_ms()? - before) / crowd as f64);
        row.crowd_peak.push(running.peak()?);
        row.crowd_p50.push(seen.p50);
        row.crowd_p99.push(seen.p99);
        row.errors += seen.errors;
        Ok(())
    }

    /// CPU of a request with a large body, in milliseconds, and the process for other questions.
    fn large(
        &self,
        proxy: &Proxy,
        kind: &str,
        body: &str,
        times: usize,
    ) -> Result<(Running, f64, Seen), String> {
        let running = proxy.start(self.place, &self.program, self.at(kind), &self.folder)?;
        self.good_load(&running, body, WARM_UPS)?;
        let before = running.cpu_ms()?;
        let seen = self.good_load(&running, body, times)?;
        let cpu = (running.cpu_ms()? - before) / times as f64;
        proxy.check(&running, WARM_UPS + times)?;
        Ok((running, cpu, seen))
    }
}

/// The table of each case, and our own figures beside their goals.
fn reports(
    all: &[(Proxy, Row)],
    floor: &Floor,
    not_run: Vec<(String, String)>,
) -> Result<Vec<Report>, String> {
    let of = |values: &[f64]| median(values.to_vec());
    let find = |wanted: fn(&Which) -> bool| {
        let found = all.iter().find(|(proxy, _)| wanted(&proxy.which));
        found.map(|it| &it.1).ok_or_else(|| format!("not all was measured: {not_run:?}"))
    };
    let raw = find(|it| matches!(it, Which::Raw))?;
    let ours = find(|it| matches!(it, Which::Repaint { keyed: true, repeats: false, .. }))?;
    let keeps = find(|it| matches!(it, Which::Repaint { keyed: true, repeats: true, .. }))?;
    let ratio = |ours: &[f64], raw: &[f64]| Some(of(ours)? / of(raw)?);
    let added = |row: &Row| Some(of(&row.small)? - floor.direct);
    let cell = |it: Option<f64>| it.map_or_else(|| "–".to_owned(), short);
    let table = |head: &[&str], cells: &dyn Fn(&Row) -> Vec<Option<f64>>| {
        let mut table = vec![head.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()];
        for (proxy, row) in all {
            let cells = cells(row).into_iter().map(cell);
            table.push(std::iter::once(proxy.name.to_owned()).chain(cells).collect());
        }
        table
    };
    let figure = |name: &str, value: Option<f64>, unit, goal, aim| {
        let value = value.ok_or_else(|| format!("{name} was not measured"))?;
        Ok::<_, String>(Figure { name: name.to_owned(), value, unit, goal: Some(goal), aim })
    };
    let large = Report {
        bench: "gateway",
        title: format!(
            "6 MB with four data URIs up, 1.5 MB of base64 down, one request after another; medians of \
             {ROUNDS} × {LARGE}"
        ),
        table: table(
            &["", "CPU ms", "× raw", "model last", "replayed", "peak MB", "p50 ms", "p99 ms"],
            &|row| {
                let cpu = of(&row.cpu);
                vec![
                    cpu,
                    ratio(&row.cpu, &raw.cpu),
                    of(&row.late_cpu),
                    of(&row.replay_cpu),
                    of(&row.peak),
                    of(&row.p50),
                    of(&row.p99),
                ]
            },
        ),
        figures: vec![
            figure(
                "CPU of repaint to the raw proxy's",
                ratio(&ours.cpu, &raw.cpu),
                "×",
                GOAL_CPU,
                Some(AIM_CPU),
            )?,
            figure(
                "the same, the model after the images",
                ratio(&ours.late_cpu, &raw.late_cpu),
                "×",
                GOAL_CPU,
                Some(AIM_CPU),
            )?,
            // Of two requests one goes up twice.
            figure(
                "the same for each order of those replayed",
                ratio(&ours.replay_cpu, &raw.cpu).map(|it| it / 1.5),
                "×",
                GOAL_CPU,
                Some(AIM_CPU),
            )?,
            figure(
                "the same, keeping answers",
                ratio(&keeps.cpu, &raw.cpu),
                "×",
                GOAL_CPU,
                Some(AIM_CPU),
            )?,
        ],
        not_run,
    };
    let crowd = Report {
        bench: "gateway, a crowd",
        title: format!(
            "{CROWD} callers at once, 8 MB up and 8 MB of base64 down, of a provider that takes 2 s"
        ),
        table: table(
            &["", "CPU ms", "× raw", "peak MB", "p50 ms", "p99 ms", "× raw", "errors"],
            &|row| {
                vec![
                    of(&row.crowd_cpu),
                    ratio(&row.crowd_cpu, &raw.crowd_cpu),
                    of(&row.crowd_peak),
                    of(&row.crowd_p50),
                    of(&row.crowd_p99),
                    ratio(&row.crowd_p99, &raw.crowd_p99),
                    Some(row.errors as f64),
                ]
            },
        ),
        figures: vec![
            figure("errors of repaint", Some((ours.errors + keeps.errors) as f64), "", 0.0, None)?,
            figure("memory at its peak", of(&ours.crowd_peak), "MB", GOAL_CROWD_MB, None)?,
            figure(
                "p99 to the raw proxy's",
                ratio(&ours.crowd_p99, &raw.crowd_p99),
                "×",
                GOAL_CROWD_P99,
                None,
            )?,
            figure(
                "memory at its peak, keeping answers",
                of(&keeps.crowd_peak),
                "MB",
                GOAL_CROWD_MB,
                None,
            )?,
            figure(
                "p99 to the raw proxy's, keeping answers",
                ratio(&keeps.crowd_p99, &raw.crowd_p99),
                "×",
                GOAL_CROWD_P99,
                None,
            )?,
        ],
        not_run: Vec::new(),
    };
    let small = Report {
        bench: "gateway, what is small",
        title: format!(
            "one small request after another, {} ms without anything between; one order takes {} ms to reach this \
             disk; and doing nothing",
            short(floor.direct),
            short(floor.sync)
        ),
        table: table(&["", "added p50 ms", "× raw", "idle MB", "ready ms"], &|row| {
            let times = added(row).zip(added(raw)).map(|(it, raw)| it / raw);
            vec![added(row), times, of(&row.idle), of(&row.ready)]
        }),
        figures: vec![
            figure(
                "what repaint adds to what the raw proxy adds",
                added(ours).zip(added(raw)).map(|(it, raw)| it / raw),
                "×",
                GOAL_SMALL,
                None,
            )?,
            figure("memory of repaint when idle", of(&ours.idle), "MB", GOAL_IDLE_MB, None)?,
            figure("its first line", of(&ours.ready), "ms", GOAL_START_MS, None)?,
        ],
        not_run: Vec::new(),
    };
    Ok(vec![large, crowd, small])
}
