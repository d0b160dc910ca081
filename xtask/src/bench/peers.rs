//! The clients of others: how they are installed, and how each is run.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Place;

/// A program that makes the same edit with somebody else's library.
#[derive(Debug)]
pub(super) struct Peer {
    /// As it is shown: the language, the libraries and their versions.
    pub(super) name: &'static str,
    kind: Kind,
    script: &'static str,
    /// What is installed; exactly these versions.
    packages: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Node,
    Python,
}

pub(super) const PEERS: [Peer; 4] = [
    Peer {
        name: "Python together 3.1.1",
        kind: Kind::Python,
        script: "with_together.py",
        packages: &["together==3.1.1"],
    },
    Peer {
        name: "Python openai 3.54.0",
        kind: Kind::Python,
        script: "with_openai.py",
        packages: &["openai==3.54.0"],
    },
    Peer {
        name: "Node together-ai 0.52.0",
        kind: Kind::Node,
        script: "with_together_ai.mjs",
        packages: &["together-ai@0.52.0"],
    },
    // Version 7 of `ai` wants a newer Node than Debian stable has.
    Peer {
        name: "Node ai 6.0.324 + togetherai 2.0.82",
        kind: Kind::Node,
        script: "with_ai.mjs",
        packages: &["ai@6.0.324", "@ai-sdk/togetherai@2.0.82"],
    },
];

/// Copied beside the libraries, since Node looks for them upwards from the script.
const SCRIPTS: [(&str, &str); 6] = [
    ("edit.mjs", include_str!("peers/edit.mjs")),
    ("edit.py", include_str!("peers/edit.py")),
    ("with_ai.mjs", include_str!("peers/with_ai.mjs")),
    ("with_openai.py", include_str!("peers/with_openai.py")),
    ("with_together.py", include_str!("peers/with_together.py")),
    ("with_together_ai.mjs", include_str!("peers/with_together_ai.mjs")),
];

impl Peer {
    /// Installs the library unless it is there; the error says why it cannot be.
    pub(super) fn install(&self, place: &Place) -> Result<(), String> {
        let folder = self.folder(place);
        let ready = folder.join("ready");
        if ready.exists() {
            return self.copy_scripts(&folder);
        }
        std::fs::create_dir_all(&folder).map_err(|err| err.to_string())?;
        match self.kind {
            Kind::Python => {
                let mut venv = Command::new("python3");
                quiet(venv.args(["-m", "venv"]).arg(&folder))?;
                let mut pip = Command::new(folder.join("bin/python"));
                quiet(pip.args(["-m", "pip", "install", "--quiet"]).args(self.packages))?;
            }
            Kind::Node => {
                // Without it, npm installs into a folder above that has one.
                let package = folder.join("package.json");
                std::fs::write(package, "{\"private\":true}").map_err(|err| err.to_string())?;
                let mut npm = Command::new("npm");
                let install = ["install", "--silent", "--save-exact", "--no-audit", "--no-fund"];
                quiet(npm.args(install).args(self.packages).current_dir(&folder))?;
            }
        }
        std::fs::write(ready, "").map_err(|err| err.to_string())?;
        self.copy_scripts(&folder)
    }

    /// The command, up to its arguments.
    pub(super) fn command(&self, place: &Place) -> Command {
        let folder = self.folder(place);
        let mut command = match self.kind {
            Kind::Python => Command::new(folder.join("bin/python")),
            Kind::Node => Command::new("node"),
        };
        command.arg(folder.join(self.script));
        command
    }

    fn folder(&self, place: &Place) -> std::path::PathBuf {
        place.scratch.join(self.packages.join("+").replace('/', "-"))
    }

    fn copy_scripts(&self, folder: &Path) -> Result<(), String> {
        let end = match self.kind {
            Kind::Node => ".mjs",
            Kind::Python => ".py",
        };
        for (name, text) in SCRIPTS.iter().filter(|it| it.0.ends_with(end)) {
            std::fs::write(folder.join(name), text).map_err(|err| err.to_string())?;
        }
        Ok(())
    }
}

pub(super) fn quiet(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|err| format!("{name} cannot be run: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|it| !it.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("{name}: {}", line.trim()))
}
