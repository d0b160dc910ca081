//! Progress on a terminal: one line on standard error that is gone when the work is done.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use repaint::{Phase, Progress};

/// A line that turns while a job runs; silent where standard error is no terminal.
#[derive(Clone, Debug)]
pub(crate) struct Watch(ProgressBar);

impl Watch {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if io::stderr().is_terminal() {
            let plain = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
            bar.set_style(plain.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self(bar)
    }

    pub(crate) fn tell(&self, progress: &Progress) {
        let message = match progress {
            Progress::Started { offer } => format!("{offer}: getting ready"),
            Progress::Calling { phase: Phase::Connect | Phase::Submit } => "sending".to_owned(),
            Progress::Calling { phase: Phase::Poll }
            | Progress::Rate { .. }
            | Progress::Delivered => return,
            Progress::Calling { phase: Phase::Download } => "fetching the picture".to_owned(),
            Progress::Sent { bytes, total } if bytes == total => {
                "waiting for the answer".to_owned()
            }
            Progress::Sent { bytes, total } => {
                format!("sending {} of {} MB", megabytes(*bytes), megabytes(*total))
            }
            Progress::Accepted { handle } => format!("taken as {}", handle.id),
            Progress::Status { status } => format!("the provider says: {status}"),
            Progress::Again { after, why, .. } => {
                format!("again in {:.1} s: {why}", after.as_secs_f64())
            }
            Progress::Received { bytes } => format!("received {} MB", megabytes(*bytes)),
            Progress::Working => "painting".to_owned(),
        };
        self.0.set_message(message);
    }

    pub(crate) fn done(&self) {
        self.0.finish_and_clear();
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
