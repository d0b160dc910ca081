//! Where may be gone: what an address must look like, and what the names in it must lead to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use repaint_core::ErrorKind;
use reqwest::dns::{Addrs, Name, Resolving};
use url::{Host, Url};

use crate::allow::{Allow, plain};
use crate::reach::Reach;
use crate::resolve::Resolve;

/// The rules of one fetcher. As the resolver of its HTTP client, it hands out only addresses that may be
/// connected to.
#[derive(Clone, Debug)]
pub(crate) struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    allow: Vec<Allow>,
    resolve: Arc<dyn Resolve>,
}

/// Why something was not fetched: what the caller can do, and words that go on after the address.
#[derive(Clone, Debug)]
pub(crate) struct Why {
    pub(crate) kind: ErrorKind,
    pub(crate) words: String,
}

impl Why {
    /// It will be so the next time.
    pub(crate) fn lasting(words: impl Into<String>) -> Self {
        Self { kind: ErrorKind::InvalidRequest, words: words.into() }
    }

    /// It may be otherwise the next time.
    pub(crate) fn passing(words: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unavailable, words: words.into() }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Why {}

/// No address of a picture needs more; those that are signed have about 2,000.
const LONGEST: usize = 8192;

/// From 1024 on, where browsers expect another service: <https://fetch.spec.whatwg.org/#bad-port>, read
/// 2026-11-26.
const OTHER_SERVICES: &[u16] = &[
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

/// Names that mean something only nearby, with all under them: RFC 6761, 6762, 7686, 8375, and what ICANN keeps
/// for private use.
const NEARBY: &[&str] = &["home.arpa", "internal", "local", "localhost", "onion"];

/// Reads an address that somebody wrote.
pub(crate) fn read(address: &str) -> Result<Url, Why> {
    if LONGEST < address.len() {
        let words = format!("has {} characters; no more than {LONGEST} are read", address.len());
        return Err(Why::lasting(words));
    }
    // Who parses leniently drops or turns these, and reads another host than whoever does not.
    if address.chars().any(|it| it.is_control() || it == '\\') {
        return Err(Why::lasting(
            "has a backslash or a control character in it, as no address has",
        ));
    }
    Url::parse(address).map_err(|err| Why::lasting(format!("is no address: {err}")))
}

impl Guard {
    pub(crate) fn new(allow: Vec<Allow>, resolve: Arc<dyn Resolve>) -> Self {
        Self(Arc::new(Rules { allow, resolve }))
    }

    /// Whether an address may be gone to, as far as it shows by itself: its name is looked up later.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Why> {
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https") {
            let words = format!("is a {scheme}: address; only http and https are fetched");
            return Err(Why::lasting(words));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Why::lasting(
                "has a user or a password in it, which are not sent; leave them out",
            ));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if !matches!(port, 80 | 443 | 1024..) || OTHER_SERVICES.contains(&port) {
            let words = format!(
                "is at port {port}; only ports 80, 443 and 1024 and above are fetched from, and none that belongs to \
                 another service"
            );
            return Err(Why::lasting(words));
        }
        match url.host() {
            Some(Host::Ipv4(ip)) => self.check_ip(None, ip.into()),
            Some(Host::Ipv6(ip)) => self.check_ip(None, ip.into()),
            Some(Host::Domain(name)) => self.check_name(name),
            None => Err(Why::lasting("has no host")),
        }
    }

    fn check_name(&self, name: &str) -> Result<(), Why> {
        // Where a network is allowed, a name nearby may lead there; its addresses decide.
        let mine = |it: &Allow| it.is_name(name) || matches!(it, Allow::Network(_));
        if self.0.allow.iter().any(mine) {
            return Ok(());
        }
        let name = plain(name);
        if name.split('.').any(str::is_empty) {
            return Err(Why::lasting("has a name with nothing between two dots"));
        }
        let under =
            |it: &&str| name.strip_suffix(it).is_some_and(|it| it.is_empty() || it.ends_with('.'));
        if NEARBY.iter().any(under) || !name.contains('.') {
            return Err(Why::lasting(
                "has a name that leads to something nearby; only public hosts are gone to",
            ));
        }
        Ok(())
    }

    fn check_ip(&self, name: Option<&str>, ip: IpAddr) -> Result<(), Why> {
        let reach = Reach::of(ip);
        if reach == Reach::Public || self.0.allow.iter().any(|it| it.lets_in(name, ip)) {
            return Ok(());
        }
        // Not at which address: whoever asks may want to draw a map of what is nearby.
        let words =
            format!("is at an address that is {}; only public ones are gone to", reach.told());
        Err(Why::lasting(words))
    }

    /// The addresses of a name, if all of them may be gone to.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Why> {
        let found = self.0.resolve.resolve(name).await;
        // The system's words are not passed on: they may say which names there are nearby.
        let found = found.map_err(|_| Why::passing("has a host whose name cannot be looked up"))?;
        if found.is_empty() {
            return Err(Why::lasting("has a host whose name has no address"));
        }
        found.iter().try_for_each(|ip| self.check_ip(Some(name), *ip))?;
        Ok(found)
    }
}

impl reqwest::dns::Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.addresses(name.as_str()).await?;
            // The port is that of the address.
            let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
