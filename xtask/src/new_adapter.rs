//! Writes the crate of a new family from `xtask/template` and registers it: all of it, or nothing.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use repaint_core::{Date, ImageModel, Registry};

use crate::{cargo, root};

const USAGE: &str = "usage: cargo xtask new-adapter FAMILY --provider PROVIDER [--crate NAME]";

pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let registry = Registry::linked().map_err(|err| err.to_string())?;
    let asked = Asked::read(args)?;
    let changes = changes(&root(), &registry, &asked)?;
    apply(&changes)?;
    // What is committed is built with --locked.
    cargo(&["update", "--workspace", "--offline", "--quiet"]).inspect_err(|_| undo(&changes))?;
    // All is written; that nobody reads on is no failure.
    writeln!(io::stdout(), "{}", asked.next()).ok();
    Ok(())
}

/// What is to be written.
#[derive(Debug)]
struct Asked {
    family: String,
    provider: String,
    /// The folder in `adapters/`, and the last part of the name of the crate.
    folder: String,
}

/// One file, as it was and as it will be.
#[derive(Debug)]
struct Change {
    path: PathBuf,
    before: Option<String>,
    after: String,
}

impl Asked {
    fn read(args: &[&str]) -> Result<Self, String> {
        let [family, rest @ ..] = args else { return Err(USAGE.to_owned()) };
        let (mut provider, mut folder) = (None, None);
        for pair in rest.chunks(2) {
            match pair {
                ["--provider", name] => provider = Some((*name).to_owned()),
                ["--crate", name] => folder = Some((*name).to_owned()),
                _ => return Err(format!("`{}` is not understood\n{USAGE}", pair.join(" "))),
            }
        }
        let provider = provider.ok_or_else(|| format!("which provider?\n{USAGE}"))?;
        let family = (*family).to_owned();
        Ok(Self { folder: folder.unwrap_or_else(|| family.clone()), family, provider })
    }

    /// What is wrong with the names themselves.
    fn check(&self) -> Result<(), String> {
        let Self { family, provider: _, folder } = self;
        for name in [family, folder] {
            if !is_kebab_case(name) {
                return Err(format!(
                    "`{name}` is not in kebab case: small letters and digits, words joined by one \
                     `-`, a letter first, such as qwen-image"
                ));
            }
            if ["all", "default"].contains(&name.as_str()) {
                return Err(format!("`{name}` has a meaning of its own here; choose another name"));
            }
        }
        if folder != family && !family.starts_with(&format!("{folder}-")) {
            return Err(format!(
                "the crate of {family} is called {family}, or by the words that it begins with, and \
                 not {folder}"
            ));
        }
        Ok(())
    }

    /// The family as the name of a type, such as `QwenImage`.
    fn type_name(&self) -> String {
        let words = self.family.split('-').map(|it| {
            let (first, rest) = it.split_at(1);
            format!("{}{rest}", first.to_uppercase())
        });
        words.collect()
    }

    fn next(&self) -> String {
        let Self { family, provider, folder } = self;
        format!(
            "wrote adapters/{folder}, and named it in adapters/all and crates/repaint\n\n\
             next:\n\
             1. adapters/{folder}/src/{provider}.rs: a row for each model, and the facts. What stays \
             `assumed` stays refused.\n\
             2. INSTA_UPDATE=always cargo test -p repaint-tests --test conformance -- {family}\n   \
             until nothing fails; each failure says what to do. Then read adapters/{folder}/snapshots.\n\
             3. cargo xtask codegen\n   \
             writes schemas/, docs/models.md and the table of the README. Read the difference.\n\
             4. A line in CHANGELOG.md, and .ci/run.\n\n\
             docs/adding-a-model.md goes through it with an example."
        )
    }
}

fn is_kebab_case(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.split('-').all(|it| !it.is_empty() && it.bytes().all(plain))
}

/// Every file that is written or changed; decides everything, and writes nothing.
fn changes(root: &Path, registry: &Registry, asked: &Asked) -> Result<Vec<Change>, String> {
    asked.check()?;
    let Asked { family, provider, folder } = asked;
    let template = root.join("xtask/template");
    let providers = templates(&template)?;
    if !providers.contains(provider) {
        return Err(format!(
            "there is no template for the provider `{provider}`, but for {}; a new provider is one \
             file in crates/providers/src, and one in xtask/template/src",
            providers.join(" and ")
        ));
    }
    if registry.models().any(|it| it.family() == family) {
        return Err(format!(
            "there is a family {family} already; at another provider it is one more file in the \
             src/ of its adapter"
        ));
    }
    let home = root.join("adapters").join(folder);
    if home.exists() {
        return Err(format!(
            "there is an adapters/{folder} already; one more family in it is one more file in its src/"
        ));
    }
    let place = registry
        .models()
        .map(ImageModel::provider)
        .find(|it| it.id == provider)
        .map_or(provider.as_str(), |it| it.name);
    let filled = |file: &str| -> Result<String, String> {
        let text = read(&template.join(file))?;
        Ok(text
            .replace("FAMILY", family)
            .replace("Family", &asked.type_name())
            .replace("CRATE", folder)
            .replace("PROVIDER", provider)
            .replace("PLACE", place)
            .replace("TODAY", &today()))
    };
    let mut changes = Vec::new();
    for (from, to) in [
        ("Cargo.toml", "Cargo.toml".to_owned()),
        ("src/lib.rs", "src/lib.rs".to_owned()),
        (&format!("src/{provider}.rs"), format!("src/{provider}.rs")),
    ] {
        changes.push(Change { path: home.join(to), before: None, after: filled(from)? });
    }
    for (path, edit) in EDITS {
        let path = root.join(path);
        let before = read(&path)?;
        let after = edit(&before, folder)
            .ok_or_else(|| format!("{} is not as it is known: mend it, or this", path.display()))?;
        changes.push(Change { path, before: Some(before), after });
    }
    // It is written by cargo, and put back if that fails.
    let path = root.join("Cargo.lock");
    let before = read(&path)?;
    changes.push(Change { path, after: before.clone(), before: Some(before) });
    Ok(changes)
}

type Edit = fn(&str, &str) -> Option<String>;

/// Where an adapter is named; a trial fails where one is missing.
const EDITS: [(&str, Edit); 3] = [
    ("adapters/all/Cargo.toml", |text, name| {
        let line = format!("repaint-{name} = {{ path = \"../{name}\", optional = true }}");
        let text = insert(text, "[dependencies]", &line)?;
        feature(&text, name, &format!("dep:repaint-{name}"))
    }),
    ("adapters/all/src/lib.rs", |text, name| {
        let start = text.find("#[cfg(feature = ")?;
        let (head, rest) = text.split_at(start);
        let lines: Vec<&str> = rest.lines().collect();
        let mut pairs: Vec<String> = lines.chunks(2).map(|it| it.join("\n")).collect();
        let crate_name = name.replace('-', "_");
        pairs.push(format!("#[cfg(feature = \"{name}\")]\nuse repaint_{crate_name} as _;"));
        pairs.sort();
        Some(format!("{head}{}\n", pairs.join("\n")))
    }),
    ("crates/repaint/Cargo.toml", |text, name| {
        feature(text, name, &format!("repaint-adapters/{name}"))
    }),
];

/// A feature that brings one thing and is on by default.
fn feature(text: &str, name: &str, brings: &str) -> Option<String> {
    let text = insert(text, "[features]", &format!("{name} = [\"{brings}\"]"))?;
    let start = text.find("\ndefault = [")? + "\ndefault = [".len();
    let end = start + text[start..].find(']')?;
    let own = format!("\"{name}\"");
    let mut names: Vec<&str> = text[start..end].split(',').map(str::trim).collect();
    names.retain(|it| !it.is_empty());
    names.push(&own);
    names.sort_unstable();
    Some(format!("{}{}{}", &text[..start], names.join(", "), &text[end..]))
}

/// A line in a section of a manifest, at its place in the alphabet; `default` and comments stay on top.
fn insert(text: &str, section: &str, line: &str) -> Option<String> {
    let start = text.find(&format!("{section}\n"))? + section.len() + 1;
    let length = text[start..].find("\n\n").map_or(text.len() - start, |it| it + 1);
    let (before, after) = (&text[..start], &text[start + length..]);
    let mut lines: Vec<&str> = text[start..start + length].lines().collect();
    let on_top = |it: &&str| it.starts_with('#') || it.starts_with("default");
    let place = lines.iter().position(|it| !on_top(it) && line < *it);
    lines.insert(place.unwrap_or(lines.len()), line);
    Some(format!("{before}{}\n{after}", lines.join("\n")))
}

/// The providers that there is a template for.
fn templates(template: &Path) -> Result<Vec<String>, String> {
    let folder = template.join("src");
    let entries =
        fs::read_dir(&folder).map_err(|err| format!("{}: {err}", folder.display()))?.flatten();
    let names = entries.map(|it| it.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> =
        names.filter_map(|it| Some(it.strip_suffix(".rs")?.to_owned())).collect();
    names.retain(|it| it != "lib");
    names.sort();
    Ok(names)
}

/// Writes all files, or puts back what was there.
fn apply(changes: &[Change]) -> Result<(), String> {
    for Change { path, before: _, after } in changes {
        let folder = path.parent().unwrap_or(path);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, after));
        if let Err(err) = written {
            undo(changes);
            return Err(format!("{} cannot be written: {err}; nothing is changed", path.display()));
        }
    }
    Ok(())
}

/// Puts back what was there; the new files go, and their folders with them.
fn undo(changes: &[Change]) {
    for Change { path, before, after: _ } in changes.iter().rev() {
        let undone = match before {
            Some(before) => fs::write(path, before),
            None => fs::remove_file(path),
        };
        if let Some(folder) = path.parent().filter(|_| before.is_none()) {
            // It fails while another of the new files is in it.
            fs::remove_dir(folder).ok();
        }
        if let Err(err) = undone
            && err.kind() != io::ErrorKind::NotFound
        {
            eprintln!("{} is left half written: {err}", path.display());
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))
}

/// As Rust has it: `2026, 11, 24`.
fn today() -> String {
    let date = Date::today().to_string();
    let numbers: Vec<&str> = date.split('-').map(|it| it.trim_start_matches('0')).collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(words: &str) -> Result<Vec<Change>, String> {
        let words: Vec<&str> = words.split(' ').collect();
        let registry = Registry::linked().expect("adapters are linked");
        changes(&root(), &registry, &Asked::read(&words)?)
    }

    #[test]
    fn what_cannot_be_is_said_before_anything_is_written() {
        for (words, needle) in [
            ("seedling", "which provider?"),
            ("seedling --at bfl", "`--at bfl` is not understood"),
            (
                "seedling --provider nobody",
                "no template for the provider `nobody`, but for bfl and",
            ),
            ("kontext --provider bfl", "there is a family kontext already"),
            ("local --provider bfl", "there is an adapters/local already"),
            ("all --provider bfl", "has a meaning of its own"),
            ("default --provider bfl", "has a meaning of its own"),
            ("seedling --crate other --provider bfl", "and not other"),
            ("Seedling --provider bfl", "not in kebab case"),
            ("seed_ling --provider bfl", "not in kebab case"),
            ("-seedling --provider bfl", "not in kebab case"),
            ("seed--ling --provider bfl", "not in kebab case"),
            ("2seed --provider bfl", "not in kebab case"),
            ("../seed --provider bfl", "not in kebab case"),
            (" --provider bfl", "not in kebab case"),
        ] {
            let err = planned(words).expect_err(words);
            assert!(err.contains(needle), "{words}: {err}");
        }
    }

    #[test]
    fn every_provider_with_an_address_has_a_template() {
        let registry = Registry::linked().expect("adapters are linked");
        let mut hosts: Vec<String> = registry
            .models()
            .map(ImageModel::provider)
            .filter(|it| it.endpoint.is_some())
            .map(|it| it.id.to_owned())
            .collect();
        hosts.sort();
        hosts.dedup();
        assert_eq!(templates(&root().join("xtask/template")), Ok(hosts));
    }

    #[test]
    fn every_blank_is_filled_in() {
        for change in planned("seed-ling --crate seed --provider together").expect("a plan") {
            for blank in ["FAMILY", "Family", "CRATE", "PROVIDER", "PLACE", "TODAY"] {
                let left = change.before.is_none() && change.after.contains(blank);
                assert!(!left, "{blank} in {}", change.path.display());
            }
        }
    }

    #[test]
    fn every_list_stays_in_order() {
        let manifest =
            "[features]\n# Why.\ndefault = [\"b\", \"d\"]\nb = [\"x/b\"]\nd = [\"x/d\"]\n";
        for (name, wanted) in [
            ("a", "default = [\"a\", \"b\", \"d\"]\na = [\"x/a\"]\nb = [\"x/b\"]\nd = [\"x/d\"]\n"),
            ("c", "default = [\"b\", \"c\", \"d\"]\nb = [\"x/b\"]\nc = [\"x/c\"]\nd = [\"x/d\"]\n"),
            ("e", "default = [\"b\", \"d\", \"e\"]\nb = [\"x/b\"]\nd = [\"x/d\"]\ne = [\"x/e\"]\n"),
        ] {
            let text = feature(manifest, name, &format!("x/{name}"));
            assert_eq!(text, Some(format!("[features]\n# Why.\n{wanted}")));
        }
        assert_eq!(feature("[dependencies]\n", "a", "x/a"), None);
    }

    /// A folder cannot be written as a file: the first file is there by then, and goes again.
    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let place = std::env::temp_dir().join(format!("repaint-{}", std::process::id()));
        let path = |it: &str| place.join(it);
        fs::create_dir_all(path("kept")).expect("a folder");
        fs::write(path("kept/text"), "as it was").expect("written");
        let change = |it: &str, before: Option<&str>| Change {
            path: path(it),
            before: before.map(str::to_owned),
            after: "new".to_owned(),
        };
        let changes = [
            change("new/src/lib.rs", None),
            change("kept/text", Some("as it was")),
            change("kept", None),
        ];
        apply(&changes).expect_err("a folder is in the way");
        assert_eq!(read(&path("kept/text")).as_deref(), Ok("as it was"));
        assert!(!path("new/src").exists());
        fs::remove_dir_all(&place).expect("removed");
    }
}
