//! Whether one edition of the schemas breaks programs that live on another, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use repaint_schema::{Change, Edition, Kind, Role, changes};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is judged.
pub(crate) struct Set<'a> {
    /// The last release.
    pub(crate) old: &'a Edition,
    /// What would be the next.
    pub(crate) new: &'a Edition,
    /// Which side of each file of the new set we are on.
    pub(crate) roles: &'a BTreeMap<String, Role>,
    /// Files that may break, with the reasons.
    pub(crate) excuses: &'a BTreeMap<String, String>,
}

/// Every file that breaks somebody without an excuse, and every excuse that nothing needs; in words
/// that say what to do.
pub(crate) fn faults(set: &Set<'_>) -> Vec<String> {
    let Set { old, new, roles, excuses } = set;
    let (mut faults, mut used) = (Vec::new(), BTreeSet::new());
    let (before, after) = (old.judged(), new.judged());
    if old.version.major == new.version.major {
        let changes = changes(old, new);
        for path in before.keys().map(String::as_str).chain(["catalog.json"]) {
            let changes: Vec<&Change> = changes.iter().filter(|it| it.path == path).collect();
            let role = roles.get(path).copied();
            let Some(proof) = broken(before.get(path), after.get(path), role, &changes) else {
                continue;
            };
            if excuses.contains_key(path) {
                used.insert(path);
            } else {
                faults.push(told(path, old, role, &changes, &proof));
            }
        }
    }
    for path in excuses.keys().filter(|it| !used.contains(it.as_str())) {
        faults.push(format!(
            "schemas/breaking.toml excuses {path}, which breaks nobody: take the line away"
        ));
    }
    faults
}

/// How the file breaks somebody, if it does: a proof beyond the changes, which may be empty.
fn broken(
    old: Option<&Value>,
    new: Option<&Value>,
    role: Option<Role>,
    changes: &[&Change],
) -> Option<String> {
    let by_name = changes.iter().any(|it| it.breaks);
    let judged = match (old, new) {
        _ if changes.is_empty() => None,
        (Some(old), Some(new)) => match role {
            Some(role) => values(old, new, role),
            None => Some("nobody says whether it is sent or received".to_owned()),
        },
        _ => None,
    };
    judged.or_else(|| by_name.then(String::new))
}

/// Why values that were right are not, if that is so, or cannot be ruled out.
fn values(old: &Value, new: &Value, role: Role) -> Option<String> {
    let mut judged = compared(old, new, role);
    // Unions of what we write are open and tagged, so no value that we write has two forms; but that
    // takes `anyOf` to prove, since an open form rules no other out.
    if role == Role::Sent && matches!(judged, Ok(Verdict::Unknown { .. })) {
        judged = compared(&any_of(old), &any_of(new), role);
    }
    match judged {
        Ok(Verdict::Compatible) => None,
        Ok(Verdict::Incompatible { counterexample }) => Some(match role {
            Role::Received => format!("this was taken and is refused now: {counterexample}"),
            Role::Sent => format!("this could not come and may come now: {counterexample}"),
        }),
        Ok(Verdict::Unknown { reason }) => {
            Some(format!("that it breaks nobody cannot be proven: {reason}"))
        }
        Err(err) => Some(format!("it cannot be judged: {err}")),
    }
}

/// What the judge says.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Verdict {
    Compatible,
    Incompatible { counterexample: Value },
    Unknown { reason: String },
}

fn compared(old: &Value, new: &Value, role: Role) -> Result<Verdict, String> {
    let side = match role {
        Role::Received => "received",
        Role::Sent => "sent",
    };
    let told = |err: std::io::Error| format!("the judge cannot be asked: {err}");
    let mut judge = Command::new(JUDGE.as_ref().map_err(Clone::clone)?)
        .arg(side)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(told)?;
    if let Some(mut input) = judge.stdin.take() {
        input.write_all(json!([old, new]).to_string().as_bytes()).map_err(told)?;
    }
    let output = judge.wait_with_output().map_err(told)?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The program that judges. It is built apart, since it wants a serde_json of other features, which
/// all that is built together with it would get.
static JUDGE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = root.join("target/judge");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(root.join("tests/judge/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status();
    match built {
        Ok(status) if status.success() => {
            Ok(target.join("debug").join(format!("judge{}", std::env::consts::EXE_SUFFIX)))
        }
        _ => Err("tests/judge could not be built; its lock file names what it needs".to_owned()),
    }
});

/// The schema with every `oneOf` as `anyOf`.
fn any_of(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let keyword = |it: &String| if it == "oneOf" { "anyOf" } else { it }.to_owned();
            fields.iter().map(|(name, it)| (keyword(name), any_of(it))).collect()
        }
        Value::Array(items) => items.iter().map(any_of).collect(),
        other => other.clone(),
    }
}

/// So many changes of a file are told.
const TOLD: usize = 12;

fn told(path: &str, old: &Edition, role: Option<Role>, changes: &[&Change], proof: &str) -> String {
    let version = old.version;
    let whom = match role {
        Some(Role::Received) => "whoever writes it",
        Some(Role::Sent) => "whoever reads it",
        None => "whoever uses it",
    };
    let mut text = format!("schemas/{path} breaks {whom} as {version} has it:\n");
    let shapes: Vec<_> = changes.iter().filter(|it| it.kind != Kind::Reworded).collect();
    for Change { place, what, breaks, .. } in shapes.iter().take(TOLD) {
        let mark = if *breaks { " (this breaks them)" } else { "" };
        text.push_str(&format!("  `{place}`: {what}{mark}\n"));
    }
    if TOLD < shapes.len() {
        let more = shapes.len() - TOLD;
        text.push_str(&format!("  and {more} more; schemas/CHANGELOG.md has all\n"));
    }
    if !proof.is_empty() {
        text.push_str(&format!("  {proof}\n"));
    }
    text.push_str(&format!(
        "do one of these:\n  \
         take the change back, or make it in a way that keeps what was right right\n  \
         if the provider takes less now, write into schemas/breaking.toml, with the source:\n    \
         \"{path}\" = \"what the provider changed, and where it says so\"\n  \
         make it a new major version: cargo xtask release-schemas {}.0.0",
        version.major + 1
    ));
    text
}
