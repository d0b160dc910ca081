//! The file of keys as it is written, and what is checked of it.

use std::collections::BTreeSet;

use repaint_core::{Error, ErrorKind, Period, Result, Usd, house};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use crate::caller::Caller;
use crate::key::Hash;
use crate::pattern::Pattern;

/// Who may call. It holds no secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Callers")]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Everybody who may call.
    // Absent is read as empty, for a better error than serde's; the schema requires it all the same.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    caller: Vec<Entry>,
}

/// Somebody who may call, and for what.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Caller")]
#[serde(deny_unknown_fields)]
struct Entry {
    /// What it is called: the account on which its orders are written down.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    name: String,
    /// The hash of its key: `sha256:` and the SHA-256 of the key's text in hex. More than one while a key
    /// is being changed for another.
    #[schemars(length(min = 1), inner(regex(pattern = r"^sha256:[0-9A-Fa-f]{64}$")))]
    hashes: Vec<String>,
    /// Which models it may use, by their names (`flux2-pro`) or those of offers (`together/flux2-pro`); `*`
    /// stands for anything. All if absent.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[!-~]+$")))]
    models: Option<Vec<String>>,
    /// Which providers it may use; `*` stands for anything. All if absent.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[!-~]+$")))]
    providers: Option<Vec<String>>,
    /// What it may spend, in US dollars.
    #[serde(default)]
    budget: Limits,
    /// How often it may call in a minute.
    #[schemars(range(min = 1, max = MOST_OFTEN))]
    rate: Option<u32>,
    /// Whether it may send a provider's key of its own along, which then pays.
    #[serde(default)]
    own_keys: bool,
}

/// What may be spent, in US dollars; days and months begin at midnight UTC.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "CallerBudget")]
#[serde(default, deny_unknown_fields)]
struct Limits {
    /// In a day.
    #[schemars(range(min = 0, max = MOST_DOLLARS))]
    day: Option<f64>,
    /// In a month.
    #[schemars(range(min = 0, max = MOST_DOLLARS))]
    month: Option<f64>,
    /// At all.
    #[schemars(range(min = 0, max = MOST_DOLLARS))]
    ever: Option<f64>,
}

/// Beyond, a limit in a minute is none.
const MOST_OFTEN: u32 = 100_000;
/// Beyond, a number of dollars is not exact to a millionth any more.
const MOST_DOLLARS: f64 = 1e9;

/// The schema of the file.
pub fn schema() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    house::tidy(&mut schema);
    schema
}

impl File {
    /// Everybody in it, with the hashes of their keys.
    pub(crate) fn callers(self) -> Result<Vec<(Vec<Hash>, Caller)>> {
        if self.caller.is_empty() {
            return Err(invalid("nobody is in it: add a [[caller]] with `name` and `hashes`"));
        }
        let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut callers = Vec::new();
        for (index, entry) in self.caller.into_iter().enumerate() {
            let name = entry.name.clone();
            let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
            if !(1..=64).contains(&name.len()) || !name.chars().all(plain) {
                let message = format!(
                    "the name of caller {} is not one of 1 to 64 letters, digits, `.`, `_` and `-`",
                    index + 1
                );
                return Err(invalid(message));
            }
            if !names.insert(name.clone()) {
                return Err(invalid(format!(
                    "there are two callers `{name}`: give one another name"
                )));
            }
            let (hashes, caller) =
                entry.caller().map_err(|err| invalid(format!("caller `{name}`: {err}")))?;
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
}

impl Entry {
    fn caller(self) -> Result<(Vec<Hash>, Caller)> {
        let Self { name, hashes, models, providers, budget, rate, own_keys } = self;
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
        Ok((hashes, Caller { name, models, providers, budgets: budget.read()?, rate, own_keys }))
    }
}

impl Limits {
    fn read(self) -> Result<Vec<(Period, Usd)>> {
        let Self { day, month, ever } = self;
        let mut budgets = Vec::new();
        for (period, dollars) in [(Period::Day, day), (Period::Month, month), (Period::Ever, ever)]
        {
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
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
