//! What every store holds to: which values it keeps, and when a budget has no room.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use repaint_core::{Budget, Error, ErrorKind, Refusal, RefusalCode, Result, Submit, Usd};

/// The most that one amount may be: a billion dollars, of which thousands can be summed in 64 bits.
pub(crate) const MOST: Usd = Usd(1_000_000_000_000_000);

/// Whether an order is one that can be kept: databases count to 2^63, and not to 2^64.
pub(crate) fn keepable(submit: &Submit) -> Result<()> {
    let Submit { id, estimate, cost, created_ms, updated_ms, held_until_ms, .. } = submit;
    if id.is_empty() {
        return Err(invalid("an order has no id: give it one of its own"));
    }
    for amount in [Some(estimate.low), Some(estimate.high), *cost].into_iter().flatten() {
        within(amount, &format!("the order {id}"))?;
    }
    if [created_ms, updated_ms, held_until_ms].iter().any(|it| i64::try_from(**it).is_err()) {
        return Err(invalid(format!("a moment of the order {id} is too far away to be kept")));
    }
    Ok(())
}

/// Whether a budget is one that can be kept.
pub(crate) fn settable(budget: &Budget) -> Result<()> {
    within(budget.limit, "a budget")
}

fn within(amount: Usd, whose: &str) -> Result<()> {
    if amount <= MOST {
        return Ok(());
    }
    Err(invalid(format!("{whose} is of {amount}; more than {MOST} is not kept")))
}

/// An order of an id that is taken.
pub(crate) fn twice(id: &str) -> Error {
    invalid(format!("the order {id} is written down already: give each order an id of its own"))
}

/// Why a budget has no room for an order; `None` if it has.
pub(crate) fn refuses(budget: &Budget, spent: Usd, submit: &Submit) -> Option<Error> {
    let (high, Budget { account, period, limit }) = (submit.estimate.high, budget);
    if high == Usd(0) || spent.0.saturating_add(high.0) <= limit.0 {
        return None;
    }
    let whose = account.as_ref().map_or_else(String::new, |it| format!(" of {it}"));
    let (span, wait) = match period.name() {
        "day" => (" a day", "wait for the next day (UTC), or "),
        "month" => (" a month", "wait for the next month (UTC), or "),
        _ => ("", ""),
    };
    let mut refusal = Refusal::by_rule(RefusalCode::OverBudget, "budget");
    refusal.limit = limit.0.into();
    refusal.got = spent.0.saturating_add(high.0).into();
    let message = format!(
        "may cost {high}, and {spent} of the budget{whose} of {limit}{span} is spent or may be"
    );
    let refusal = refusal.saying(message, format!("{wait}raise the budget"));
    Some(Error::refused(&submit.offer, vec![refusal]))
}

/// 16 bytes that nobody can guess: what the standard library seeds its maps with, from the system.
pub(crate) fn random() -> [u8; 16] {
    let half = || RandomState::new().build_hasher().finish().to_ne_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half());
    bytes[8..].copy_from_slice(&half());
    bytes
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

/// A day, as sums of orders that are forgotten are kept by.
pub(crate) const DAY_MS: u64 = 86_400_000;
