//! Every file that fuzzing found worth keeping holds what its target claims, and none is without its target.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use repaint_fuzz::TARGETS;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// A corpus is read by every test run and stored by everybody.
const LARGEST: u64 = 16 * 1024;
const MOST: usize = 250;

fn within(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn names(folder: &str) -> BTreeSet<String> {
    let stems = within(&Path::new(HERE).join(folder)).into_iter();
    stems.map(|it| it.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn all_that_was_found_holds() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        for folder in ["corpus", "crashes"] {
            let folder = Path::new(HERE).join(folder).join(name);
            let files = if folder.exists() { within(&folder) } else { Vec::new() };
            for file in files {
                let bytes = fs::read(&file).expect("a file");
                if catch_unwind(|| target(&bytes)).is_err() {
                    broken.push(file.display().to_string());
                }
            }
        }
    }
    assert!(broken.is_empty(), "these break what is claimed:\n{}", broken.join("\n"));
}

#[test]
fn every_target_has_a_corpus_and_an_entry_in_the_engine_and_nothing_else_has() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|it| it.0.to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("engine/fuzz_targets"), targets);
    assert!(names("crashes").is_subset(&targets), "{:?}", names("crashes"));
    for (name, _) in TARGETS {
        let files = within(&Path::new(HERE).join("corpus").join(name));
        assert!(!files.is_empty() && files.len() <= MOST, "{name} has {} files", files.len());
        for file in files {
            let length = fs::metadata(&file).expect("a file").len();
            assert!(length <= LARGEST, "{} has {length} bytes", file.display());
        }
    }
}
