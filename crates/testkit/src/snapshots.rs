//! The snapshots: what each offer sends and refuses, in a file beside its adapter that a person reads.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use repaint_core::{ImageModel, Registry};

use crate::{Complaint, snapshot};

/// Compares what a model sends with its snapshot, `FOLDER/PROVIDER.MODEL.snap`; insta shows where they
/// differ, and writes as `INSTA_UPDATE` says.
///
/// # Errors
///
/// Fails if there is none, or it differs.
pub fn compare(model: &dyn ImageModel, folder: &Path) -> Result<(), Complaint> {
    let name = model.id().replace('/', ".");
    let file = folder.join(format!("{name}.snap"));
    let there = file.exists();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let sent = snapshot(model);
    let assert = || settings.bind(|| insta::assert_json_snapshot!(name.as_str(), sent));
    catch_unwind(AssertUnwindSafe(assert)).map_err(|_| {
        let file = file.display();
        if there {
            Complaint::new(
                format!("sends something else than {file} says; the difference stands above"),
                "if that is meant, write it with INSTA_UPDATE=always, read the difference and commit \
                 it; else mend the wire or the facts",
            )
        } else {
            Complaint::new(
                format!("there is no {file}"),
                "write it with INSTA_UPDATE=always, read every call in it as the provider would, and \
                 commit it",
            )
        }
    })
}

/// Looks for snapshots of offers that are no longer there.
///
/// # Errors
///
/// Fails if there is one, and names it.
pub fn strays(registry: &Registry, folder: &Path) -> Result<(), Complaint> {
    let known: Vec<String> =
        registry.models().map(|it| format!("{}.snap", it.id().replace('/', "."))).collect();
    let mut strays: Vec<String> = match fs::read_dir(folder) {
        Ok(entries) => {
            entries.flatten().map(|it| it.file_name().to_string_lossy().into_owned()).collect()
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(err) => {
            return Err(Complaint::new(
                format!("{} cannot be read: {err}", folder.display()),
                "give this user the right to read it",
            ));
        }
    };
    strays.retain(|it| it.ends_with(".snap") && !known.contains(it));
    strays.sort();
    if strays.is_empty() {
        return Ok(());
    }
    let strays = strays.join(", ");
    Err(Complaint::new(
        format!("no linked offer has the snapshot {strays} in {}", folder.display()),
        format!("delete it, or give the offer back its id, or link its adapter: {strays}"),
    ))
}
