//! One trial for each offer and each thing that it declares: `cargo test -p repaint-tests -- bfl/kontext`.

use std::collections::BTreeSet;
use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use repaint_adapters as _;
use repaint_core::{ImageModel, Registry};
use repaint_testkit::{snapshot, trials};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn main() {
    let registry = Registry::linked().expect("adapters are linked");
    let registry: &'static Registry = Box::leak(Box::new(registry));
    let mut all = trials(registry);
    all.push(Trial::test("every adapter is linked", || every_adapter_is_linked(registry)));
    for model in registry.models() {
        let name = format!("{} matches its snapshot", model.id());
        all.push(Trial::test(name, || matches_its_snapshot(model)));
    }
    libtest_mimic::run(&Arguments::from_args(), all).exit();
}

/// One snapshot for each offer, beside its adapter.
fn matches_its_snapshot(model: &dyn ImageModel) -> Result<(), Failed> {
    let mut settings = insta::Settings::clone_current();
    let folder = if model.provider().endpoint.is_some() { model.family() } else { "local" };
    settings.set_snapshot_path(format!("{ROOT}/adapters/{folder}/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(model.id().replace('/', "."), snapshot(model)));
    Ok(())
}

fn every_adapter_is_linked(registry: &Registry) -> Result<(), Failed> {
    let mut linked: BTreeSet<String> = registry.models().map(|it| it.family().to_owned()).collect();
    linked.extend(registry.models().map(|it| it.provider().id.to_owned()));
    let mut missing = Vec::new();
    for folder in std::fs::read_dir(Path::new(ROOT).join("adapters"))? {
        let name = folder?.file_name().to_string_lossy().into_owned();
        if name != "all" && !linked.contains(&name) {
            missing.push(name);
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        _ => Err(format!("not linked, add to adapters/all: {missing:?}").into()),
    }
}
