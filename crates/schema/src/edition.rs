//! The set of schemas as it stands at one version: today's, and that of the last release.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use repaint_core::Registry;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::openapi::openapi_parts;
use crate::schemas::{BASE, VERSION, pretty, set};

/// The set at one version; `schemas/baseline.json` holds that of the last release.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// The version of the set.
    pub version: Version,
    /// The ids of the offers in the catalogue, sorted.
    pub offers: Vec<String>,
    /// Schemas by their path from `schemas/`.
    pub schemas: BTreeMap<String, Value>,
    /// The named rules of each offer's body, as the catalogue has them: what no schema can say.
    #[serde(default)]
    pub rules: BTreeMap<String, Vec<Value>>,
    /// The document of the gateway; `null` where there is none.
    #[serde(default)]
    pub openapi: Value,
}

/// Three numbers: a change of the first may break programs, of the second adds, of the third rewords.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// What was right may be wrong.
    pub major: u32,
    /// There is more than before.
    pub minor: u32,
    /// Only words have changed.
    pub patch: u32,
}

impl Edition {
    /// Today's set.
    ///
    /// # Errors
    ///
    /// Fails if the version in the source is none.
    pub fn present(registry: &Registry) -> Result<Self, String> {
        let schemas = set(registry).into_iter().map(|it| (it.path, it.schema));
        let mut offers: Vec<String> = registry.models().map(|it| it.id().to_owned()).collect();
        offers.sort();
        let mut rules = BTreeMap::new();
        for model in registry.models() {
            let Some(wire) = model.wire() else { continue };
            let of_offer = wire.rules.iter().map(serde_json::to_value);
            let of_offer =
                of_offer.collect::<Result<Vec<_>, _>>().map_err(|err| err.to_string())?;
            rules.insert(model.id().to_owned(), of_offer);
        }
        let (version, schemas, openapi) = (VERSION.parse()?, schemas.collect(), Value::Null);
        Ok(Self { version, offers, schemas, rules, openapi })
    }

    /// The same set with the document of the gateway, which is made elsewhere.
    #[must_use]
    pub fn with_openapi(self, openapi: Value) -> Self {
        Self { openapi, ..self }
    }

    /// All that can be judged: the schemas, and those that the document of the gateway has.
    pub fn judged(&self) -> BTreeMap<String, Value> {
        let parts = openapi_parts(&self.openapi).into_iter().map(|(place, (_, it))| (place, it));
        self.schemas.clone().into_iter().chain(parts).collect()
    }

    /// The same set under another version; its major number stands in every id.
    #[must_use]
    pub fn raised(mut self, version: Version) -> Self {
        let home = BASE.trim_end_matches('/').rsplit_once('/').map_or(BASE, |it| it.0);
        for (path, schema) in &mut self.schemas {
            schema["$id"] = format!("{home}/v{}/{path}", version.major).into();
        }
        if self.openapi.is_object() {
            self.openapi["info"]["version"] = version.to_string().into();
        }
        self.version = version;
        self
    }

    /// The content of `schemas/baseline.json`.
    ///
    /// # Errors
    ///
    /// Says what of the text is no edition.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|err| format!("schemas/baseline.json: {err}"))
    }

    /// The content for `schemas/baseline.json`.
    pub fn text(&self) -> String {
        pretty(self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split('.').map(|it| it.parse().ok()).collect::<Option<Vec<u32>>>();
        match numbers.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(format!("`{text}` is no version such as 1.2.3")),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_the_major_version() {
        let version: Version = VERSION.parse().expect("a version");
        assert!(crate::BASE.ends_with(&format!("/v{}/", version.major)), "{}", crate::BASE);
    }

    #[test]
    fn the_document_of_the_gateway_is_raised_and_kept_with_the_set() {
        let registry = Registry::new([]).expect("a registry");
        let document = serde_json::json!({
            "info": { "version": "1.0.0" },
            "paths": { "/a": { "get": { "operationId": "a" } } },
        });
        let set = Edition::present(&registry).expect("a set").with_openapi(document);
        let raised = set.raised("2.1.0".parse().expect("a version"));
        assert_eq!(raised.openapi["info"]["version"], "2.1.0");
        assert!(raised.judged().contains_key("openapi.json GET /a"));
        assert_eq!(Edition::read(&raised.text()).expect("an edition"), raised);
    }

    #[test]
    fn versions_are_compared_by_number() {
        let version = |text: &str| text.parse::<Version>().expect("a version");
        assert!(version("1.9.0") < version("1.10.0"));
        assert!("1.0".parse::<Version>().is_err());
    }
}
