//! `repaint jobs`, `spend` and `budget`: what is written down of orders, what they cost, and how much they may.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use repaint::{
    Budget, Error, ErrorKind, Estimate, Filter, Period, Result, Spend, Store, Submit, SubmitState,
    Usd,
};
use repaint_schema::printed::{Budgets, Jobs, ListedOrder, Spent};

use crate::args;
use crate::output::invalid;
use crate::show;

const DAY_MS: u64 = 86_400_000;
/// Where no store is wanted.
const NONE: &str = "none";

/// The store of this user: that of `REPAINT_STORE`, else the usual file; `None` where none is wanted.
pub(crate) async fn store() -> Result<Option<Arc<dyn Store>>> {
    let named = std::env::var("REPAINT_STORE").ok().filter(|it| !it.is_empty());
    let url = match named {
        Some(none) if none == NONE => return Ok(None),
        Some(url) => url,
        None => match repaint_store::default_place() {
            Some(path) => path.display().to_string(),
            None => {
                return Err(invalid(
                    "there is no folder to write orders down in: set HOME, or REPAINT_STORE to a \
                     file, a postgres:// address or none",
                ));
            }
        },
    };
    let store = repaint_store::connect(&url).await;
    store.map(Some).map_err(|err| {
        let message = format!(
            "{}; REPAINT_STORE names another, and `REPAINT_STORE=none` writes nothing down",
            err.message()
        );
        err.with(|it| it.message = message)
    })
}

/// Whether anything is to be written down.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("REPAINT_STORE").is_none_or(|it| it != NONE)
}

/// The store for those who only read: nothing is made where nothing was ever written down.
pub(crate) async fn there() -> Result<Arc<dyn Store>> {
    let named = std::env::var_os("REPAINT_STORE").is_some_and(|it| !it.is_empty());
    if !named && repaint_store::default_place().is_some_and(|it| !it.exists()) {
        return repaint_store::connect("memory:").await;
    }
    needed().await
}

/// The store, for those who can do nothing without.
pub(crate) async fn needed() -> Result<Arc<dyn Store>> {
    store().await?.ok_or_else(|| invalid("REPAINT_STORE=none: nothing is written down"))
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Every order, with what can be done about it.
pub(crate) async fn jobs(args: &args::Jobs) -> Result<()> {
    let (store, now) = (there().await?, now_ms());
    if let Some(id) = &args.order {
        return one(&*store, id, now, args.json).await;
    }
    if let Some(days) = args.forget {
        let before = now.saturating_sub(u64::from(days).saturating_mul(DAY_MS));
        let count = store.prune(before).await?;
        show::said(&format!(
            "forgot {count} orders that ended more than {days} days ago; their cost still counts"
        ));
    }
    let filter = Filter {
        open: args.open,
        since_ms: now.saturating_sub(u64::from(args.days).saturating_mul(DAY_MS)),
        limit: args.limit,
        account: args.account.clone(),
        job: None,
    };
    let orders = store.list(&filter).await?;
    if args.json {
        show::json(&Jobs { jobs: orders.into_iter().map(|it| listed(it, now)).collect() });
        return Ok(());
    }
    if orders.is_empty() {
        show::said(&format!("no orders in {} days", args.days));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = orders
        .iter()
        .map(|it| {
            let cost = it.cost.map_or_else(|| it.estimate.to_string(), |it| it.to_string());
            let state = it.state_at(now).name().to_owned();
            vec![
                it.id.clone(),
                ago(now.saturating_sub(it.created_ms)),
                it.offer.clone(),
                state,
                cost,
                next(it, now),
            ]
        })
        .collect();
    show::result(&show::table(&rows, &["order", "ago", "offer", "state", "cost", "what to do"]));
    Ok(())
}

fn listed(order: Submit, now: u64) -> ListedOrder {
    ListedOrder { state: order.state_at(now), resumable: order.is_resumable(now), order }
}

/// All that is written down of one order, a line each.
async fn one(store: &dyn Store, id: &str, now: u64, json: bool) -> Result<()> {
    let Some(order) = store.get(id).await? else {
        return Err(invalid(format!("there is no order {id}: `repaint jobs` lists them")));
    };
    if json {
        show::json(&Jobs { jobs: vec![listed(order, now)] });
        return Ok(());
    }
    let Submit {
        id,
        job,
        account,
        offer,
        fingerprint,
        pictures,
        estimate,
        state: _,
        cost,
        handle,
        paths,
        error,
        created_ms,
        updated_ms,
        held_until_ms: _,
    } = &order;
    let age = |it: u64| format!("{} ago", ago(now.saturating_sub(it)));
    let charged = match cost {
        Some(cost) => format!("charged {cost}, estimated {estimate}"),
        None => format!("estimated {estimate}; the provider has not said what it charges"),
    };
    let mut rows = vec![
        ("order", id.clone()),
        ("job", job.clone()),
        ("offer", offer.clone()),
        ("pictures", pictures.to_string()),
        ("state", order.state_at(now).name().to_owned()),
        ("written first", age(*created_ms)),
        ("written last", age(*updated_ms)),
        ("cost", charged),
    ];
    rows.extend(account.clone().map(|it| ("account", it)));
    rows.extend(error.map(|it| ("given up with", it.code().to_owned())));
    if let Some(handle) = handle {
        rows.push(("the provider's id", handle.id.clone()));
        rows.extend(handle.poll.clone().map(|it| ("asked for at", it)));
        rows.extend(handle.pictures.iter().map(|it| ("its picture at", it.clone())));
    }
    rows.extend(paths.iter().map(|it| ("goes to", it.clone())));
    rows.push(("fingerprint", fingerprint.clone()));
    rows.push(("what to do", next(&order, now)));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|it| vec![it.0.to_owned(), it.1]).collect();
    show::result(&show::table(&rows, &["field", "value"]));
    Ok(())
}

/// What a person does about an order.
fn next(order: &Submit, now: u64) -> String {
    match order.state_at(now) {
        _ if order.is_resumable(now) => format!("repaint resume {}", order.id),
        SubmitState::Safe => order.paths.join(", "),
        SubmitState::NotTaken => "nothing: it cost nothing".to_owned(),
        SubmitState::Failed => "nothing: it ended without a picture".to_owned(),
        SubmitState::Unknown => {
            "look at the provider: it may have been made and charged".to_owned()
        }
        SubmitState::Sent | SubmitState::Accepted | SubmitState::Made => {
            "a process is at it".to_owned()
        }
    }
}

fn ago(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// What was spent, by offer.
pub(crate) async fn spend(args: &args::Spend) -> Result<()> {
    let store = there().await?;
    let since = now_ms().saturating_sub(u64::from(args.days).saturating_mul(DAY_MS));
    let offers = store.spend(since, args.account.as_deref()).await?;
    let sum = |of: fn(&Spend) -> Usd| Usd(offers.iter().map(|it| of(it).0).sum());
    let total = Estimate { low: sum(|it| it.low), high: sum(|it| it.high) };
    let unknown: u64 = offers.iter().map(|it| it.unknown).sum();
    if args.json {
        show::json(&Spent { offers, total, unknown });
        return Ok(());
    }
    let cost = |it: &Spend| Estimate { low: it.low, high: it.high }.to_string();
    let rows: Vec<Vec<String>> = offers
        .iter()
        .map(|it| vec![it.offer.clone(), it.orders.to_string(), it.unknown.to_string(), cost(it)])
        .collect();
    if !rows.is_empty() {
        show::result(&show::table(&rows, &["offer", "orders", "unknown", "spent"]));
    }
    show::said(&format!("{total} in {} days", args.days));
    if unknown != 0 {
        let of = if unknown == 1 { "1 order has" } else { &format!("{unknown} orders have") };
        show::said(&format!("{of} an outcome that nobody knows: `repaint jobs --open`"));
    }
    Ok(())
}

/// Shows, sets or removes budgets.
pub(crate) async fn budget(args: &args::BudgetArgs) -> Result<()> {
    let sets = args.amount.is_some() && args.per.is_some();
    let store = if sets { needed().await? } else { there().await? };
    let now = now_ms();
    let period = args.per.map(Period::from);
    match (args.amount, args.remove, period) {
        (Some(limit), false, Some(period)) => {
            let account = args.account.clone();
            store.set_budget(&Budget { account, period, limit }).await?;
        }
        (None, true, Some(period)) => {
            if !store.remove_budget(args.account.as_deref(), period).await? {
                let of = args.account.as_ref().map_or(String::new(), |it| format!(" of {it}"));
                let message = format!("there is no budget{of} per {}", period.name());
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
        }
        (Some(_), _, None) | (None, true, None) => {
            return Err(invalid("say for which time: --per day, --per month or --per ever"));
        }
        (Some(_), true, Some(_)) => {
            return Err(invalid(
                "an amount sets a budget, and --remove takes one away: give one of them",
            ));
        }
        (None, false, _) => {}
    }
    let mut budgets = Vec::new();
    let shown = |it: &Budget| args.account.is_none() || it.account == args.account;
    for budget in store.budgets().await?.into_iter().filter(shown) {
        let spent = store.spend(budget.period.began_ms(now), budget.account.as_deref()).await?;
        let spent = Usd(spent.iter().map(|it| it.high.0).sum());
        budgets.push((budget, spent));
    }
    if args.json {
        let shown = |(budget, spent)| repaint_schema::printed::ShownBudget { budget, spent };
        show::json(&Budgets { budgets: budgets.into_iter().map(shown).collect() });
        return Ok(());
    }
    if budgets.is_empty() {
        show::said("there is no budget; `repaint budget 5.00 --per day` sets one");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = budgets
        .iter()
        .map(|(budget, spent)| {
            let left = Usd(budget.limit.0.saturating_sub(spent.0));
            vec![
                budget.account.clone().unwrap_or_else(|| "all".to_owned()),
                budget.period.name().to_owned(),
                budget.limit.to_string(),
                spent.to_string(),
                left.to_string(),
            ]
        })
        .collect();
    show::result(&show::table(&rows, &["account", "per", "limit", "spent or may be", "left"]));
    Ok(())
}
