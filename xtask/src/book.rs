//! The book: lays out the chapters that docs/SUMMARY.md names with all that they link to, builds them with mdBook, and
//! checks that every link of the pages leads somewhere.
//!
//! The chapters are pages of the repository, with links that hold there. So they are laid out as they stand there, and
//! hold in the book too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::root;

/// Builds the book into target/book/html.
pub(crate) fn run() -> Result<(), String> {
    let (docs, book) = (root().join("docs"), root().join("target/book"));
    if !Command::new("mdbook").arg("--version").output().is_ok_and(|it| it.status.success()) {
        return Err(
            "NOT RUN: mdbook is not here; `cargo install mdbook --locked` brings it".to_owned()
        );
    }
    let summary = read(&docs.join("SUMMARY.md"))?;
    let chapters: BTreeSet<PathBuf> =
        links(&summary).iter().filter_map(|it| at_root(Path::new("docs"), it)).collect();
    let _ = fs::remove_dir_all(&book);
    write(&book.join("book.toml"), &read(&docs.join("book.toml"))?)?;
    // Links of the summary begin in docs/, those of a book at its root.
    let summary = summary.replace("](", "](docs/").replace("](docs/../", "](");
    write(&book.join("src/SUMMARY.md"), &summary)?;
    for chapter in &chapters {
        let text = read(&root().join(chapter))?;
        write(&book.join("src").join(chapter), &text)?;
        let folder = chapter.parent().unwrap_or(Path::new(""));
        for link in links(&text).iter().filter_map(|it| at_root(folder, it)) {
            let is_page = link.extension().is_some_and(|it| it == "md");
            if is_page && !chapters.contains(&link) {
                let (from, to) = (chapter.display(), link.display());
                return Err(format!(
                    "{from} links to {to}, which is no chapter of docs/SUMMARY.md"
                ));
            }
            if !is_page {
                copy(&root().join(&link), &book.join("src").join(&link))?;
            }
        }
    }
    let status = Command::new("mdbook").arg("build").arg(&book).status();
    if !status.is_ok_and(|it| it.success()) {
        return Err("mdbook could not build the book".to_owned());
    }
    let html = book.join("html");
    let mut broken = Vec::new();
    for chapter in &chapters {
        let page = html.join(chapter).with_extension("html");
        let text = read(&page)?;
        let targets = ["href=\"", "src=\""].into_iter().flat_map(|it| text.split(it).skip(1));
        for target in targets.filter_map(|it| it.split(['"', '#']).next()) {
            let is_ours = !target.is_empty() && !target.contains(':');
            if is_ours && !page.with_file_name("").join(target).exists() {
                broken.push(format!("{}: {target} leads nowhere", page.display()));
            }
        }
    }
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }
    println!("{} chapters in {}", chapters.len(), html.display());
    Ok(())
}

/// The targets of links outside code.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    // A link around code has its target outside of it; code around a link has not.
    let prose = lines.map(|it| it.split('`').step_by(2).collect::<Vec<_>>().join("`") + "\n");
    let prose: String = prose.collect();
    let targets = prose.split("](").skip(1).filter_map(|it| it.split([')', ' ']).next());
    targets.map(str::to_owned).collect()
}

/// Where a link leads, from the root; `None` if it stays on its page or leaves the repository.
fn at_root(folder: &Path, link: &str) -> Option<PathBuf> {
    let file = link.split('#').next().filter(|it| !it.is_empty() && !it.contains(':'))?;
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => drop(path.pop()),
            Component::CurDir | Component::Prefix(_) | Component::RootDir => {}
        }
    }
    Some(path)
}

/// Copies a file, or what a folder holds but for what was built in it.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if from.is_dir() {
        for entry in fs::read_dir(from).map_err(|it| it.to_string())?.flatten() {
            let name = entry.file_name();
            if name != "target" {
                copy(&entry.path(), &to.join(name))?;
            }
        }
        return Ok(());
    }
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(from, to))
        .map(|_| ())
        .map_err(|err| format!("{} cannot be copied: {err}", from.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|err| format!("{} cannot be read: {err}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| fs::write(path, text))
        .map_err(|err| format!("{} cannot be written: {err}", path.display()))
}
