//! Several calls as one result: all pictures, every failure, and what each has cost.

use repaint_core::{
    Called, Error, ErrorKind, Estimate, Hop, ImageModel, Job, Outcome, Receipt, Result, Usd,
};
use serde_json::{Map, Value};

use crate::plan::Standing;
use crate::task::{Brought, Ordered};

/// What came of one call.
pub(crate) struct Part {
    pub(crate) count: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) estimate: Estimate,
    pub(crate) result: Result<Outcome>,
    /// The id of its order, if it is written down.
    pub(crate) order: Option<String>,
    /// Whether no other offer could do better.
    pub(crate) stops: bool,
}

impl Part {
    pub(crate) fn new(count: u32, seed: Option<u64>) -> Self {
        let result = Err(Error::new(ErrorKind::Unexpected, "the call was not made"));
        Self { count, seed, estimate: Estimate::default(), result, order: None, stops: false }
    }

    /// A call that ended without saying how.
    pub(crate) fn lost(why: &str) -> Self {
        let result = Err(Error::new(ErrorKind::OutcomeUnknown, format!("a call was lost: {why}")));
        Self { result, ..Self::new(0, None) }
    }

    fn spent(&self) -> Estimate {
        match &self.result {
            Ok(outcome) => outcome.receipt.spent,
            Err(err) => err.spent(self.estimate),
        }
    }

    fn cost(&self) -> Option<Usd> {
        match &self.result {
            Ok(outcome) => outcome.receipt.cost,
            Err(err) if self.spent().high == Usd(0) => Some(err.data().cost.unwrap_or_default()),
            Err(err) => err.data().cost,
        }
    }

    fn called(&self) -> Called {
        let (pictures, request_id, handle, error) = match &self.result {
            Ok(Outcome { images, receipt }) => {
                let pictures = u32::try_from(images.len()).unwrap_or(u32::MAX);
                (pictures, receipt.request_id.clone(), receipt.handle.clone(), None)
            }
            Err(err) => {
                let data = err.data();
                (0, data.request_id.clone(), data.resume.clone(), Some(data.code))
            }
        };
        let (count, seed, estimate, spent) = (self.count, self.seed, self.estimate, self.spent());
        Called { count, seed, pictures, estimate, spent, request_id, handle, error }
    }
}

/// All calls to one offer together: a result if there is one picture.
pub(crate) fn merged(
    model: &dyn ImageModel,
    standing: &Standing,
    job: &Job,
    id: &str,
    parts: Vec<Part>,
) -> Result<Brought, (Error, Hop)> {
    if parts.iter().all(|it| it.result.is_err()) {
        return Err(failed(model, parts));
    }
    let several = standing.split.calls != 1;
    let (calls, spent) = (parts.iter().map(Part::called).collect(), spent(&parts));
    let cost = parts.iter().map(Part::cost).try_fold(Usd(0), |sum, it| Some(Usd(sum.0 + it?.0)));
    let orders = orders(&parts);
    let (mut brought, mut failures, mut evidence) = (Vec::new(), Vec::new(), Map::new());
    let mut whole: Option<Outcome> = None;
    for (index, part) in parts.into_iter().enumerate() {
        let Outcome { images, receipt } = match part.result {
            Ok(outcome) => outcome,
            Err(err) => {
                failures.push(err);
                continue;
            }
        };
        if let Some(id) = part.order {
            let (pictures, is_whole) = (images.len(), receipt.failures.is_empty());
            brought.push(Ordered { id, pictures, is_whole });
        }
        if several && !receipt.evidence.is_empty() {
            evidence.insert((index + 1).to_string(), Value::Object(receipt.evidence.clone()));
        }
        match &mut whole {
            None => whole = Some(Outcome { images, receipt }),
            Some(whole) => whole.append(images, receipt),
        }
    }
    let Some(mut outcome) = whole else { return Err(failed(model, Vec::new())) };
    let receipt = &mut outcome.receipt;
    receipt.failures.extend(failures);
    (receipt.spent, receipt.orders) = (spent, orders);
    receipt.job = (!receipt.orders.is_empty()).then(|| id.to_owned());
    receipt.pictures = u32::try_from(outcome.images.len()).unwrap_or(u32::MAX);
    if several {
        let mut adaptations = standing.split.adaptations(&job.request, model.offer());
        adaptations.append(&mut receipt.adaptations);
        receipt.adaptations = adaptations;
        (receipt.calls, receipt.cost, receipt.evidence) = (calls, cost, evidence);
        receipt.estimate = standing.estimate;
        receipt.difference = cost.and_then(|it| receipt.estimate.difference(it, &receipt.evidence));
        // Each call has its own.
        (receipt.request_id, receipt.handle) = (None, None);
    }
    Ok(Brought { outcome, orders: brought })
}

/// Two receipts of one job as one.
pub(crate) trait Append {
    /// Adds what another call has brought.
    fn append(&mut self, images: Vec<repaint_core::Image>, receipt: Receipt);
}

impl Append for Outcome {
    fn append(&mut self, images: Vec<repaint_core::Image>, receipt: Receipt) {
        self.images.extend(images);
        let Receipt { warnings, attempts, failures, .. } = receipt;
        let fresh = warnings.into_iter().filter(|it| !self.receipt.warnings.contains(it));
        let fresh: Vec<_> = fresh.collect();
        self.receipt.warnings.extend(fresh);
        self.receipt.attempts.extend(attempts);
        self.receipt.failures.extend(failures);
    }
}

/// Why there is no picture: of several errors the one that may have cost most.
fn failed(model: &dyn ImageModel, parts: Vec<Part>) -> (Error, Hop) {
    let (spent, orders, calls) = (spent(&parts), orders(&parts), parts.len());
    let errors = parts.into_iter().filter_map(|it| it.result.err());
    let worst = errors.max_by_key(|it| grave(it.kind()));
    let nothing = || Error::new(ErrorKind::Unexpected, "no call was made");
    let error = worst.unwrap_or_else(nothing).with(|it| {
        it.offer.get_or_insert_with(|| model.id().to_owned());
        if 1 < calls {
            it.message.push_str(&format!("; all {calls} calls failed"));
        }
    });
    let (offer, code, message) = (model.id().to_owned(), error.kind(), error.message().to_owned());
    let hop = Hop { offer, code, message, spent, orders };
    (error, hop)
}

fn spent(parts: &[Part]) -> Estimate {
    parts.iter().map(Part::spent).fold(Estimate::default(), Estimate::and)
}

fn orders(parts: &[Part]) -> Vec<String> {
    parts.iter().filter_map(|it| it.order.clone()).collect()
}

/// The more, the more has to be looked after.
fn grave(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::OutcomeUnknown => 3,
        ErrorKind::Unexpected | ErrorKind::Expired | ErrorKind::Moderated => 2,
        ErrorKind::InvalidRequest | ErrorKind::Denied => 1,
        ErrorKind::Refused | ErrorKind::Exhausted | ErrorKind::Unavailable => 0,
    }
}
