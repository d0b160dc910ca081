//! Who calls, what they may use, and who pays.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use repaint_callers::{Keys, Rates};
use repaint_core::{Error, ImageModel, Registry};
use repaint_router::{Health, Outside, Router, Scope};
use secrecy::SecretString;

use crate::dialect::Names;
use crate::fault::Fault;
use crate::gateway::Gateway;

/// Begins the name of the header that has a caller's own key for a provider: `x-repaint-key-together`.
const OWN_KEY: &str = "x-repaint-key-";

/// Lets callers in: those who have a key, or, where there are no keys, everybody.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// As they are now: they may become others while it is open.
    keys: RwLock<Option<Arc<Keys>>>,
    rates: Rates,
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// On whose account orders are written down, where callers have keys.
    pub(crate) account: Option<String>,
    /// What else tells callers apart: a hash of what they say who they are, and of the keys that they bring.
    pub(crate) word: u64,
    /// What they may use, where callers have keys.
    known: Option<Arc<repaint_callers::Caller>>,
    /// Keys of providers that pay for this call, by the providers' ids.
    own_keys: Vec<(String, SecretString)>,
}

impl Door {
    pub(crate) fn new(keys: Option<Keys>) -> Self {
        Self { keys: RwLock::new(keys.map(Arc::new)), rates: Rates::new() }
    }

    fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether strangers are kept out, so that the gateway may be reached from other machines.
    pub(crate) fn keeps_out(&self) -> bool {
        self.keys().is_some()
    }

    /// Who calls, or why they may not.
    fn caller(&self, headers: &HeaderMap, registry: &Registry) -> Result<Caller, Fault> {
        let Some(keys) = self.keys() else {
            if headers.keys().any(|it| it.as_str().starts_with(OWN_KEY)) {
                let message = "keys of your own are taken only where callers have keys: leave \
                               x-repaint-key-… out; the gateway's own key is used";
                return Err(Fault::new(StatusCode::FORBIDDEN, "denied", message));
            }
            from_here(headers)?;
            // Libraries send some key, which opens nothing here; it still tells one program from another.
            let word = hash(headers.get(AUTHORIZATION).map(|it| it.as_bytes()));
            return Ok(Caller { word, ..Caller::default() });
        };
        let known = keys.check(bearer(headers)).map_err(|err| {
            Fault::new(StatusCode::UNAUTHORIZED, "invalid_api_key", err.message())
        })?;
        self.rates.take(known, Instant::now()).map_err(|it| plain(&it))?;
        let own_keys = own_keys(headers, registry)?;
        if !own_keys.is_empty() {
            known.check_own_key().map_err(|it| plain(&it))?;
        }
        let brought = headers.iter().filter(|(name, _)| name.as_str().starts_with(OWN_KEY));
        let brought: Vec<(&str, &[u8])> =
            brought.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        Ok(Caller {
            account: Some(known.name.clone()),
            word: if brought.is_empty() { 0 } else { hash(brought) },
            known: Some(Arc::clone(known)),
            own_keys,
        })
    }
}

/// Fails where a page of somebody else's asks, through the browser of somebody on this machine: it could spend, and by a
/// name of its own that stands for this machine read the answers, too. Programs send no `Origin`.
fn from_here(headers: &HeaderMap) -> Result<(), Fault> {
    let said = |name| headers.get_all(name).iter().map(|it| it.to_str().unwrap_or("?"));
    let origin = said(ORIGIN).find(|it| !it.split_once("://").is_some_and(|it| is_here(it.1)));
    let host = said(HOST).find(|it| !is_here(it));
    let Some(named) = origin.or(host) else { return Ok(()) };
    let message = format!(
        "without keys of callers only programs of this machine may call, by its own name such as localhost, and `{}` \
         is another's: give callers keys (`repaint key`)",
        repaint_core::quotable(named)
    );
    let name = if origin.is_some() { "Origin" } else { "Host" };
    Err(Fault::new(StatusCode::FORBIDDEN, "denied", message).about(name))
}

/// Whether a host, with or without a port, is this machine by name or number.
fn is_here(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((name, rest)) => (name, rest),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()));
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_name = HERE.contains(&&*name) || name.ends_with(".localhost");
    is_port && (is_name || name.parse().is_ok_and(|it: IpAddr| it.to_canonical().is_loopback()))
}

/// Names of this machine that nobody else can give to one of theirs; the last two are for containers that run on it.
const HERE: [&str; 3] = ["localhost", "host.docker.internal", "host.containers.internal"];

/// The key that a caller sends, without the word before it; nothing if there is none.
fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let (scheme, key) = value.split_once(' ').unwrap_or(("", value));
    if scheme.is_empty() || scheme.eq_ignore_ascii_case("bearer") { key.trim() } else { value }
}

/// The keys for providers that a caller brings.
fn own_keys(
    headers: &HeaderMap,
    registry: &Registry,
) -> Result<Vec<(String, SecretString)>, Fault> {
    let mut keys = Vec::new();
    for (name, value) in headers {
        let Some(provider) = name.as_str().strip_prefix(OWN_KEY) else { continue };
        let mut hosted = registry.models().map(|it| it.provider());
        if !hosted.any(|it| it.id == provider && it.endpoint.is_some()) {
            let message = format!(
                "no provider is called `{}`, whose key the header {OWN_KEY}… could have",
                repaint_core::quotable(provider)
            );
            return Err(Fault::invalid(message).about(name.as_str()));
        }
        let text = value.to_str().ok().filter(|it| !it.is_empty());
        let text = text.filter(|it| it.bytes().all(|it| it.is_ascii_graphic()));
        let key = text.ok_or_else(|| {
            let message = format!("the header {name} has no key: one has visible characters only");
            Fault::invalid(message).about(name.as_str())
        })?;
        if keys.iter().any(|(it, _)| it == provider) {
            let message = format!("the header {name} is there twice: send one key");
            return Err(Fault::invalid(message).about(name.as_str()));
        }
        keys.push((provider.to_owned(), SecretString::from(key)));
    }
    Ok(keys)
}

impl Caller {
    /// Whether they may use an offer.
    pub(crate) fn may_use(&self, offer: &str) -> bool {
        self.known.as_ref().is_none_or(|it| it.may_use(offer))
    }

    /// Fails if they may use none of these.
    pub(crate) fn may_use_some(&self, models: &[&dyn ImageModel]) -> Result<(), Fault> {
        let (Some(known), Some(first)) = (&self.known, models.first()) else { return Ok(()) };
        if models.iter().any(|it| known.may_use(it.id())) {
            return Ok(());
        }
        known.check_offer(first.id()).map_err(|it| plain(&it).about("model"))
    }

    /// The router for what they ask: on their account, within what they may use, with the keys that they bring.
    pub(crate) fn router(&self, gateway: &Gateway) -> Router {
        let mut router = gateway.router().clone();
        let Some(known) = &self.known else { return router };
        let of = Arc::clone(known);
        router = router.on_account(&known.name).within(Scope::new(move |offer| {
            (!of.may_use(offer)).then(|| Outside {
                message: format!("is not for the key of `{}`", of.name),
                fix: "name a model that GET /v1/models lists for it".to_owned(),
            })
        }));
        if !self.own_keys.is_empty() {
            let client = router.client().bringing(self.own_keys.iter().cloned());
            // How a provider treats somebody else's key says nothing of how it treats ours.
            router = router.with_client(client).with_health(Health::default());
        }
        router
    }
}

impl Gateway {
    /// Lets these callers in from now on, and nobody else; calls that go on are finished. Their budgets are set in the
    /// store first.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be written. The callers of before are let in then.
    pub async fn set_keys(&self, keys: Keys) -> repaint_core::Result<()> {
        keys.set_budgets(&**self.store()).await?;
        *self.door().keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
        Ok(())
    }

    /// Who calls, or why they may not.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Fault> {
        self.door().caller(headers, self.router().registry())
    }
}

fn hash(it: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    it.hash(&mut hasher);
    hasher.finish()
}

fn plain(error: &Error) -> Fault {
    Fault::of(error, &Names::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_this_machine_is_no_name_that_merely_looks_like_one() {
        for host in [
            "localhost",
            "LocalHost:80",
            "app.localhost:8080",
            "127.0.0.1",
            "127.8.0.1:1",
            "[::1]:8080",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in ["localhost.", "[::ffff:127.0.0.1]:1", "host.docker.internal:8080"] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "",
            "?",
            "a.example",
            "localhost.a.example",
            "127.0.0.1.a.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "::1",
            "localhost@a.example",
            "localhost:80@a.example",
            "notlocalhost",
            "[::1].a.example",
            "localhost:8080/x",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
