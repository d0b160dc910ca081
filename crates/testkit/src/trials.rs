//! The claims as named trials, which a test runner lists, filters and runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use repaint_core::{ImageModel, Registry};

use crate::snapshots::{compare, strays};
use crate::{Complaint, claims};

/// Everything that is tried of the models of a registry: each claim about each of them, and that each
/// sends what its snapshot says.
///
/// `folder` says where the snapshot of a model stands: beside its adapter, so that it is read with it.
pub fn trials(registry: &Registry, folder: impl Fn(&dyn ImageModel) -> PathBuf) -> Vec<Trial> {
    let registry = Arc::new(registry.clone());
    let (mut trials, mut folders) = (Vec::new(), Vec::new());
    let mut add = |name: String, check: Box<dyn FnOnce() -> Result<(), Complaint> + Send>| {
        trials.push(Trial::test(name, || check().map_err(Failed::from)));
    };
    for model in registry.models() {
        let id = model.id().to_owned();
        let own = {
            let (registry, id) = (Arc::clone(&registry), id.clone());
            move |check: &dyn Fn(&dyn ImageModel) -> Result<(), Complaint>| {
                registry.get(&id).map_or(Ok(()), check)
            }
        };
        for claim in claims(model) {
            let own = own.clone();
            let name = format!("{id} {}", claim.name);
            add(name, Box::new(move || own(&|it| claim.holds(it))));
        }
        let folder = folder(model);
        if !folders.contains(&folder) {
            folders.push(folder.clone());
        }
        let name = format!("{id} matches its snapshot");
        add(name, Box::new(move || own(&|it| compare(it, &folder))));
    }
    for folder in folders {
        let registry = Arc::clone(&registry);
        let name = format!("{} has nothing stale", shown(&folder));
        add(name, Box::new(move || strays(&registry, &folder)));
    }
    trials
}

/// Runs trials as the command line says: `cargo test -- WORDS` runs those whose names have the words.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What [`main!`](crate::main) does: the trials of all that is linked, snapshots in the crate's folder.
#[doc(hidden)]
pub fn run_adapters(adapters: &[&str], manifest_dir: &str) -> ExitCode {
    match linked(adapters) {
        Ok(registry) => {
            let folder = Path::new(manifest_dir).join("snapshots");
            run(trials(&registry, |_| folder.clone()))
        }
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}

/// All that is linked, where these crates are; a complaint if they register nothing, or the same twice.
fn linked(adapters: &[&str]) -> Result<Registry, Complaint> {
    Registry::linked().map_err(|err| {
        let twice = err.message().starts_with("two models");
        let names = adapters.join(", ");
        match twice {
            true => Complaint::new(err.message(), "give one of them another model or provider id"),
            false => Complaint::new(
                format!("{names} registers no listing that this program can see"),
                "write `inventory::submit! { Listing::new::<…>(…) }` in it, in a module that its \
                 lib.rs names; if it is there, `cargo tree -d` must show one repaint-core only",
            ),
        }
    })
}

/// The last two parts of a path: enough to know a folder by.
fn shown(folder: &Path) -> String {
    let parts: Vec<_> = folder.iter().map(|it| it.to_string_lossy()).collect();
    parts[parts.len().saturating_sub(2)..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_registers_nothing_is_told_what_to_write() {
        let complaint = linked(&["acme_images"]).expect_err("nothing is linked here");
        assert!(complaint.wrong.starts_with("acme_images registers no listing"), "{complaint}");
        assert!(complaint.fix.contains("inventory::submit!"), "{complaint}");
    }
}
