//! The configuration as a user meets it: what a file may hold, who wins, and how what is wrong is told.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");

/// The program where nothing is set but what a test sets.
fn repaint(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null()).args(args);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["REPAINT_", "TOGETHER_", "BFL_", "XDG_"].iter().any(|it| text.starts_with(it)) {
            command.env_remove(&name);
        }
    }
    // Where every system looks for the usual file.
    command.env("HOME", folder).env("APPDATA", folder).env("XDG_CONFIG_HOME", folder);
    command.env("REPAINT_STORE", "none");
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    repaint(folder, args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A folder with a configuration in it.
fn with(config: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("my.toml"), config).expect("written");
    folder
}

/// What `repaint config --json` says of one name.
fn set(output: &Output, name: &str) -> (Value, Value) {
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = shown["settings"].as_array().expect("settings").iter();
    let found = found.clone().find(|it| it["name"] == name).cloned().unwrap_or_default();
    (found["value"].clone(), found["from"].clone())
}

#[test]
fn a_wrong_file_is_told_by_line_and_name_with_what_it_takes_and_nothing_runs() {
    for (config, needle) in [
        ("max_csot = 1", "line 1: `max_csot` means nothing here; did you mean `max_cost`?"),
        ("\nmax-cost = 1", "line 2: `max-cost` means nothing here; did you mean `max_cost`?"),
        (
            "model = \"flux2-pro\"",
            "line 1: `model` takes a list of names, such as model = [\"flux2-pro\"]",
        ),
        ("model = [1]", "line 1: `model` takes a list of names"),
        ("model = flux2-pro", "`model` takes a list of names"),
        (
            "timeout = \"long\"",
            "`timeout` takes a whole number of seconds, 1 or more, such as timeout = 300",
        ),
        ("timeout = 1.5", "`timeout` takes a whole number of seconds"),
        ("timeout = 99999999999", "`timeout` takes a whole number of seconds"),
        ("timeout = 0", "line 1: 0 seconds are too few"),
        ("max_cost = \"1\"", "`max_cost` takes an amount in US dollars"),
        ("max_cost = $1", "`max_cost` takes an amount in US dollars"),
        ("folder = 3", "`folder` takes a path in quotes, such as folder = \"~/Pictures\""),
        ("show = true", "`show` takes auto, kitty"),
        ("adapt = \"size=nearest\"", "such as adapt = { size = \"nearest\" }"),
        ("[adapt]\nsise = \"nearest\"", "line 2: `sise` means nothing here; did you mean `size`?"),
        (
            "[adapt]\nsize = \"loud\"",
            "line 2: `size=loud` is no adaptation; there are size=nearest",
        ),
        ("[adapt]\nsize = 3", "line 2: `adapt` takes methods"),
        ("providers = 3", "line 1: `providers` takes a table for each provider"),
        ("[providers]\ntogether = \"x\"", "line 2: `providers` takes a table"),
        ("[providers.together]\nbase_url = 3", "line 2: `base_url` takes an address in quotes"),
        (
            "[providers.together]\nbase = \"x\"",
            "line 2: `base` means nothing here; did you mean `base_url`?",
        ),
        ("[providers.nobody]", "no provider is called `nobody`; there are bfl, together"),
        ("api_key = \"s3cr3t\"", "line 1: `api_key` cannot stand here"),
        ("timeout = 3\ntimeout = 4", "line 2: duplicate key"),
    ] {
        let folder = with(config);
        let output = run(folder.path(), &["models", "--config", "my.toml"]);
        let told = text(&output.stderr);
        assert!(told.starts_with("error: my.toml, line "), "{config}: {told}");
        assert!(told.contains(needle), "{config}: `{needle}` is not in {told}");
        assert!(!output.status.success() && output.stdout.is_empty(), "{config}");
        for word in
            ["invalid type", "unknown field", "unknown variant", "expected u32", "struct", "s3cr3t"]
        {
            assert!(!told.contains(word), "{config}: {told}");
        }
    }
}

#[test]
fn a_variable_that_says_nothing_is_told_by_its_name() {
    let folder = with("");
    for (name, value, needle) in [
        ("REPAINT_TIMEOUT", "long", "`long` is no number of seconds such as 300"),
        ("REPAINT_MAX_COST", "much", "`much` is no amount in US dollars such as 0.05"),
        ("REPAINT_ADAPT", "size=loud", "`size=loud` is no adaptation"),
        ("REPAINT_SHOW", "loud", "`loud` is no way to show a picture; there are auto"),
        ("REPAINT_CONFIG", "nowhere.toml", "nowhere.toml cannot be read: no such file"),
    ] {
        let output = repaint(folder.path(), &["models"]).env(name, value).output().expect("runs");
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains(needle), "{name}: {told}");
        assert!(name == "REPAINT_CONFIG" || told.contains(name), "{name}: {told}");
    }
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let folder = with("model = [\"local/collage\"]\nmax_cost = 0.05\n");
    let config = ["--config", "my.toml"];
    let shown = |env: &[(&str, &str)]| {
        let mut command = repaint(folder.path(), &["config", "--json"]);
        command.args(config).envs(env.iter().copied());
        command.output().expect("runs")
    };
    assert_eq!(set(&shown(&[]), "max_cost"), (json!("$0.05"), json!("my.toml, line 2")));
    let both = shown(&[("REPAINT_MAX_COST", "0.10"), ("REPAINT_MODEL", "local/palette")]);
    assert_eq!(set(&both, "max_cost"), (json!("$0.10"), json!("REPAINT_MAX_COST")));
    assert_eq!(set(&both, "model"), (json!("local/palette"), json!("REPAINT_MODEL")));

    // The same, by what an edit does.
    let edit = |env: &[(&str, &str)], more: &[&str]| {
        let mut command = repaint(folder.path(), &["explain", CAT, "-p", "watercolor", "--json"]);
        command.args(config).envs(env.iter().copied()).args(more);
        let output = command.output().expect("runs");
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (shown["offer"].clone(), text(&output.stderr))
    };
    // A collage takes two images: who set it is told.
    let (offer, told) = edit(&[], &[]);
    assert_eq!(offer, Value::Null);
    assert!(told.contains("--model local/collage is set by my.toml, line 1"), "{told}");
    let (offer, told) = edit(&[("REPAINT_MODEL", "local/palette")], &[]);
    assert_eq!(offer, Value::Null);
    assert!(told.contains("--model local/palette is set by REPAINT_MODEL"), "{told}");
    let env = [("REPAINT_MODEL", "local/palette")];
    assert_eq!(edit(&env, &["-m", "local/watercolor"]).0, "local/watercolor");
}

#[test]
fn the_usual_file_is_found_shown_and_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text(&run(folder.path(), &["config", "--path"]).stdout);
    let path = Path::new(path.trim_end()).to_path_buf();
    assert!(path.starts_with(folder.path()) && path.ends_with("config.toml"), "{path:?}");
    let told = text(&run(folder.path(), &["config"]).stderr);
    assert!(told.contains("there is no configuration; it would be"), "{told}");

    // What `--example` prints is read as it is, and sets nothing.
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, run(folder.path(), &["config", "--example"]).stdout).expect("written");
    let output = run(folder.path(), &["config"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing is set"), "{}", text(&output.stderr));
    let whole = fs::read_to_string(&path).expect("there");
    fs::write(&path, whole.replace("#timeout", "timeout")).expect("written");
    assert_eq!(set(&run(folder.path(), &["config", "--json"]), "timeout").0, "120");

    fs::write(&path, "timeout = 'x'").expect("written");
    assert!(!run(folder.path(), &["models"]).status.success());
    for more in [["config", "--path"], ["config", "--example"], ["models", "--config=none"]] {
        let output = run(folder.path(), &more);
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", text(&output.stderr));
    }
    let doctor = text(&run(folder.path(), &["doctor", "--offline"]).stdout);
    assert!(doctor.contains("`timeout` takes a whole number"), "{doctor}");
}

#[test]
fn pictures_go_to_the_folder_that_is_set_beside_the_file() {
    let folder = with("folder = \"made\"");
    fs::create_dir(folder.path().join("made")).expect("made");
    let args = ["edit", CAT, "-p", "watercolor", "-m", "local/watercolor", "--config", "my.toml"];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(folder.path().join("made/cat-repainted.png").is_file());
    let output = run(folder.path(), &[&args[..], &["-o", "a.png"]].concat());
    assert_eq!(text(&output.stdout), "a.png\n");
}
