//! The statements of a store in a database: written once, and compiled for each.

use async_trait::async_trait;
use repaint_core::{Budget, Estimate, Filter, Period, Result, Spend, Store, Submit, Usd};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{Row as _, query, query_scalar};

use super::{Connection, LONE_STATEMENTS, Own, Row, TAKE, begin};
use crate::rules;
use crate::sql::Trouble;

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

const INSERT: &str = insert!("WHERE true ON CONFLICT DO NOTHING");
const INSERT_WITHOUT_BUDGET: &str = insert!(
    "WHERE NOT EXISTS (SELECT 1 FROM repaint_budgets WHERE account IS NULL OR account = $3) \
     ON CONFLICT DO NOTHING"
);
const WRITE: &str = insert!(
    "WHERE true ON CONFLICT (id) DO UPDATE SET state = excluded.state, cost = excluded.cost, \
     handle = excluded.handle, paths = excluded.paths, error = excluded.error, updated_ms = excluded.updated_ms, \
     held_until_ms = excluded.held_until_ms, low = excluded.low, high = excluded.high \
     WHERE repaint_submits.state <> 'safe'"
);

const LIST: &str = submits!(
    "WHERE ($1 IS NULL OR job = $1) AND ($2 IS NULL OR account = $2) \
     AND ($3 = 0 OR state NOT IN ('not_taken', 'failed', 'safe')) AND $4 <= created_ms \
     ORDER BY created_ms DESC, id DESC LIMIT $5"
);

const SPEND: &str = "SELECT offer, CAST(SUM(orders) AS BIGINT) AS orders, CAST(SUM(unknown) AS BIGINT) AS unknown, \
    CAST(SUM(low) AS BIGINT) AS low, CAST(SUM(high) AS BIGINT) AS high FROM ( \
        SELECT offer, 1 AS orders, CASE WHEN state IN ('sent', 'unknown') THEN 1 ELSE 0 END AS unknown, low, high \
        FROM repaint_submits \
        WHERE state <> 'not_taken' AND $1 <= created_ms AND ($2 IS NULL OR account = $2) \
        UNION ALL SELECT offer, orders, 0, low, high FROM repaint_pruned \
        WHERE $1 < day_ms + 86400000 AND ($2 IS NULL OR account = $2) \
    ) AS spent GROUP BY offer ORDER BY offer";

/// What budgets count: the high ends, from indexes alone.
const SPENT: &str = "SELECT CAST(COALESCE(SUM(high), 0) AS BIGINT) FROM ( \
        SELECT high FROM repaint_submits WHERE $1 <= created_ms \
        UNION ALL SELECT high FROM repaint_pruned WHERE $1 < day_ms + 86400000 \
    ) AS spent";
const SPENT_BY: &str = "SELECT CAST(COALESCE(SUM(high), 0) AS BIGINT) FROM ( \
        SELECT high FROM repaint_submits WHERE account = $2 AND $1 <= created_ms \
        UNION ALL SELECT high FROM repaint_pruned WHERE account = $2 AND $1 < day_ms + 86400000 \
    ) AS spent";

const BUDGETS: &str = "SELECT account, period, amount FROM repaint_budgets";
const REMOVE_BUDGET: &str = "DELETE FROM repaint_budgets WHERE period = $2 \
    AND (account = $1 OR account IS NULL AND $1 IS NULL)";
const SET_BUDGET: &str =
    "INSERT INTO repaint_budgets (account, period, amount) VALUES ($1, $2, $3)";

const CLAIMED: &str = "SELECT job, fingerprint FROM repaint_claims WHERE claimed = $2 \
    AND (account = $1 OR account IS NULL AND $1 IS NULL)";
const CLAIM: &str =
    "INSERT INTO repaint_claims (account, claimed, job, fingerprint) VALUES ($1, $2, $3, $4)";

const LEAVE: &str = "INSERT INTO repaint_left (job, print, until_ms) VALUES ($1, $2, $3) \
    ON CONFLICT (job) DO UPDATE SET print = excluded.print, until_ms = excluded.until_ms";
const FORGET_LEFT: &str = "DELETE FROM repaint_left WHERE until_ms < $1";

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

const KEEP_SUMS: &str = old!(
    "INSERT INTO repaint_pruned (account, offer, day_ms, orders, low, high) \
     SELECT account, offer, created_ms - created_ms % 86400000, COUNT(*), CAST(SUM(low) AS BIGINT), \
     CAST(SUM(high) AS BIGINT)",
    "AND state <> 'not_taken' GROUP BY account, offer, created_ms - created_ms % 86400000"
);
const FORGET_CLAIMS: &str = concat!(
    old!("DELETE FROM repaint_claims WHERE job IN (SELECT job", ")"),
    " AND NOT EXISTS (SELECT 1 FROM repaint_submits AS other WHERE other.job = repaint_claims.job \
     AND NOT (updated_ms < $1 AND state IN ('not_taken', 'failed', 'safe')))"
);
const FORGET: &str = old!("DELETE", "");

#[async_trait]
impl Store for Own {
    async fn open(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let work = async {
            let mut connection = self.connection().await?;
            // Most accounts have no budget, and then nothing is to be summed up.
            if LONE_STATEMENTS && put(INSERT_WITHOUT_BUDGET, &mut connection, submit).await? {
                return Ok(());
            }
            let mut transaction = begin(&mut connection).await?;
            let account = submit.account.as_deref();
            for budget in budgets(&mut transaction).await? {
                if budget.account.is_some() && budget.account.as_deref() != account {
                    continue;
                }
                let since = database(budget.period.began_ms(submit.created_ms));
                let spent = match &budget.account {
                    None => query_scalar(SPENT).bind(since),
                    Some(account) => query_scalar(SPENT_BY).bind(since).bind(account.as_str()),
                };
                let spent = ours(spent.fetch_one(&mut *transaction).await?);
                if let Some(refused) = rules::refuses(&budget, Usd(spent), submit) {
                    return Err(refused.into());
                }
            }
            if !put(INSERT, &mut transaction, submit).await? {
                return Err(rules::twice(&submit.id).into());
            }
            Ok(transaction.commit().await?)
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let work = async {
            let mut connection = self.connection_for(submit).await?;
            if LONE_STATEMENTS {
                put(WRITE, &mut connection, submit).await?;
                return Ok(());
            }
            let mut transaction = begin(&mut connection).await?;
            put(WRITE, &mut transaction, submit).await?;
            Ok(transaction.commit().await?)
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        let work = async {
            let mut connection = self.connection().await?;
            let found = query(submits!("WHERE id = $1")).bind(id);
            let found = found.fetch_optional(&mut *connection).await?;
            found.as_ref().map(submit).transpose()
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        let Filter { job, account, open, since_ms, limit } = filter;
        let limit = if *limit == 0 { i64::MAX } else { i64::from(*limit) };
        let work = async {
            let mut connection = self.connection().await?;
            let found = query(LIST)
                .bind(job.as_deref())
                .bind(account.as_deref())
                .bind(i64::from(*open))
                .bind(database(*since_ms))
                .bind(limit);
            let rows = found.fetch_all(&mut *connection).await?;
            rows.iter().map(submit).collect::<Result<_, Trouble>>()
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        let work = async {
            let mut connection = self.connection().await?;
            let found = query(SPEND).bind(database(since_ms)).bind(account);
            let rows = found.fetch_all(&mut *connection).await?;
            let spend = |row: &Row| {
                Ok(Spend {
                    offer: row.try_get("offer")?,
                    orders: ours(row.try_get("orders")?),
                    unknown: ours(row.try_get("unknown")?),
                    low: Usd(ours(row.try_get("low")?)),
                    high: Usd(ours(row.try_get("high")?)),
                })
            };
            rows.iter().map(spend).collect::<Result<_, Trouble>>()
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        let work = async { budgets(&mut *self.connection().await?).await };
        work.await.map_err(|it| self.told(it))
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        rules::settable(budget)?;
        let (account, period) = (budget.account.as_deref(), budget.period.name());
        let work = async {
            let mut connection = self.connection().await?;
            let mut transaction = begin(&mut connection).await?;
            let removed = query(REMOVE_BUDGET).bind(account).bind(period);
            removed.execute(&mut *transaction).await?;
            let set = query(SET_BUDGET).bind(account).bind(period).bind(database(budget.limit.0));
            set.execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        let work = async {
            let mut connection = self.connection().await?;
            let mut transaction = begin(&mut connection).await?;
            let removed = query(REMOVE_BUDGET).bind(account).bind(period.name());
            let removed = removed.execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            Ok(removed != 0)
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        let work = async {
            let mut connection = self.connection().await?;
            let mut transaction = begin(&mut connection).await?;
            let earlier = query(CLAIMED).bind(account).bind(key);
            if let Some(row) = earlier.fetch_optional(&mut *transaction).await? {
                return Ok(Some((row.try_get("job")?, row.try_get("fingerprint")?)));
            }
            let claim = query(CLAIM).bind(account).bind(key).bind(job).bind(fingerprint);
            claim.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(None)
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        let work = async {
            let mut connection = self.connection().await?;
            let leave = query(LEAVE).bind(job).bind(print).bind(database(until_ms));
            leave.execute(&mut *connection).await?;
            Ok(())
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        let work = async {
            let mut connection = self.connection().await?;
            let take = query_scalar(TAKE).bind(print).bind(database(now_ms)).bind(job);
            let taken: Vec<Option<String>> = take.fetch_all(&mut *connection).await?;
            if !LONE_STATEMENTS {
                // Whoever takes next forgets it as well; what was taken is ours whatever comes of this.
                let _ = query(FORGET_LEFT).bind(database(now_ms)).execute(&mut *connection).await;
            }
            Ok(taken.into_iter().flatten().next())
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        let work = async {
            let mut connection = self.connection().await?;
            let mut transaction = begin(&mut connection).await?;
            let before = database(before_ms);
            query(KEEP_SUMS).bind(before).execute(&mut *transaction).await?;
            query(FORGET_CLAIMS).bind(before).execute(&mut *transaction).await?;
            query(FORGET_LEFT).bind(before).execute(&mut *transaction).await?;
            let gone = query(FORGET).bind(before).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(gone.rows_affected())
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        Ok(self.secret)
    }
}

/// The secret of a store; a new one gets one, and one that is there stays.
pub(super) async fn secret(connection: &mut Connection) -> Result<[u8; 16], Trouble> {
    let made =
        query("INSERT INTO repaint_secret (one, secret) VALUES (1, $1) ON CONFLICT DO NOTHING");
    made.bind(rules::random().to_vec()).execute(&mut *connection).await?;
    let secret = query_scalar("SELECT secret FROM repaint_secret");
    let secret: Vec<u8> = secret.fetch_one(connection).await?;
    let other = |_| crate::sql::unavailable("its secret is not one of ours");
    Ok(<[u8; 16]>::try_from(secret).map_err(other)?)
}

async fn budgets(connection: &mut Connection) -> Result<Vec<Budget>, Trouble> {
    let rows = query(BUDGETS).fetch_all(connection).await?;
    let budget = |row: &Row| {
        Ok(Budget {
            account: row.try_get("account")?,
            period: named(row.try_get("period")?)?,
            limit: Usd(ours(row.try_get("amount")?)),
        })
    };
    let mut budgets = rows.iter().map(budget).collect::<Result<Vec<_>, Trouble>>()?;
    budgets.sort_by(|a, b| (&a.account, a.period).cmp(&(&b.account, b.period)));
    Ok(budgets)
}

/// Puts an order down in the way of a statement; says whether it did.
async fn put(
    statement: &'static str,
    connection: &mut Connection,
    submit: &Submit,
) -> Result<bool, Trouble> {
    let put = query(statement)
        .bind(&submit.id)
        .bind(&submit.job)
        .bind(submit.account.as_deref())
        .bind(&submit.offer)
        .bind(&submit.fingerprint)
        .bind(i64::from(submit.pictures))
        .bind(database(submit.estimate.low.0))
        .bind(database(submit.estimate.high.0))
        .bind(submit.state.name())
        .bind(submit.cost.map(|it| database(it.0)))
        .bind(submit.handle.as_ref().map(serde_json::to_string).transpose()?)
        .bind(serde_json::to_string(&submit.paths)?)
        .bind(submit.error.map(|it| it.code()))
        .bind(database(submit.created_ms))
        .bind(database(submit.updated_ms))
        .bind(database(submit.held_until_ms))
        .bind(database(submit.low().0))
        .bind(database(submit.high().0));
    Ok(put.execute(connection).await?.rows_affected() != 0)
}

fn submit(row: &Row) -> Result<Submit, Trouble> {
    let text = |name: &str| row.try_get::<Option<String>, _>(name);
    let number = |name: &str| row.try_get(name).map(ours);
    Ok(Submit {
        id: row.try_get("id")?,
        job: row.try_get("job")?,
        account: row.try_get("account")?,
        offer: row.try_get("offer")?,
        fingerprint: row.try_get("fingerprint")?,
        pictures: u32::try_from(number("pictures")?).unwrap_or(u32::MAX),
        estimate: Estimate {
            low: Usd(number("estimate_low")?),
            high: Usd(number("estimate_high")?),
        },
        state: named(row.try_get("state")?)?,
        cost: row.try_get::<Option<i64>, _>("cost")?.map(|it| Usd(ours(it))),
        handle: text("handle")?.as_deref().map(serde_json::from_str).transpose()?,
        paths: serde_json::from_str(row.try_get("paths")?)?,
        error: text("error")?.map(named).transpose()?,
        created_ms: number("created_ms")?,
        updated_ms: number("updated_ms")?,
        held_until_ms: number("held_until_ms")?,
    })
}

/// A value of an enum by its name in JSON.
fn named<T: DeserializeOwned>(name: String) -> Result<T, Trouble> {
    Ok(serde_json::from_value(Value::String(name))?)
}

/// What `rules` let through is in range; a moment that is only looked for may be beyond.
fn database(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn ours(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
