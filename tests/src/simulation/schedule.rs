//! A schedule: who wants what and when, what goes wrong, and where processes die. As data, so that it can be
//! drawn from a seed, repeated, made smaller and read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use repaint_core::{OrderBy, Usd};
use repaint_emulator::{Fault, Stage};

use super::dice::Dice;
use super::sabotage::Sabotage;

/// Everything that decides what happens in one simulation.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// The dice of clients fall by it.
    pub seed: u64,
    /// How long a picture takes.
    pub latency_ms: u64,
    /// Whether orders are written down in SQLite, else in memory.
    pub sqlite: bool,
    /// What all jobs together may cost.
    pub budget: Option<Usd>,
    /// The jobs.
    pub wishes: Vec<Wish>,
    /// What befalls requests, by their number from 0 as the emulator sees them.
    pub faults: BTreeMap<u32, Fault>,
    /// What befalls the first request of a stage, or all of them, where nothing else does.
    pub first: Option<(Stage, Fault)>,
    /// Whether it is all of them.
    pub lasts: bool,
    /// For each process the cut points at which its lives end, one after the other; then one life goes on.
    pub deaths: Vec<Vec<u32>>,
    /// What is broken on purpose.
    pub sabotage: Option<Sabotage>,
}

/// One job that somebody wants from a process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// Its prompt says it. Wishes of the same number have the same key, and are the same job.
    pub number: u32,
    /// When it is wanted.
    pub at_ms: u64,
    /// In which process.
    pub process: usize,
    /// Who may take it.
    pub select: Vec<&'static str>,
    /// How many input images it has.
    pub images: usize,
    /// Whether it has a mask.
    pub mask: bool,
    /// How many pictures are wanted.
    pub count: u32,
    /// Its deadline.
    pub seconds: u32,
    /// Whether it has a key of the caller's.
    pub keyed: bool,
    /// When it is cancelled, after it began.
    pub cancel_ms: Option<u64>,
    /// Whether the next offer is asked where one does not take it.
    pub fallback: bool,
    /// Who comes first.
    pub order: OrderBy,
    /// Whether the host fails to keep the pictures the first time.
    pub drops: bool,
}

impl Wish {
    /// An edit of one image by anybody who can.
    pub fn plain(number: u32) -> Self {
        Self {
            number,
            at_ms: 0,
            process: 0,
            select: Vec::new(),
            images: 1,
            mask: false,
            count: 1,
            seconds: 60,
            keyed: false,
            cancel_ms: None,
            fallback: true,
            order: OrderBy::Preference,
            drops: false,
        }
    }
}

/// What may go wrong.
pub(super) const STAGES: [Stage; 3] = [Stage::Order, Stage::Poll, Stage::Download];

const SELECTS: &[&[&str]] = &[
    &[],
    &["flux2"],
    &["kontext"],
    &["flux2-pro"],
    &["bfl/flux2-pro", "together/flux2-pro"],
    &["together/kontext-pro", "bfl/kontext-pro"],
    &["bfl/kontext-max"],
    &["together/flux2-dev", "bfl/flux2-flex", "kontext-max"],
];

impl Schedule {
    /// The schedule of a seed.
    pub fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let jobs = match dice.below(100) {
            0..=64 => 1 + dice.below(3),
            65..=94 => 4 + dice.below(4),
            _ => 8 + dice.below(13),
        };
        let processes = 1 + dice.below(3) as usize;
        let mut wishes: Vec<Wish> = Vec::new();
        for number in 0..jobs as u32 {
            let keyed: Vec<&Wish> = wishes.iter().filter(|it| it.keyed).collect();
            // The same job with the same key again, somewhere else or later.
            let again = (!keyed.is_empty() && dice.happens(40)).then(|| dice.pick(&keyed).clone());
            let fresh = Wish {
                select: dice.pick(SELECTS).to_vec(),
                images: dice.pick(&[0, 1, 1, 1, 2, 3]),
                mask: dice.happens(2),
                count: dice.pick(&[1, 1, 1, 1, 2, 3, 5]),
                keyed: dice.happens(25),
                fallback: !dice.happens(10),
                order: dice.pick(&[OrderBy::Price, OrderBy::Preference, OrderBy::Latency]),
                ..Wish::plain(number)
            };
            wishes.push(Wish {
                at_ms: dice.pick(&[0, 0, 0, 100, 700, 5_000, 40_000]),
                process: dice.below(processes as u64) as usize,
                seconds: dice.pick(&[3, 10, 30, 60]),
                cancel_ms: dice.happens(8).then(|| dice.below(3_000)),
                drops: dice.happens(5),
                ..again.unwrap_or(fresh)
            });
        }
        let all: Vec<Fault> = Fault::all().collect();
        let often = dice.pick(&[0, 5, 15, 40]);
        let mut faults = BTreeMap::new();
        for number in 0..(8 * jobs as u32 + 8) {
            if dice.happens(often) {
                faults.insert(number, dice.pick(&all));
            }
        }
        let stage = dice.pick(&STAGES);
        let lasting = Fault::all().filter(|it| it.strikes(stage)).collect::<Vec<_>>();
        let first = dice.happens(10).then(|| (stage, dice.pick(&lasting)));
        let lasts = dice.happens(70);
        let deaths = (0..processes).map(|_| {
            let lives = dice.pick(&[0, 0, 1, 1, 2]);
            (0..lives).map(|_| dice.below(10 + 12 * jobs) as u32).collect()
        });
        let deaths = deaths.collect();
        let budget = dice.happens(30).then(|| Usd(20_000 + dice.below(300_000)));
        let latency_ms = dice.pick(&[0, 400, 3_000]);
        let sqlite = dice.below(SQLITE) == 0;
        let sabotage = None;
        Self { seed, latency_ms, sqlite, budget, wishes, faults, first, lasts, deaths, sabotage }
    }

    /// The same without keys; each job is wanted once then.
    #[must_use]
    pub fn without_keys(mut self) -> Self {
        let mut numbers = BTreeSet::new();
        self.wishes.retain(|it| numbers.insert(it.number));
        self.wishes.iter_mut().for_each(|it| it.keyed = false);
        self
    }

    /// Everything that is one step smaller.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut other = self.clone();
            change(&mut other);
            all.push(other);
        };
        // Without a job, what befell others comes some requests and cut points earlier.
        for (index, earlier) in (0..self.wishes.len()).flat_map(|it| (0..8).map(move |e| (it, e))) {
            with(&|it| {
                it.wishes.remove(index);
                let sooner = |number: u32| number.saturating_sub(earlier);
                it.faults = it.faults.iter().map(|(at, fault)| (sooner(*at), *fault)).collect();
                it.deaths.iter_mut().flatten().for_each(|at| *at = sooner(*at));
            });
        }
        if self.first.is_some() {
            with(&|it| it.first = None);
        }
        for number in self.faults.keys() {
            with(&|it| {
                it.faults.remove(number);
            });
        }
        for (process, lives) in self.deaths.iter().enumerate() {
            if !lives.is_empty() {
                with(&|it| {
                    it.deaths[process].pop();
                });
            }
        }
        if self.sqlite {
            with(&|it| it.sqlite = false);
        }
        if self.budget.is_some() {
            with(&|it| it.budget = None);
        }
        if self.latency_ms != 0 {
            with(&|it| it.latency_ms = 0);
        }
        for (index, wish) in self.wishes.iter().enumerate() {
            let simpler = [
                Wish { cancel_ms: None, ..wish.clone() },
                Wish { drops: false, ..wish.clone() },
                Wish { at_ms: 0, ..wish.clone() },
                Wish { process: 0, ..wish.clone() },
                Wish { images: wish.images.min(1), ..wish.clone() },
                Wish { count: 1, ..wish.clone() },
            ];
            for simpler in simpler {
                if simpler != *wish {
                    with(&|it| it.wishes[index] = simpler.clone());
                }
            }
        }
        all
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        let named = self.wishes.iter().map(|it| it.process + 1).max().unwrap_or(1);
        named.max(self.deaths.len())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = if self.sqlite { "SQLite" } else { "memory" };
        write!(f, "orders in {store}, a picture takes {} ms", self.latency_ms)?;
        if let Some(budget) = self.budget {
            write!(f, ", a budget of {budget}")?;
        }
        writeln!(f)?;
        for wish in &self.wishes {
            write!(f, "  job {} at {} ms in process {}: ", wish.number, wish.at_ms, wish.process)?;
            let by = if wish.select.is_empty() { "anybody".into() } else { wish.select.join(", ") };
            write!(f, "{} of {} images by {by}, {} s", wish.count, wish.images, wish.seconds)?;
            for (said, words) in [
                (wish.mask, ", with a mask"),
                (wish.keyed, ", with a key"),
                (!wish.fallback, ", no fallback"),
                (wish.drops, ", not kept at first"),
            ] {
                f.write_str(if said { words } else { "" })?;
            }
            if let Some(after) = wish.cancel_ms {
                write!(f, ", cancelled after {after} ms")?;
            }
            writeln!(f)?;
        }
        if let Some((stage, fault)) = self.first {
            let which = if self.lasts { "every" } else { "the first" };
            writeln!(f, "  {which} {stage:?} meets {fault}")?;
        }
        let faults = self.faults.iter().map(|(number, fault)| format!("request {number}: {fault}"));
        let faults: Vec<String> = faults.collect();
        if !faults.is_empty() {
            writeln!(f, "  faults, where they can strike: {}", faults.join(", "))?;
        }
        for (process, lives) in self.deaths.iter().enumerate().filter(|it| !it.1.is_empty()) {
            writeln!(f, "  process {process} dies at cut point {lives:?}")?;
        }
        if let Some(sabotage) = self.sabotage {
            writeln!(f, "  broken on purpose: {sabotage:?}")?;
        }
        Ok(())
    }
}

/// One schedule in so many is on SQLite, which writes to a disk.
const SQLITE: u64 = 200;
