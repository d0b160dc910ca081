//! Every program of `examples/`, run as a newcomer runs it: from the root, without a key and without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// What each says on standard output when it goes well, in part.
const SAY: [(&str, &str); 5] = [
    ("cancel", "stopped: cancelled before the picture was made"),
    ("edit", "made by local/watercolor for free"),
    ("explain", "at most 1 input image, not 2"),
    ("own_registry", "takes no seed"),
    ("progress", "local/watercolor has taken the job\npainting\n1 picture"),
];

/// Where cargo has put a program of `examples/`. `cargo test -p repaint` and `--workspace` build them first; with `--test`
/// cargo builds the test alone, and what is run is what was built last.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a program");
    let folder = test.ancestors().nth(2).expect("target/PROFILE").join("examples");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "build it first: cargo build -p repaint --examples");
    program
}

#[test]
fn every_example_does_what_it_says() {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example.png");
    for (name, says) in SAY {
        let mut command = Command::new(built(name));
        command.current_dir(Path::new(CRATE).join("../..")).arg("examples/cat.png").arg(&output);
        for key in ["TOGETHER_API_KEY", "BFL_API_KEY"] {
            command.env_remove(key);
        }
        // Nothing listens there: whoever tries the network fails.
        command.env("HTTPS_PROXY", "http://127.0.0.1:9");
        let ran = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        assert!(said.contains(says), "{name} says {said}");
    }
    assert!(fs::read(&output).expect("the picture of `edit`").starts_with(b"\x89PNG"));
}

#[test]
fn no_example_is_left_out() {
    let entries = fs::read_dir(Path::new(CRATE).join("examples")).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.filter_map(|it| Some(it.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    assert_eq!(names, SAY.map(|it| it.0), "list it in SAY");
}
