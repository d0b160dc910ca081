//! `repaint completions` and `repaint man`: the command line as it describes itself.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use repaint::{Error, ErrorKind, Result};

use crate::args::Line;
use crate::show;

/// What a shell reads to complete our commands.
pub(crate) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "repaint", &mut script);
    show::result(&String::from_utf8_lossy(&script));
}

/// The manual page of the program, or of one command.
pub(crate) fn page(of: Option<&str>) -> Result<()> {
    let mut line = Line::command();
    // Gives every command its whole name and the options that all have.
    line.build();
    let command = match of {
        None => line,
        Some(name) => {
            let found = line.get_subcommands().find(|it| {
                it.get_name() == name || it.get_visible_aliases().any(|alias| alias == name)
            });
            found.cloned().ok_or_else(|| unknown(&line, name))?
        }
    };
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut page = Vec::new();
    let source = format!("repaint {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).title(name).source(source).manual("Commands of repaint");
    let rendered: io::Result<()> = man.render(&mut page);
    rendered.map_err(|err| Error::new(ErrorKind::Unexpected, format!("no page: {err}")))?;
    show::result(&sections(&String::from_utf8_lossy(&page)));
    Ok(())
}

/// What stands after the options under the names that pages have, its lines as they are.
fn sections(page: &str) -> String {
    let Some((before, extra)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let (extra, after) = match extra.find("\n.SH ") {
        Some(end) => extra.split_at(end + 1),
        None => (extra, ""),
    };
    let (examples, notes) = match extra.strip_prefix("Examples:\n") {
        Some(extra) => extra.split_once("\n\n").unwrap_or((extra, "")),
        None => ("", extra),
    };
    let section = |name: &str, text: &str| match text.trim_end() {
        "" => String::new(),
        text => format!(".SH {name}\n.nf\n{text}\n.fi\n"),
    };
    format!("{before}{}{}{after}", section("EXAMPLES", examples), section("NOTES", notes))
}

fn unknown(line: &clap::Command, name: &str) -> Error {
    let names: Vec<&str> = line.get_subcommands().map(clap::Command::get_name).collect();
    let message = format!("no command is called `{name}`; there are {}", names.join(", "));
    Error::new(ErrorKind::InvalidRequest, message)
}
