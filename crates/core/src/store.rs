//! What is written down of orders before they are sent, so that no crash forgets money.

use std::fmt::Debug;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Date, ErrorKind, Estimate, Handle, Result, Usd};

/// An order to a provider, as it is written down: no prompt, no image and no key.
///
/// It is written before the order is sent and ends when its pictures are safe. What a process leaves
/// behind says what can still be fetched, and what may have been bought without a trace.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Submit {
    /// Its own id; begins with the time, so that ids sort by age.
    pub id: String,
    /// The job that it is of: a job may need several orders.
    pub job: String,
    /// On whose account it is, where a host has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Who was to make the pictures.
    pub offer: String,
    /// A keyed hash of the body, 32 hex digits: equal orders can be told, and nothing can be read from it.
    pub fingerprint: String,
    /// How many pictures were ordered.
    pub pictures: u32,
    /// What it was to cost.
    pub estimate: Estimate,
    /// What has become of it.
    pub state: SubmitState,
    /// What the provider says that it charged, in millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Usd>,
    /// How to fetch what was ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// Where its pictures are to be, and once they are safe, where they are; `-` is standard output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Why it ended without pictures, or was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// When it was written first, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was written last, in milliseconds since 1970.
    pub updated_ms: u64,
    /// Until then a living process may be at it, in milliseconds since 1970; it moves on while one is.
    pub held_until_ms: u64,
}

/// What has become of an order; a closed list, version 1.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SubmitState {
    /// Written down, and perhaps on its way. If nobody holds it any more, its outcome is unknown.
    Sent,
    /// Taken, and paid: its handle says where to ask for the pictures.
    Accepted,
    /// The pictures are made, and not all of them are safe yet; its handle may say where they are.
    Made,
    /// It may have been taken and paid, and there is no way to ask.
    Unknown,
    /// Surely not taken; it cost nothing.
    NotTaken,
    /// It ended without a picture. What it cost is unknown unless the provider said it.
    Failed,
    /// All pictures are where the caller wants them.
    Safe,
}

/// A limit on what may be spent in a period, for one account or for all.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Whose; absent for all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// In which time.
    pub period: Period,
    /// How much, in millionths of a US dollar.
    pub limit: Usd,
}

/// A time over which spending is summed; days and months begin at midnight UTC.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each value says it")]
pub enum Period {
    Day,
    Month,
    Ever,
}

/// What was spent at one offer.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Spend {
    /// The offer.
    pub offer: String,
    /// How many orders may have cost something.
    pub orders: u64,
    /// How many of them have an outcome that nobody knows, or none yet.
    pub unknown: u64,
    /// What providers said that they charged, and for the others the low estimate.
    pub low: Usd,
    /// What providers said that they charged, and for the others the high estimate.
    pub high: Usd,
}

/// Which orders to list; the newest come first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only those of this job.
    pub job: Option<String>,
    /// Only those on this account.
    pub account: Option<String>,
    /// Only those that have not ended.
    pub open: bool,
    /// Only those written first at or after this moment, in milliseconds since 1970.
    pub since_ms: u64,
    /// At most so many; 0 is no limit.
    pub limit: u32,
}

/// Where orders, budgets and the keys of repeated calls are kept: shared by all who spend together.
///
/// # Contract
///
/// What a method wrote is seen by every process that uses the same store when it returns. What [`open`](Self::open),
/// [`set_budget`](Self::set_budget), [`remove_budget`](Self::remove_budget) and [`prune`](Self::prune) wrote survives
/// then even if the machine loses its power, with all that was written before; the rest soon does.
///
/// [`open`](Self::open) weighs all budgets and writes in one step, so that two processes cannot both spend the last
/// cent. An error of a store is of kind `Unavailable`, and nothing is sent after it; one of
/// kind `InvalidRequest` says that a value is not one that can be kept. Nothing was written then, unless a
/// connection broke at the very end: such an order stands there as sent, and later as unknown.
///
/// A store has no clock: moments are those that callers give.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Writes an order down before it is sent, if every budget has room for its high estimate: those of
    /// its account and those of all together, each for the period in which the order is written. What
    /// costs nothing always has room.
    ///
    /// # Errors
    ///
    /// `Refused` with [`OverBudget`](crate::RefusalCode::OverBudget), naming the budget that has no room;
    /// `InvalidRequest` if there is an order of this id.
    async fn open(&self, submit: &Submit) -> Result<()>;

    /// Writes what has become of an order: state, cost, handle, paths, error, and when. What was ordered
    /// stays as it was opened, and one that is [`Safe`](SubmitState::Safe) stays as it is. One that the
    /// store does not have is added, whatever budgets say, since it was sent.
    async fn write(&self, submit: &Submit) -> Result<()>;

    /// The order of this id.
    async fn get(&self, id: &str) -> Result<Option<Submit>>;

    /// Orders, the newest first.
    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>>;

    /// What was spent since a moment in milliseconds since 1970, by offer, on one account or on all.
    /// Orders that were pruned count if any of their day, in UTC, is since then.
    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>>;

    /// All budgets: those of all together first, then by account; the shorter period first.
    async fn budgets(&self) -> Result<Vec<Budget>>;

    /// Sets a budget; one of the same account and period is replaced.
    async fn set_budget(&self, budget: &Budget) -> Result<()>;

    /// Removes a budget; says whether there was one.
    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool>;

    /// Remembers that a caller's key stands for a job; returns the job that it stands for already, if
    /// the same account has used it before, with what the body's fingerprint was then.
    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>>;

    /// Remembers that whoever asks under this print until a moment may take a job: such as one that nobody waits for any
    /// more and whose answer was not written. One that is remembered already stands under this print alone then.
    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()>;

    /// Takes a job under this print, a certain one or the oldest; nobody else can take it then.
    /// What is too old is forgotten.
    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>>;

    /// Forgets orders that [have ended](SubmitState::has_ended) and were written last before a moment in
    /// milliseconds since 1970, with the keys of jobs that have no other order; says how many. What they
    /// cost still counts, in [`spend`](Self::spend) and against budgets.
    async fn prune(&self, before_ms: u64) -> Result<u64>;

    /// The secret of this store that fingerprints are made with; the same for all who share it.
    async fn secret(&self) -> Result<[u8; 16]>;
}

impl SubmitState {
    /// In JSON and in tables, such as `not_taken`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Made => "made",
            Self::Unknown => "unknown",
            Self::NotTaken => "not_taken",
            Self::Failed => "failed",
            Self::Safe => "safe",
        }
    }

    /// Whether nothing more is to be done or to be learned.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::NotTaken | Self::Failed | Self::Safe)
    }

    /// Whether it may have cost something.
    pub const fn may_cost(self) -> bool {
        !matches!(self, Self::NotTaken)
    }
}

impl Submit {
    /// The state as it is at a moment: what nobody holds any more and was never answered is unknown.
    pub fn state_at(&self, now_ms: u64) -> SubmitState {
        match self.state {
            SubmitState::Sent if self.held_until_ms <= now_ms => SubmitState::Unknown,
            state => state,
        }
    }

    /// Which of its job's orders it is, by its id; the pictures of a job are in the order of these.
    pub fn number(&self) -> u32 {
        self.id.rsplit_once('-').and_then(|it| it.1.parse().ok()).unwrap_or_default()
    }

    /// Whether its pictures can still be asked for, and no living process is at it.
    pub fn is_resumable(&self, now_ms: u64) -> bool {
        let asks = self.handle.as_ref().is_some_and(Handle::leads_somewhere);
        !self.state.has_ended() && asks && self.held_until_ms <= now_ms
    }

    /// The least that it cost: what the provider said, or the low estimate; nothing where it may be
    /// that it was not taken.
    pub fn low(&self) -> Usd {
        match self.state {
            SubmitState::NotTaken => Usd(0),
            SubmitState::Sent | SubmitState::Unknown | SubmitState::Failed => {
                self.cost.unwrap_or_default()
            }
            SubmitState::Accepted | SubmitState::Made | SubmitState::Safe => {
                self.cost.unwrap_or(self.estimate.low)
            }
        }
    }

    /// The most that it cost: what the provider said, or the high estimate. Budgets count this.
    pub fn high(&self) -> Usd {
        match self.state.may_cost() {
            true => self.cost.unwrap_or(self.estimate.high),
            false => Usd(0),
        }
    }
}

impl Period {
    /// In JSON and on the command line, such as `day`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Ever => "ever",
        }
    }

    /// When the period that `now_ms` is in began, in milliseconds since 1970.
    pub fn began_ms(self, now_ms: u64) -> u64 {
        const DAY: u64 = 86_400_000;
        let day = now_ms / DAY;
        match self {
            Self::Day => day * DAY,
            Self::Month => {
                let date = Date::of_unix_days(i64::try_from(day).unwrap_or_default());
                (day - u64::from(date.day_of_month() - 1)) * DAY
            }
            Self::Ever => 0,
        }
    }
}

impl Handle {
    /// Whether it says where to ask for the job, or where its pictures are.
    pub fn leads_somewhere(&self) -> bool {
        self.poll.is_some() || !self.pictures.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(state: SubmitState) -> Submit {
        Submit {
            id: "1".into(),
            job: "1".into(),
            account: None,
            offer: "acme/a".into(),
            fingerprint: String::new(),
            pictures: 1,
            estimate: Estimate { low: Usd(10), high: Usd(30) },
            state,
            cost: None,
            handle: None,
            paths: Vec::new(),
            error: None,
            created_ms: 0,
            updated_ms: 0,
            held_until_ms: 100,
        }
    }

    #[test]
    fn an_order_that_nobody_holds_and_nobody_answered_is_unknown() {
        let sent = submit(SubmitState::Sent);
        assert_eq!(sent.state_at(99), SubmitState::Sent);
        assert_eq!(sent.state_at(100), SubmitState::Unknown);
        assert_eq!(submit(SubmitState::Made).state_at(100), SubmitState::Made);
    }

    #[test]
    fn what_may_have_been_bought_counts_with_its_high_estimate() {
        use SubmitState::{Accepted, Failed, Made, NotTaken, Safe, Sent, Unknown};
        for (state, low, high) in [
            (Sent, 0, 30),
            (Unknown, 0, 30),
            (Failed, 0, 30),
            (Accepted, 10, 30),
            (Made, 10, 30),
            (Safe, 10, 30),
            (NotTaken, 0, 0),
        ] {
            let submit = submit(state);
            assert_eq!((submit.low(), submit.high()), (Usd(low), Usd(high)), "{state:?}");
            let charged = Submit { cost: Some(Usd(20)), ..submit };
            let known = if state == NotTaken { 0 } else { 20 };
            assert_eq!((charged.low(), charged.high()), (Usd(known), Usd(known)), "{state:?}");
        }
    }

    #[test]
    fn days_and_months_begin_at_midnight() {
        // 2026-11-26T10:00:00Z.
        let now = 1_795_687_200_000;
        assert_eq!(Period::Day.began_ms(now), 1_795_651_200_000);
        assert_eq!(Period::Month.began_ms(now), 1_795_651_200_000 - 25 * 86_400_000);
        assert_eq!(Period::Ever.began_ms(now), 0);
    }
}
