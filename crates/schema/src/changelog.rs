//! `schemas/CHANGELOG.md`: what is new since the last release, from the sets themselves.

use std::collections::{BTreeMap, BTreeSet};

use repaint_core::Date;

use crate::changes::{Change, Kind, changes};
use crate::edition::{Edition, Version};

/// The section that is made anew each time.
const OPEN: &str = "## Unreleased\n";
/// More files than this are counted, not named.
const NAMED: usize = 3;

/// The page with its section "Unreleased" made from the difference of two editions; older sections
/// stay as they are.
///
/// # Errors
///
/// Fails if the page has no such section.
pub fn changelog(
    page: &str,
    released: &Edition,
    present: &Edition,
    excuses: &BTreeMap<String, String>,
) -> Result<String, String> {
    let (head, rest) = split(page)?;
    let older = rest.find("\n## ").map_or("", |it| &rest[it..]);
    let section = section(&changes(released, present), excuses);
    Ok(format!("{head}{OPEN}\n{section}{older}"))
}

/// The page with its section "Unreleased" named after a version, and a new one begun.
///
/// # Errors
///
/// Fails if the page has no such section.
pub fn close(page: &str, version: Version, today: Date) -> Result<String, String> {
    let (head, rest) = split(page)?;
    Ok(format!("{head}{OPEN}\n{NOTHING}\n## {version} - {today}\n{rest}"))
}

const NOTHING: &str = "Nothing.\n";

fn split(page: &str) -> Result<(&str, &str), String> {
    let missing = || format!("schemas/CHANGELOG.md has no section `{}`", OPEN.trim());
    page.split_once(OPEN).ok_or_else(missing)
}

fn section(changes: &[Change], excuses: &BTreeMap<String, String>) -> String {
    let mut lines: BTreeMap<(Kind, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for Change { kind, place, what, path, breaks: _ } in changes {
        lines.entry((*kind, place, what)).or_default().insert(path);
    }
    let mut blocks = Vec::new();
    if !excuses.is_empty() {
        let lines = excuses.iter().map(|(path, reason)| format!("- `{path}`: {reason}\n"));
        blocks.push(format!("### Breaking, and why\n\n{}", lines.collect::<String>()));
    }
    let kinds = [
        (Kind::Added, "Added"),
        (Kind::Changed, "Changed"),
        (Kind::Removed, "Removed"),
        (Kind::Reworded, "In other words"),
    ];
    for (kind, heading) in kinds {
        let of_kind = lines.iter().filter(|(line, _)| line.0 == kind);
        let of_kind = of_kind.map(|((_, place, what), paths)| line(place, what, paths));
        let of_kind: String = of_kind.collect();
        if !of_kind.is_empty() {
            blocks.push(format!("### {heading}\n\n{of_kind}"));
        }
    }
    if blocks.is_empty() { NOTHING.to_owned() } else { blocks.join("\n") }
}

fn line(place: &str, what: &str, paths: &BTreeSet<&str>) -> String {
    let files = if paths.contains(place) {
        String::new()
    } else if paths.len() <= NAMED {
        let paths: Vec<String> = paths.iter().map(|it| format!("`{it}`")).collect();
        format!(" ({})", paths.join(", "))
    } else {
        format!(" (in {} files)", paths.len())
    };
    format!("- `{place}`: {what}{files}\n")
}

/// What `schemas/breaking.toml` excuses: reasons by path. A line is a comment, or
/// `"PATH" = "REASON"`.
///
/// # Errors
///
/// Names the line that is neither.
pub fn excuses(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut excuses = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // Strings of TOML that are written on one line are read as those of JSON.
        let pair = line.split_once(" = ").and_then(|(path, reason)| {
            Some((serde_json::from_str(path).ok()?, serde_json::from_str(reason).ok()?))
        });
        let (path, reason): (String, String) = pair
            .filter(|(_, reason): &(String, String)| !reason.trim().is_empty())
            .ok_or_else(|| {
                let line = number + 1;
                format!("schemas/breaking.toml, line {line}: write \"PATH\" = \"REASON\"")
            })?;
        excuses.insert(path, reason);
    }
    Ok(excuses)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edition(files: &[(&str, u32)]) -> Edition {
        let schemas = files.iter().map(|(path, most)| {
            (path.to_string(), json!({ "title": "Limit", "type": "integer", "maximum": most }))
        });
        let version = "1.0.0".parse().expect("a version");
        let (offers, rules) = (Vec::new(), BTreeMap::new());
        Edition {
            version,
            offers,
            schemas: schemas.collect(),
            rules,
            openapi: serde_json::Value::Null,
        }
    }

    const PAGE: &str =
        "# Changelog\n\n## Unreleased\n\nOld words.\n\n## 1.0.0 - 2026-11-22\n\nKept.\n";

    #[test]
    fn a_difference_is_told_once_with_its_files() {
        let (old, new) = (edition(&[("a", 1), ("b", 1)]), edition(&[("a", 2), ("b", 2), ("c", 2)]));
        let excuses = BTreeMap::from([("a".to_owned(), "the provider said so".to_owned())]);
        assert_eq!(
            changelog(PAGE, &old, &new, &excuses).expect("a page"),
            "# Changelog\n\n## Unreleased\n\n\
             ### Breaking, and why\n\n- `a`: the provider said so\n\n\
             ### Added\n\n- `c`: a new file\n\n\
             ### Changed\n\n- `Limit`: at most 2, was 1 (`a`, `b`)\n\n\
             ## 1.0.0 - 2026-11-22\n\nKept.\n"
        );
    }

    #[test]
    fn making_the_page_again_changes_nothing() {
        let (old, new) = (edition(&[("a", 1)]), edition(&[("a", 2)]));
        let once = changelog(PAGE, &old, &new, &BTreeMap::new()).expect("a page");
        assert_eq!(changelog(&once, &old, &new, &BTreeMap::new()).expect("a page"), once);
    }

    #[test]
    fn a_release_closes_the_section() {
        let (version, today) = ("1.1.0".parse().expect("a version"), Date::new(2026, 11, 24));
        let closed = close(PAGE, version, today).expect("a page");
        let begin = "## Unreleased\n\nNothing.\n\n## 1.1.0 - 2026-11-24\n\nOld words.\n\n## 1.0.0";
        assert!(closed.contains(begin), "{closed}");
        let same = edition(&[]);
        assert_eq!(changelog(&closed, &same, &same, &BTreeMap::new()).expect("a page"), closed);
    }

    #[test]
    fn an_excuse_has_a_reason() {
        let read = excuses("# why\n\"a.json\" = \"they said \\\"no\\\"\"\n").expect("a list");
        assert_eq!(read["a.json"], "they said \"no\"");
        for wrong in ["\"a.json\" = \"\"", "a.json", "[[breaking]]"] {
            assert!(excuses(wrong).expect_err(wrong).contains("line 1"));
        }
    }
}
