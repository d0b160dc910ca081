//! A store in PostgreSQL, for many machines.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use repaint_core::{
    Budget, Error, ErrorKind, Estimate, Filter, Period, Result, Spend, Store, Submit, Usd,
};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _, SqlStr, Transaction,
    query, query_scalar,
};

use crate::place::shown;
use crate::rules;
use crate::sql::{Trouble as Of, made_by_newer, unavailable};
use crate::statements::{
    BUDGETS, CLAIM, CLAIMED, FORGET, FORGET_CLAIMS, FORGET_LEFT, GET, INSERT, KEEP_SUMS, LEAVE,
    LIST, MAKE_SECRET, REMOVE_BUDGET, SECRET, SET_BUDGET, SPEND, SPENT, SPENT_BY, Texts, WRITE,
    database, most, named, ours, secret,
};

type Trouble = Of<sqlx::Error>;

/// Orders, budgets and keys in tables `repaint_…` of a PostgreSQL database, version 13 or newer.
pub struct Postgres {
    /// Without user and password.
    place: String,
    pool: PgPool,
    secret: [u8; 16],
}

/// Whoever comes at the same time takes the next one.
const TAKE: &str = "DELETE FROM repaint_left WHERE job = (SELECT job FROM repaint_left \
    WHERE print = $1 AND $2 < until_ms AND ($3 IS NULL OR job = $3) ORDER BY until_ms, job LIMIT 1 \
    FOR UPDATE SKIP LOCKED) RETURNING job";

/// A database that does not answer for so long is not there.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whoever writes takes a lock that all share, and reads only then: so what it reads stays true until it has
/// written. A client that hangs while it has the lock loses it, and a server that answers before an order is
/// on its disk is told to wait for that.
const LOCK: &str = "\
    SET LOCAL lock_timeout = '15s'; \
    SET LOCAL idle_in_transaction_session_timeout = '15s'; \
    SELECT CASE current_setting('synchronous_commit') \
        WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END; \
    SELECT pg_advisory_xact_lock(8243118256654545953)";

const MIGRATIONS: &[(&str, &str)] = &[
    ("orders", include_str!("../migrations/postgres/1_orders.sql")),
    ("left", include_str!("../migrations/postgres/2_left.sql")),
];

impl Postgres {
    /// Connects to `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, and makes the tables if they are not there.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is no such URL; `Unavailable`, naming the database and what to do, if it cannot
    /// be reached or written, or was made by a newer version. Neither has user or password in it.
    pub async fn connect(url: &str) -> Result<Self> {
        let place = shown(url);
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            let message =
                format!("{place} is no address such as postgres://USER@HOST:5432/DATABASE");
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.disable_statement_logging());
        let mut own = Self { place, pool, secret: [0; 16] };
        own.secret = own.ready().await.map_err(|it| own.told(it))?;
        Ok(own)
    }

    /// Brings the tables up to date; gives the secret in them.
    async fn ready(&self) -> Result<[u8; 16], Trouble> {
        // It takes a lock by itself.
        if let Err(err) = migrator().run(&self.pool).await {
            return Err(not_migrated(&self.place, err)?.into());
        }
        let mut connection = self.connection().await?;
        let made = query(MAKE_SECRET).bind(rules::random().to_vec());
        made.execute(&mut *connection).await?;
        Ok(secret(query_scalar(SECRET).fetch_one(&mut *connection).await?)?)
    }

    async fn connection(&self) -> sqlx::Result<PoolConnection<sqlx::Postgres>> {
        self.pool.acquire().await
    }

    fn told(&self, trouble: Trouble) -> Error {
        let (place, err) = match trouble {
            Trouble::Said(err) => return err,
            Trouble::Sql(err) => (&self.place, err),
        };
        unavailable(match &err {
            sqlx::Error::Database(err) => {
                format!(
                    "the store {place} refuses ({}): look at its rights and its state",
                    err.message()
                )
            }
            sqlx::Error::PoolTimedOut => {
                format!("the store {place} does not answer: start it, or name another store")
            }
            err => format!(
                "the store {place} cannot be reached ({err}): start it, or name another store"
            ),
        })
    }
}

async fn begin(connection: &mut PgConnection) -> sqlx::Result<Transaction<'_, sqlx::Postgres>> {
    // What was committed before the lock was given must be seen, whatever the database does by default.
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    sqlx::raw_sql(LOCK).execute(&mut *transaction).await?;
    Ok(transaction)
}

impl From<sqlx::Error> for Trouble {
    fn from(err: sqlx::Error) -> Self {
        Self::Sql(err)
    }
}

/// The migrations, from the first on; what was released is never changed.
fn migrator() -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (what, sql))| {
        let (what, sql) = (Cow::Borrowed(*what), SqlStr::from_static(sql));
        Migration::new(version, what, MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // A database may be shared with programs that have migrations of their own.
    migrator.dangerous_set_table_name("repaint_migrations");
    migrator
}

/// Why the store at a place could not be brought up to date.
fn not_migrated(place: &str, err: MigrateError) -> Result<Error, sqlx::Error> {
    let message = match err {
        MigrateError::Execute(err) | MigrateError::ExecuteMigration(err, _) => return Err(err),
        MigrateError::VersionMissing(version) => return Ok(made_by_newer(place, version)),
        err => {
            format!("the store at {place} is not as repaint made it ({err}): name another store")
        }
    };
    Ok(unavailable(message))
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Postgres {
    async fn open(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let work = async {
            let mut connection = self.connection().await?;
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
            let mut connection = self.connection().await?;
            let mut transaction = begin(&mut connection).await?;
            put(WRITE, &mut transaction, submit).await?;
            Ok(transaction.commit().await?)
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        let work = async {
            let mut connection = self.connection().await?;
            let found = query(GET).bind(id).fetch_optional(&mut *connection).await?;
            found.as_ref().map(submit).transpose()
        };
        work.await.map_err(|it| self.told(it))
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        let Filter { job, account, open, since_ms, limit } = filter;
        let work = async {
            let mut connection = self.connection().await?;
            let found = query(LIST)
                .bind(job.as_deref())
                .bind(account.as_deref())
                .bind(i64::from(*open))
                .bind(database(*since_ms))
                .bind(most(*limit));
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
            let spend = |row: &PgRow| {
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
            let taken = take.fetch_optional(&mut *connection).await?;
            // Whoever takes next forgets it as well; what was taken is ours whatever comes of this.
            let _ = query(FORGET_LEFT).bind(database(now_ms)).execute(&mut *connection).await;
            Ok(taken)
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

async fn budgets(connection: &mut PgConnection) -> Result<Vec<Budget>, Trouble> {
    let rows = query(BUDGETS).fetch_all(connection).await?;
    let budget = |row: &PgRow| {
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
    connection: &mut PgConnection,
    submit: &Submit,
) -> Result<bool, Trouble> {
    let texts = Texts::of(submit)?;
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
        .bind(texts.handle)
        .bind(texts.paths)
        .bind(submit.error.map(|it| it.code()))
        .bind(database(submit.created_ms))
        .bind(database(submit.updated_ms))
        .bind(database(submit.held_until_ms))
        .bind(database(submit.low().0))
        .bind(database(submit.high().0));
    Ok(put.execute(connection).await?.rows_affected() != 0)
}

fn submit(row: &PgRow) -> Result<Submit, Trouble> {
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
