//! Keys and addresses of providers: given by the host, or from the environment.

use std::collections::BTreeMap;
use std::env;

use repaint_core::{Endpoint, Error, ErrorKind, Provider, Result};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Keys of somebody else, by the ids of providers.
pub(crate) type Brought = BTreeMap<String, SecretString>;

/// Where keys and addresses come from. What is given wins over the environment.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) given: BTreeMap<String, SecretString>,
    pub(crate) bases: BTreeMap<String, Url>,
    pub(crate) environment: bool,
}

impl Keys {
    /// The key of a provider, if there is one; `brought` are those of somebody else, which win.
    pub(crate) fn key(&self, provider: &Provider, brought: &Brought) -> Option<SecretString> {
        if let Some(key) = brought.get(provider.id).or_else(|| self.given.get(provider.id)) {
            return Some(key.clone());
        }
        let endpoint = provider.endpoint.as_ref().filter(|_| self.environment)?;
        let key = env::var(endpoint.auth.env).ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| SecretString::from(key))
    }

    /// The value of the header that lets us in.
    pub(crate) fn header(
        &self,
        provider: &Provider,
        endpoint: &Endpoint,
        brought: &Brought,
    ) -> Result<SecretString> {
        let env = endpoint.auth.env;
        let key = self.key(provider, brought).ok_or_else(|| {
            let message = format!("there is no key for {}: set {env}", provider.name);
            Error::new(ErrorKind::Denied, message)
        })?;
        if !key.expose_secret().bytes().all(|it| it.is_ascii_graphic()) {
            let message =
                format!("the key for {} ({env}) has characters that no key has", provider.name);
            return Err(Error::new(ErrorKind::Denied, message));
        }
        Ok(SecretString::from(format!("{}{}", endpoint.auth.prefix, key.expose_secret())))
    }

    /// Where a provider is reached: its own base, or the one that replaces it.
    pub(crate) fn base(&self, provider: &Provider, endpoint: &Endpoint) -> Result<Url> {
        if let Some(base) = self.bases.get(provider.id) {
            return with_suffix(base.as_str(), endpoint);
        }
        match env::var(endpoint.base_env) {
            Ok(base) if self.environment && !base.trim().is_empty() => {
                with_suffix(base.trim(), endpoint)
            }
            _ => with_suffix(endpoint.base, endpoint),
        }
    }
}

/// A base with or without the last part of its path means the same: of Together's libraries, some
/// want the host and some the host with `/v1`, under one variable.
fn with_suffix(base: &str, endpoint: &Endpoint) -> Result<Url> {
    let whole = |it: &str| {
        let url = Url::parse(it).ok()?;
        let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
        // Who is let in is said by the key; an address with a password would be shown.
        Some(url).filter(|it| plain && it.username().is_empty() && it.password().is_none())
    };
    let plain = base.trim_end_matches('/');
    let plain = plain.strip_suffix(endpoint.base_suffix).unwrap_or(plain);
    let url = whole(plain).and_then(|_| whole(&format!("{plain}{}", endpoint.base_suffix)));
    url.ok_or_else(|| {
        let message = format!("{} is no plain http or https address", endpoint.base_env);
        Error::new(ErrorKind::InvalidRequest, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use repaint_core::{Auth, ErrorKind, Reply, Step};

    fn advance(_: &repaint_core::Call, reply: &Reply) -> Result<Step> {
        Err(reply.error(ErrorKind::Unexpected, "never called"))
    }

    #[test]
    fn a_base_means_the_same_with_and_without_its_last_part() {
        let endpoint = Endpoint {
            base: "https://api.example.com/v1",
            base_env: "EXAMPLE_BASE_URL",
            base_suffix: "/v1",
            path: "/images",
            auth: Auth { header: "x-key", prefix: "", env: "EXAMPLE_API_KEY" },
            trusts: &[],
            advance,
        };
        for base in ["http://gw:8080", "http://gw:8080/", "http://gw:8080/v1", "http://gw:8080/v1/"]
        {
            assert_eq!(
                with_suffix(base, &endpoint).map(String::from),
                Ok("http://gw:8080/v1".into())
            );
        }
        for base in ["", "gw:8080", "file:///etc", "https://", "http://user:secret@gw"] {
            assert!(with_suffix(base, &endpoint).is_err(), "{base}");
        }
    }
}
