//! A job with a key of the caller's: repeated, it joins what was begun, and buys nothing twice.

use std::sync::Arc;
use std::time::Duration;

use repaint_client::Run;
use repaint_core::{Error, ErrorKind, Filter, Job, Result, Store, Submit, SubmitState};
use tokio::time::sleep;

use crate::going::Going;
use crate::merge::Append;
use crate::resume::pick_up;
use crate::router::Router;
use crate::task::{Brought, Once, made_ms};

/// A process that shows no sign of life for so long has given the job up. One that is alive sends
/// nothing after half of it: so no two can both order.
const QUIET: Duration = Duration::from_secs(5);
/// How often to look whether another process is done.
const LOOKS: Duration = Duration::from_millis(250);

pub(crate) async fn run(
    router: Router,
    run: Run,
    job: Job,
    paths: Vec<String>,
    key: &str,
    new: String,
) -> Result<Once<Brought>> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    if key.trim().is_empty() {
        return Err(invalid("the key of the job is empty".to_owned()));
    }
    let Some(store) = router.store.clone() else {
        return Err(invalid("a job with a key needs a store, where the key is kept".to_owned()));
    };
    let print = job.fingerprint(&store.secret().await?);
    let account = router.account.clone();
    let claimed = store.claim(account.as_deref(), key, &new, &print).await?;
    let mut ours = QUIET / 2;
    let (id, orders) = match claimed {
        None => {
            // Others count from the time in the id.
            let age = router.client.now_ms().saturating_sub(made_ms(&new));
            ours = ours.saturating_sub(Duration::from_millis(age));
            (new, 0)
        }
        Some((_, other)) if other != print => {
            let message = "the key stands for another job already: take a new key for a new job";
            return Err(invalid(message.to_owned()));
        }
        Some((id, _)) => match join(&router, &run, &store, &id).await? {
            Joined::Ended(it) => return Ok(*it),
            Joined::Anew { orders } => (id, orders),
        },
    };
    let going = Going::new(router, run, job, id, paths).claimed(orders, ours);
    Ok(Once::Now(Arc::new(going).go().await?))
}

/// What was ordered under this id, by a process that sends no more under it; what may still come is
/// waited for. Where nothing was, the job runs.
pub(crate) async fn take(
    router: Router,
    run: Run,
    job: Job,
    paths: Vec<String>,
    id: &str,
) -> Result<Once<Brought>> {
    let Some(store) = router.store.clone() else {
        let message = "what another process began is known to a store alone";
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    };
    // What is not known here was perhaps ordered there.
    let joined = join(&router, &run, &store, id).await.map_err(|err| match err.kind() {
        ErrorKind::Unavailable => {
            let message = format!("what became of job {id} is not known: {}", err.message());
            Error::new(ErrorKind::OutcomeUnknown, message)
        }
        _ => err,
    })?;
    match joined {
        Joined::Ended(it) => Ok(*it),
        Joined::Anew { orders } => {
            let going =
                Going::new(router, run, job, id.to_owned(), paths).claimed(orders, QUIET / 2);
            Ok(Once::Now(Arc::new(going).go().await?))
        }
    }
}

enum Joined {
    Ended(Box<Once<Brought>>),
    /// Nothing was bought, and nobody is at it.
    Anew {
        orders: u32,
    },
}

/// Looks at the job that the key stands for until it is known what to do.
async fn join(router: &Router, run: &Run, store: &Arc<dyn Store>, id: &str) -> Result<Joined> {
    loop {
        let filter = Filter { job: Some(id.to_owned()), ..Filter::default() };
        let mut orders = store.list(&filter).await?;
        orders.sort_by_key(Submit::number);
        let now = router.client.now_ms();
        let at_it = |it: &&Submit| !it.state.has_ended() && now < it.held_until_ms;
        if !orders.iter().any(|it| at_it(&it)) {
            if orders.iter().any(|it| it.is_resumable(now)) {
                let orders = orders.into_iter().filter(|it| it.is_resumable(now));
                return all(router, run, store, orders)
                    .await
                    .map(|it| Joined::Ended(Box::new(Once::Now(it))));
            }
            if let Some(ended) = ended(&orders, now) {
                return ended.map(|it| Joined::Ended(Box::new(it)));
            }
            let signs = orders.iter().map(|it| it.updated_ms).chain([made_ms(id)]);
            let quiet = now.saturating_sub(signs.max().unwrap_or_default());
            if u64::try_from(QUIET.as_millis()).is_ok_and(|it| it <= quiet) {
                let orders = u32::try_from(orders.len()).unwrap_or(u32::MAX);
                return Ok(Joined::Anew { orders });
            }
        }
        run.waits(sleep(LOOKS)).await.map_err(|err| {
            let Some(order) = orders.iter().find(|it| !it.state.has_ended()) else { return err };
            // It is another process's, which nobody stopped.
            let message = format!(
                "{}; order {} of this job is on its way all the same",
                err.message(),
                order.id
            );
            let offer = Some(order.offer.clone());
            Error::new(ErrorKind::OutcomeUnknown, message).with(|it| it.offer = offer)
        })?;
    }
}

/// What is known of a job of which nothing is left to fetch; `None` if nothing was bought.
fn ended(orders: &[Submit], now: u64) -> Option<Result<Once<Brought>>> {
    if orders.iter().any(|it| it.state == SubmitState::Safe) {
        return Some(Ok(Once::Before(orders.to_vec())));
    }
    let lost = orders.iter().find(|it| !it.state.has_ended());
    if let Some(lost) = lost {
        let message = format!(
            "order {} of this job is {}, and there is no way to ask for it: look for it at {} before \
             you take a new key",
            lost.id,
            lost.state_at(now).name(),
            lost.offer
        );
        let err = Error::new(ErrorKind::OutcomeUnknown, message);
        return Some(Err(err.with(|it| it.offer = Some(lost.offer.clone()))));
    }
    let failed = orders.iter().find(|it| it.state == SubmitState::Failed)?;
    let kind = failed.error.unwrap_or(ErrorKind::Unexpected);
    let message = format!(
        "order {} of this job has ended without a picture ({}): take a new key to buy another",
        failed.id,
        kind.code()
    );
    Some(Err(Error::new(kind, message).with(|it| {
        it.offer = Some(failed.offer.clone());
        it.cost = failed.cost;
    })))
}

/// Picks up all orders of a job; what cannot be fetched does not lose the others.
async fn all(
    router: &Router,
    run: &Run,
    store: &Arc<dyn Store>,
    orders: impl Iterator<Item = Submit>,
) -> Result<Brought> {
    let (mut whole, mut failures): (Option<Brought>, Vec<Error>) = (None, Vec::new());
    for order in orders {
        match (pick_up(router, run, store, order).await, &mut whole) {
            (Err(err), _) => failures.push(err),
            (Ok(brought), None) => whole = Some(brought),
            (Ok(mut brought), Some(whole)) => {
                whole.orders.append(&mut brought.orders);
                let receipt = &mut whole.outcome.receipt;
                receipt.orders.append(&mut brought.outcome.receipt.orders);
                receipt.spent = receipt.spent.and(brought.outcome.receipt.spent);
                whole.outcome.append(brought.outcome.images, brought.outcome.receipt);
            }
        }
    }
    match (whole, failures.pop()) {
        (None, Some(err)) => Err(err),
        (None, None) => Err(Error::new(ErrorKind::Unexpected, "there was nothing to pick up")),
        (Some(mut whole), last) => {
            let receipt = &mut whole.outcome.receipt;
            receipt.failures.extend(failures.into_iter().chain(last));
            receipt.pictures = u32::try_from(whole.outcome.images.len()).unwrap_or(u32::MAX);
            Ok(whole)
        }
    }
}
