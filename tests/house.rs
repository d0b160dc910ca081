//! The house: who imports whom, and what stands in every file.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn manifest(folder: &str) -> String {
    let path = Path::new(ROOT).join(folder).join("Cargo.toml");
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn depends(folder: &str, on: &str) -> bool {
    let text = manifest(folder);
    let real = text.split("[dev-dependencies]").next().unwrap_or_default();
    real.lines().any(|it| it.starts_with(&format!("{on}.")) || it.starts_with(&format!("{on} ")))
}

/// The folders of `adapters/`, but for the one that links them.
fn adapters() -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join("adapters")).expect("a folder").flatten();
    let names = entries.map(|it| it.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|it| it != "all").collect();
    names.sort();
    names
}

#[test]
fn what_decides_does_no_input_or_output() {
    let crates = ["core", "providers", "schema"].map(|it| format!("crates/{it}"));
    for pure in crates.into_iter().chain(adapters().iter().map(|it| format!("adapters/{it}"))) {
        for io in ["reqwest", "tokio", "repaint-client"] {
            assert!(!depends(&pure, io), "{pure} depends on {io}");
        }
    }
}

#[test]
fn what_meets_strangers_knows_of_ours_only_the_vocabulary_and_its_documents() {
    for (part, known) in [("fetch", vec!["core"]), ("callers", vec!["core", "schema"])] {
        let text = manifest(&format!("crates/{part}"));
        let real = text.split("[dev-dependencies]").next().unwrap_or_default();
        let ours = real.lines().filter(|it| it.starts_with("repaint-"));
        let known: Vec<String> =
            known.iter().map(|it| format!("repaint-{it}.workspace = true")).collect();
        assert_eq!(ours.collect::<Vec<_>>(), known, "{part}");
    }
    for io in ["reqwest", "tokio"] {
        assert!(!depends("crates/callers", io), "callers depends on {io}");
    }
}

#[test]
fn nobody_but_adapters_all_names_an_adapter() {
    for crate_ in [
        "core",
        "providers",
        "fetch",
        "callers",
        "client",
        "router",
        "schema",
        "testkit",
        "gateway",
        "repaint",
        "cli",
    ] {
        for adapter in adapters() {
            let adapter = format!("repaint-{adapter}");
            assert!(!depends(&format!("crates/{crate_}"), &adapter), "{crate_} names {adapter}");
        }
    }
}

#[test]
fn every_adapter_is_a_feature_here_and_in_the_facade_and_on_by_default() {
    for (folder, of) in [("adapters/all", "dep:repaint-"), ("crates/repaint", "repaint-adapters/")]
    {
        let text = manifest(folder);
        let default = text.lines().find(|it| it.starts_with("default = ")).unwrap_or_default();
        for name in adapters() {
            let feature = format!("{name} = [\"{of}{name}\"]");
            assert!(text.lines().any(|it| it == feature), "add `{feature}` to {folder}/Cargo.toml");
            let named = default.contains(&format!("\"{name}\""));
            assert!(named, "add `{name}` to the default features of {folder}/Cargo.toml");
        }
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    let mut folders = vec![PathBuf::from(ROOT)];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                seen += 1;
                let text = fs::read_to_string(&path).expect("text");
                assert!(text.starts_with("//! "), "{} does not", path.display());
            }
        }
    }
    assert!(50 < seen, "only {seen} files were found");
}
