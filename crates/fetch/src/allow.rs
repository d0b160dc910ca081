//! What is let in although it is not public: networks and names of one's own.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use repaint_core::{Error, ErrorKind, Result};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::reach::{Reach, holds};

/// Something of one's own that may be fetched from: a network (`10.1.0.0/16`), an address (`127.0.0.1`) or a
/// name (`pictures.corp.internal`), wherever that leads.
///
/// A network or a name does not open the addresses at which a cloud keeps the secrets of its machines: those must
/// be named one by one.
///
/// ```
/// use repaint_fetch::Allow;
///
/// let mine: Vec<Allow> = ["10.1.0.0/16", "::1", "Pictures.Corp.Internal."]
///     .map(|it| it.parse().expect("a network, an address or a name"))
///     .into();
/// assert_eq!(mine[2].to_string(), "pictures.corp.internal");
/// assert!("http://10.1.0.1/".parse::<Allow>().is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allow {
    /// All addresses of a network.
    Network(IpNet),
    /// All addresses that a name has, and no name under it.
    Name(String),
}

impl Allow {
    /// Whether it lets in an address that a name, or none, led to.
    pub(crate) fn lets_in(&self, name: Option<&str>, ip: IpAddr) -> bool {
        let secret = Reach::of(ip) == Reach::Metadata;
        match self {
            Self::Network(network) => {
                holds(network, ip) && (!secret || network.prefix_len() == network.max_prefix_len())
            }
            Self::Name(_) => name.is_some_and(|it| self.is_name(it)) && !secret,
        }
    }

    /// Whether it is this name.
    pub(crate) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(allowed) if allowed == plain(name))
    }
}

/// Without the dot that says that nothing comes after it.
pub(crate) fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl FromStr for Allow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self::Network(ip.to_canonical().into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let wrong = || {
            let message = format!(
                "`{text}` is neither a network such as 10.1.0.0/16, nor an address, nor the name of a host"
            );
            Error::new(ErrorKind::InvalidRequest, message)
        };
        // As it will stand in an address: in small letters, and in ASCII.
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name))
                if !plain(&name).split('.').any(str::is_empty) && !name.contains('*') =>
            {
                Ok(Self::Name(plain(&name).to_owned()))
            }
            Ok(url::Host::Ipv4(ip)) => Ok(Self::Network(IpAddr::V4(ip).into())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                network.addr().fmt(f)
            }
            Self::Network(network) => network.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Allow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Allow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|err: Error| D::Error::custom(err.message()))
    }
}
