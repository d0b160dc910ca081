//! A store in one file, for several processes of one machine.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use repaint_core::{Error, Handle, Result, Submit};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::sql::{Trouble, migrator, not_migrated, unavailable};

// Both databases understand the same statements.
#[path = "statements.rs"]
#[cfg_attr(
    feature = "postgres",
    expect(clippy::duplicate_mod, reason = "it is written once for both")
)]
mod statements;

use self::Sqlite as Own;
use sqlx::SqliteConnection as Connection;
use sqlx::sqlite::SqliteRow as Row;
type Transaction<'a> = sqlx::Transaction<'a, sqlx::Sqlite>;
type Guard<'a> = MappedMutexGuard<'a, Connection>;

/// Orders, budgets and keys in a SQLite file: on a disk of this machine, since its locks do not hold over a
/// network.
pub struct Sqlite {
    path: PathBuf,
    /// One, so that tasks queue here, in order, and only processes wait for the file.
    connection: Mutex<Held>,
    secret: [u8; 16],
}

struct Held {
    connection: Connection,
    /// Whether what it writes is on the disk before it says so. What it wrote before is then, too.
    syncs: bool,
}

/// One statement sees and changes the file alone, so it needs no transaction round it.
const LONE_STATEMENTS: bool = true;

/// Other processes are waited for so long; none writes for longer than some milliseconds.
const BUSY: Duration = Duration::from_secs(15);
/// How soon it is tried again where SQLite does not wait by itself.
const AGAIN: Duration = Duration::from_millis(20);
/// In the head of the file, so that the file of another program is never taken for ours: `rpnt`.
const APPLICATION: i64 = 0x7270_6e74;

/// One process writes at a time, so nobody takes the same. What is too old goes with it, untold.
const TAKE: &str = "DELETE FROM repaint_left WHERE until_ms <= $2 OR job = (SELECT job FROM repaint_left \
    WHERE print = $1 AND $2 < until_ms AND ($3 IS NULL OR job = $3) ORDER BY until_ms, job LIMIT 1) \
    RETURNING CASE WHEN $2 < until_ms THEN job END";

const MIGRATIONS: &[(&str, &str)] = &[
    ("orders", include_str!("../migrations/sqlite/1_orders.sql")),
    ("left", include_str!("../migrations/sqlite/2_left.sql")),
];

impl Sqlite {
    /// Opens the file, or makes it, for its owner only, and the folders that it is in.
    ///
    /// # Errors
    ///
    /// `Unavailable`, naming the file and what to do, if it cannot be made, read or written, is no store or
    /// that of a newer version.
    pub async fn connect(path: &Path) -> Result<Self> {
        make(path).map_err(|err| cannot_be_made(path, &err))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY)
            .journal_mode(SqliteJournalMode::Wal)
            // An order must be on the disk before it is sent.
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let began = std::time::Instant::now();
        let (connection, secret) = loop {
            match ready(&options, path).await {
                Ok(ready) => break ready,
                // The first who comes changes the kind of journal, and SQLite lets nobody wait for that.
                Err(Trouble::Sql(err)) if is_busy(&err) && began.elapsed() < BUSY => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(trouble) => return Err(told(path, trouble)),
            }
        };
        let connection = Mutex::new(Held { connection, syncs: true });
        Ok(Self { path: path.to_owned(), connection, secret })
    }

    /// The connection, which waits for the disk with all that it writes.
    async fn connection(&self) -> sqlx::Result<Guard<'_>> {
        self.syncing(true).await
    }

    /// The connection for what becomes of an order. Where that can be asked for, the disk is waited for; else
    /// a machine that loses its power only forgets what it learned, as if it had lost it a moment before.
    async fn connection_for(&self, submit: &Submit) -> sqlx::Result<Guard<'_>> {
        let asks = submit.handle.as_ref().is_some_and(Handle::leads_somewhere);
        self.syncing(asks && !submit.state.has_ended()).await
    }

    async fn syncing(&self, syncs: bool) -> sqlx::Result<Guard<'_>> {
        let mut held = self.connection.lock().await;
        if held.syncs != syncs {
            // It may be dropped before it is done.
            held.syncs = false;
            let level =
                if syncs { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            sqlx::raw_sql(level).execute(&mut held.connection).await?;
            held.syncs = syncs;
        }
        Ok(MutexGuard::map(held, |it| &mut it.connection))
    }

    fn told(&self, trouble: Trouble) -> Error {
        told(&self.path, trouble)
    }
}

/// A transaction that holds the file from its first statement on, so that what it reads stays true.
async fn begin(connection: &mut Connection) -> sqlx::Result<Transaction<'_>> {
    connection.begin_with("BEGIN IMMEDIATE").await
}

/// A connection to a file that is ours and up to date, and the secret in it.
async fn ready(
    options: &SqliteConnectOptions,
    path: &Path,
) -> Result<(Connection, [u8; 16]), Trouble> {
    let mut connection = options.connect().await?;
    let mut transaction = begin(&mut connection).await?;
    let of: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *transaction).await?;
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema")
        .fetch_one(&mut *transaction)
        .await?;
    if of != APPLICATION && tables != 0 {
        let message =
            format!("{} is a database of another program: name another file", path.display());
        return Err(unavailable(message).into());
    }
    // Two processes that come first at once would both make the tables; so the second waits for the first.
    if let Err(err) = migrator(MIGRATIONS).run_direct(None, &mut *transaction, false).await {
        return Err(not_migrated(&path.display().to_string(), err)?.into());
    }
    let secret = statements::secret(&mut transaction).await?;
    transaction.commit().await?;
    Ok((connection, secret))
}

/// The file and its folders, for their owner only; SQLite gives its other files the rights of this one.
fn make(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        options.mode(0o600);
        folders.mode(0o700);
    }
    if let Some(folder) = path.parent().filter(|it| *it != Path::new("")) {
        folders.create(folder)?;
    }
    options.open(path).map(drop)
}

fn is_busy(err: &sqlx::Error) -> bool {
    matches!(primary(err), Some(5 | 6))
}

/// SQLite's code of an error, without what extends it. ref: sqlite.org/rescode.html, 2026-11-26
fn primary(err: &sqlx::Error) -> Option<u32> {
    let code = err.as_database_error()?.code()?;
    Some(code.parse::<u32>().ok()? & 0xff)
}

fn cannot_be_made(path: &Path, err: &io::Error) -> Error {
    let why = err.to_string();
    let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
    unavailable(format!(
        "orders cannot be written down in {}: {why}; let it be written, or name another store",
        path.display()
    ))
}

fn told(path: &Path, trouble: Trouble) -> Error {
    let (path, err) = match trouble {
        Trouble::Said(err) => return err,
        Trouble::Sql(err) => (path.display(), err),
    };
    let why = err.as_database_error().map_or_else(|| err.to_string(), |it| it.message().to_owned());
    unavailable(match primary(&err) {
        Some(5 | 6) => {
            format!(
                "the store {path} is held by another process ({why}): try again, or end that process"
            )
        }
        Some(3 | 8 | 10 | 14 | 23) => format!(
            "the store {path} cannot be read or written ({why}): let it be written, or name another store"
        ),
        Some(13) => format!("the store {path} has no room ({why}): make room on its disk"),
        Some(11 | 26) => format!(
            "the store {path} is damaged or is none ({why}): move it away, with the files whose names begin \
             like it, or name another store; look at your providers for what it knew"
        ),
        _ => format!("the store {path} failed ({why}): try again, or name another store"),
    })
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}
