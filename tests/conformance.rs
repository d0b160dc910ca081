//! One trial for each offer and each thing that it declares: `cargo test -p repaint-tests -- bfl/kontext`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::Trial;
use repaint_adapters as _;
use repaint_core::Registry;
use repaint_testkit::{run, trials};
use repaint_tests::{folder, unlinked};

fn main() -> ExitCode {
    let registry = Registry::linked().expect("adapters are linked");
    let adapters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters");
    let beside = |it: &_| folder(&adapters, it).unwrap_or_else(|err| panic!("{err}"));
    let mut all = trials(&registry, |it| -> PathBuf { beside(it).join("snapshots") });
    all.push(Trial::test("every adapter is linked", move || Ok(unlinked(&registry, &adapters)?)));
    run(all)
}
