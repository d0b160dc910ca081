//! What a server has to say while it runs: warnings, one a line, on standard error.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes warnings and errors; spans are for hosts that have somewhere to send them.
struct Log;

/// From now on, warnings are written.
pub(crate) fn begin() {
    // Whoever was faster writes them.
    let _ = tracing::subscriber::set_global_default(Log);
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Of other people's crates nobody knows whether they keep secrets out of their words.
        metadata.is_event()
            && *metadata.level() <= Level::WARN
            && metadata.target().starts_with("repaint")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        // A log that nobody reads any more does not end the server.
        let _ = writeln!(std::io::stderr(), "warning: {}{}", line.message, line.fields);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Words of a provider may have anything in them.
        let text = crate::show::visible(&format!("{value:?}"));
        match field.name() {
            "message" => self.message = text,
            name => {
                let _ = write!(self.fields, " ({name}: {text})");
            }
        }
    }
}
