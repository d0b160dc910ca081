//! Plays many random schedules, on as many threads as there are processors; `cargo xtask simulate` calls it.

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use repaint_tests::simulation::{Scene, Schedule, listed, many, seed_of};

const USAGE: &str = "usage: cargo xtask simulate [--schedules N] [--seed S] [--only INDEX]";

struct Asked {
    schedules: u64,
    seed: u64,
    only: Option<u64>,
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let Asked { schedules, seed, only } = asked;
    if let Some(index) = only {
        return one(&Schedule::drawn(seed_of(seed, index)));
    }
    println!("seed {seed}");
    let began = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut sums = in_scene(listed);
    let listed = sums.schedules;
    let runs: Vec<_> = (0..threads)
        .map(|it| {
            thread::spawn(move || {
                in_scene(|scene| many(scene, seed, it as u64, threads, schedules))
            })
        })
        .collect();
    for run in runs {
        match run.join() {
            Ok(more) => sums.and(more),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{sums}");
    println!("{listed} of them listed, the others random; {seconds:.1} s on {threads} threads");
    match sums.broken {
        None => ExitCode::SUCCESS,
        Some((invariant, told)) => {
            println!("{invariant} does not hold:\n{told}");
            ExitCode::FAILURE
        }
    }
}

/// Plays one, and tells all of it.
fn one(schedule: &Schedule) -> ExitCode {
    let played = in_scene(|scene| scene.play(schedule, true));
    println!("{schedule}{}", played.trace.join("\n"));
    for violation in &played.violations {
        println!("{} does not hold: {}", violation.invariant, violation.how);
    }
    if played.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn in_scene<T>(work: impl FnOnce(&Scene) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder for the store");
    work(&Scene::new(folder.path()))
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { schedules: 100_000, seed: 1, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
        let number = value.parse().map_err(|_| format!("{value} is no number"))?;
        match word.as_str() {
            "--schedules" => asked.schedules = number,
            "--seed" => asked.seed = number,
            "--only" => asked.only = Some(number),
            _ => return Err(format!("{word} is no option")),
        }
    }
    Ok(asked)
}
