//! What the gateway counts, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the gateway counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By path and status: how many requests, and how long they took together, in microseconds.
    requests: Mutex<BTreeMap<(String, u16), (u64, u64)>>,
    /// By how it was known: requests that joined a call that was under way or over.
    joined: Mutex<BTreeMap<&'static str, u64>>,
    /// By what came of them: jobs.
    jobs: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) connections: AtomicU64,
    pub(crate) left: AtomicU64,
    pub(crate) spared: AtomicU64,
}

/// What is read off when somebody asks.
#[derive(Debug)]
pub(crate) struct Now {
    pub(crate) budget_used: u64,
    pub(crate) budget_total: u64,
    pub(crate) in_files: u64,
    pub(crate) fetched: u64,
    pub(crate) calls: usize,
    pub(crate) kept_bytes: u64,
    pub(crate) window: Duration,
}

impl Metrics {
    pub(crate) fn request(&self, path: &str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = requests.entry((path.to_owned(), status)).or_default();
        entry.0 += 1;
        entry.1 += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    }

    pub(crate) fn joined(&self, how: &'static str) {
        *self.joined.lock().unwrap_or_else(PoisonError::into_inner).entry(how).or_default() += 1;
    }

    pub(crate) fn job(&self, end: &'static str) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner).entry(end).or_default() += 1;
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self, now: &Now) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(&mut text, "repaint_requests_total", "counter", "Requests that were answered.");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((path, status), (count, _)) in &requests {
            let _ = writeln!(
                text,
                "repaint_requests_total{{path=\"{path}\",status=\"{status}\"}} {count}"
            );
        }
        head(
            &mut text,
            "repaint_request_seconds_total",
            "counter",
            "How long they took until their answers began.",
        );
        for ((path, status), (_, micros)) in &requests {
            let seconds = *micros as f64 / 1e6;
            let _ = writeln!(
                text,
                "repaint_request_seconds_total{{path=\"{path}\",status=\"{status}\"}} {seconds}"
            );
        }
        head(&mut text, "repaint_jobs_total", "counter", "Jobs that ended, by how.");
        for (end, count) in self.jobs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(text, "repaint_jobs_total{{end=\"{end}\"}} {count}");
        }
        let help = "Requests that bought nothing since they joined a call, by how it was known.";
        head(&mut text, "repaint_replays_total", "counter", help);
        for (how, count) in self.joined.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(text, "repaint_replays_total{{by=\"{how}\"}} {count}");
        }
        let count = |it: &AtomicU64| it.load(Ordering::Relaxed) as f64;
        for (name, kind, help, value) in [
            (
                "repaint_calls_left_total",
                "counter",
                "Calls whose caller went away after an order was sent.",
                count(&self.left),
            ),
            (
                "repaint_calls_spared_total",
                "counter",
                "Calls whose caller went away before anything was sent, so that nothing was.",
                count(&self.spared),
            ),
            ("repaint_connections", "gauge", "Open connections.", count(&self.connections)),
            ("repaint_calls", "gauge", "Calls that are known, with those over.", now.calls as f64),
            (
                "repaint_body_bytes",
                "gauge",
                "Bytes that bodies of requests have reserved.",
                now.budget_used as f64,
            ),
            (
                "repaint_body_bytes_limit",
                "gauge",
                "Bytes that they may have together.",
                now.budget_total as f64,
            ),
            (
                "repaint_bytes_in_files",
                "gauge",
                "Bytes of bodies and of kept answers for which memory had no room.",
                now.in_files as f64,
            ),
            (
                "repaint_fetched_bytes",
                "gauge",
                "Bytes of images that were fetched for callers, or have room reserved.",
                now.fetched as f64,
            ),
            (
                "repaint_kept_bytes",
                "gauge",
                "Bytes of pictures that are kept for callers who ask again.",
                now.kept_bytes as f64,
            ),
            (
                "repaint_replay_window_seconds",
                "gauge",
                "How long they are kept.",
                now.window.as_secs_f64(),
            ),
        ] {
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }
}
