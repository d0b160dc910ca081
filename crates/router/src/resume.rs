//! Picking up what was ordered before: it buys nothing.

use std::sync::Arc;

use repaint_client::{Progress, Run};
use repaint_core::{
    Error, ErrorKind, Estimate, Filter, Handle, Made, Outcome, Provider, Receipt, Result, Store,
    Submit, SubmitState,
};

use crate::router::Router;
use crate::task::{Brought, Ordered};

/// By the handle that an error or a receipt gave; with the order that has it, if one is written down.
pub(crate) async fn by_handle(router: &Router, run: &Run, handle: &Handle) -> Result<Brought> {
    if let Some(store) = &router.store {
        let open = Filter { open: true, ..Filter::default() };
        let is = |it: &Submit| {
            let known = it.handle.as_ref();
            known.is_some_and(|it| it.provider == handle.provider && it.id == handle.id)
        };
        if let Some(submit) = store.list(&open).await?.into_iter().find(is) {
            return pick_up(router, run, store, submit).await;
        }
    }
    let provider = provider(router, handle)?;
    run.tell(Progress::Started { offer: provider.id.to_owned() });
    let made = run.resume(provider, handle).await?;
    let outcome = outcome(provider.id, Estimate::default(), made);
    Ok(Brought { outcome, orders: Vec::new() })
}

/// By the id of an order that is written down.
pub(crate) async fn by_id(router: &Router, run: &Run, id: &str) -> Result<Brought> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    let Some(store) = &router.store else {
        return Err(invalid("there is no store to look orders up in".to_owned()));
    };
    let Some(submit) = store.get(id).await? else {
        return Err(invalid(format!("no order is called {id}")));
    };
    let now = router.client.now_ms();
    if submit.is_resumable(now) {
        return pick_up(router, run, store, submit).await;
    }
    let why = match submit.state_at(now) {
        SubmitState::Safe if submit.paths.is_empty() => "its pictures are safe".to_owned(),
        SubmitState::Safe => format!("its pictures are in {}", submit.paths.join(", ")),
        SubmitState::NotTaken => "it was never taken, and cost nothing".to_owned(),
        SubmitState::Failed => "it ended without a picture".to_owned(),
        _ if now < submit.held_until_ms => {
            let seconds = (submit.held_until_ms - now).div_ceil(1000);
            format!("another process is at it; if that has died, ask again in {seconds} s")
        }
        _ => {
            let message = format!(
                "order {id} cannot be picked up: {} gave no way to ask for it, so look for it there",
                submit.offer
            );
            return Err(Error::new(ErrorKind::OutcomeUnknown, message)
                .with(|it| it.offer = Some(submit.offer.clone())));
        }
    };
    Err(invalid(format!("order {id} cannot be picked up: {why}")))
}

/// Picks an order up that can be.
pub(crate) async fn pick_up(
    router: &Router,
    run: &Run,
    store: &Arc<dyn Store>,
    submit: Submit,
) -> Result<Brought> {
    let Submit { id, job, offer, estimate, handle, .. } = submit.clone();
    let handle = handle.ok_or_else(|| {
        Error::new(ErrorKind::OutcomeUnknown, format!("order {id} has no handle to ask with"))
    })?;
    let provider = provider(router, &handle)?;
    run.tell(Progress::Started { offer: offer.clone() });
    let run = run.clone().picked_up(Arc::clone(store), submit);
    let made = run.resume(provider, &handle).await;
    let made = made.map_err(|err| err.with(|it| it.offer = Some(offer.clone())))?;
    let mut outcome = outcome(&offer, estimate, made);
    (outcome.receipt.job, outcome.receipt.orders) = (Some(job), vec![id.clone()]);
    let (pictures, is_whole) = (outcome.images.len(), outcome.receipt.failures.is_empty());
    Ok(Brought { outcome, orders: vec![Ordered { id, pictures, is_whole }] })
}

fn provider(router: &Router, handle: &Handle) -> Result<&'static Provider> {
    let mut providers = router.registry.models().map(|it| it.provider());
    providers.find(|it| it.id == handle.provider).ok_or_else(|| {
        let message = format!("no model that this program knows is at `{}`", handle.provider);
        Error::new(ErrorKind::InvalidRequest, message)
    })
}

/// What came of it; what was changed of the request is known to whoever ordered.
fn outcome(offer: &str, estimate: Estimate, made: Made) -> Outcome {
    let Made { images, attempts, warnings, cost, evidence, request_id, handle, failures } = made;
    let receipt = Receipt {
        offer: offer.to_owned(),
        generative: true,
        pictures: u32::try_from(images.len()).unwrap_or(u32::MAX),
        adaptations: Vec::new(),
        warnings,
        attempts,
        estimate,
        cost,
        spent: cost.map_or(estimate, |it| Estimate { low: it, high: it }),
        difference: cost.and_then(|it| estimate.difference(it, &evidence)),
        evidence,
        request_id,
        handle,
        calls: Vec::new(),
        failures,
        hops: Vec::new(),
        job: None,
        orders: Vec::new(),
    };
    Outcome { images, receipt }
}
