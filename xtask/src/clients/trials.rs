//! What the clients must do: each builds, keeps its own claims, judges as the library does, and writes its bodies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::tools::{self, Tool, Tools, Trouble, done, output};
use super::{collect, copy, document, emptied, failed, sdks, snippets, stale, write};
use crate::codegen::Mode;
use crate::{cargo, corpus, root};

const TRIALS: &[Trial] = &[
    Trial { name: "what is generated is fresh", run: fresh },
    Trial { name: "TypeScript builds, strictly", run: typescript_builds },
    Trial { name: "TypeScript keeps its claims", run: typescript_claims },
    Trial {
        name: "TypeScript: ajv, zod and the rules judge as the library does",
        run: typescript_judges,
    },
    Trial { name: "TypeScript writes the library's bodies", run: typescript_writes },
    Trial { name: "the program in TypeScript prints what explain does", run: typescript_explains },
    Trial { name: "the page's programs in TypeScript run", run: typescript_page },
    Trial { name: "Python is typed, strictly", run: python_types },
    Trial { name: "Python keeps its claims", run: python_claims },
    Trial {
        name: "Python: jsonschema, pydantic and the rules judge as the library does",
        run: python_judges,
    },
    Trial { name: "Python writes the library's bodies", run: python_writes },
    Trial { name: "the program in Python prints what explain does", run: python_explains },
    Trial { name: "the page's programs in Python run", run: python_page },
    Trial { name: "Go is vetted and keeps its claims", run: go },
    Trial { name: "Java compiles, and the page's programs in it run", run: java },
    Trial { name: "C# compiles, and the page's programs in it run", run: csharp },
    Trial { name: "redocly finds nothing in the document of the gateway", run: document::redocly },
    Trial { name: "spectral finds nothing in it either", run: document::spectral },
    Trial {
        name: "schemathesis: the gateway does what its document says",
        run: document::schemathesis,
    },
];

struct Trial {
    name: &'static str,
    /// What it found, in a line.
    run: fn(&mut Bench) -> Result<String, Trouble>,
}

/// What the trials share; made when the first of them asks for it.
#[derive(Default)]
pub(super) struct Bench {
    pub(super) tools: Tools,
    built: bool,
    lines: Option<PathBuf>,
    jobs: Option<PathBuf>,
    explained: Vec<Explained>,
}

/// Runs every trial whose name has these words, even after one that fails. What a missing tool keeps from running is no success in CI.
pub(crate) fn run(words: &str) -> Result<(), String> {
    let mut bench = Bench::default();
    let (mut passed, mut wrong, mut not_run) = (0, 0, 0);
    let mut tell = |name: &str, found: Result<String, Trouble>| match found {
        Ok(found) => {
            passed += 1;
            println!("ok: {name}{}{found}", if found.is_empty() { "" } else { ": " });
        }
        Err(trouble @ Trouble::Missing(..)) => {
            not_run += 1;
            println!("NOT RUN: {name}: {trouble}");
        }
        Err(trouble @ Trouble::Failed(_)) => {
            wrong += 1;
            println!("FAILED: {name}\n{trouble}");
        }
    };
    let wanted = |name: &str| name.contains(words);
    for Trial { name, run } in TRIALS.iter().filter(|it| wanted(it.name)) {
        tell(name, run(&mut bench));
    }
    let sdks = sdks::run(&mut bench, wanted).map_err(|it| it.to_string())?;
    sdks.into_iter().for_each(|(name, found)| tell(&name, found));
    println!("{passed} trials of the clients passed, {wrong} failed, {not_run} NOT RUN");
    if passed + wrong + not_run == 0 {
        return Err(format!("no trial of the clients has `{words}` in its name"));
    }
    let ci = std::env::var("CI").is_ok_and(|it| it == "true");
    if 0 < wrong || ci && 0 < not_run {
        return Err(format!("the clients were not found sound: {wrong} failed, {not_run} NOT RUN"));
    }
    Ok(())
}

fn fresh(bench: &mut Bench) -> Result<String, Trouble> {
    let stale = stale(&mut bench.tools, Mode::Check)?;
    match stale.is_empty() {
        true => Ok(String::new()),
        false => Err(Trouble::Failed(format!(
            "run `cargo xtask clients`; stale:\n  {}",
            stale.join("\n  ")
        ))),
    }
}

fn typescript_builds(bench: &mut Bench) -> Result<String, Trouble> {
    let place = bench.tools.get(Tool::Npm("clients/typescript"))?;
    let from = root().join("clients/typescript");
    for folder in ["src", "dist"] {
        if place.join(folder).exists() {
            fs::remove_dir_all(place.join(folder)).map_err(failed(&place))?;
        }
    }
    let mut files = std::collections::BTreeMap::new();
    collect(&from, &from.join("src"), &mut files)?;
    for (path, bytes) in files {
        write(&place.join(path), &bytes)?;
    }
    copy(&from.join("tsconfig.json"), &place.join("tsconfig.json"))?;
    for (number, program) in snippets::of("ts")?.iter().enumerate() {
        write(&place.join(format!("src/page/{number}.ts")), program.as_bytes())?;
    }
    bench.built = false;
    done(Command::new("npm").args(["run", "--silent", "build"]).current_dir(&place))?;
    bench.built = true;
    Ok(String::new())
}

/// The folder of the package, which is built now if it was not yet.
pub(super) fn typescript(bench: &mut Bench) -> Result<PathBuf, Trouble> {
    if !bench.built {
        typescript_builds(bench)?;
    }
    bench.tools.get(Tool::Npm("clients/typescript"))
}

fn typescript_claims(bench: &mut Bench) -> Result<String, Trouble> {
    let place = typescript(bench)?;
    done(Command::new("npm").args(["run", "--silent", "test"]).current_dir(&place))?;
    Ok(String::new())
}

fn typescript_judges(bench: &mut Bench) -> Result<String, Trouble> {
    let place = typescript(bench)?;
    let (lines, schemas) = (bench.lines()?, root().join("schemas"));
    let program = place.join("dist/test/corpus.js");
    output(Command::new("node").arg(program).arg(lines).arg(schemas)).map(last)
}

fn typescript_writes(bench: &mut Bench) -> Result<String, Trouble> {
    let place = typescript(bench)?;
    let jobs = bench.jobs()?;
    output(Command::new("node").arg(place.join("dist/test/jobs.js")).arg(jobs)).map(last)
}

fn typescript_explains(bench: &mut Bench) -> Result<String, Trouble> {
    let program = typescript(bench)?.join("dist/print-body.js");
    bench.explains(|offer, images| {
        let mut command = Command::new("node");
        command.arg(&program).args([offer, PROMPT]).args(images);
        command
    })
}

fn typescript_page(bench: &mut Bench) -> Result<String, Trouble> {
    let place = typescript(bench)?;
    let programs = snippets::of("ts")?;
    for number in 0..programs.len() {
        let program = place.join(format!("dist/page/{number}.js"));
        done(Command::new("node").arg(program).env("SCHEMAS", root().join("schemas")))?;
    }
    Ok(format!("{} programs", programs.len()))
}

/// Python, which sees the package where it stands.
fn python(bench: &mut Bench) -> Result<Command, Trouble> {
    let mut command =
        Command::new(bench.tools.get(Tool::Pip("clients/python"))?.join("bin/python"));
    // A warning is a fault: what a library says is going is gone with its next release.
    command.args(["-W", "error"]).current_dir(root().join("clients/python"));
    command.env("PYTHONPATH", root().join("clients/python"));
    Ok(command)
}

fn python_types(bench: &mut Bench) -> Result<String, Trouble> {
    let cache = tools::target().join("mypy-cache");
    done(python(bench)?.args(["-m", "mypy", "--cache-dir"]).arg(cache))?;
    Ok(String::new())
}

fn python_claims(bench: &mut Bench) -> Result<String, Trouble> {
    done(python(bench)?.args(["-m", "unittest", "discover", "-s", "tests"]))?;
    Ok(String::new())
}

fn python_judges(bench: &mut Bench) -> Result<String, Trouble> {
    let (lines, schemas) = (bench.lines()?, root().join("schemas"));
    output(python(bench)?.arg("tests/corpus.py").arg(lines).arg(schemas)).map(last)
}

fn python_writes(bench: &mut Bench) -> Result<String, Trouble> {
    let jobs = bench.jobs()?;
    output(python(bench)?.arg("tests/jobs.py").arg(jobs)).map(last)
}

fn python_explains(bench: &mut Bench) -> Result<String, Trouble> {
    // A command cannot be cloned, and to look for Python once is enough.
    python(bench)?;
    let python = bench.tools.get(Tool::Pip("clients/python"))?.join("bin/python");
    bench.explains(|offer, images| {
        let mut command = Command::new(&python);
        command.current_dir(root().join("clients/python"));
        command.args(["-m", "repaint_client.print_body", offer, PROMPT]).args(images);
        command
    })
}

fn python_page(bench: &mut Bench) -> Result<String, Trouble> {
    let programs = snippets::of("python")?;
    let place = emptied("python-page")?;
    for (number, program) in programs.iter().enumerate() {
        write(&place.join(format!("page_{number}.py")), program.as_bytes())?;
    }
    for number in 0..programs.len() {
        let program = place.join(format!("page_{number}.py"));
        done(python(bench)?.arg(program).env("SCHEMAS", root().join("schemas")))?;
    }
    let cache = tools::target().join("mypy-cache");
    done(python(bench)?.args(["-m", "mypy", "--strict", "--cache-dir"]).arg(cache).arg(place))?;
    Ok(format!("{} programs", programs.len()))
}

fn go(bench: &mut Bench) -> Result<String, Trouble> {
    let go = bench.tools.get(Tool::Pip("clients/go"))?.join("bin/go");
    let place = emptied("go")?;
    for file in ["go.mod", "repaint.go", "repaint_test.go"] {
        copy(&root().join("clients/go").join(file), &place.join(file))?;
    }
    let programs = snippets::of("go")?;
    for (number, program) in programs.iter().enumerate() {
        write(&place.join(format!("page{number}/main.go")), program.as_bytes())?;
    }
    done(Command::new(&go).args(["vet", "./..."]).current_dir(&place))?;
    done(Command::new(&go).args(["test", "./..."]).current_dir(&place))?;
    for number in 0..programs.len() {
        done(Command::new(&go).args(["run", &format!("./page{number}")]).current_dir(&place))?;
    }
    Ok(format!("{} programs of the page run", programs.len()))
}

fn java(bench: &mut Bench) -> Result<String, Trouble> {
    bench.tools.get(Tool::Program("javac", "-version"))?;
    let packages = bench.tools.get(Tool::Pip("clients/java"))?;
    let mut files = std::collections::BTreeMap::new();
    collect(&packages, &packages.join("lib"), &mut files)?;
    let is_jar = |it: &&String| it.ends_with("openapi-generator.jar");
    let jar = files.keys().find(is_jar).map(|it| packages.join(it));
    let jar = jar.ok_or_else(|| Trouble::Failed("Jackson's jar is not where it was".to_owned()))?;
    let place = emptied("java")?;
    let sources = root().join("clients/java/repaint");
    let mut compile = Command::new("javac");
    compile.arg("-cp").arg(&jar).arg("-d").arg(&place).args(["-Xlint:all,-processing", "-Werror"]);
    for entry in fs::read_dir(&sources).map_err(failed(&sources))? {
        compile.arg(entry.map_err(failed(&sources))?.path());
    }
    done(&mut compile)?;
    let programs = snippets::of("java")?;
    for (number, program) in programs.iter().enumerate() {
        let source = place.join(format!("page{number}/Page.java"));
        write(&source, program.as_bytes())?;
        let classes = format!("{}:{}", jar.display(), place.display());
        done(Command::new("java").args(["-cp", &classes]).arg(source))?;
    }
    Ok(format!("{} programs", programs.len()))
}

/// Where Debian's libnewtonsoft-json5.0-cil has the library.
const NEWTONSOFT: &str = "/usr/lib/cli/Newtonsoft.Json-5.0";

fn csharp(bench: &mut Bench) -> Result<String, Trouble> {
    bench.tools.get(Tool::Program("mcs", "--version"))?;
    bench.tools.get(Tool::Program("mono", "--version"))?;
    let library = Path::new(NEWTONSOFT).join("Newtonsoft.Json.dll");
    if !library.exists() {
        let why = "install libnewtonsoft-json5.0-cil".to_owned();
        return Err(Trouble::Missing(library.display().to_string(), why));
    }
    let (place, types) = (emptied("csharp")?, root().join("clients/csharp/Repaint.cs"));
    let programs = snippets::of("csharp")?;
    for (number, program) in programs.iter().enumerate() {
        let (source, built) =
            (place.join(format!("Page{number}.cs")), place.join(format!("Page{number}.exe")));
        write(&source, program.as_bytes())?;
        let mut compile = Command::new("mcs");
        compile.args(["-nologo", "-warnaserror"]).arg(format!("-r:{}", library.display()));
        done(compile.arg(format!("-out:{}", built.display())).arg(&types).arg(source))?;
        done(Command::new("mono").arg(built).env("MONO_PATH", NEWTONSOFT))?;
    }
    Ok(format!("{} programs", programs.len()))
}

impl Bench {
    /// Bodies and jobs with the library's verdicts, and whatever was ever judged differently.
    fn lines(&mut self) -> Result<PathBuf, Trouble> {
        if let Some(path) = &self.lines {
            return Ok(path.clone());
        }
        let path = tools::target().join("corpus.jsonl");
        corpus::values("20000", &path).map_err(Trouble::Failed)?;
        let mut text = fs::read_to_string(&path).map_err(failed(&path))?;
        let known = read(&root().join("tests/disagreements.json"))?;
        for line in known.as_array().into_iter().flatten() {
            text.push_str(&format!("{line}\n"));
        }
        write(&path, text.as_bytes())?;
        Ok(self.lines.insert(path).clone())
    }

    /// Jobs with the library's bodies.
    fn jobs(&mut self) -> Result<PathBuf, Trouble> {
        if let Some(path) = &self.jobs {
            return Ok(path.clone());
        }
        let path = tools::target().join("jobs.jsonl");
        corpus::jobs(&path).map_err(Trouble::Failed)?;
        Ok(self.jobs.insert(path).clone())
    }

    /// Compares what a program prints for every offer with what `repaint explain` does.
    fn explains(&mut self, program: impl Fn(&str, &[&str]) -> Command) -> Result<String, Trouble> {
        if self.explained.is_empty() {
            self.explained = explained()?;
        }
        for Explained { offer, images, body } in &self.explained {
            let printed = output(&mut program(offer, images))?;
            if printed.trim_end() != body {
                let message = format!("{offer}: prints {printed}, where explain has {body}");
                return Err(Trouble::Failed(message));
            }
        }
        Ok(format!("{} offers", self.explained.len()))
    }
}

const PROMPT: &str = "Make it \"night\"\u{2014}näher";
const IMAGE: &str = "https://images.example/cat.png?signature=a%2Fb";

/// The body that `repaint explain` prints for an offer.
struct Explained {
    offer: String,
    /// One, unless the offer only draws.
    images: &'static [&'static str],
    /// As it stands there, to the last character.
    body: String,
}

/// What is explained for all offers that have a body.
fn explained() -> Result<Vec<Explained>, Trouble> {
    cargo(&["build", "--quiet", "-p", "repaint-cli"]).map_err(Trouble::Failed)?;
    let repaint = tools::target().join("../debug/repaint");
    let path = root().join("schemas/catalog.json");
    let catalog = read(&path)?;
    let mut bodies = Vec::new();
    for entry in catalog["models"].as_array().into_iter().flatten() {
        let (Some(offer), Some(_)) = (entry["id"].as_str(), entry["request_schema"].as_str())
        else {
            continue;
        };
        let draws_only = entry["accepts"]["images"]["value"]["max"] == 0;
        let images: &[&str] = if draws_only { &[] } else { &[IMAGE] };
        let words = ["explain", "--prompt", PROMPT, "--model", offer, "--json"];
        let said = output(Command::new(&repaint).args(words).args(images))?;
        let said: Value = serde_json::from_str(&said)
            .map_err(|err| Trouble::Failed(format!("explain for {offer}: {err}")))?;
        let body = format!("{:#}", said["call"]["body"]);
        bodies.push(Explained { offer: offer.to_owned(), images, body });
    }
    Ok(bodies)
}

fn read(path: &Path) -> Result<Value, Trouble> {
    let text = fs::read_to_string(path).map_err(failed(path))?;
    serde_json::from_str(&text).map_err(|err| Trouble::Failed(format!("{}: {err}", path.display())))
}

/// The last line of what a program printed: its tally.
fn last(printed: String) -> String {
    printed.lines().last().unwrap_or_default().to_owned()
}
