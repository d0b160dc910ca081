//! Which folder of `adapters/` has which model.

use std::fs;
use std::path::{Path, PathBuf};

use repaint_core::{ImageModel, Registry};

/// The folder of a model's adapter: named like its family, or like the word that the family begins
/// with; what runs in this process stands in `local`.
///
/// # Errors
///
/// Fails if there is none, and says what it would be called.
pub fn folder(adapters: &Path, model: &dyn ImageModel) -> Result<PathBuf, String> {
    let family = match model.provider().endpoint {
        Some(_) => model.family(),
        None => model.provider().id,
    };
    let words = family.match_indices('-').map(|(at, _)| &family[..at]);
    let mut names: Vec<&str> = words.chain([family]).collect();
    names.reverse();
    let found = names.iter().map(|it| adapters.join(it)).find(|it| it.is_dir());
    found.ok_or_else(|| {
        format!("{} has no folder of its own: call it adapters/{}", model.id(), names.join(" or "))
    })
}

/// Complains of folders of `adapters/` that no linked model comes from.
///
/// # Errors
///
/// Fails if there is one, and says where it must be named.
pub fn unlinked(registry: &Registry, adapters: &Path) -> Result<(), String> {
    let linked: Vec<PathBuf> =
        registry.models().map(|it| folder(adapters, it)).collect::<Result<_, _>>()?;
    let entries = fs::read_dir(adapters).map_err(|err| format!("{}: {err}", adapters.display()))?;
    let mut missing: Vec<String> = entries
        .flatten()
        .filter(|it| it.path().join("Cargo.toml").is_file() && !linked.contains(&it.path()))
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .filter(|it| it != "all")
        .collect();
    missing.sort();
    match missing.as_slice() {
        [] => Ok(()),
        _ => Err(format!(
            "adapters/{} registers nothing\n  what to do: name it in adapters/all (Cargo.toml and \
             src/lib.rs), and write inventory::submit! in a module that its lib.rs names",
            missing.join(", adapters/")
        )),
    }
}
