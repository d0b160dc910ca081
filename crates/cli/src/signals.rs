//! How the program is asked to stop: by Ctrl-C, by the system, or by a terminal that goes away.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use repaint::CancellationToken;

use crate::show;

/// The exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// What is asked again so soon is the same wish.
const SAME: Duration = Duration::from_millis(500);

/// Whoever asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Asked {
    /// A person, or a program that may ask again.
    Stop,
    /// The terminal is gone. That is said more than once: by the system, and by the shell.
    Gone,
}

/// The first time the job is asked to stop and to report its handle; the second, the program stops at
/// once, and leaves no file behind either.
pub(crate) async fn interrupted(cancel: CancellationToken, reserved: Vec<PathBuf>) {
    let Some(mut signals) = Signals::new() else { return };
    if signals.next().await.is_none() {
        return;
    }
    cancel.cancel();
    let first = Instant::now();
    show::note("stopping; once more to stop at once");
    while let Some(asked) = signals.next().await {
        // `timeout` asks the program and then its group, within a moment: that is one wish.
        if asked == Asked::Gone || first.elapsed() < SAME {
            continue;
        }
        for reserved in reserved {
            let _ = std::fs::remove_file(reserved);
        }
        std::process::exit(INTERRUPTED.into());
    }
}

/// Waits to be asked to stop; `false` if that cannot be heard.
pub(crate) async fn signal() -> bool {
    match Signals::new() {
        Some(mut signals) => signals.next().await.is_some(),
        None => false,
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = || signal(SignalKind::hangup()).ok();
        Some(Self {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
            hangup: hears_hangup().then(hangup).flatten(),
        })
    }

    async fn next(&mut self) -> Option<Asked> {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            heard = self.interrupt.recv() => heard.map(|()| Asked::Stop),
            heard = self.terminate.recv() => heard.map(|()| Asked::Stop),
            heard = hangup => heard.map(|()| Asked::Gone),
        }
    }
}

/// Whether the end of the terminal concerns us: not under `nohup`, which has it ignored from the start.
#[cfg(unix)]
fn hears_hangup() -> bool {
    use std::io::IsTerminal;
    use std::sync::LazyLock;

    // Asked once, before there is a handler of ours.
    static HEARS: LazyLock<bool> = LazyLock::new(|| {
        match std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(ignores_hangup)
        {
            Some(ignored) => !ignored,
            // No other system says it without unsafe code; `nohup` leaves neither of them a terminal.
            None => std::io::stdout().is_terminal() || std::io::stderr().is_terminal(),
        }
    });
    *HEARS
}

/// Whether Linux ignores the hangup of the process of which this is the status.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> Option<bool> {
    let ignored = status.lines().find_map(|it| it.strip_prefix("SigIgn:"))?;
    // A bit a signal, from 1; the hangup is the first.
    u64::from_str_radix(ignored.trim(), 16).ok().map(|it| it & 1 == 1)
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    logoff: tokio::signal::windows::CtrlLogoff,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> Option<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
        Some(Self {
            interrupt: ctrl_c().ok()?,
            stop: ctrl_break().ok()?,
            close: ctrl_close().ok()?,
            logoff: ctrl_logoff().ok()?,
            shutdown: ctrl_shutdown().ok()?,
        })
    }

    /// Windows leaves a few seconds after the last three, enough to write down the handle.
    async fn next(&mut self) -> Option<Asked> {
        tokio::select! {
            heard = self.interrupt.recv() => heard.map(|()| Asked::Stop),
            heard = self.stop.recv() => heard.map(|()| Asked::Stop),
            heard = self.close.recv() => heard.map(|()| Asked::Gone),
            heard = self.logoff.recv() => heard.map(|()| Asked::Gone),
            heard = self.shutdown.recv() => heard.map(|()| Asked::Gone),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_off_the_status() {
        for (status, ignored) in [
            ("Name:\trepaint\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n", Some(true)),
            ("SigIgn:\t0000000000001000\n", Some(false)),
            ("SigIgn:\twhat\n", None),
            ("", None),
        ] {
            assert_eq!(ignores_hangup(status), ignored, "{status}");
        }
    }
}
