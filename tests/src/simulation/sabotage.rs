//! Things that are broken on purpose, one for each invariant: a simulation that cannot see them proves nothing.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use repaint_client::{Answer, Exchange, Fault, Fetched, Order, Sent, Watch};
use repaint_core::{Budget, Filter, Period, Result, Spend, Store, Submit, SubmitState, Usd};
use serde_json::{Value, json};
use url::Url;

use super::invariants::Invariant;

/// What is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sabotage {
    /// The store forgets to write an order down before it is sent.
    ForgetsOrders,
    /// The store takes what was not taken for made.
    BelievesAll,
    /// The store takes every order for a gift.
    ForgetsCosts,
    /// The network sends an order again when its connection breaks.
    SendsAgain,
    /// The network loses an input image.
    LosesImage,
    /// The store weighs no budget.
    WeighsNothing,
    /// The host orders anew when nobody knows what became of a job.
    OrdersAnew,
    /// The host takes a filter of this machine where no model took the job.
    TakesFilter,
    /// The store forgets the keys of callers.
    ForgetsKeys,
    /// The receipt lacks a call.
    LosesCall,
    /// The caller is told that nothing was bought where nobody knows.
    Comforts,
    /// The store takes what is made for safe.
    SafeTooSoon,
    /// The store does not list what is open.
    ListsNothing,
    /// The store never answers who looks an order up.
    Hangs,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::ForgetsOrders,
        Self::BelievesAll,
        Self::ForgetsCosts,
        Self::SendsAgain,
        Self::LosesImage,
        Self::WeighsNothing,
        Self::OrdersAnew,
        Self::TakesFilter,
        Self::ForgetsKeys,
        Self::LosesCall,
        Self::Comforts,
        Self::SafeTooSoon,
        Self::ListsNothing,
        Self::Hangs,
    ];

    /// What must be seen to be broken by it.
    pub const fn breaks(self) -> Invariant {
        match self {
            Self::ForgetsOrders => Invariant::Accounted,
            Self::BelievesAll => Invariant::KnownWasSeen,
            Self::ForgetsCosts => Invariant::Priced,
            Self::SendsAgain => Invariant::NoneTwice,
            Self::LosesImage => Invariant::WholeInputs,
            Self::WeighsNothing => Invariant::WithinBudget,
            Self::OrdersAnew => Invariant::StopsThere,
            Self::TakesFilter => Invariant::NeverLocal,
            Self::ForgetsKeys => Invariant::OncePerKey,
            Self::LosesCall => Invariant::TraceSums,
            Self::Comforts => Invariant::Truthful,
            Self::SafeTooSoon => Invariant::SafeIsKept,
            Self::ListsNothing => Invariant::Recovered,
            Self::Hangs => Invariant::InTime,
        }
    }
}

/// A network that is broken.
#[derive(Debug)]
pub(super) struct BrokenWay<E>(pub(super) E, pub(super) Sabotage);

#[async_trait]
impl<E: Exchange> Exchange for BrokenWay<E> {
    async fn send(&self, mut order: Order) -> Result<Answer, Fault> {
        let Self(way, sabotage) = self;
        if let (Sabotage::LosesImage, Some(body)) = (sabotage, &order.body) {
            let first = body.preview().get("reference_images").and_then(|it| it.get(0).cloned());
            let lost = match first {
                Some(_) => ("reference_images", json!([])),
                None => ("input_image", Value::Null),
            };
            order.body = body.with_field(lost.0, lost.1).ok().or(order.body);
        }
        let again = (*sabotage == Sabotage::SendsAgain).then(|| order.clone());
        let sent = order.sent.clone();
        match (way.send(order).await, again) {
            (Err(_), Some(again)) if again.body.is_some() && sent.may_be_taken() => {
                way.send(Order { sent: Sent::default(), ..again }).await
            }
            (result, _) => result,
        }
    }

    async fn fetch(&self, url: &Url, limit: u64, seen: &Watch) -> Result<Fetched, Fault> {
        self.0.fetch(url, limit, seen).await
    }
}

/// A store that is broken.
#[derive(Debug)]
pub(super) struct BrokenStore(pub(super) Arc<dyn Store>, pub(super) Sabotage);

#[async_trait]
impl Store for BrokenStore {
    async fn open(&self, submit: &Submit) -> Result<()> {
        match self.1 {
            Sabotage::ForgetsOrders => Ok(()),
            Sabotage::WeighsNothing => self.0.write(submit).await,
            _ => self.0.open(submit).await,
        }
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        let mut submit = submit.clone();
        match self.1 {
            Sabotage::BelievesAll if submit.state == SubmitState::NotTaken => {
                submit.state = SubmitState::Made;
            }
            Sabotage::ForgetsCosts => submit.cost = Some(Usd(0)),
            Sabotage::SafeTooSoon if submit.state == SubmitState::Made => {
                submit.state = SubmitState::Safe;
            }
            _ => {}
        }
        self.0.write(&submit).await
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        if self.1 == Sabotage::Hangs {
            pending::<()>().await;
        }
        self.0.get(id).await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        if self.1 == Sabotage::ListsNothing && filter.job.is_none() {
            return Ok(Vec::new());
        }
        self.0.list(filter).await
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        self.0.spend(since_ms, account).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.0.budgets().await
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        self.0.set_budget(budget).await
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        self.0.remove_budget(account, period).await
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        match self.1 {
            Sabotage::ForgetsKeys => Ok(None),
            _ => self.0.claim(account, key, job, fingerprint).await,
        }
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        self.0.leave(print, job, until_ms).await
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        self.0.take(print, job, now_ms).await
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        self.0.prune(before_ms).await
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        self.0.secret().await
    }
}
