//! `bench client`: eight files of 3 MB go up, a picture of 8 MB comes back as base64; what it costs us,
//! what it costs others, and what it costs at least.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::figure::{median, short};
use super::peers::PEERS;
use super::random::Random;
use super::{Figure, Place, Report, measured, upstream};

const IMAGES: usize = 8;
const IMAGE_BYTES: usize = 3_000_000;
/// The clients take turns, so that a busy moment of the machine strikes all of them.
const ROUNDS: usize = 3;
/// Edits of one client in one round.
const TIMES: usize = 15;

/// Our CPU for one of the floor's.
const GOAL_RATIO: f64 = 1.6;
const GOAL_PEAK_MB: f64 = 40.0;

#[derive(Debug, Default)]
struct Row {
    name: &'static str,
    cpu: Vec<f64>,
    wall: Vec<f64>,
    first: Vec<f64>,
    peak: Vec<f64>,
}

pub(super) fn run(place: &Place) -> Result<Report, String> {
    let program = place.built("repaint-bench")?.join("repaint-bench");
    let folder = place.scratch.join("images");
    images(&folder).map_err(|err| format!("no images could be made: {err}"))?;
    let base64 = (IMAGES * IMAGE_BYTES).div_ceil(3) as u64 * 4;
    let base = upstream::serve(base64).map_err(|err| format!("no upstream: {err}"))?;

    let ours = |word: &'static str| {
        let mut command = Command::new(&program);
        command.arg(word);
        command
    };
    let mut clients = vec![
        ("floor", ours("floor")),
        ("repaint", ours("client")),
        ("repaint, async on one thread", ours("lone-client")),
    ];
    let mut not_run = Vec::new();
    for peer in &PEERS {
        match peer.install(place) {
            Ok(()) => clients.push((peer.name, peer.command(place))),
            Err(why) => not_run.push((peer.name.to_owned(), why)),
        }
    }
    for (_, command) in &mut clients {
        command.arg(&base).arg(&folder).arg(TIMES.to_string());
    }
    let mut rows: Vec<Row> =
        clients.iter().map(|it| Row { name: it.0, ..Row::default() }).collect();
    for _ in 0..ROUNDS {
        for ((name, command), row) in clients.iter_mut().zip(&mut rows) {
            if not_run.iter().any(|it| it.0 == *name) {
                continue;
            }
            match measured(command) {
                Ok(found) => row.add(&found),
                Err(why) => not_run.push(((*name).to_owned(), why)),
            }
        }
    }
    rows.retain(|row| not_run.iter().all(|it| it.0 != row.name));
    report(rows, not_run)
}

fn report(rows: Vec<Row>, not_run: Vec<(String, String)>) -> Result<Report, String> {
    let head = ["", "CPU ms", "× floor", "wall ms", "1st CPU ms", "× floor", "peak MB", "× floor"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let (mut floor, mut ours) = (None, None);
    for Row { name, cpu, wall, first, peak } in rows {
        let [Some(cpu), Some(wall), Some(first), Some(peak)] = [cpu, wall, first, peak].map(median)
        else {
            return Err(format!("{name} does not tell what it used; this bench needs Linux"));
        };
        let least = *floor.get_or_insert([cpu, first, peak]);
        if name == "repaint" {
            ours = Some((cpu / least[0], peak));
        }
        let cells =
            [cpu, cpu / least[0], wall, first, first / least[1], peak, peak / least[2]].map(short);
        table.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    let (ratio, peak) = ours.ok_or_else(|| format!("repaint was not measured: {not_run:?}"))?;
    Ok(Report {
        bench: "client",
        title: format!(
            "8 files of 3 MB up, 8 MB of base64 down, over loopback; medians of {} edits in {} \
             processes; the first edit counts the start of its process",
            ROUNDS * TIMES,
            ROUNDS
        ),
        table,
        figures: vec![
            Figure {
                name: "CPU of repaint to that of the floor".to_owned(),
                value: ratio,
                unit: "×",
                goal: Some(GOAL_RATIO),
                aim: None,
            },
            Figure {
                name: "memory of repaint at its peak".to_owned(),
                value: peak,
                unit: "MB",
                goal: Some(GOAL_PEAK_MB),
                aim: None,
            },
        ],
        not_run,
    })
}

impl Row {
    fn add(&mut self, found: &Value) {
        let list = |name: &str| {
            found[name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
        };
        let (cpu, wall): (Vec<f64>, Vec<f64>) = (list("cpu_ms"), list("wall_ms"));
        self.cpu.extend(cpu);
        self.wall.extend(wall);
        self.first.extend(found["first_ms"].as_f64());
        self.peak.extend(found["peak_mb"].as_f64());
    }
}

/// Files that pass for photographs: the head of a JPEG, random bytes, its end.
fn images(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut head = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8];
    head.extend([1024_u16.to_be_bytes(), 1024_u16.to_be_bytes()].concat());
    head.extend([1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    for index in 0..IMAGES {
        let mut bytes = head.clone();
        bytes.extend(Random::new(index as u64 + 2).take(IMAGE_BYTES - head.len() - 2));
        bytes.extend([0xff, 0xd9]);
        fs::write(folder.join(format!("{index}.jpg")), bytes)?;
    }
    Ok(())
}
