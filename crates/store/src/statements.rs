//! The statements that both databases understand, and what their values are.

use repaint_core::{Result, Submit};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Orders, with all that is known of them; what is said here is the condition. The columns are named, since
/// a newer version may have added some.
macro_rules! submits {
    ($condition:literal) => {
        concat!(
            "SELECT id, job, account, offer, fingerprint, pictures, estimate_low, estimate_high, state, cost, \
             handle, paths, error, created_ms, updated_ms, held_until_ms FROM repaint_submits ",
            $condition
        )
    };
}

/// A new order; what is said at the end may keep it out.
macro_rules! insert {
    ($condition:literal) => {
        concat!(
            "INSERT INTO repaint_submits (id, job, account, offer, fingerprint, pictures, estimate_low, \
             estimate_high, state, cost, handle, paths, error, created_ms, updated_ms, held_until_ms, low, high) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 ",
            $condition
        )
    };
}

pub(crate) const INSERT: &str = insert!("WHERE true ON CONFLICT DO NOTHING");
pub(crate) const WRITE: &str = insert!(
    "WHERE true ON CONFLICT (id) DO UPDATE SET state = excluded.state, cost = excluded.cost, \
     handle = excluded.handle, paths = excluded.paths, error = excluded.error, updated_ms = excluded.updated_ms, \
     held_until_ms = excluded.held_until_ms, low = excluded.low, high = excluded.high \
     WHERE repaint_submits.state <> 'safe'"
);

pub(crate) const GET: &str = submits!("WHERE id = $1");
pub(crate) const LIST: &str = submits!(
    "WHERE ($1 IS NULL OR job = $1) AND ($2 IS NULL OR account = $2) \
     AND ($3 = 0 OR state NOT IN ('not_taken', 'failed', 'safe')) AND $4 <= created_ms \
     ORDER BY created_ms DESC, id DESC LIMIT $5"
);

pub(crate) const SPEND: &str = "SELECT offer, CAST(SUM(orders) AS BIGINT) AS orders, CAST(SUM(unknown) AS BIGINT) AS unknown, \
    CAST(SUM(low) AS BIGINT) AS low, CAST(SUM(high) AS BIGINT) AS high FROM ( \
        SELECT offer, 1 AS orders, CASE WHEN state IN ('sent', 'unknown') THEN 1 ELSE 0 END AS unknown, low, high \
        FROM repaint_submits \
        WHERE state <> 'not_taken' AND $1 <= created_ms AND ($2 IS NULL OR account = $2) \
        UNION ALL SELECT offer, orders, 0, low, high FROM repaint_pruned \
        WHERE $1 < day_ms + 86400000 AND ($2 IS NULL OR account = $2) \
    ) AS spent GROUP BY offer ORDER BY offer";

/// What budgets count: the high ends, from indexes alone.
pub(crate) const SPENT: &str = "SELECT CAST(COALESCE(SUM(high), 0) AS BIGINT) FROM ( \
        SELECT high FROM repaint_submits WHERE $1 <= created_ms \
        UNION ALL SELECT high FROM repaint_pruned WHERE $1 < day_ms + 86400000 \
    ) AS spent";
pub(crate) const SPENT_BY: &str = "SELECT CAST(COALESCE(SUM(high), 0) AS BIGINT) FROM ( \
        SELECT high FROM repaint_submits WHERE account = $2 AND $1 <= created_ms \
        UNION ALL SELECT high FROM repaint_pruned WHERE account = $2 AND $1 < day_ms + 86400000 \
    ) AS spent";

pub(crate) const BUDGETS: &str = "SELECT account, period, amount FROM repaint_budgets";
pub(crate) const REMOVE_BUDGET: &str = "DELETE FROM repaint_budgets WHERE period = $2 \
    AND (account = $1 OR account IS NULL AND $1 IS NULL)";
pub(crate) const SET_BUDGET: &str =
    "INSERT INTO repaint_budgets (account, period, amount) VALUES ($1, $2, $3)";

pub(crate) const CLAIMED: &str = "SELECT job, fingerprint FROM repaint_claims WHERE claimed = $2 \
    AND (account = $1 OR account IS NULL AND $1 IS NULL)";
pub(crate) const CLAIM: &str =
    "INSERT INTO repaint_claims (account, claimed, job, fingerprint) VALUES ($1, $2, $3, $4)";

pub(crate) const LEAVE: &str = "INSERT INTO repaint_left (job, print, until_ms) VALUES ($1, $2, $3) \
    ON CONFLICT (job) DO UPDATE SET print = excluded.print, until_ms = excluded.until_ms";
pub(crate) const FORGET_LEFT: &str = "DELETE FROM repaint_left WHERE until_ms < $1";

/// An order that can be forgotten has ended, and was written last before a moment.
macro_rules! old {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " FROM repaint_submits WHERE updated_ms < $1 AND state IN ('not_taken', 'failed', 'safe') ",
            $after
        )
    };
}

pub(crate) const KEEP_SUMS: &str = old!(
    "INSERT INTO repaint_pruned (account, offer, day_ms, orders, low, high) \
     SELECT account, offer, created_ms - created_ms % 86400000, COUNT(*), CAST(SUM(low) AS BIGINT), \
     CAST(SUM(high) AS BIGINT)",
    "AND state <> 'not_taken' GROUP BY account, offer, created_ms - created_ms % 86400000"
);
pub(crate) const FORGET_CLAIMS: &str = concat!(
    old!("DELETE FROM repaint_claims WHERE job IN (SELECT job", ")"),
    " AND NOT EXISTS (SELECT 1 FROM repaint_submits AS other WHERE other.job = repaint_claims.job \
     AND NOT (updated_ms < $1 AND state IN ('not_taken', 'failed', 'safe')))"
);
pub(crate) const FORGET: &str = old!("DELETE", "");

/// The secret of a new store; one that is there stays.
pub(crate) const MAKE_SECRET: &str =
    "INSERT INTO repaint_secret (one, secret) VALUES (1, $1) ON CONFLICT DO NOTHING";
pub(crate) const SECRET: &str = "SELECT secret FROM repaint_secret";

/// What of an order is JSON in a database.
pub(crate) struct Texts {
    pub(crate) handle: Option<String>,
    pub(crate) paths: String,
}

impl Texts {
    pub(crate) fn of(submit: &Submit) -> serde_json::Result<Self> {
        let handle = submit.handle.as_ref().map(serde_json::to_string).transpose()?;
        Ok(Self { handle, paths: serde_json::to_string(&submit.paths)? })
    }
}

/// A value of an enum by its name in JSON.
pub(crate) fn named<T: DeserializeOwned>(name: String) -> serde_json::Result<T> {
    serde_json::from_value(Value::String(name))
}

/// What `rules` let through is in range; a moment that is only looked for may be beyond.
pub(crate) fn database(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn ours(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The most rows that are listed; 0 is all.
pub(crate) fn most(limit: u32) -> i64 {
    if limit == 0 { i64::MAX } else { i64::from(limit) }
}

/// The secret as it was kept.
pub(crate) fn secret(kept: Vec<u8>) -> Result<[u8; 16]> {
    let other = |_| crate::sql::unavailable("its secret is not one of ours");
    <[u8; 16]>::try_from(kept).map_err(other)
}
