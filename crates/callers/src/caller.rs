//! One caller, and what it may do.

use repaint_core::{Budget, Error, ErrorKind, Period, Result, Usd};

use crate::pattern::Pattern;

/// Somebody who may call, and for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// What it is called; the account on which its orders are written down.
    pub name: String,
    /// The models that it may use, or the offers; no patterns are no limit.
    pub models: Vec<Pattern>,
    /// The providers that it may use; no patterns are no limit.
    pub providers: Vec<Pattern>,
    /// What it may spend, in each period that has a limit.
    pub budgets: Vec<(Period, Usd)>,
    /// So often may it call in a minute; `None` is no limit.
    pub rate: Option<u32>,
    /// Whether it may send a provider's key of its own along, which then pays.
    pub own_keys: bool,
}

impl Caller {
    /// Whether it may use an offer, such as `together/flux2-pro`.
    pub fn may_use(&self, offer: &str) -> bool {
        let (provider, model) = offer.split_once('/').unwrap_or(("", offer));
        let any = |patterns: &[Pattern], names: &[&str]| {
            patterns.is_empty() || patterns.iter().any(|it| names.iter().any(|name| it.takes(name)))
        };
        any(&self.providers, &[provider]) && any(&self.models, &[model, offer])
    }

    /// Whether it may use an offer, with what it may use instead.
    ///
    /// # Errors
    ///
    /// `Denied` if it may not.
    pub fn check_offer(&self, offer: &str) -> Result<()> {
        if self.may_use(offer) {
            return Ok(());
        }
        let list = |what: &str, patterns: &[Pattern]| {
            let shown: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            if shown.is_empty() { String::new() } else { format!(" {what} {}", shown.join(", ")) }
        };
        let message = format!(
            "the key of `{}` is not for {offer}: it is for{}{}",
            self.name,
            list("models", &self.models),
            list(if self.models.is_empty() { "providers" } else { "at" }, &self.providers)
        );
        Err(Error::new(ErrorKind::Denied, message))
    }

    /// Whether it may send a provider's key of its own.
    ///
    /// # Errors
    ///
    /// `Denied` if it may not.
    pub fn check_own_key(&self) -> Result<()> {
        if self.own_keys {
            return Ok(());
        }
        let message = format!(
            "the key of `{}` does not let you bring a provider's key of your own: leave it out, or ask \
             whoever runs this for `own_keys`",
            self.name
        );
        Err(Error::new(ErrorKind::Denied, message))
    }

    /// Its budgets, as a store keeps them.
    pub fn budgets(&self) -> impl Iterator<Item = Budget> + '_ {
        let account = Some(self.name.clone());
        self.budgets.iter().map(move |(period, limit)| Budget {
            account: account.clone(),
            period: *period,
            limit: *limit,
        })
    }
}
