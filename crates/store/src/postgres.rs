//! A store in PostgreSQL, for many machines.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use repaint_core::{Error, ErrorKind, Result, Submit};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

use crate::place::shown;
use crate::sql::{Trouble, migrator, not_migrated, unavailable};

// Both databases understand the same statements.
#[path = "statements.rs"]
#[cfg_attr(
    feature = "sqlite",
    expect(clippy::duplicate_mod, reason = "it is written once for both")
)]
mod statements;

use self::Postgres as Own;
use sqlx::PgConnection as Connection;
use sqlx::postgres::PgRow as Row;
type Transaction<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

/// Orders, budgets and keys in tables `repaint_…` of a PostgreSQL database, version 13 or newer.
pub struct Postgres {
    /// Without user and password.
    place: String,
    pool: PgPool,
    secret: [u8; 16],
}

/// Others write while a lone statement looks around.
const LONE_STATEMENTS: bool = false;

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
        if let Err(err) = migrator(MIGRATIONS).run(&self.pool).await {
            return Err(not_migrated(&self.place, err)?.into());
        }
        statements::secret(&mut *self.connection().await?).await
    }

    /// The server says how soon what is written lasts, for all alike.
    async fn connection_for(&self, _: &Submit) -> sqlx::Result<PoolConnection<sqlx::Postgres>> {
        self.connection().await
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

async fn begin(connection: &mut Connection) -> sqlx::Result<Transaction<'_>> {
    // What was committed before the lock was given must be seen, whatever the database does by default.
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    sqlx::raw_sql(LOCK).execute(&mut *transaction).await?;
    Ok(transaction)
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).finish_non_exhaustive()
    }
}
