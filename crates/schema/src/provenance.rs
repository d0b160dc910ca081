//! How well the facts are known: the shares, what is assumed, what is old, and what ends.

use std::fmt;

use repaint_core::{Date, ImageModel, Registry, Text};
use serde::Serialize;

use crate::known::{Known, Standing, known};

/// A fact that nobody has looked at for longer than this may have changed.
pub const OLD_DAYS: i64 = 90;

/// How well the facts of a registry are known on a day.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// The day.
    pub today: Date,
    /// Of all offers.
    pub share: Share,
    /// What somebody judged, and no provider states.
    pub assumed: Vec<Finding>,
    /// What no adapter names, so that nobody has judged it.
    pub undeclared: Vec<Finding>,
    /// What was read or seen more than [`OLD_DAYS`] ago, the oldest first.
    pub old: Vec<Finding>,
    /// What ends or has ended, the first end first.
    pub retires: Vec<Ending>,
}

/// How many of the facts that can refuse a request are documented or observed.
///
/// A limit that is not set refuses nothing and is not counted, nor is one of our own where no provider states
/// any, nor what concerns input images where none are taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Share {
    /// Documented or observed.
    pub known: usize,
    /// All that can refuse a request.
    pub of: usize,
}

/// A fact that somebody should look into, with all offers that share it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Its name in the capabilities, or `price` or `retires`.
    pub fact: &'static str,
    /// What is taken to be the case.
    pub value: String,
    /// How it is known.
    pub standing: Standing,
    /// Where it comes from.
    pub source: Text,
    /// When it was read or seen there.
    pub date: Date,
    /// How many days ago that was.
    pub days: i64,
    /// For which offers.
    pub offers: Vec<String>,
}

/// The end of an offer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ending {
    /// The offer.
    pub offer: String,
    /// The first day on which it is refused.
    pub date: Date,
    /// How many days are left; none or fewer when it has ended.
    pub days: i64,
    /// What to use instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<Text>,
    /// Who says so.
    pub source: Text,
}

/// How well the facts of a registry are known.
pub fn provenance(registry: &Registry, today: Date) -> Provenance {
    let (mut assumed, mut undeclared, mut old) = (Vec::new(), Vec::new(), Vec::new());
    let mut retires = Vec::new();
    for model in registry.models() {
        for it in known(model).into_iter().filter(|it| it.decides) {
            let days = it.date.days_until(today);
            if OLD_DAYS < days {
                group(&mut old, &it, days, model.id());
            }
            match it.standing {
                Standing::Assumed => group(&mut assumed, &it, days, model.id()),
                Standing::Undeclared => group(&mut undeclared, &it, days, model.id()),
                Standing::Documented | Standing::Observed => {}
            }
        }
        if let Some(end) = &model.offer().retires {
            retires.push(Ending {
                offer: model.id().to_owned(),
                date: end.value.date,
                days: today.days_until(end.value.date),
                successor: end.value.successor,
                source: end.source,
            });
        }
    }
    // The same source is read once for all that it states, so its facts stand together.
    old.sort_by_key(|it| (it.date, it.source));
    retires.sort_by(|a, b| (a.date, &a.offer).cmp(&(b.date, &b.offer)));
    Provenance { today, share: share(registry, |_| true), assumed, undeclared, old, retires }
}

/// The share of the offers that are wanted.
pub fn share(registry: &Registry, wanted: impl Fn(&dyn ImageModel) -> bool) -> Share {
    let mut share = Share::default();
    for model in registry.models().filter(|it| wanted(*it)) {
        for it in known(model).iter().filter(|it| it.decides) {
            share.of += 1;
            share.known += usize::from(it.standing.is_known());
        }
    }
    share
}

/// Adds an offer to the finding that says the same of others, or begins a new one.
fn group(findings: &mut Vec<Finding>, it: &Known, days: i64, offer: &str) {
    let Known { fact, value, standing, source, date, what: _, decides: _ } = it;
    let same = |other: &&mut Finding| {
        (other.fact, &other.value, other.standing, other.source, other.date)
            == (*fact, value, *standing, *source, *date)
    };
    if let Some(finding) = findings.iter_mut().find(same) {
        finding.offers.push(offer.to_owned());
        return;
    }
    findings.push(Finding {
        fact,
        value: value.clone(),
        standing: *standing,
        source: *source,
        date: *date,
        days,
        offers: vec![offer.to_owned()],
    });
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { known, of } = self;
        // Rounded down: a share is not said to be reached before it is.
        write!(f, "{}% ({known} of {of})", (known * 100).checked_div(*of).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(Share { known: 899, of: 1000 }.to_string(), "89% (899 of 1000)");
        assert_eq!(Share::default().to_string(), "0% (0 of 0)");
    }
}
