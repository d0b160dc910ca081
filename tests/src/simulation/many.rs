//! Many schedules: all that are listed, or as many as are wanted of a seed; and the smallest that shows the same.

use std::collections::BTreeSet;
use std::fmt::Write;

use repaint_emulator::Fault;

use super::dice::seed_of;
use super::invariants::Invariant;
use super::play::{Played, Scene};
use super::schedule::{STAGES, Schedule, Wish};

/// What many schedules came to.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// Schedules.
    pub schedules: u64,
    /// Jobs in them.
    pub jobs: u64,
    /// Orders that were written down.
    pub orders: u64,
    /// Orders that a provider took.
    pub taken: u64,
    /// Pictures that were kept.
    pub pictures: u64,
    /// Deaths of processes.
    pub deaths: u64,
    /// Schedules on SQLite.
    pub sqlite: u64,
    /// The faults that struck, and where.
    pub struck: BTreeSet<(&'static str, &'static str)>,
    /// For the first schedule in which something did not hold: which seed, what, and what happened.
    pub broken: Option<(Invariant, String)>,
}

impl Sums {
    /// Adds what came of a schedule.
    pub fn add(&mut self, schedule: &Schedule, played: Played) {
        self.schedules += 1;
        self.jobs += schedule.wishes.len() as u64;
        self.orders += u64::from(played.orders);
        self.taken += u64::from(played.taken);
        self.pictures += u64::from(played.pictures);
        self.deaths += u64::from(played.deaths);
        self.sqlite += u64::from(schedule.sqlite);
        self.struck.extend(played.struck);
    }

    /// Both together.
    pub fn and(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.jobs += other.jobs;
        self.orders += other.orders;
        self.taken += other.taken;
        self.pictures += other.pictures;
        self.deaths += other.deaths;
        self.sqlite += other.sqlite;
        self.struck.extend(other.struck);
        self.broken = self.broken.take().or(other.broken);
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { schedules, jobs, orders, taken, pictures, deaths, sqlite, .. } = self;
        let struck = self.struck.len();
        write!(
            f,
            "{schedules} schedules ({sqlite} on SQLite): {jobs} jobs, {orders} orders, of which {taken} \
             were taken, {pictures} pictures kept, {deaths} deaths, {struck} kinds of fault and stage"
        )
    }
}

/// Plays the schedules of a seed whose place in the row is `first`, `first + step`, …, up to `most`; ends at the first
/// in which something does not hold.
pub fn many(scene: &Scene, seed: u64, first: u64, step: usize, most: u64) -> Sums {
    let mut sums = Sums::default();
    for index in (first..most).step_by(step) {
        let schedule = Schedule::drawn(seed_of(seed, index));
        let played = scene.play(&schedule, false);
        if !played.violations.is_empty() {
            let told = told(scene, &schedule, &format!("schedule {index} of seed {seed}"));
            sums.broken = Some((played.violations[0].invariant, told));
            return sums;
        }
        sums.add(&schedule, played);
    }
    sums
}

/// A schedule in which something does not hold, made as small as can be, with all that happens in it.
fn told(scene: &Scene, schedule: &Schedule, name: &str) -> String {
    let (smallest, played) = smallest(scene, schedule);
    let mut told = String::new();
    for violation in &played.violations {
        let _ = writeln!(told, "{}: {}", violation.invariant, violation.how);
    }
    let _ = writeln!(told, "in {name}, made smaller:\n{smallest}");
    told + &played.trace.join("\n")
}

/// The smallest schedule in which the same does not hold, and what happens in it, line by line.
pub fn smallest(scene: &Scene, schedule: &Schedule) -> (Schedule, Played) {
    let first = |it: &Schedule| scene.play(it, false).violations.first().map(|it| it.invariant);
    let (mut schedule, broken) = (schedule.clone(), first(schedule));
    while let Some(smaller) = schedule.smaller().into_iter().find(|it| first(it) == broken) {
        schedule = smaller;
    }
    let played = scene.play(&schedule, true);
    (schedule, played)
}

/// Every phase, fault and cut point: one job at each provider, whose first order, poll or download meets each fault,
/// and whose process dies at each cut point that there is; with a key and without. And each fault that lasts.
pub fn listed(scene: &Scene) -> Sums {
    let mut sums = Sums::default();
    let faults = STAGES.into_iter().flat_map(|stage| {
        Fault::all().filter(move |it| it.strikes(stage)).map(move |it| Some((stage, it)))
    });
    let faults: Vec<_> = std::iter::once(None).chain(faults).collect();
    for select in [["bfl/flux2-pro", "together/flux2-pro"], ["together/flux2-pro", "bfl/flux2-pro"]]
    {
        let cases = faults
            .iter()
            .flat_map(|it| [(*it, false, false), (*it, false, true), (*it, true, false)]);
        for (first, lasts, keyed) in cases {
            let wish = Wish { select: select.to_vec(), images: 2, keyed, ..Wish::plain(0) };
            let wishes = vec![wish];
            let whole = Schedule { wishes, latency_ms: 700, first, lasts, ..Schedule::default() };
            // What lasts has as many cut points as there is time.
            let points = if lasts { 0 } else { scene.play(&whole, false).points[0] };
            let cuts = (0..points).map(|it| vec![vec![it]]);
            for deaths in std::iter::once(Vec::new()).chain(cuts) {
                let schedule = Schedule { deaths, ..whole.clone() };
                let played = scene.play(&schedule, false);
                if let Some(violation) = played.violations.first() {
                    let told = told(scene, &schedule, "a listed schedule");
                    sums.broken = Some((violation.invariant, told));
                    return sums;
                }
                sums.add(&schedule, played);
            }
        }
    }
    sums
}
