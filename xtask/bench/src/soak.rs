//! A gateway under load for minutes, before a provider that fails in all ways: what it holds of memory, and
//! whether anything is lost or paid twice.
//!
//! Each caller asks for something of its own again and again, as libraries do: it gives up, breaks the connection and sends
//! the same again; it has a key, or none. The prompt is another each time, so each order that the provider takes is known to
//! be of one call.

mod load;
mod provider;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use load::{Told, Work};
use provider::Provider;

/// What was kept of answers is forgotten after this time, so that the memory can come to rest within the soak.
const REPLAY_SECONDS: u64 = 60;
/// In the last third of the time the program may hold so much more than in the third before.
const GROWS: f64 = 1.10;

/// Runs `repaint serve` for so many minutes, with so many callers at once.
pub(crate) fn run(program: &Path, minutes: &str, callers: &str, seed: &str) -> Result<Value> {
    let (minutes, callers): (f64, u64) = (minutes.parse()?, callers.parse()?);
    let seed: u64 = seed.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let provider = Provider::start(seed).await?;
        let folder = std::env::temp_dir().join(format!("repaint-soak-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let result = soak(program, &folder, &provider, minutes, callers, seed).await;
        std::fs::remove_dir_all(&folder)?;
        result
    })
}

async fn soak(
    program: &Path,
    folder: &Path,
    provider: &Provider,
    minutes: f64,
    callers: u64,
    seed: u64,
) -> Result<Value> {
    let mut gateway = Gateway::start(program, folder, provider)?;
    let began = Instant::now();
    let time = Duration::from_secs_f64(minutes * 60.0);
    let work = Arc::new(Work::new(gateway.address.clone(), began + time)?);
    let tasks: Vec<_> = (0..callers)
        .map(|number| tokio::spawn(load::caller(Arc::clone(&work), number, seed)))
        .collect();
    let mut held = Vec::new();
    while began.elapsed() < time {
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.push(gateway.held()?);
        if began.elapsed().as_secs().is_multiple_of(30) {
            let (done, now) = (work.done(), held.last().copied().unwrap_or_default());
            eprintln!("{:4} s: {done} calls, {now} KB", began.elapsed().as_secs());
        }
    }
    for task in tasks {
        task.await?;
    }
    let metrics = load::text(&gateway.address, "/metrics").await?;
    let ended = gateway.stop()?;
    let told = work.told();
    let orders = provider.orders();
    let (mut twice, mut lost, mut in_vain) = (Vec::new(), Vec::new(), Vec::new());
    for (prompt, taken) in &orders {
        if 1 < *taken {
            twice.push(prompt.clone());
        }
        match told.get(prompt) {
            // An error that nobody sends again, with the id of the job.
            Some(Told::Pictures | Told::MayHaveCost) => {}
            Some(Told::CostNothing(status)) => lost.push(format!("{prompt}: {status}")),
            None => lost.push(format!("{prompt}: nobody was told")),
        }
    }
    for (prompt, it) in &told {
        if *it == Told::Pictures && !orders.contains_key(prompt) {
            in_vain.push(prompt.clone());
        }
    }
    let third = held.len() / 3;
    let (before, last) = (median(&held[third..2 * third]), median(&held[2 * third..]));
    let count = |of: fn(&Told) -> bool| told.values().filter(|it| of(it)).count();
    let counted = |name: &str| {
        let lines = metrics.lines().filter(|it| it.starts_with(name));
        lines.filter_map(|it| it.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    let flat = before == 0.0 || last <= before * GROWS;
    Ok(json!({
        "minutes": minutes,
        "callers": callers,
        "calls": told.len(),
        "pictures": count(|it| *it == Told::Pictures),
        "may_have_cost": count(|it| *it == Told::MayHaveCost),
        "cost_nothing": count(|it| matches!(it, Told::CostNothing(_))),
        "orders_taken": orders.values().sum::<u64>(),
        "faults": provider.faults(),
        "replays": counted("repaint_replays_total"),
        "broken_off": work.broken(),
        "paid_twice": twice.len(),
        "lost": lost.len(),
        "pictures_of_nobody": in_vain.len(),
        "examples": twice.iter().chain(&lost).chain(&in_vain).take(5).collect::<Vec<_>>(),
        "held_kb_middle_third": before,
        "held_kb_last_third": last,
        "held_kb_most": held.iter().max(),
        "ended_well": ended,
        "holds": flat && ended && twice.is_empty() && lost.is_empty() && in_vain.is_empty(),
    }))
}

fn median(of: &[u64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or(0.0, |it| *it as f64)
}

/// The program, as somebody starts it.
struct Gateway {
    program: Child,
    address: String,
}

impl Gateway {
    fn start(program: &Path, folder: &Path, provider: &Provider) -> Result<Self> {
        let config = folder.join("repaint.toml");
        std::fs::write(
            &config,
            format!("timeout = 6\n[serve]\nreplay_seconds = {REPLAY_SECONDS}\n"),
        )?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut program = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("REPAINT_CONFIG", &config)
            .env("REPAINT_STORE", folder.join("orders.sqlite"))
            .env("NO_PROXY", "127.0.0.1")
            .envs([("TOGETHER_API_KEY", "a"), ("BFL_API_KEY", "a")])
            .envs([("TOGETHER_BASE_URL", provider.url()), ("BFL_BASE_URL", provider.url())])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(program.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.ok_or("it does not say where it listens")?.to_owned();
        Ok(Self { program, address })
    }

    /// How much it holds in memory, in KB.
    fn held(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id()))?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).ok_or("it has ended")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Asks it to end; whether it does so well.
    fn stop(&mut self) -> Result<bool> {
        let id = self.program.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        Ok(self.program.wait()?.success())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
