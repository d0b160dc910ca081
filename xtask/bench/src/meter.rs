//! What this process has used so far: CPU of all its threads, and memory at its peak.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// The figures of repeated work.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// What the process had used when the first piece was done: its start and all.
    first: Option<f64>,
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

/// When a piece of work began.
pub(crate) struct Begun {
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    pub(crate) fn begin() -> Begun {
        Begun { cpu: cpu(), wall: Instant::now() }
    }

    pub(crate) fn end(&mut self, begun: &Begun) {
        self.cpu.push(milliseconds(cpu() - begun.cpu));
        self.wall.push(milliseconds(begun.wall.elapsed()));
        self.first.get_or_insert_with(|| milliseconds(cpu()));
    }

    /// What the programs of the peers print too.
    pub(crate) fn line(&self) -> Value {
        let Self { first, cpu, wall } = self;
        json!({ "first_ms": first, "cpu_ms": cpu, "wall_ms": wall, "peak_mb": peak() })
    }
}

/// User and system time of all threads, also of those that have ended.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = time.tv_sec.try_into().unwrap_or(0);
    Duration::new(seconds, time.tv_nsec.try_into().unwrap_or(0))
}

/// The most memory that was resident, in MB of 2^20 bytes; Linux alone tells.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
