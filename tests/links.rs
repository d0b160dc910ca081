//! Every link in the Markdown of the repository leads to a file that is there, and to a heading of it.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every Markdown file that is ours.
fn pages() -> Vec<PathBuf> {
    let (mut folders, mut pages) = (vec![PathBuf::from(ROOT)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir()
                && !["target", "node_modules"].contains(&&*name)
                && !name.starts_with('.')
            {
                folders.push(path);
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    assert!(10 < pages.len(), "{pages:?}");
    pages
}

/// The lines outside blocks of code, without code in a line.
fn prose(text: &str) -> Vec<String> {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    // Every second piece stands between backticks.
    lines.map(|it| it.split('`').step_by(2).collect::<Vec<_>>().join("`")).collect()
}

fn links(text: &str) -> Vec<String> {
    let lines = prose(text);
    let targets = lines.iter().flat_map(|it| it.split("](").skip(1));
    targets.filter_map(|it| it.split([')', ' ']).next()).map(str::to_owned).collect()
}

/// What a heading is called in an address, as GitHub and mdBook have it.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.starts_with("```");
        !fenced && line.starts_with('#')
    });
    let slug = |it: &str| {
        let heading = it.trim_start_matches('#').trim().to_lowercase();
        let kept =
            heading.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    headings.map(slug).collect()
}

fn broken(page: &Path, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for link in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let target = if file.is_empty() { page.to_owned() } else { page.with_file_name(file) };
        // An absolute path would be one of this machine.
        if file.starts_with('/') || !target.exists() {
            broken.push(format!("{}: {link} leads nowhere", page.display()));
        } else if !anchor.is_empty() {
            let there = fs::read_to_string(&target)
                .is_ok_and(|it| anchors(&it).iter().any(|it| it == anchor));
            if !there {
                broken.push(format!("{}: {link} names no heading", page.display()));
            }
        }
    }
    broken
}

#[test]
fn every_link_leads_to_what_is_there() {
    let (mut found, mut count) = (Vec::new(), 0);
    for page in pages() {
        let text = fs::read_to_string(&page).expect("text");
        count += links(&text).len();
        found.extend(broken(&page, &text));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(50 < count, "only {count} links were found");
}

#[test]
fn a_link_to_nothing_is_found() {
    let page = Path::new(ROOT).join("README.md");
    for text in ["[a](no-such-file.md)", "[a](ARCHITECTURE.md#no-such-heading)", "[a](/etc/passwd)"]
    {
        assert_eq!(broken(&page, text).len(), 1, "{text}");
    }
    for text in ["[a](#models)", "`[a](b)`", "```\n[a](b)\n```", "[a](https://example.com/b)"] {
        assert_eq!(broken(&page, text), [""; 0], "{text}");
    }
}

#[test]
fn every_page_of_docs_is_a_chapter_of_the_book() {
    let docs = Path::new(ROOT).join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).expect("a summary");
    let chapters = links(&summary);
    for entry in fs::read_dir(&docs).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && name != "SUMMARY.md" {
            assert!(chapters.contains(&name), "list {name} in docs/SUMMARY.md");
        }
    }
}
