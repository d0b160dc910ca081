//! A store in one file, for several processes of one machine.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use repaint_core::{
    Budget, Error, ErrorKind, Estimate, Filter, Handle, Period, Result, Spend, Store, Submit, Usd,
};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, Row, ToSql, Transaction, TransactionBehavior, params,
};

use crate::log::Log;
use crate::rules;
use crate::sql::{Trouble as Of, made_by_newer, unavailable};
use crate::statements::{
    BUDGETS, CLAIM, CLAIMED, FORGET, FORGET_CLAIMS, FORGET_LEFT, GET, INSERT, KEEP_SUMS, LEAVE,
    LIST, MAKE_SECRET, REMOVE_BUDGET, SECRET, SET_BUDGET, SPEND, SPENT, SPENT_BY, Texts, WRITE,
    database, most, named, ours, secret,
};

type Trouble = Of<rusqlite::Error>;

/// Orders, budgets and keys in a SQLite file: on a disk of this machine, since its locks do not hold over a
/// network.
pub struct Sqlite(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// One, so that tasks queue here, and only processes wait for the file.
    connection: Mutex<Connection>,
    log: Arc<Log>,
    secret: [u8; 16],
}

/// Other processes are waited for so long; none writes for longer than some milliseconds.
const BUSY: Duration = Duration::from_secs(15);
/// Whoever reads is waited for so long where a log is to begin anew, and an order waits for that.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon it is tried again where SQLite does not wait by itself.
const AGAIN: Duration = Duration::from_millis(20);
/// After so many transactions the log is put into the file, while nobody waits for it; it has some 4 MB then.
const TRANSACTIONS: u64 = 100;
/// In the head of the file, so that the file of another program is never taken for ours: `rpnt`.
const APPLICATION: i64 = 0x7270_6e74;
/// More statements than there are.
const STATEMENTS: usize = 32;

/// One process writes at a time, so nobody takes the same. What is too old goes with it, untold.
const TAKE: &str = "DELETE FROM repaint_left WHERE until_ms <= $2 OR job = (SELECT job FROM repaint_left \
    WHERE print = $1 AND $2 < until_ms AND ($3 IS NULL OR job = $3) ORDER BY until_ms, job LIMIT 1) \
    RETURNING CASE WHEN $2 < until_ms THEN job END";

/// An order that was not sent, since it is not on the disk.
const UNDO: &str = "DELETE FROM repaint_submits WHERE id = $1";

/// From the first on; what was released is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/1_orders.sql"),
    include_str!("../migrations/sqlite/2_left.sql"),
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
        let path = path.to_owned();
        aside(move || {
            let began = Instant::now();
            let (connection, secret) = loop {
                match ready(&path) {
                    Ok(ready) => break ready,
                    // The first who comes changes the kind of journal, and SQLite lets nobody wait for that.
                    Err(Trouble::Sql(err)) if is_busy(&err) && began.elapsed() < BUSY => {
                        std::thread::sleep(AGAIN);
                    }
                    Err(trouble) => return Err(told(&path, trouble)),
                }
            };
            let log = Log::of(connection.path().unwrap_or_default());
            let log = Arc::new(log.map_err(|err| cannot_be_made(&path, &err))?);
            let connection = Mutex::new(connection);
            Ok(Self(Arc::new(Inner { path, connection, log, secret })))
        })
        .await
    }

    /// Does some work beside what else is done, and waits for other processes.
    async fn long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        aside(move || {
            let mut connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            with(&mut connection, BUSY, work).map_err(|it| told(&inner.path, it))
        })
        .await
    }

    /// Does some work at once, which takes microseconds: to wake another thread for it would take longer. Where
    /// it would have to wait, it is done as [`long`](Self::long) work.
    async fn quick<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T> {
        if let Ok(mut connection) = self.0.connection.try_lock() {
            match with(&mut connection, Duration::ZERO, &work) {
                Err(Trouble::Sql(err)) if is_busy(&err) => {}
                done => return done.map_err(|it| told(&self.0.path, it)),
            }
        }
        self.long(work).await
    }

    /// Something was written: for all processes it is there. A machine that loses its power before it is on the
    /// disk may forget it, and then knows what it knew a moment before.
    fn wrote(&self) -> u64 {
        let number = self.0.log.wrote();
        if number.is_multiple_of(TRANSACTIONS) {
            self.tidy();
        }
        number
    }

    /// Waits until what was written is on the disk.
    async fn on_disk(&self, number: u64) -> Result<()> {
        let Err(err) = self.0.log.wait(number).await else { return Ok(()) };
        let inner = Arc::clone(&self.0);
        aside(move || inner.mend(&err)).await
    }

    /// Brings what was written to the disk soon, while nobody waits for it.
    fn soon(&self) {
        let Some(planned) = self.0.log.plan() else { return };
        let inner = Arc::clone(&self.0);
        drop(tokio::task::spawn_blocking(move || {
            if let Err(err) = planned.done().or_else(|err| inner.mend(&err)) {
                tracing::warn!("{}", err.message());
            }
        }));
    }

    /// Puts the log into the file, so that it begins anew, beside what else is done; who comes meanwhile waits for
    /// some milliseconds. What cannot be put there stays where it is, and is tried again after as many transactions.
    fn tidy(&self) {
        let inner = Arc::clone(&self.0);
        drop(tokio::task::spawn_blocking(move || {
            if let Err(trouble) = inner.checkpoint("PASSIVE", Duration::ZERO) {
                tracing::warn!("{}", told(&inner.path, trouble).message());
            }
        }));
    }
}

impl Inner {
    /// Puts the log into the file; says whether all of it is there.
    fn checkpoint(&self, how: &str, patience: Duration) -> Result<bool, Trouble> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        with(&mut connection, patience, |connection| {
            let sql = format!("PRAGMA wal_checkpoint({how})");
            let (busy, written, there) = connection.query_row(&sql, [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })?;
            Ok(busy == 0 && written == there)
        })
    }

    /// Where the log could not be brought to the disk, what is in it is put into the store's file, which is.
    fn mend(&self, err: &io::Error) -> Result<()> {
        if self.checkpoint("RESTART", PATIENCE).is_ok_and(|it| it) {
            self.log.mended();
            return Ok(());
        }
        let (path, why) = (self.path.display(), system_words(err));
        Err(unavailable(format!(
            "the store {path} cannot be brought to the disk: {why}; look after it, or name another store"
        )))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Where other processes have the file open, closing it brings nothing to the disk.
        if let Err(err) = self.log.all() {
            tracing::warn!("the store {} was not brought to the disk: {err}", self.path.display());
        }
    }
}

/// Does some work with a connection, and waits so long for other processes.
fn with<T>(
    connection: &mut Connection,
    patience: Duration,
    work: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    connection.busy_timeout(patience)?;
    work(connection)
}

/// Does what waits for a disk or for others beside what else is done.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| {
        Err(Error::new(
            ErrorKind::Unexpected,
            format!("the store ended in an unforeseen way: {err}"),
        ))
    })
}

/// A transaction that holds the file from its first statement on, so that what it reads stays true.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// A connection to a file that is ours and up to date, and the secret in it.
fn ready(path: &Path) -> Result<(Connection, [u8; 16]), Trouble> {
    let mut connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = begin(&mut connection)?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let of = number("PRAGMA application_id")?;
    if of != APPLICATION && number("SELECT COUNT(*) FROM sqlite_schema")? != 0 {
        let message =
            format!("{} is a database of another program: name another file", path.display());
        return Err(unavailable(message).into());
    }
    // Two processes that come first at once would both make the tables; so the second waits for the first.
    let version = number("PRAGMA user_version")?;
    // Those that were made before had their versions in a table.
    let table = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'repaint_migrations'";
    let version = match version == 0 && number(table)? != 0 {
        true => number("SELECT MAX(version) FROM repaint_migrations")?,
        false => version,
    };
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if MIGRATIONS.len() < done {
        return Err(made_by_newer(&path.display().to_string(), version).into());
    }
    for migration in &MIGRATIONS[done..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.execute(MAKE_SECRET, [rules::random()])?;
    let secret = secret(transaction.query_row(SECRET, [], |row| row.get(0))?)?;
    transaction.commit()?;
    // From here on it is the log that waits for the disk, and what puts it into the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    // On macOS, what is not asked for so may stay in the drive.
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok((connection, secret))
}

#[async_trait]
impl Store for Sqlite {
    async fn open(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let order = submit.clone();
        let work = move |connection: &mut Connection| {
            let transaction = begin(connection)?;
            for budget in budgets(&transaction)? {
                if budget.account.is_some() && budget.account != order.account {
                    continue;
                }
                let since = database(budget.period.began_ms(order.created_ms));
                let sum = if budget.account.is_some() { SPENT_BY } else { SPENT };
                let spent = rows(&transaction, sum, params![since, budget.account], |row| {
                    Ok(ours(row.get(0)?))
                })?;
                let spent = Usd(spent.into_iter().sum());
                if let Some(refused) = rules::refuses(&budget, spent, &order) {
                    return Err(refused.into());
                }
            }
            if !put(&transaction, INSERT, &order)? {
                return Err(rules::twice(&order.id).into());
            }
            Ok(transaction.commit()?)
        };
        self.quick(work).await?;
        let kept = self.on_disk(self.wrote()).await;
        if kept.is_err() {
            // It is not sent then, and nobody is to think that it was.
            let id = submit.id.clone();
            self.quick(move |connection| Ok(execute(connection, UNDO, params![id])?)).await?;
        }
        kept
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let submit = submit.clone();
        // What leads to pictures that are paid for goes to the disk soon. Nobody need wait: a machine that loses its
        // power meanwhile might have lost it before the provider said so.
        let asks = submit.handle.as_ref().is_some_and(Handle::leads_somewhere);
        let leads = asks && !submit.state.has_ended();
        self.quick(move |connection| put(connection, WRITE, &submit)).await?;
        self.wrote();
        if leads {
            self.soon();
        }
        Ok(())
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        let id = id.to_owned();
        self.quick(move |connection| Ok(rows(connection, GET, params![id], submit)?.pop())).await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        let Filter { job, account, open, since_ms, limit } = filter.clone();
        self.long(move |connection| {
            let with = params![job, account, open, database(since_ms), most(limit)];
            rows(connection, LIST, with, submit)
        })
        .await
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        let account = account.map(str::to_owned);
        self.long(move |connection| {
            rows(connection, SPEND, params![database(since_ms), account], |row| {
                Ok(Spend {
                    offer: row.get("offer")?,
                    orders: ours(row.get("orders")?),
                    unknown: ours(row.get("unknown")?),
                    low: Usd(ours(row.get("low")?)),
                    high: Usd(ours(row.get("high")?)),
                })
            })
        })
        .await
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.long(|connection| budgets(connection)).await
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        rules::settable(budget)?;
        let Budget { account, period, limit } = budget.clone();
        self.quick(move |connection| {
            let transaction = begin(connection)?;
            let with = params![account, period.name(), database(limit.0)];
            execute(&transaction, REMOVE_BUDGET, with)?;
            execute(&transaction, SET_BUDGET, with)?;
            Ok(transaction.commit()?)
        })
        .await?;
        self.on_disk(self.wrote()).await
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        let account = account.map(str::to_owned);
        let work = move |connection: &mut Connection| {
            Ok(execute(connection, REMOVE_BUDGET, params![account, period.name()])? != 0)
        };
        let was_there = self.quick(work).await?;
        self.on_disk(self.wrote()).await?;
        Ok(was_there)
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        let account = account.map(str::to_owned);
        let [key, job, fingerprint] = [key, job, fingerprint].map(str::to_owned);
        let work = move |connection: &mut Connection| {
            let transaction = begin(connection)?;
            let with = params![account, key, job, fingerprint];
            let earlier = rows(&transaction, CLAIMED, with, |row| {
                Ok((row.get("job")?, row.get("fingerprint")?))
            })?;
            if let Some(earlier) = earlier.into_iter().next() {
                return Ok(Some(earlier));
            }
            execute(&transaction, CLAIM, with)?;
            transaction.commit()?;
            Ok(None)
        };
        let earlier = self.quick(work).await?;
        if earlier.is_none() {
            // It is on the disk with the first order that is sent for it.
            self.wrote();
        }
        Ok(earlier)
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        let [print, job] = [print, job].map(str::to_owned);
        self.quick(move |connection| {
            Ok(execute(connection, LEAVE, params![job, print, database(until_ms)])?)
        })
        .await?;
        self.wrote();
        self.soon();
        Ok(())
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        let (print, job) = (print.to_owned(), job.map(str::to_owned));
        let work = move |connection: &mut Connection| {
            let with = params![print, database(now_ms), job];
            rows(connection, TAKE, with, |row| Ok(row.get::<_, Option<String>>(0)?))
        };
        let gone = self.quick(work).await?;
        if !gone.is_empty() {
            self.wrote();
        }
        Ok(gone.into_iter().flatten().next())
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        let before = database(before_ms);
        let work = move |connection: &mut Connection| {
            let transaction = begin(connection)?;
            execute(&transaction, KEEP_SUMS, params![before])?;
            execute(&transaction, FORGET_CLAIMS, params![before])?;
            execute(&transaction, FORGET_LEFT, params![before])?;
            let gone = execute(&transaction, FORGET, params![before])?;
            transaction.commit()?;
            Ok(gone as u64)
        };
        let gone = self.long(work).await?;
        self.on_disk(self.wrote()).await?;
        Ok(gone)
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        Ok(self.0.secret)
    }
}

fn budgets(connection: &Connection) -> Result<Vec<Budget>, Trouble> {
    let mut budgets = rows(connection, BUDGETS, &[], |row| {
        Ok(Budget {
            account: row.get("account")?,
            period: named(row.get("period")?)?,
            limit: Usd(ours(row.get("amount")?)),
        })
    })?;
    budgets.sort_by(|a, b| (&a.account, a.period).cmp(&(&b.account, b.period)));
    Ok(budgets)
}

/// A statement with its values: `$1` is the first, which to SQLite is only a name.
fn bound<'a>(
    connection: &'a Connection,
    statement: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<CachedStatement<'a>> {
    let mut statement = connection.prepare_cached(statement)?;
    for (place, value) in (1..).zip(values) {
        if let Some(index) = statement.parameter_index(&format!("${place}"))? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    Ok(statement)
}

fn execute(
    connection: &Connection,
    statement: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<usize> {
    bound(connection, statement, values)?.raw_execute()
}

/// All rows that come.
fn rows<T>(
    connection: &Connection,
    statement: &str,
    values: &[&dyn ToSql],
    each: impl Fn(&Row<'_>) -> Result<T, Trouble>,
) -> Result<Vec<T>, Trouble> {
    let mut statement = bound(connection, statement, values)?;
    let (mut rows, mut all) = (statement.raw_query(), Vec::new());
    while let Some(row) = rows.next()? {
        all.push(each(row)?);
    }
    Ok(all)
}

/// Puts an order down in the way of a statement; says whether it did.
fn put(connection: &Connection, statement: &str, submit: &Submit) -> Result<bool, Trouble> {
    let texts = Texts::of(submit)?;
    let values = params![
        submit.id,
        submit.job,
        submit.account,
        submit.offer,
        submit.fingerprint,
        submit.pictures,
        database(submit.estimate.low.0),
        database(submit.estimate.high.0),
        submit.state.name(),
        submit.cost.map(|it| database(it.0)),
        texts.handle,
        texts.paths,
        submit.error.map(|it| it.code()),
        database(submit.created_ms),
        database(submit.updated_ms),
        database(submit.held_until_ms),
        database(submit.low().0),
        database(submit.high().0),
    ];
    Ok(execute(connection, statement, values)? != 0)
}

fn submit(row: &Row<'_>) -> Result<Submit, Trouble> {
    let text = |name: &str| row.get::<_, Option<String>>(name);
    let number = |name: &str| row.get(name).map(ours);
    Ok(Submit {
        id: row.get("id")?,
        job: row.get("job")?,
        account: row.get("account")?,
        offer: row.get("offer")?,
        fingerprint: row.get("fingerprint")?,
        pictures: u32::try_from(number("pictures")?).unwrap_or(u32::MAX),
        estimate: Estimate {
            low: Usd(number("estimate_low")?),
            high: Usd(number("estimate_high")?),
        },
        state: named(row.get("state")?)?,
        cost: row.get::<_, Option<i64>>("cost")?.map(|it| Usd(ours(it))),
        handle: text("handle")?.as_deref().map(serde_json::from_str).transpose()?,
        paths: serde_json::from_str(&row.get::<_, String>("paths")?)?,
        error: text("error")?.map(named).transpose()?,
        created_ms: number("created_ms")?,
        updated_ms: number("updated_ms")?,
        held_until_ms: number("held_until_ms")?,
    })
}

impl From<rusqlite::Error> for Trouble {
    fn from(err: rusqlite::Error) -> Self {
        Self::Sql(err)
    }
}

/// The file and its folders, for their owner only; SQLite gives its other files the rights of this one. A file that is
/// there is not opened: to close it would take the locks away that this process has on it.
fn make(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create_new(path.symlink_metadata().is_err()).create(true);
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
    if path.exists() {
        return Ok(());
    }
    match options.open(path) {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn is_busy(err: &rusqlite::Error) -> bool {
    matches!(err.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn cannot_be_made(path: &Path, err: &io::Error) -> Error {
    unavailable(format!(
        "orders cannot be written down in {}: {}; let it be written, or name another store",
        path.display(),
        system_words(err)
    ))
}

/// What the system says, without its number.
fn system_words(err: &io::Error) -> String {
    err.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn told(path: &Path, trouble: Trouble) -> Error {
    use ErrorCode as Code;
    let (path, err) = match trouble {
        Trouble::Said(err) => return err,
        Trouble::Sql(err) => (path.display(), err),
    };
    let why = match &err {
        rusqlite::Error::SqliteFailure(_, Some(why)) => why.clone(),
        err => err.to_string(),
    };
    unavailable(match err.sqlite_error_code() {
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            format!(
                "the store {path} is held by another process ({why}): try again, or end that process"
            )
        }
        Some(
            Code::PermissionDenied
            | Code::ReadOnly
            | Code::SystemIoFailure
            | Code::CannotOpen
            | Code::AuthorizationForStatementDenied,
        ) => format!(
            "the store {path} cannot be read or written ({why}): let it be written, or name another store"
        ),
        Some(Code::DiskFull) => {
            format!("the store {path} has no room ({why}): make room on its disk")
        }
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => format!(
            "the store {path} is damaged or is none ({why}): move it away, with the files whose names begin \
             like it, or name another store; look at your providers for what it knew"
        ),
        _ => format!("the store {path} failed ({why}): try again, or name another store"),
    })
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.0.path).finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use repaint_core::SubmitState;

    use super::*;

    /// Without them another process takes itself for the last one, and deletes the log that this one writes to.
    #[tokio::test]
    async fn who_connects_twice_keeps_the_locks_that_others_see() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.sqlite");
        let first = Sqlite::connect(&path).await.expect("a store");
        let file = format!(":{} ", path.metadata().expect("a file").ino());
        let locks = || {
            let all = fs::read_to_string("/proc/locks").expect("Linux tells its locks");
            all.lines().filter(|it| it.contains(&file)).count()
        };
        let before = locks();
        assert_ne!(before, 0);
        let _second = Sqlite::connect(&path).await.expect("the same");
        assert!(before <= locks());
        drop(first);
    }

    #[tokio::test]
    async fn an_order_is_in_the_file_where_the_log_cannot_be_brought_to_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.sqlite");
        let mut store = Sqlite::connect(&path).await.expect("a store");
        Arc::get_mut(&mut store.0).expect("nobody else has it").log = crate::log::broken();
        let order = Submit {
            id: "1".to_owned(),
            job: "job".to_owned(),
            account: None,
            offer: "acme/a".to_owned(),
            fingerprint: "0".repeat(32),
            pictures: 1,
            estimate: Estimate { low: Usd(1), high: Usd(2) },
            state: SubmitState::Sent,
            cost: None,
            handle: None,
            paths: Vec::new(),
            error: None,
            created_ms: 1,
            updated_ms: 1,
            held_until_ms: 1,
        };
        store.open(&order).await.expect("it is kept");
        // Without the log, the file has it.
        let alone = folder.path().join("alone.sqlite");
        fs::copy(&path, &alone).expect("copied");
        let alone = Sqlite::connect(&alone).await.expect("a store");
        assert!(alone.get("1").await.expect("read").is_some());

        // Somebody who reads for long keeps the log from beginning anew, so it is not sent, and is not there.
        let other = Connection::open(&path).expect("the file");
        other.execute_batch("BEGIN; SELECT COUNT(*) FROM repaint_submits;").expect("it reads");
        let err = store.open(&Submit { id: "2".to_owned(), ..order }).await.expect_err("not kept");
        assert!(err.message().contains("cannot be brought to the disk"), "{err}");
        assert!(store.get("2").await.expect("read").is_none());
    }
}
