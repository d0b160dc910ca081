//! The versions of the published schemas: what is new since the last one, and making the next.

use std::collections::BTreeMap;
use std::fs;

use repaint_core::{Date, Registry};
use repaint_schema::{Change, Edition, Kind, Version};

use crate::{cargo, root};

/// The set of the last release.
pub(crate) const BASELINE: &str = "schemas/baseline.json";
/// Breaks that are not ours, with their reasons.
pub(crate) const BREAKING: &str = "schemas/breaking.toml";
pub(crate) const CHANGELOG: &str = "schemas/CHANGELOG.md";
/// Where the version stands.
const SOURCE: &str = "crates/schema/src/schemas.rs";
/// The packages that are made from the set have its version, too: what stands before it, and how often.
const PACKAGES: [(&str, &str, usize); 3] = [
    ("clients/typescript/package.json", "\"version\": \"", 1),
    ("clients/typescript/package-lock.json", "\"version\": \"", 2),
    ("clients/python/pyproject.toml", "\nversion = \"", 1),
];

/// The changelog with what is new since the last release.
pub(crate) fn changelog(registry: &Registry) -> Result<String, String> {
    let released = Edition::read(&read(BASELINE)?)?;
    let present = present(registry)?;
    repaint_schema::changelog(&read(CHANGELOG)?, &released, &present, &excuses()?)
}

/// The set as it stands, with the document of the gateway.
fn present(registry: &Registry) -> Result<Edition, String> {
    Ok(Edition::present(registry)?.with_openapi(repaint_gateway::openapi(registry)))
}

/// Makes the present set the baseline, under a version that goes up as what changed demands.
pub(crate) fn release(version: &str) -> Result<(), String> {
    let version: Version = version.parse()?;
    let registry = Registry::linked().map_err(|err| err.to_string())?;
    let present = present(&registry)?;
    let mut page = read(CHANGELOG)?;
    // Without a baseline nothing was released yet, so nothing can be broken.
    if root().join(BASELINE).exists() {
        let released = Edition::read(&read(BASELINE)?)?;
        raises(released.version, version, &repaint_schema::changes(&released, &present))?;
        if version.major == released.version.major {
            cargo(&["test", "--quiet", "--package", "repaint-tests", "--test", "compat"]).map_err(
                |_| {
                    let next = released.version.major + 1;
                    format!("the set breaks {}: release it as {next}.0.0", released.version)
                },
            )?;
        }
        page = repaint_schema::changelog(&page, &released, &present, &excuses()?)?;
    }
    write(CHANGELOG, &repaint_schema::close(&page, version, Date::today())?)?;
    write(BASELINE, &present.raised(version).text())?;
    let comments = read(BREAKING)?;
    let comments = comments.lines().filter(|it| it.starts_with('#'));
    write(BREAKING, &comments.map(|it| format!("{it}\n")).collect::<String>())?;
    write(SOURCE, &set(&read(SOURCE)?, version)?)?;
    for (path, before, times) in PACKAGES {
        write(path, &packaged(&read(path)?, before, times, version)?)?;
    }
    // This process was built with the old version.
    cargo(&["xtask", "codegen"])?;
    println!("{BASELINE} is {version} now; commit it with all that codegen wrote");
    Ok(())
}

/// Fails unless the version goes up far enough; whether more is broken, only the gate can tell.
fn raises(released: Version, version: Version, changes: &[Change]) -> Result<(), String> {
    let Version { major, minor, patch } = released;
    let (least, why) = if changes.is_empty() {
        return Err(format!("nothing has changed since {released}"));
    } else if changes.iter().any(|it| it.kind != Kind::Reworded) {
        (Version { major, minor: minor + 1, patch: 0 }, "more than words has changed")
    } else {
        (Version { major, minor, patch: patch + 1 }, "words have changed")
    };
    if version < least {
        return Err(format!("{why} since {released}: the next version is at least {least}"));
    }
    Ok(())
}

/// The source with another version, and with its major number in all ids.
fn set(source: &str, version: Version) -> Result<String, String> {
    let replaced = |source: &str, before: &str, value: &str, after: &str| {
        let (head, rest) = source.split_once(before)?;
        let (_, tail) = rest.split_once(after)?;
        Some(format!("{head}{before}{value}{after}{tail}"))
    };
    let major = version.major.to_string();
    replaced(source, "pub const VERSION: &str = \"", &version.to_string(), "\";")
        .and_then(|it| replaced(&it, "/schemas/v", &major, "/\";"))
        .ok_or_else(|| format!("{SOURCE} has no VERSION or no BASE"))
}

/// The text with another version where the first so many stand.
fn packaged(text: &str, before: &str, times: usize, version: Version) -> Result<String, String> {
    let mut parts = text.splitn(times + 1, before);
    let mut made = parts.next().unwrap_or_default().to_owned();
    for _ in 0..times {
        let tail = parts.next().and_then(|it| it.split_once('"'));
        let (_, tail) = tail.ok_or_else(|| format!("no {before}…\" stands {times} times"))?;
        made.push_str(&format!("{before}{version}\"{tail}"));
    }
    Ok(made)
}

fn excuses() -> Result<BTreeMap<String, String>, String> {
    repaint_schema::excuses(&read(BREAKING)?)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|err| match path {
        BASELINE => format!("{path}: {err}; `cargo xtask release-schemas 1.0.0` makes the first"),
        _ => format!("{path}: {err}"),
    })
}

fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(root().join(path), text).map_err(|err| format!("{path}: {err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind) -> Change {
        let [place, what, path] = ["Job", "a new field", "job.schema.json"].map(str::to_owned);
        Change { kind, place, what, path, breaks: false }
    }

    #[test]
    fn the_version_goes_up_as_the_change_demands() {
        let raises = |to: &str, changes: &[Change]| {
            let version = |text: &str| text.parse::<Version>().expect("a version");
            raises(version("1.2.3"), version(to), changes).is_ok()
        };
        let (words, more) = ([change(Kind::Reworded)], [change(Kind::Added)]);
        assert!(!raises("1.2.4", &[]), "nothing has changed");
        assert!(!raises("1.2.3", &words) && raises("1.2.4", &words) && raises("2.0.0", &words));
        assert!(!raises("1.2.4", &more) && raises("1.3.0", &more) && !raises("1.1.0", &more));
    }

    #[test]
    fn a_release_sets_the_version_and_the_ids() {
        let version = "2.1.0".parse().expect("a version");
        let source = set(&read(SOURCE).expect("the source"), version).expect("both are there");
        assert!(source.contains("pub const VERSION: &str = \"2.1.0\";"));
        assert!(source.contains("/schemas/v2/\";"));
    }

    #[test]
    fn a_release_sets_the_version_of_the_packages_and_of_nothing_else_in_them() {
        let version: Version = "2.1.0".parse().expect("a version");
        for (path, before, times) in PACKAGES {
            let now = read(path).expect("a file");
            let made = packaged(&now, before, times, version).expect("it has versions");
            let changed: Vec<_> = now.lines().zip(made.lines()).filter(|it| it.0 != it.1).collect();
            assert_eq!(changed.len(), times, "{path}: {changed:?}");
            assert!(changed.iter().all(|it| it.1.contains("\"2.1.0\"")), "{path}: {changed:?}");
            let present = repaint_schema::VERSION.parse().expect("a version");
            assert_eq!(packaged(&now, before, times, present).expect("versions"), now, "{path}");
        }
    }
}
