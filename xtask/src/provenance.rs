//! `cargo xtask provenance`: which facts somebody should look into, and how well all of them are known.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stdout};

use repaint_core::{Date, ImageModel, Registry};
use repaint_schema::{Finding, OLD_DAYS, Provenance, Share, Standing, provenance, share};
use serde_json::json;

const USAGE: &str = "usage: cargo xtask provenance [--json] [--today YYYY-MM-DD]";

/// What is printed where it is not known how wide a line may be.
const WIDTH: usize = 100;

pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (mut as_json, mut today) = (false, Date::today());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--json" => as_json = true,
            "--today" => today = args.next().ok_or(USAGE)?.parse()?,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let registry = Registry::linked().map_err(|err| err.to_string())?;
    let (found, seed) = (provenance(&registry, today), share(&registry, is_of_seed));
    let text = if as_json {
        let mut value = serde_json::to_value(&found).map_err(|err| err.to_string())?;
        value["share_of_seed"] = json!(seed);
        serde_json::to_string_pretty(&value).map_err(|err| err.to_string())? + "\n"
    } else {
        let width = if stdout().is_terminal() { terminal_size::terminal_size() } else { None };
        shown(&found, seed, width.map_or(WIDTH, |it| usize::from(it.0.0)))
    };
    match stdout().lock().write_all(text.as_bytes()) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err.to_string()),
        _ => Ok(()),
    }
}

/// The sentence of the README.
pub(crate) fn sentence(registry: &Registry) -> String {
    let (seed, all) = (share(registry, is_of_seed), share(registry, |_| true));
    format!(
        "Of the facts that can refuse a request, {seed} of Kontext's, FLUX.2's and Gemini's at Together are documented or observed,\n\
         and {all} of all offers'; a limit that is not set is not counted, nor one of our own where no provider states any\n\
         (20 MB an image, 64 MB a body), nor what concerns input images where none are taken. 90% is the aim. What is missing is\n\
         stated on no page that we know: how many reference images Together takes and of which kinds, whether as bytes, the range\n\
         of seeds. `cargo xtask provenance` lists it, and `repaint probe` asks for it.\n"
    )
}

/// The offers that the project began with.
fn is_of_seed(model: &dyn ImageModel) -> bool {
    model.provider().id == "together" && ["kontext", "flux2", "gemini"].contains(&model.family())
}

fn shown(found: &Provenance, seed: Share, width: usize) -> String {
    let Provenance { today, share, assumed, undeclared, old, retires } = found;
    let first = format!(
        "{seed} of the facts of the seed's offers are documented or observed, {share} of all, on {today}"
    );
    let mut text = wrapped(&first, width).join("\n") + "\n";
    section(
        &mut text,
        "undeclared: no adapter names it, so nobody has judged it",
        undeclared.iter().map(row).collect(),
        width,
    );
    section(
        &mut text,
        "assumed: no provider states it, and the strict reading is enforced",
        assumed.iter().map(row).collect(),
        width,
    );
    let aged = |it: &Finding| {
        let [fact, value, rest] = row(it);
        [fact, value, format!("{} days old; {rest}", it.days)]
    };
    section(
        &mut text,
        &format!("old: read or seen more than {OLD_DAYS} days ago, so read it again"),
        old.iter().map(aged).collect(),
        width,
    );
    let ends = retires.iter().map(|it| {
        let left = match it.days {
            left @ 1.. => format!("in {left} days"),
            left => format!("{} days ago", -left),
        };
        let instead = it.successor.map_or(String::new(), |it| format!(", use {it}"));
        [it.date.to_string(), left, format!("{}{instead} ({})", it.offer, it.source)]
    });
    section(&mut text, "ends: refused from that day on", ends.collect(), width);
    text
}

fn section(text: &mut String, head: &str, rows: Vec<[String; 3]>, width: usize) {
    if rows.is_empty() {
        let word = head.split(':').next().unwrap_or(head);
        text.push_str(&format!("\n{word}: nothing\n"));
        return;
    }
    text.push_str(&format!("\n{}\n", wrapped(head, width).join("\n")));
    let long = |column: usize, most: usize| {
        rows.iter().map(|it| it[column].chars().count()).max().unwrap_or(0).min(most)
    };
    let (first, second) = (long(0, 16), long(1, width.saturating_sub(16) / 3));
    let third = width.saturating_sub(first + second + 6).max(16);
    for row in &rows {
        let cells = [(&row[0], first), (&row[1], second), (&row[2], third)];
        let cells = cells.map(|(text, width)| wrapped(text, width));
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let part = |cell: usize| cells[cell].get(line).map_or("", String::as_str);
            let line = format!("  {:first$}  {:second$}  {}", part(0), part(1), part(2));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

/// The fact, its value, and whose it is with its source: what a person needs who looks into it.
fn row(it: &Finding) -> [String; 3] {
    let mut by_provider: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (provider, model) in it.offers.iter().filter_map(|it| it.split_once('/')) {
        by_provider.entry(provider).or_default().push(model);
    }
    let offers = by_provider.iter().map(|(provider, it)| format!("{provider}: {}", it.join(", ")));
    let offers: Vec<String> = offers.collect();
    let source = match it.standing {
        Standing::Undeclared => String::new(),
        _ => format!(" ({}, {})", it.source, it.date),
    };
    let text = offers.join("; ") + &source;
    [it.fact.to_owned(), it.value.clone(), text]
}

/// Breaks a text at blanks, and a word that is too long where it must be: no line is longer than
/// `width`.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let line = lines.last().map_or(0, |it| it.chars().count());
        if line != 0 && line + 1 + word.len() <= width {
            lines.last_mut().into_iter().for_each(|it| it.push(' '));
        } else if line != 0 {
            lines.push(String::new());
        }
        while width < word.len() {
            let rest = word.split_off(width);
            lines.last_mut().into_iter().for_each(|it| it.extend(&word));
            lines.push(String::new());
            word = rest;
        }
        lines.last_mut().into_iter().for_each(|it| it.extend(&word));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(today: &str) -> Provenance {
        let registry = Registry::linked().expect("linked");
        provenance(&registry, today.parse().expect("a date"))
    }

    #[test]
    fn what_several_offers_share_is_one_line_that_fits() {
        let text = shown(&found("2026-11-24"), Share { known: 9, of: 10 }, 80);
        assert!(text.starts_with("90% (9 of 10) of the facts of the seed's offers"), "{text}");
        assert!(text.lines().all(|it| it.chars().count() <= 80), "{text}");
        // One for each source, of thirteen offers.
        assert_eq!(text.lines().filter(|it| it.starts_with("  media_types ")).count(), 4, "{text}");
    }

    #[test]
    fn a_fact_is_old_when_ninety_days_have_gone_by() {
        let read_on_the_day = |it: &&Finding| it.date == Date::new(2026, 11, 22);
        assert_eq!(found("2027-02-20").old.iter().find(read_on_the_day), None);
        assert!(found("2027-02-21").old.iter().any(|it| read_on_the_day(&it)));
        assert!(found("2027-02-21").old.is_sorted_by_key(|it| it.date));
    }

    #[test]
    fn nothing_of_ours_is_left_unjudged() {
        assert_eq!(found("2026-11-24").undeclared, []);
    }
}
