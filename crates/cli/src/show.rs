//! What goes to the terminal: results to standard output, all else to standard error.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use repaint::{Error, ErrorKind, Handle, Warning, quotable};
use serde::Serialize;

use crate::{ask, orders};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Whether a result could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be written, so that whoever reads it misses something.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// A result. Colours are left out where they are not wanted; a reader that has gone away is no error.
pub(crate) fn result(text: &str) {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(err) = written
        && err.kind() != io::ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
        let why = format!("standard output: {}", ask::why(&err));
        error(&Error::new(ErrorKind::Unexpected, why));
    }
}

/// A result as JSON.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => result(&format!("{text}\n")),
        Err(err) => note(&format!("the result has no JSON: {err}")),
    }
}

/// A path in JSON, which has no other text than Unicode.
pub(crate) fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A line beside the result.
pub(crate) fn note(text: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A sentence beside the result, broken where the terminal ends.
pub(crate) fn said(text: &str) {
    note(&wrapped(text, width_of(&io::stderr())).join("\n"));
}

pub(crate) fn warning(warning: &Warning) {
    let text =
        wrapped(&format!("warning: {}", warning.message), width_of(&io::stderr())).join("\n");
    note(&text.replacen("warning:", &format!("{YELLOW}warning:{YELLOW:#}"), 1));
}

pub(crate) fn error(err: &Error) {
    let offer = err.data().offer.as_deref().filter(|it| !err.message().contains(*it));
    let offer = offer.map_or_else(String::new, |it| format!("{it}: "));
    let lines = format!("error: {offer}{err}");
    let lines = lines.lines().map(|it| wrapped(&visible(it), width_of(&io::stderr())).join("\n"));
    let text = lines.collect::<Vec<_>>().join("\n");
    note(&text.replacen("error:", &format!("{RED}error:{RED:#}"), 1));
    let data = err.data();
    match &data.resume {
        // Where it was, it is no more.
        Some(Handle { provider, id, .. }) if err.kind() == ErrorKind::Expired => {
            note(&format!("the job was {} at {provider}", quotable(id)));
        }
        Some(handle) => self::handle(handle),
        None => {}
    }
    if let Some(cost) = data.cost {
        note(&format!("the provider says that it charged {cost}"));
    }
    if let Some(id) = &data.request_id
        && data.resume.is_none()
    {
        note(&format!("the provider's id of the request is {id}"));
    }
}

/// How to pick up a job. A provider's words do not steer the terminal.
pub(crate) fn handle(handle: &Handle) {
    let Handle { provider, id, poll, pictures } = handle;
    note(&format!("the job is {} at {provider}", quotable(id)));
    if let Some(poll) = poll {
        note(&format!("ask for it at {}", plain(poll)));
    }
    for picture in pictures {
        note(&format!("its picture is at {} (usually for minutes only)", plain(picture)));
    }
    if orders::is_wanted() {
        note("`repaint jobs` lists it, and `repaint resume --all` fetches it");
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).collect()
}

/// The exit code of a kind of error; documented in the help.
pub(crate) fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Refused => 3,
        ErrorKind::InvalidRequest => 4,
        ErrorKind::Denied => 5,
        ErrorKind::Moderated => 6,
        ErrorKind::Exhausted => 7,
        ErrorKind::Unavailable => 8,
        ErrorKind::OutcomeUnknown => 9,
        ErrorKind::Expired => 10,
        ErrorKind::Unexpected => 11,
    }
}

/// How wide a line may be: that of the terminal; where there is none, nothing is broken.
pub(crate) fn line_width() -> usize {
    width_of(&io::stdout())
}

fn width_of(stream: &impl IsTerminal) -> usize {
    let terminal = if stream.is_terminal() { terminal_size::terminal_size() } else { None };
    terminal.map_or(usize::MAX, |(width, _)| usize::from(width.0))
}

/// Breaks a text at blanks so that no line is longer than `width`, the first included. The blanks that it
/// begins with stay.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let inner = text.trim_start_matches(' ');
    if inner.len() < text.len() && text.len() - inner.len() < width {
        let indent = " ".repeat(text.len() - inner.len());
        let lines = wrapped(inner, width - indent.len());
        return lines.iter().map(|it| format!("{indent}{it}")).collect();
    }
    let mut lines = vec![String::new()];
    for word in inner.split(' ') {
        let line = lines.last_mut().map_or(0, |it| it.chars().count());
        let longer = line.saturating_add(1 + word.chars().count());
        if line != 0 && width < longer {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if line != 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// The last column is not made narrower than this.
const NARROW: usize = 24;

/// Columns side by side; the last is broken so that the table fits the terminal. Where that leaves it
/// too little, the cells of a row stand one below the other.
pub(crate) fn table(rows: &[Vec<String>], head: &[&str]) -> String {
    table_in(rows, head, line_width())
}

fn table_in(rows: &[Vec<String>], head: &[&str], width: usize) -> String {
    let columns = head.len();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|it| visible(it)).collect()).collect();
    let long = |column: usize| {
        let cells = rows.iter().filter_map(|it| it.get(column)).map(|it| it.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(long).collect();
    let before: usize = widths[..columns - 1].iter().map(|it| it + 2).sum();
    let last = width.saturating_sub(before);
    if last < NARROW.min(widths[columns - 1]) {
        return stacked(&rows, head, width);
    }
    let mut table = String::new();
    let mut line = |cells: &[String], style: Style| {
        for (index, part) in wrapped(&cells[columns - 1], last).iter().enumerate() {
            let mut text = String::new();
            for (cell, width) in cells[..columns - 1].iter().zip(&widths) {
                let cell = if index == 0 { cell.as_str() } else { "" };
                text.push_str(&format!("{cell:<width$}  "));
            }
            text.push_str(part);
            table.push_str(&format!("{style}{}{style:#}\n", text.trim_end()));
        }
    };
    let head: Vec<String> = head.iter().map(|it| (*it).to_owned()).collect();
    line(&head, BOLD);
    for row in &rows {
        line(row, Style::new());
    }
    table
}

/// What a file or a provider says does not steer the terminal, nor break a table.
pub(crate) fn visible(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let shown = text.chars().flat_map(|it| {
        let escaped = it.is_control().then(|| it.escape_default());
        let plain = escaped.is_none().then_some(it);
        escaped.into_iter().flatten().chain(plain)
    });
    shown.collect()
}

/// The first cell of a row as its title, the others below it under their names.
fn stacked(rows: &[Vec<String>], head: &[&str], width: usize) -> String {
    let mut text = String::new();
    for row in rows {
        for (index, (cell, name)) in row.iter().zip(head).enumerate() {
            if index == 0 {
                text.push_str(&format!("{BOLD}{cell}{BOLD:#}\n"));
                continue;
            }
            for line in wrapped(&format!("{name}: {cell}"), width.saturating_sub(2)) {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_the_terminal_or_stands_on_its_side() {
        let row = ["together/gemini-2.5-flash-image", "0-3*", "takes at most three of them"];
        let rows = [row.map(str::to_owned).to_vec()];
        let head = ["offer", "images", "says"];
        for width in [80, 64, 40] {
            let table = table_in(&rows, &head, width);
            let plain = anstream::adapter::strip_str(&table).to_string();
            let widest = plain.lines().map(|it| it.chars().count()).max();
            assert!(widest <= Some(width), "{width}: {plain}");
            assert!(plain.contains("most"), "{plain}");
        }
        // Nothing fits, and nothing breaks.
        assert!(!table_in(&rows, &head, 1).is_empty());
    }
}
