//! What is checked of the file of callers, besides its form.

use std::collections::BTreeSet;

use repaint_core::{Error, ErrorKind, Period, Result, Usd};
use repaint_schema::{CallerBudget, Callers, MOST_DOLLARS, MOST_OFTEN};

use crate::caller::Caller;
use crate::key::{Hash, is_name};
use crate::pattern::Pattern;

/// Everybody in the file, with the hashes of their keys.
pub(crate) fn callers(file: Callers) -> Result<Vec<(Vec<Hash>, Caller)>> {
    if file.caller.is_empty() {
        return Err(invalid("nobody is in it: add a [[caller]] with `name` and `hashes`"));
    }
    let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut callers = Vec::new();
    for (index, entry) in file.caller.into_iter().enumerate() {
        let name = entry.name.clone();
        if !is_name(&name) {
            let message = format!(
                "the name of caller {} is not one of 1 to 64 letters, digits, `.`, `_` and `-`",
                index + 1
            );
            return Err(invalid(message));
        }
        if !names.insert(name.clone()) {
            return Err(invalid(format!("there are two callers `{name}`: give one another name")));
        }
        let (hashes, caller) =
            caller(entry).map_err(|err| invalid(format!("caller `{name}`: {err}")))?;
        if !hashes.iter().all(|it| seen.insert(it.to_string())) {
            let message = format!(
                "caller `{name}`: its key stands in the file twice; give each caller a key of its own"
            );
            return Err(invalid(message));
        }
        callers.push((hashes, caller));
    }
    Ok(callers)
}

fn caller(entry: repaint_schema::Caller) -> Result<(Vec<Hash>, Caller)> {
    let repaint_schema::Caller { name, hashes, models, providers, budget, rate, own_keys } = entry;
    let hashes: Vec<Hash> = hashes.iter().map(|it| it.parse()).collect::<Result<_>>()?;
    if hashes.is_empty() {
        return Err(invalid("it has no hash of a key in `hashes`"));
    }
    let patterns = |what: &str, of: Option<Vec<String>>| match of {
        None => Ok(Vec::new()),
        Some(of) if of.is_empty() => {
            let message =
                format!("`{what}` is empty, so that it could use none; leave it out for all");
            Err(invalid(message))
        }
        Some(of) => of.iter().map(|it| it.parse()).collect::<Result<Vec<Pattern>>>(),
    };
    if rate.is_some_and(|it| !(1..=MOST_OFTEN).contains(&it)) {
        let message =
            format!("`rate` is 1 to {MOST_OFTEN} calls in a minute; leave it out for no limit");
        return Err(invalid(message));
    }
    let (models, providers) = (patterns("models", models)?, patterns("providers", providers)?);
    Ok((hashes, Caller { name, models, providers, budgets: limits(budget)?, rate, own_keys }))
}

fn limits(budget: CallerBudget) -> Result<Vec<(Period, Usd)>> {
    let CallerBudget { day, month, ever } = budget;
    let mut budgets = Vec::new();
    for (period, dollars) in [(Period::Day, day), (Period::Month, month), (Period::Ever, ever)] {
        let Some(dollars) = dollars else { continue };
        if !(0.0..=MOST_DOLLARS).contains(&dollars) {
            let message = format!(
                "the budget for `{}` is no amount in US dollars such as 5.00",
                period.name()
            );
            return Err(invalid(message));
        }
        budgets.push((period, Usd((dollars * 1e6).round() as u64)));
    }
    Ok(budgets)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
