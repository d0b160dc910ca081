//! Every dependency must allow both our MIT and our Apache-2.0 users.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::command;

/// Licences that do, as the crates spell them. A new one is a decision, so the list is exact.
const ALLOWED: &[&str] = &[
    "(Apache-2.0 OR MIT) AND Unicode-3.0",
    "(MIT OR Apache-2.0) AND Unicode-3.0",
    "0BSD OR MIT OR Apache-2.0",
    "Apache-2.0",
    "Apache-2.0 / MIT",
    "Apache-2.0 AND ISC",
    "Apache-2.0 OR BSL-1.0",
    "Apache-2.0 OR BSL-1.0 OR MIT",
    "Apache-2.0 OR ISC OR MIT",
    "Apache-2.0 OR MIT",
    "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
    "Apache-2.0/MIT",
    "BSD-2-Clause OR Apache-2.0 OR MIT",
    "BSD-3-Clause",
    "BSD-3-Clause OR Apache-2.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT AND BSD-3-Clause",
    "MIT OR Apache-2.0",
    "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
    "MIT OR Apache-2.0 OR Zlib",
    "MIT OR Zlib OR Apache-2.0",
    "MIT-0",
    "MIT/Apache-2.0",
    "Unlicense OR MIT",
    "Unlicense/MIT",
    "Zlib",
    "Zlib OR Apache-2.0 OR MIT",
];

/// Every workspace that is built here.
const MANIFESTS: &[&str] = &["Cargo.toml", "tests/judge/Cargo.toml"];

pub(crate) fn run() -> Result<(), String> {
    let (mut strange, mut seen) = (Vec::new(), BTreeSet::new());
    for manifest in MANIFESTS {
        let metadata =
            ["metadata", "--format-version", "1", "--locked", "--manifest-path", manifest];
        let output = command(&metadata)
            .output()
            .map_err(|err| format!("cargo metadata could not be run: {err}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).map_err(|err| err.to_string())?;
        let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
        for package in packages {
            let licence = package["license"].as_str().unwrap_or("none");
            if !ALLOWED.contains(&licence) {
                strange.push(format!("{} has the licence {licence}", package["name"]));
            }
            seen.insert(licence.to_owned());
        }
    }
    strange.extend(
        ALLOWED
            .iter()
            .filter(|it| !seen.contains(**it))
            .map(|it| format!("no dependency has the licence {it} any more: take it off the list")),
    );
    if strange.is_empty() { Ok(()) } else { Err(strange.join("\n")) }
}
