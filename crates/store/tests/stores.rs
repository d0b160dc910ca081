//! The contract of a store, the same trials for each: in memory, in SQLite and in PostgreSQL, by tasks and by
//! processes that race.
//!
//! PostgreSQL is that of `DATABASE_URL`, else the one on this machine. Where there is none, its trials print NOT RUN,
//! and fail in CI.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Failed, Trial};
use repaint_core::{
    Budget, ErrorKind, Estimate, Filter, Handle, Period, RefusalCode, Store, Submit, SubmitState,
    Usd,
};
use repaint_store::{Memory, Postgres, connect};
use sqlx::{Connection, PgConnection};

/// 2026-11-26T10:00:00Z.
const NOW: u64 = 1_795_687_200_000;
const DAY: u64 = 86_400_000;
const CENT: u64 = 10_000;

fn submit(id: &str, high: u64) -> Submit {
    Submit {
        id: id.to_owned(),
        job: format!("job-of-{id}"),
        account: None,
        offer: "acme/a".to_owned(),
        fingerprint: "0".repeat(32),
        pictures: 1,
        estimate: Estimate { low: Usd(high / 2), high: Usd(high) },
        state: SubmitState::Sent,
        cost: None,
        handle: None,
        paths: Vec::new(),
        error: None,
        created_ms: NOW,
        updated_ms: NOW,
        held_until_ms: NOW + 1000,
    }
}

fn budget(account: Option<&str>, period: Period, limit: u64) -> Budget {
    Budget { account: account.map(str::to_owned), period, limit: Usd(limit) }
}

fn refused(result: repaint_core::Result<()>) -> bool {
    let Err(err) = result else { return false };
    assert_eq!(err.kind(), ErrorKind::Refused, "{err}");
    assert_eq!(err.data().refusals[0].code, RefusalCode::OverBudget, "{err}");
    true
}

async fn what_was_left_is_taken_once_and_in_time(store: &dyn Store) {
    let (print, other) = ("1".repeat(32), "2".repeat(32));
    for (job, until) in [("left-2", NOW + 20), ("left-1", NOW + 10)] {
        store.leave(&print, job, until).await.expect("written");
    }
    assert_eq!(store.take(&other, None, NOW).await.expect("read"), None);
    assert_eq!(store.take(&print, None, NOW + 10).await.expect("read").as_deref(), Some("left-2"));
    assert_eq!(
        store.take(&print, None, NOW + 10).await.expect("read"),
        None,
        "the other is too old"
    );
    store.leave(&print, "left-2", NOW + 20).await.expect("written");
    store.leave(&print, "left-2", NOW + 30).await.expect("it is left again");
    assert_eq!(store.take(&print, None, NOW + 20).await.expect("read").as_deref(), Some("left-2"));
    assert_eq!(store.take(&print, None, NOW + 20).await.expect("read"), None);
    store.leave(&print, "left-3", NOW + 40).await.expect("written");
    assert_eq!(store.take(&print, None, NOW + 50).await.expect("read"), None);
    assert_eq!(store.take(&print, None, NOW).await.expect("read"), None, "it is forgotten");
}

async fn who_takes_at_once_takes_different_jobs(store: &dyn Store) {
    let print = "3".repeat(32);
    let jobs: Vec<String> = (0..8).map(|it| format!("at-once-{it}")).collect();
    for job in &jobs {
        store.leave(&print, job, NOW + 20).await.expect("written");
    }
    let certain = store.take(&print, Some(&jobs[5]), NOW).await.expect("read");
    assert_eq!(certain.as_ref(), Some(&jobs[5]), "a certain one, and no other");
    assert_eq!(store.take(&print, Some(&jobs[5]), NOW).await.expect("read"), None);
    let takes = (1..jobs.len()).map(|_| store.take(&print, None, NOW));
    let mut taken: Vec<String> = Vec::new();
    for found in futures_of(takes).await {
        taken.push(found.expect("read").expect("one is left for each"));
    }
    taken.push(jobs[5].clone());
    taken.sort();
    assert_eq!(taken, jobs);
}

/// All at once, in one task.
async fn futures_of<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut work: Vec<_> = work.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = work.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (work, done) in work.iter_mut().zip(&mut done).filter(|it| it.1.is_none()) {
            if let std::task::Poll::Ready(it) = work.as_mut().poll(context) {
                *done = Some(it);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn an_order_is_kept_as_it_was_written(store: &dyn Store) {
    let order = Submit {
        account: Some("an account".to_owned()),
        cost: Some(Usd(7)),
        handle: Some(Handle {
            provider: "acme".to_owned(),
            id: "1".to_owned(),
            poll: Some("https://acme.example/1?a=b".to_owned()),
            pictures: vec!["https://acme.example/1.png".to_owned()],
        }),
        paths: vec!["ä b.png".to_owned(), "-".to_owned()],
        error: Some(ErrorKind::OutcomeUnknown),
        ..submit("kept", 3 * CENT)
    };
    store.open(&order).await.expect("written");
    assert_eq!(store.get("kept").await.expect("read"), Some(order.clone()));
    assert_eq!(store.get("another").await.expect("read"), None);
    for state in
        [SubmitState::Accepted, SubmitState::Made, SubmitState::Unknown, SubmitState::Failed]
    {
        let order = Submit { state, updated_ms: NOW + 1, ..order.clone() };
        store.write(&order).await.expect("written");
        assert_eq!(store.get("kept").await.expect("read"), Some(order));
    }
    let twice = store.open(&order).await.expect_err("its id is taken");
    assert_eq!(twice.kind(), ErrorKind::InvalidRequest);
}

async fn what_is_safe_stays_so(store: &dyn Store) {
    let order = submit("safe", CENT);
    store.open(&order).await.expect("written");
    let safe =
        Submit { state: SubmitState::Safe, paths: vec!["a.png".to_owned()], ..order.clone() };
    store.write(&safe).await.expect("written");
    store.write(&Submit { state: SubmitState::Accepted, ..order }).await.expect("left alone");
    assert_eq!(store.get("safe").await.expect("read"), Some(safe));
}

async fn orders_are_listed_the_newest_first(store: &dyn Store) {
    for (index, id) in ["a", "b", "c"].iter().enumerate() {
        let job = if index == 1 { "other" } else { "one" }.to_owned();
        let created_ms = NOW + index as u64;
        store.open(&Submit { job, created_ms, ..submit(id, 0) }).await.expect("written");
    }
    let safe = Submit { job: "one".into(), state: SubmitState::Safe, ..submit("a", 0) };
    store.write(&safe).await.expect("written");
    let ids = async |filter: Filter| -> Vec<String> {
        store.list(&filter).await.expect("a list").into_iter().map(|it| it.id).collect()
    };
    assert_eq!(ids(Filter::default()).await, ["c", "b", "a"]);
    assert_eq!(ids(Filter { open: true, ..Filter::default() }).await, ["c", "b"]);
    assert_eq!(ids(Filter { job: Some("one".into()), ..Filter::default() }).await, ["c", "a"]);
    assert_eq!(ids(Filter { since_ms: NOW + 1, ..Filter::default() }).await, ["c", "b"]);
    assert_eq!(ids(Filter { limit: 1, ..Filter::default() }).await, ["c"]);
    assert!(ids(Filter { account: Some("x".into()), ..Filter::default() }).await.is_empty());
}

async fn a_budget_has_room_or_refuses(store: &dyn Store) {
    store.set_budget(&budget(None, Period::Day, 5 * CENT)).await.expect("set");
    store.set_budget(&budget(None, Period::Day, 3 * CENT)).await.expect("replaced");
    assert_eq!(store.budgets().await.expect("read"), [budget(None, Period::Day, 3 * CENT)]);
    store.open(&submit("1", 2 * CENT)).await.expect("there is room");
    assert!(refused(store.open(&submit("2", 2 * CENT)).await));
    assert_eq!(store.get("2").await.expect("read"), None, "what is refused is not written");
    store.open(&submit("free", 0)).await.expect("what costs nothing has room");
    // What was not taken costs nothing, and what was cheaper than it might have been gives room.
    let charged =
        Submit { state: SubmitState::Accepted, cost: Some(Usd(CENT)), ..submit("1", 2 * CENT) };
    store.write(&charged).await.expect("written");
    store.open(&submit("2", 2 * CENT)).await.expect("there is room again");
    store
        .write(&Submit { state: SubmitState::NotTaken, ..submit("2", 2 * CENT) })
        .await
        .expect("written");
    store.open(&submit("3", 2 * CENT)).await.expect("there is room again");
    assert!(store.remove_budget(None, Period::Day).await.expect("removed"));
    assert!(!store.remove_budget(None, Period::Day).await.expect("it is gone"));
    store.open(&submit("4", 900 * CENT)).await.expect("nobody minds");
}

async fn a_budget_is_for_its_account_and_its_period(store: &dyn Store) {
    let of = |account: &str, id: &str, created_ms: u64| Submit {
        account: Some(account.to_owned()),
        created_ms,
        ..submit(id, CENT)
    };
    store.set_budget(&budget(Some("a"), Period::Day, CENT)).await.expect("set");
    store.set_budget(&budget(Some("a"), Period::Month, 2 * CENT)).await.expect("set");
    store.set_budget(&budget(None, Period::Ever, 5 * CENT)).await.expect("set");
    let midnight = Period::Day.began_ms(NOW);
    store.open(&of("a", "1", midnight - 1)).await.expect("the day before");
    store.open(&of("a", "2", midnight)).await.expect("a new day");
    assert!(refused(store.open(&of("a", "3", midnight + DAY - 1)).await), "the same day");
    assert!(refused(store.open(&of("a", "3", midnight + DAY)).await), "the same month");
    store.open(&of("b", "4", NOW)).await.expect("another account");
    store.open(&of("a", "5", NOW + 31 * DAY)).await.expect("another month");
    store.open(&of("b", "6", NOW + 31 * DAY)).await.expect("the last cent of all");
    assert!(refused(store.open(&of("b", "7", NOW + 365 * DAY)).await), "all together, for ever");
}

async fn spending_is_summed_by_offer(store: &dyn Store) {
    for (id, offer, state, cost) in [
        ("1", "acme/a", SubmitState::Safe, Some(3)),
        ("2", "acme/a", SubmitState::Unknown, None),
        ("3", "acme/a", SubmitState::NotTaken, None),
        ("4", "acme/b", SubmitState::Failed, None),
    ] {
        let order = Submit { offer: offer.to_owned(), ..submit(id, 10) };
        store.open(&order).await.expect("written");
        let cost = cost.map(Usd);
        store.write(&Submit { state, cost, ..order }).await.expect("written");
    }
    let spent = store.spend(0, None).await.expect("sums");
    let [a, b] = spent.as_slice() else { panic!("{spent:?}") };
    assert_eq!(
        (a.offer.as_str(), a.orders, a.unknown, a.low, a.high),
        ("acme/a", 2, 1, Usd(3), Usd(13))
    );
    assert_eq!((b.offer.as_str(), b.orders, b.low, b.high), ("acme/b", 1, Usd(0), Usd(10)));
    assert!(store.spend(NOW + 1, None).await.expect("sums").is_empty());
    assert!(store.spend(0, Some("nobody")).await.expect("sums").is_empty());
}

async fn what_is_forgotten_still_counts(store: &dyn Store) {
    store.set_budget(&budget(None, Period::Ever, 10)).await.expect("set");
    store.open(&submit("old", 10)).await.expect("written");
    store.open(&submit("open", 0)).await.expect("written");
    let order = Submit { state: SubmitState::Safe, ..submit("old", 10) };
    store.write(&order).await.expect("written");
    assert_eq!(store.prune(NOW).await.expect("pruned"), 0, "it was written only now");
    assert_eq!(store.prune(NOW + 1).await.expect("pruned"), 1, "what is open is never forgotten");
    assert_eq!(store.get("old").await.expect("read"), None);
    assert!(refused(store.open(&submit("new", 10)).await));
    assert_eq!(store.spend(0, None).await.expect("sums")[0].high, Usd(10));
}

async fn a_key_stands_for_one_job(store: &dyn Store) {
    let first = store.claim(Some("a"), "key", "job-1", "print").await.expect("claimed");
    assert_eq!(first, None);
    let again = store.claim(Some("a"), "key", "job-2", "other").await.expect("claimed");
    assert_eq!(again, Some(("job-1".to_owned(), "print".to_owned())));
    assert_eq!(store.claim(None, "key", "job-3", "print").await.expect("claimed"), None);
}

async fn the_secret_stays(store: &dyn Store) {
    let secret = store.secret().await.expect("a secret");
    assert_ne!(secret, [0; 16]);
    assert_eq!(store.secret().await.expect("a secret"), secret);
}

async fn values_that_cannot_be_kept_are_refused(store: &dyn Store) {
    for order in [
        Submit { id: String::new(), ..submit("", CENT) },
        Submit { created_ms: u64::MAX, ..submit("late", CENT) },
        submit("dear", u64::MAX),
    ] {
        let err = store.open(&order).await.expect_err("it cannot be kept");
        assert_eq!(err.kind(), ErrorKind::InvalidRequest, "{err}");
    }
}

/// Twenty tasks want the last seven cents of a budget.
async fn tasks_that_race_spend_no_more_than_there_is(store: Arc<dyn Store>) {
    store.set_budget(&budget(None, Period::Ever, 7 * CENT)).await.expect("set");
    let tasks: Vec<_> = (0..20)
        .map(|index| {
            let store = Arc::clone(&store);
            tokio::spawn(
                async move { !refused(store.open(&submit(&format!("t{index}"), CENT)).await) },
            )
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.expect("no panic"));
    }
    assert_eq!(taken, 7);
}

/// Who is started so is a process that races: it opens so many orders of a cent, says after each whether there was
/// room, and waits to be killed.
const RACER: &str = "REPAINT_STORE_RACER";

async fn race(url: &str, name: &str) {
    let store = connect(url).await.expect("the store");
    for index in 0..5 {
        let taken = store.open(&submit(&format!("{name}-{index}"), CENT)).await.is_ok();
        println!("{}", u8::from(taken));
    }
    // Nothing is closed and nothing dropped: the process is killed here.
    std::thread::sleep(Duration::from_secs(600));
}

/// Four processes race for a budget in an empty store, and each is killed once it has had its answers.
async fn processes_that_race_and_are_killed_lose_nothing(url: &str) {
    use std::io::{BufRead, BufReader};

    connect(url)
        .await
        .expect("a store")
        .set_budget(&budget(None, Period::Ever, 9 * CENT))
        .await
        .expect("set");
    let program = std::env::current_exe().expect("this program");
    let mut racers: Vec<_> = (0..4)
        .map(|index| {
            let mut command = Command::new(&program);
            command.env(RACER, format!("p{index} {url}")).stdout(Stdio::piped());
            command.spawn().expect("a process")
        })
        .collect();
    let mut taken = 0;
    for racer in &mut racers {
        let lines = BufReader::new(racer.stdout.take().expect("its output")).lines();
        taken += lines.take(5).filter(|it| it.as_deref().is_ok_and(|it| it == "1")).count();
        racer.kill().expect("killed");
        racer.wait().expect("gone");
    }
    assert_eq!(taken, 9);
    let store = connect(url).await.expect("the store");
    assert_eq!(store.list(&Filter::default()).await.expect("a list").len(), 9);
}

/// Processes that come first at once make the tables once.
async fn an_empty_store_is_made_once(url: &str) {
    let comers: Vec<_> = (0..6)
        .map(|_| {
            let url = url.to_owned();
            tokio::spawn(async move {
                connect(&url).await.expect("a store").secret().await.expect("read")
            })
        })
        .collect();
    let mut secrets = Vec::new();
    for comer in comers {
        secrets.push(comer.await.expect("no panic"));
    }
    secrets.dedup();
    assert_eq!(secrets.len(), 1);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A trial of every claim for one kind of store; `url` makes an empty one, or says why there is none.
fn trials(kind: &'static str, url: fn(&str) -> Result<Place, String>) -> Vec<Trial> {
    macro_rules! each {
        ($($claim:ident),+ $(,)?) => {
            vec![$(trial(kind, stringify!($claim), url, |place| {
                runtime().block_on(async {
                    let store = place.store().await;
                    $claim(&*store).await;
                });
            })),+]
        };
    }
    let mut all = each![
        an_order_is_kept_as_it_was_written,
        what_was_left_is_taken_once_and_in_time,
        who_takes_at_once_takes_different_jobs,
        what_is_safe_stays_so,
        orders_are_listed_the_newest_first,
        a_budget_has_room_or_refuses,
        a_budget_is_for_its_account_and_its_period,
        spending_is_summed_by_offer,
        what_is_forgotten_still_counts,
        a_key_stands_for_one_job,
        the_secret_stays,
        values_that_cannot_be_kept_are_refused,
    ];
    all.push(trial(kind, "tasks_that_race_spend_no_more_than_there_is", url, |place| {
        runtime().block_on(async {
            tasks_that_race_spend_no_more_than_there_is(place.store().await).await;
        });
    }));
    if kind != "memory" {
        all.push(trial(kind, "processes_that_race_and_are_killed_lose_nothing", url, |place| {
            runtime().block_on(processes_that_race_and_are_killed_lose_nothing(&place.url));
        }));
        all.push(trial(kind, "an_empty_store_is_made_once", url, |place| {
            runtime().block_on(an_empty_store_is_made_once(&place.url));
        }));
    }
    all
}

fn trial(
    kind: &'static str,
    claim: &'static str,
    url: fn(&str) -> Result<Place, String>,
    run: impl FnOnce(&Place) + Send + 'static,
) -> Trial {
    Trial::test(format!("{kind} {claim}"), move || match url(claim) {
        Ok(place) => {
            run(&place);
            Ok(())
        }
        Err(why) => {
            println!("NOT RUN: {kind} {claim}: {why}");
            match std::env::var_os("CI") {
                Some(_) => Err(Failed::from(format!("NOT RUN: {why}"))),
                None => Ok(()),
            }
        }
    })
}

/// An empty store, removed when it is no longer needed.
struct Place {
    url: String,
    _folder: Option<tempfile::TempDir>,
    /// The server, and the database that is to be dropped.
    database: Option<(String, String)>,
}

impl Place {
    async fn store(&self) -> Arc<dyn Store> {
        match self.url.as_str() {
            "memory:" => Arc::new(Memory::new()),
            url => connect(url).await.unwrap_or_else(|err| panic!("{err}")),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.database {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            // What cannot be dropped is left, and says so by its name.
            let _ = runtime().block_on(administer(server, &drop));
        }
    }
}

fn in_memory(_: &str) -> Result<Place, String> {
    Ok(Place { url: "memory:".to_owned(), _folder: None, database: None })
}

fn in_sqlite(_: &str) -> Result<Place, String> {
    let folder = tempfile::tempdir().map_err(|err| err.to_string())?;
    // Folders that are missing are made.
    let url = format!("sqlite:{}", folder.path().join("a/b/store.sqlite").display());
    Ok(Place { url, _folder: Some(folder), database: None })
}

fn in_postgres(claim: &str) -> Result<Place, String> {
    let server = std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let name = format!("repaint_{}_{since}_{}", std::process::id(), claim.len());
    runtime().block_on(administer(&server, &format!("CREATE DATABASE {name}"))).map_err(|err| {
        // It may name the user, and never the password.
        format!("no PostgreSQL at {}: {err}", repaint_store::shown(&server))
    })?;
    let (base, _) = server.rsplit_once('/').ok_or("DATABASE_URL names no database")?;
    Ok(Place { url: format!("{base}/{name}"), _folder: None, database: Some((server, name)) })
}

async fn administer(server: &str, statement: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

fn sqlite_is_for_its_owner_and_for_us_only(folder: &Path) {
    runtime().block_on(async {
        let path = folder.join("private/store.sqlite");
        drop(connect(&path.display().to_string()).await.expect("a store"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            assert_eq!(mode(path.parent().expect("a folder")), 0o700);
        }
        let says = async |path: &Path| {
            let err = connect(&path.display().to_string()).await.expect_err("no store");
            assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
            assert!(err.message().contains(&path.display().to_string()), "{err}");
            err.message().to_owned()
        };
        let text = folder.join("text.sqlite");
        std::fs::write(
            &text,
            "no database at all, but a text that is long enough to be one".repeat(20),
        )
        .expect("written");
        assert!(says(&text).await.contains("is damaged or is none"));
        assert!(says(folder).await.contains("name another store"));
    });
}

fn a_store_of_a_newer_version_is_refused(folder: &Path) {
    runtime().block_on(async {
        let path = folder.join("store.sqlite");
        drop(connect(&path.display().to_string()).await.expect("a store"));
        let file = rusqlite::Connection::open(&path).expect("the file");
        file.pragma_update(None, "user_version", 99).expect("written");
        drop(file);
        let err = connect(&path.display().to_string()).await.expect_err("newer");
        assert!(err.message().contains("was made by a newer repaint"), "{err}");
        assert!(err.message().contains("update this one"), "{err}");
    });
}

#[cfg(unix)]
fn a_store_behind_a_link_is_the_one_that_it_leads_to(folder: &Path) {
    runtime().block_on(async {
        let (path, link) = (folder.join("store.sqlite"), folder.join("link.sqlite"));
        std::fs::write(&path, "").expect("made");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        let store = connect(&link.display().to_string()).await.expect("a store");
        store.open(&submit("1", CENT)).await.expect("written");
        let other = connect(&path.display().to_string()).await.expect("the same");
        assert!(other.get("1").await.expect("read").is_some());
    });
}

fn the_log_of_a_store_does_not_grow_with_its_orders(folder: &Path) {
    runtime().block_on(async {
        let path = folder.join("store.sqlite");
        let store = connect(&path.display().to_string()).await.expect("a store");
        let log = || std::fs::metadata(folder.join("store.sqlite-wal")).expect("a log").len();
        let mut most = 0;
        for number in 0..600 {
            let mut order = submit(&number.to_string(), CENT);
            store.open(&order).await.expect("written");
            order.state = SubmitState::Safe;
            store.write(&order).await.expect("written");
            most = most.max(log());
        }
        // They would have some 25 MB.
        assert!(most < 8 << 20, "{most} bytes");
    });
}

/// Those of before had the version of their tables in a table.
fn a_store_that_an_earlier_build_made_is_read_as_it_is(folder: &Path) {
    runtime().block_on(async {
        let path = folder.join("store.sqlite");
        let url = path.display().to_string();
        let store = connect(&url).await.expect("a store");
        let secret = store.secret().await.expect("a secret");
        drop(store);
        let earlier = |version: i64| {
            let file = rusqlite::Connection::open(&path).expect("the file");
            file.pragma_update(None, "user_version", 0).expect("written");
            let table =
                "CREATE TABLE IF NOT EXISTS repaint_migrations (version BIGINT PRIMARY KEY)";
            file.execute(table, []).expect("made");
            file.execute("INSERT INTO repaint_migrations VALUES ($1)", [version]).expect("written");
        };
        earlier(2);
        let store = connect(&url).await.expect("a store");
        assert_eq!(store.secret().await.expect("a secret"), secret);
        drop(store);
        earlier(99);
        let err = connect(&url).await.expect_err("newer");
        assert!(err.message().contains("was made by a newer repaint"), "{err}");
    });
}

fn no_password_is_ever_told() {
    runtime().block_on(async {
        let err = Postgres::connect("postgres://me:hunter2@127.0.0.1:9/db")
            .await
            .expect_err("nobody is there");
        assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
        let told = format!("{err} {err:?}");
        assert!(!told.contains("hunter2") && told.contains("127.0.0.1:9/db"), "{told}");
    });
}

fn main() -> ExitCode {
    if let Ok(racer) = std::env::var(RACER) {
        let (name, url) = racer.split_once(' ').expect("a name and a URL");
        runtime().block_on(race(url, name));
        return ExitCode::SUCCESS;
    }
    let mut all = trials("memory", in_memory);
    all.extend(trials("sqlite", in_sqlite));
    all.extend(trials("postgres", in_postgres));
    let in_folder = |name: &str, run: fn(&Path)| {
        Trial::test(name, move || {
            run(tempfile::tempdir()?.path());
            Ok(())
        })
    };
    all.push(in_folder(
        "sqlite is for its owner and for us only",
        sqlite_is_for_its_owner_and_for_us_only,
    ));
    all.push(in_folder(
        "a store of a newer version is refused",
        a_store_of_a_newer_version_is_refused,
    ));
    all.push(in_folder(
        "the log of a store does not grow with its orders",
        the_log_of_a_store_does_not_grow_with_its_orders,
    ));
    #[cfg(unix)]
    all.push(in_folder(
        "a store behind a link is the one that it leads to",
        a_store_behind_a_link_is_the_one_that_it_leads_to,
    ));
    all.push(in_folder(
        "a store that an earlier build made is read as it is",
        a_store_that_an_earlier_build_made_is_read_as_it_is,
    ));
    all.push(Trial::test("no password is ever told", || {
        no_password_is_ever_told();
        Ok(())
    }));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}
