//! Who would take a job, in which order, and why all others would not.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{Adaptation, Error, ErrorKind, Estimate, Later, Refusal, RefusalCode, Result, Warning};

/// Who would take a job. Holds ids and no witness: who takes it admits it anew.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Plan {
    /// Offers that take the job, in the order in which they would be tried.
    pub candidates: Later<Candidate>,
    /// Every other offer, with all its reasons.
    pub refusals: Later<OfferRefusals>,
}

/// An offer that takes a job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Candidate {
    /// The offer.
    pub offer: String,
    /// What would be changed of the request.
    pub adaptations: Vec<Adaptation>,
    /// How many calls it takes: more than one where it makes fewer pictures a call than are wanted.
    pub calls: u32,
    /// What it may cost, all calls together.
    pub estimate: Estimate,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
}

/// An offer that does not take a job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct OfferRefusals {
    /// The offer.
    pub offer: String,
    /// All reasons.
    pub reasons: Vec<Refusal>,
}

impl Plan {
    /// The offer to try first, or an error that has every reason of those that were asked.
    pub fn first(&self) -> Result<&Candidate> {
        self.candidates.first().ok_or_else(|| self.nobody())
    }

    fn nobody(&self) -> Error {
        let not_asked =
            |it: &&OfferRefusals| it.reasons.iter().any(|it| it.code == RefusalCode::NotAsked);
        let against: Vec<&OfferRefusals> =
            self.refusals.iter().filter(|it| !not_asked(it) && !it.could()).collect();
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for refused in &against {
            let said = refused.said();
            match groups.iter_mut().find(|(it, _)| *it == said) {
                Some((_, offers)) => offers.push(&refused.offer),
                None => groups.push((said, vec![&refused.offer])),
            }
        }
        let ways = self.could();
        let ways = ways.iter().map(|(how, offers)| format!("{how} to use {}", offers.join(", ")));
        let reasons = groups.iter().map(|(said, offers)| match offers.as_slice() {
            [offer] => format!("{offer} {said}"),
            many => format!("{}: each {said}", many.join(", ")),
        });
        // What helps comes before whom it does not help, but one reason is all that there is to say.
        let (first, lines): (String, Vec<String>) = match against.as_slice() {
            [only] => (format!("{} {}", only.offer, only.said()), ways.collect()),
            _ => (
                "no model can take this request as things are".to_owned(),
                ways.chain(reasons).map(|it| format!("  {it}")).collect(),
            ),
        };
        let message = [vec![first], lines].concat().join("\n");
        let refusals = against.iter().flat_map(|it| it.reasons.clone()).collect();
        Error::new(ErrorKind::Refused, message).with(|it| {
            it.refusals = refusals;
            if let [only] = against.as_slice() {
                it.offer = Some(only.offer.clone());
            }
        })
    }

    /// Who could take the job and is not asked, by what it would need: a key, or to be named.
    pub fn could(&self) -> Vec<(String, Vec<&str>)> {
        let mut ways: Vec<(String, Vec<&str>)> = Vec::new();
        for OfferRefusals { offer, reasons } in self.refusals.iter().filter(|it| it.could()) {
            let key = reasons.iter().find(|it| it.code == RefusalCode::NoKey);
            let way = key.map_or_else(|| "name it with --model".to_owned(), |it| it.fix.clone());
            match ways.iter_mut().find(|(it, _)| *it == way) {
                Some((_, offers)) => offers.push(offer),
                None => ways.push((way, vec![offer])),
            }
        }
        ways
    }
}

impl OfferRefusals {
    /// The reasons that are about the request itself, in words.
    pub fn said(&self) -> String {
        let idle = [RefusalCode::NotAsked, RefusalCode::NoKey];
        let reasons = self.reasons.iter().filter(|it| !idle.contains(&it.code));
        reasons.map(ToString::to_string).collect::<Vec<_>>().join("; it ")
    }

    /// Whether nothing in the request itself speaks against it.
    pub fn could(&self) -> bool {
        let idle = |it: &Refusal| matches!(it.code, RefusalCode::NotAsked | RefusalCode::NoKey);
        self.reasons.iter().all(idle)
    }
}
