//! What a command prints with `--json` is what its published schema says, when it goes well and when it does not.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .args(args)
        .env("REPAINT_CONFIG", "none")
        .env("REPAINT_STORE", "memory:");
    for name in ["TOGETHER_API_KEY", "TOGETHER_BASE_URL", "BFL_API_KEY", "BFL_BASE_URL"] {
        command.env_remove(name);
    }
    command.output().expect("the program runs")
}

/// Whether the one JSON document on standard output is of this published kind, which must be listed.
fn is(name: &str, args: &[&str], output: &Output) {
    let path = format!("{ROOT}/schemas/commands/{name}.schema.json");
    let schema = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{path}: {err}"));
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let printed: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|err| panic!("{args:?} prints no JSON: {err} {output:?}"));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let faults: Vec<String> = validator
        .iter_errors(&printed)
        .map(|it| format!("{}: {}", it.instance_path(), it.masked()))
        .collect();
    assert!(faults.is_empty(), "{args:?} is no {name}: {faults:?} {printed:#}");
    // Nothing is printed that the schema does not name: an open object would let it pass.
    for field in printed.as_object().expect("an object").keys() {
        assert!(schema["properties"].get(field).is_some(), "{name} has no `{field}`");
    }
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.png", "b.png"] {
        fs::copy(format!("{ROOT}/examples/cat.png"), folder.path().join(name)).expect("copied");
    }
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("text.png", "hello");
    write("job.json", r#"{"request": {"prompt": "a cat"}}"#);
    write("wrong.json", r#"{"request": {"prompt": "", "n": 2}}"#);
    let local = ["-p", "watercolor", "-m", "local/watercolor", "--json"];
    let with = |first: &[&'static str]| [first, &local[..]].concat();
    let trials: Vec<(&str, i32, Vec<&str>)> = vec![
        ("edit", 0, with(&["edit", "a.png", "--compare", "both.png"])),
        ("edit-each", 0, with(&["edit", "a.png", "b.png", "--each"])),
        ("edit-each", 1, with(&["edit", "a.png", "text.png", "--each"])),
        ("explain", 0, with(&["edit", "a.png", "--dry-run"])),
        ("explain", 0, with(&["explain", "a.png"])),
        ("explain", 3, vec!["explain", "a.png", "b.png", "-p", "x", "-m", "kontext", "--json"]),
        ("explain-each", 0, with(&["explain", "a.png", "b.png", "--each"])),
        ("explain-each", 0, with(&["edit", "a.png", "b.png", "--each", "--dry-run"])),
        ("models", 0, vec!["models", "--json"]),
        ("jobs", 0, vec!["jobs", "--json"]),
        ("spend", 0, vec!["spend", "--json"]),
        ("budget", 0, vec!["budget", "0.50", "--per", "day", "--json"]),
        ("key", 0, vec!["key", "web", "--json"]),
        ("failure", 2, vec!["key", "two words", "--json"]),
        ("resume-all", 0, vec!["resume", "--all", "--json"]),
        ("inspect", 0, vec!["inspect", "a.png", "https://example.com/a.png", "--json"]),
        ("inspect", 4, vec!["inspect", "a.png", "text.png", "--json"]),
        ("doctor", 0, vec!["doctor", "--offline", "--json"]),
        ("config", 0, vec!["config", "--json"]),
        ("validate", 0, vec!["validate", "job.json", "--json"]),
        ("validate", 4, vec!["validate", "wrong.json", "--json"]),
        ("probe-plan", 0, vec!["probe", "together/flux2-pro", "--dry-run", "--json"]),
        ("failure", 3, with(&["edit", "a.png", "b.png"])),
        ("failure", 4, with(&["edit", "missing.png"])),
        ("failure", 2, vec!["validate", "missing.json", "--json"]),
        ("failure", 2, vec!["models", "--capabilities", "missing.json", "--json"]),
    ];
    for (name, code, args) in &trials {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(*code), "{args:?} {output:?}");
        is(name, args, &output);
    }
    // All that is published is tried; what a probe prints is, where one is run, in `probe.rs`.
    let published = fs::read_dir(format!("{ROOT}/schemas/commands")).expect("a folder").flatten();
    for entry in published {
        let name = entry.file_name().to_string_lossy().replace(".schema.json", "");
        let tried = name == "probe" || trials.iter().any(|it| it.0 == name);
        assert!(tried, "no command is run that prints {name}");
    }
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("my.toml"), "model = [\"kontext\"]\nmax_cost = 0.5\n")
        .expect("written");
    fs::write(folder.path().join("odd.toml"), "model = \"kontext\"\nmax_csot = 1\n")
        .expect("written");
    let shown = |env: &[(&str, &str)], args: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
        command.current_dir(folder.path()).args(args).envs(env.iter().copied());
        let output = command.env("NO_COLOR", "1").output().expect("the program runs");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let setting = |shown: &Value, name: &str| -> Value {
        let settings = shown["settings"].as_array().expect("settings").clone();
        settings.into_iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{shown}"))
    };
    let config = ["config", "--json", "--config", "my.toml"];
    assert!(setting(&shown(&[], &config), "model")["value"].to_string().contains("kontext"));
    let env = [("REPAINT_MODEL", "flux2")];
    let of_env = setting(&shown(&env, &config), "model");
    assert!(of_env.to_string().contains("flux2"), "{of_env}");
    assert!(of_env.to_string().contains("REPAINT_MODEL"), "{of_env}");
    // Who takes a request follows from it.
    let explain = ["explain", "-p", "x", "--json", "--config", "my.toml"];
    let key = ("TOGETHER_API_KEY", "k");
    assert_eq!(shown(&[key], &explain)["offer"], "together/kontext-pro");
    let named = [&explain[..], &["-m", "together/flux2-dev"]].concat();
    assert_eq!(
        shown(&[key, ("REPAINT_MODEL", "flux2-pro")], &named)["offer"],
        "together/flux2-dev"
    );

    let odd = run(folder.path(), &["explain", "-p", "x", "--config", "odd.toml"]);
    let told = String::from_utf8_lossy(&odd.stderr).into_owned();
    assert_eq!(odd.status.code(), Some(2), "{told}");
    assert!(told.contains("odd.toml") && told.contains("max_cost"), "{told}");
}
