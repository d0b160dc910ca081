//! The house: who imports whom, and what stands in every file.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn manifest(folder: &str) -> String {
    let path = Path::new(ROOT).join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    text.split("[dev-dependencies]").next().unwrap_or_default().to_owned()
}

fn depends(folder: &str, on: &str) -> bool {
    manifest(folder)
        .lines()
        .any(|it| it.starts_with(&format!("{on}.")) || it.starts_with(&format!("{on} ")))
}

#[test]
fn what_decides_does_no_input_or_output() {
    for pure in [
        "crates/core",
        "crates/providers",
        "crates/schema",
        "adapters/kontext",
        "adapters/flux2",
        "adapters/gemini",
        "adapters/local",
    ] {
        for io in ["reqwest", "tokio", "repaint-client"] {
            assert!(!depends(pure, io), "{pure} depends on {io}");
        }
    }
}

#[test]
fn nobody_but_adapters_all_names_an_adapter() {
    for crate_ in ["core", "providers", "client", "schema", "testkit", "repaint", "cli"] {
        for adapter in ["repaint-kontext", "repaint-flux2", "repaint-gemini", "repaint-local"] {
            assert!(!depends(&format!("crates/{crate_}"), adapter), "{crate_} names {adapter}");
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
