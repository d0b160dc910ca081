//! The library as users depend on it: what it costs, that each adapter stands alone, and its API.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::codegen::Mode;
use crate::{cargo, command, root};

/// Crates that a program with two adapters may build because of us, our own among them.
const MOST: usize = 100;
/// Seconds that such a program may take to build from nothing.
const COLD: u32 = 60;
const TWO: &str = "flux2,kontext";
/// Nothing of these is built for a program that links only hosted models.
const NEVER: &[&str] =
    &["clap", "clap_builder", "image", "image-webp", "png", "zune-core", "zune-jpeg"];

/// Whose public API is kept, and where.
const APIS: [(&str, &str); 6] = [
    ("repaint", "crates/repaint/api.txt"),
    ("repaint-client", "crates/client/api.txt"),
    ("repaint-core", "crates/core/api.txt"),
    ("repaint-providers", "crates/providers/api.txt"),
    ("repaint-router", "crates/router/api.txt"),
    ("repaint-testkit", "crates/testkit/api.txt"),
];

pub(crate) fn run(mode: Mode) -> Result<(), String> {
    println!("{}", crates()?);
    for feature in adapters()? {
        let alone = ["--no-default-features", "--features", &feature];
        cargo(&[&["check", "--quiet", "--locked", "--package", "repaint"], &alone[..]].concat())?;
        println!("{feature} compiles alone");
    }
    let mut stale = Vec::new();
    for (package, path) in APIS {
        let api = api(package)?;
        let kept = fs::read_to_string(root().join(path)).unwrap_or_default();
        if kept == api {
            println!("the API of {package} is that of {path}");
        } else if mode == Mode::Write {
            fs::write(root().join(path), api).map_err(|err| format!("{path}: {err}"))?;
            println!("wrote {path}");
        } else {
            stale.push(format!("{path}\n{}", differences(&kept, &api)));
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the public API is another; a line that is gone or changed breaks users. If that is meant, \
         run `cargo xtask facade --renew` and say it in CHANGELOG.md:\n{}",
        stale.join("\n")
    ))
}

/// Builds it from nothing. The figure is told and judged by nobody: how long it takes is the machine's to say.
pub(crate) fn timed() -> Result<(), String> {
    let place = root().join("target/cold");
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|err| format!("{}: {err}", place.display()))?;
    }
    let package = ["--package", "repaint", "--no-default-features", "--features", TWO, "--locked"];
    // What is fetched is not counted.
    cargo(&["fetch", "--quiet", "--locked"])?;
    let began = Instant::now();
    let target = ["--quiet", "--target-dir", "target/cold"];
    // Whoever depends on us builds without what our own tests want optimised.
    let plain = ["--config", "profile.dev.package.repaint-core.opt-level=0"];
    let plain = [plain, ["--config", "profile.dev.package.serde_json.opt-level=0"]].concat();
    cargo(&[&["build", "--offline"][..], &package, &target, &plain].concat())?;
    let seconds = began.elapsed().as_secs_f64();
    println!("a cold build with {TWO} took {seconds:.1} s; the aim is {COLD} s on 2 idle cores");
    fs::remove_dir_all(&place).map_err(|err| format!("{}: {err}", place.display()))
}

/// Who needs whom in a program with two adapters; ours have no version, since all have one.
#[derive(Default)]
struct Tree {
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Tree {
    /// Reads `cargo tree --prefix depth`, where a crate has its own only the first time.
    fn read(text: &str) -> Self {
        let (mut tree, mut path) = (Self::default(), Vec::<String>::new());
        for line in text.lines() {
            let name = line.trim_start_matches(|it: char| it.is_ascii_digit());
            let Ok(depth) = line[..line.len() - name.len()].parse::<usize>() else { continue };
            let name = name.split(" (").next().unwrap_or(name).to_owned();
            path.truncate(depth);
            if let Some(parent) = path.last() {
                tree.needs.entry(parent.clone()).or_default().insert(name.clone());
            }
            tree.needs.entry(name.clone()).or_default();
            path.push(name);
        }
        tree
    }

    /// How many are left in the program if nobody needs this one.
    fn without(&self, root: &str, cut: &str) -> usize {
        let (mut seen, mut next) = (BTreeSet::from([root]), vec![root]);
        while let Some(name) = next.pop() {
            for need in self.needs.get(name).into_iter().flatten() {
                if need != cut && seen.insert(need) {
                    next.push(need);
                }
            }
        }
        seen.len()
    }

    /// What our own crates need, with how many crates nobody else would bring; the most first.
    fn weights(&self, root: &str) -> Vec<(usize, &str)> {
        let ours = self.needs.iter().filter(|it| it.0.starts_with("repaint"));
        let direct: BTreeSet<&String> = ours.flat_map(|it| it.1).collect();
        let direct = direct.into_iter().filter(|it| !it.starts_with("repaint"));
        let weigh = |it: &String| self.needs.len() - self.without(root, it);
        let mut weights: Vec<_> = direct.map(|it| (weigh(it), it.as_str())).collect();
        weights.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        weights
    }
}

/// How many crates it costs; an error says which bring them.
fn crates() -> Result<String, String> {
    let package = ["--package", "repaint", "--no-default-features", "--features", TWO];
    let shape = ["--edges", "normal,build", "--prefix", "depth", "--locked"];
    let tree = Tree::read(&output(&[&["tree"][..], &package, &shape].concat())?);
    judge(&tree)
}

fn judge(tree: &Tree) -> Result<String, String> {
    let named = |it: &&String| NEVER.iter().any(|never| it.split(' ').next() == Some(never));
    let never: Vec<&str> = tree.needs.keys().filter(named).map(String::as_str).collect();
    if !never.is_empty() {
        return Err(format!("{} must not be built for hosted models alone", never.join(", ")));
    }
    let (count, root) =
        (tree.needs.len(), tree.needs.keys().find(|it| it.starts_with("repaint v")));
    let told = format!("a program with {TWO} builds {count} crates; the limit is {MOST}");
    if count <= MOST {
        return Ok(told);
    }
    let weights = tree.weights(root.map_or("", String::as_str)).into_iter();
    let weights = weights.map(|(weight, name)| format!("\n  {weight:3} only through {name}"));
    Err(format!("{told}. What ours need brings:{}", weights.collect::<String>()))
}

/// The features of the library that link an adapter.
fn adapters() -> Result<Vec<String>, String> {
    let metadata = output(&["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|err| err.to_string())?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let features = packages
        .filter(|it| it["name"] == "repaint")
        .filter_map(|it| it["features"].as_object())
        .flat_map(|it| it.iter())
        // An adapter's feature is one of the crate that links adapters; a codec's is not.
        .filter(|(_, needs)| needs.to_string().contains("repaint-adapters/"))
        .map(|(name, _)| name.clone());
    let features: Vec<String> = features.collect();
    if features.is_empty() { Err("repaint has no features".to_owned()) } else { Ok(features) }
}

/// The public API of a crate, a line for each item.
fn api(package: &str) -> Result<String, String> {
    // What is written for programs is unstable, so this pretends to be a nightly, and does so in a
    // folder of its own: build scripts look at it, too.
    let target = root().join("target/api");
    let mut args = vec!["rustdoc", "--quiet", "--locked", "--lib", "--package", package];
    if package == "repaint" {
        args.extend(["--no-default-features", "--features", TWO]);
    }
    args.extend(["--", "-Z", "unstable-options", "--output-format", "json"]);
    let status = command(&args)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTDOCFLAGS")
        .status();
    if !status.is_ok_and(|it| it.success()) {
        return Err(format!("the documentation of {package} could not be written"));
    }
    let file = target.join("doc").join(format!("{}.json", package.replace('-', "_")));
    let read = public_api::Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build();
    let api = read.map_err(|err| {
        format!("this rustdoc writes what `public-api` cannot read; use the toolchain of rust-version: {err}")
    })?;
    Ok(own(&format!("{api}")))
}

/// The API without what a trait of others prescribes once it is implemented.
fn own(api: &str) -> String {
    let (mut kept, mut prescribed) = (String::new(), None);
    for line in api.lines() {
        if line.starts_with("impl") {
            let implemented = line.split_once(" for ").filter(|it| !it.0.contains(" repaint"));
            prescribed = implemented.map(|(_, of)| of.split(['<', ' ']).next().unwrap_or(of));
        }
        let name = line.split(' ').find(|it| it.starts_with("repaint")).unwrap_or_default();
        let item =
            prescribed.and_then(|of| name.strip_prefix(of)).is_some_and(|it| it.starts_with("::"));
        if !item && !line.contains("StructuralPartialEq") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The lines that only one of both has.
fn differences(old: &str, new: &str) -> String {
    let lines = |text: &'static str, of: &BTreeSet<&str>, not: &BTreeSet<&str>| {
        of.difference(not).map(|it| format!("  {text} {it}\n")).collect::<String>()
    };
    let (old, new) = (old.lines().collect(), new.lines().collect());
    format!("{}{}", lines("-", &old, &new), lines("+", &new, &old))
}

fn output(args: &[&str]) -> Result<String, String> {
    let output = command(args).output().map_err(|err| format!("cargo could not be run: {err}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0repaint v0.1.0 (/here)\n1repaint-core v0.1.0 (/there)\n2serde v1.0.0\n\
        3serde_core v1.0.0\n2url v2.5.0\n3idna v1.0.0\n4smallvec v1.0.0\n3serde_core v1.0.0\n\
        1serde v1.0.0 (*)\n";

    #[test]
    fn a_dependency_weighs_what_only_it_brings() {
        let tree = Tree::read(TREE);
        assert_eq!(tree.needs.len(), 7);
        assert_eq!(tree.weights("repaint v0.1.0"), [(3, "url v2.5.0"), (1, "serde v1.0.0")]);
    }

    #[test]
    fn of_a_trait_of_others_only_the_name_is_kept() {
        let api = "pub struct repaint::Edit\n\
            impl repaint::Edit\npub fn repaint::Edit::and(self) -> Self\n\
            impl core::clone::Clone for repaint::Edit\n\
            pub fn repaint::Edit::clone(&self) -> repaint::Edit\n\
            impl repaint::Model for repaint::Edit\npub fn repaint::Edit::id(&self) -> &str\n\
            pub fn repaint::edit() -> repaint::Edit\n";
        let (before, rest) = api.split_once("pub fn repaint::Edit::clone").expect("it is there");
        let (_, after) = rest.split_once('\n').expect("a line");
        assert_eq!(own(api), format!("{before}{after}"));
    }

    #[test]
    fn too_many_crates_are_named_by_who_brings_them() {
        assert!(judge(&Tree::read(TREE)).is_ok());
        let many: String = (0..MOST).map(|it| format!("3part{it} v1.0.0\n")).collect();
        let err = judge(&Tree::read(&format!("{TREE}2heavy v1.0.0\n{many}"))).expect_err("many");
        assert!(err.contains("only through"), "{err}");
        let err = judge(&Tree::read(&format!("{TREE}1png v0.18.0\n"))).expect_err("a codec");
        assert!(err.contains("png v0.18.0"), "{err}");
    }
}
