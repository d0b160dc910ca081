//! Every phase, fault and cut point, and many random schedules, in paused time: what must hold holds, and what is broken on
//! purpose is seen.

use std::collections::BTreeSet;

use repaint_emulator::{Fault, Stage};
use repaint_tests::simulation::{
    Invariant, Sabotage, Scene, Schedule, listed, many, seed_of, smallest,
};

/// `cargo xtask simulate` plays more of them.
const SCHEDULES: u64 = 2_500;
const SEED: u64 = 1;

fn scene() -> (tempfile::TempDir, Scene) {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path());
    (folder, scene)
}

#[test]
fn every_phase_fault_and_cut_point_ends_well() {
    let (_folder, scene) = scene();
    let sums = listed(&scene);
    println!("{sums}");
    if let Some((_, told)) = sums.broken {
        panic!("{told}");
    }
    assert!(2_000 < sums.schedules, "{sums}");
    let stages = [Stage::Order, Stage::Poll, Stage::Download];
    let all = stages.map(|stage| Fault::all().filter(|it| it.strikes(stage)).count());
    assert_eq!(
        sums.struck.len(),
        all.iter().sum::<usize>(),
        "each fault strikes wherever it can: {sums}"
    );
}

#[test]
fn random_schedules_end_well() {
    let (_folder, scene) = scene();
    let sums = many(&scene, SEED, 0, 1, SCHEDULES);
    println!("seed {SEED}: {sums}");
    if let Some((_, told)) = sums.broken {
        panic!("{told}");
    }
    let much = [sums.deaths, sums.taken, sums.orders - sums.taken, sums.sqlite * 100];
    assert!(much.iter().all(|it| 500 < *it), "{sums}");
}

/// What is broken on purpose is seen, as what it is, in a schedule that a person can read.
#[test]
fn whatever_is_broken_on_purpose_is_seen_as_what_it_is() {
    let (_folder, scene) = scene();
    let mut seen = BTreeSet::new();
    for sabotage in Sabotage::ALL {
        // Who forgets an order forgets what it reserved and which key it had, too: so budgets and keys are
        // there only where they are broken themselves.
        let broken = (0..2_000).map(|index| {
            let mut schedule = Schedule::drawn(seed_of(SEED, index));
            (schedule.sqlite, schedule.sabotage) = (false, Some(sabotage));
            if sabotage != Sabotage::WeighsNothing {
                schedule.budget = None;
            }
            if sabotage != Sabotage::ForgetsKeys {
                schedule = schedule.without_keys();
            }
            (index, schedule)
        });
        let mut broken = broken.filter(|it| !scene.play(&it.1, false).violations.is_empty());
        let (index, schedule) =
            broken.next().unwrap_or_else(|| panic!("{sabotage:?} is seen in no schedule"));
        let (smallest, played) = smallest(&scene, &schedule);
        let trace = played.trace.join("\n");
        let violated: BTreeSet<Invariant> =
            played.violations.iter().map(|it| it.invariant).collect();
        let (first, rest) = (&played.violations[0], violated.len());
        println!(
            "schedule {index} of seed {SEED}: {}: {}\n{smallest}{trace}\n",
            first.invariant, first.how
        );
        assert_eq!((first.invariant, rest), (sabotage.breaks(), 1), "{sabotage:?}: {violated:?}");
        assert!(
            smallest.wishes.len() <= 2 && played.trace.len() < 60,
            "{sabotage:?} is read in a minute"
        );
        let sound = scene.play(&Schedule { sabotage: None, ..smallest }, false);
        assert!(sound.violations.is_empty(), "{:?}", sound.violations);
        seen.insert(first.invariant);
    }
    assert_eq!(seen, BTreeSet::from(Invariant::ALL), "each is seen to be broken");
}

#[test]
fn equal_schedules_are_played_alike() {
    let ((_a, one), (_b, other)) = (scene(), scene());
    for index in 0..30 {
        let schedule = Schedule::drawn(seed_of(SEED, index));
        assert_eq!(one.play(&schedule, true).trace, other.play(&schedule, true).trace, "{index}");
    }
}

#[test]
fn the_book_lists_every_invariant() {
    let book = include_str!("../docs/money.md");
    for invariant in Invariant::ALL {
        assert!(
            book.contains(&format!("| `{invariant}` |")),
            "{invariant} is not in docs/money.md"
        );
    }
}
