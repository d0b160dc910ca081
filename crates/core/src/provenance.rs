//! Where a fact about a model comes from, and how sure it is.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Date, Text};

/// A value with its provenance. In JSON a value of `None` is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact<T> {
    /// What is the case.
    pub value: T,
    /// How sure that is.
    pub sure: Sure,
    /// Where it is written, or who saw it: an address, or a few words.
    pub source: Text,
    /// When it was read there.
    pub date: Date,
}

/// How sure a [`Fact`] is. An assumed limit is enforced like any other, and says that it is assumed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sure {
    /// The provider says so.
    Documented,
    /// Somebody saw the provider do so.
    Observed,
    /// Our own strict reading of what is known.
    Assumed,
}

/// Where a [`Fact`] is written, and when it was read there.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// An address, or a few words.
    pub source: &'static str,
    /// When it was read.
    pub date: Date,
}

impl Source {
    /// A source in a table.
    pub const fn new(source: &'static str, date: Date) -> Self {
        Self { source, date }
    }
}

/// A fact that the provider states.
pub const fn documented<T>(value: T, source: Source) -> Fact<T> {
    fact(value, Sure::Documented, source)
}

/// A fact that somebody saw.
pub const fn observed<T>(value: T, source: Source) -> Fact<T> {
    fact(value, Sure::Observed, source)
}

/// A fact that nobody states: the strict reading.
pub const fn assumed<T>(value: T, source: Source) -> Fact<T> {
    fact(value, Sure::Assumed, source)
}

/// A [`Fact`] as it stands in JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Value::is_null")]
    value: Value,
    sure: Sure,
    source: Text,
    date: Date,
}

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, sure, source, date } = self;
        let value = serde_json::to_value(value).map_err(serde::ser::Error::custom)?;
        Written { value, sure: *sure, source: *source, date: *date }.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { value, sure, source, date } = Written::deserialize(deserializer)?;
        let value = serde_json::from_value(value)
            .map_err(|err| serde::de::Error::custom(format!("the value does not fit: {err}")))?;
        Ok(Self { value, sure, source, date })
    }
}

impl<T: JsonSchema> JsonSchema for Fact<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("FactOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        let optional = value.as_value().to_string().contains("\"null\"");
        let required: &[&str] = if optional {
            &["sure", "source", "date"]
        } else {
            &["value", "sure", "source", "date"]
        };
        json_schema!({
            "type": "object",
            "properties": {
                "value": value,
                "sure": generator.subschema_for::<Sure>(),
                "source": {
                    "type": "string",
                    "description": "Where it is written, or who saw it: an address, or a few words."
                },
                "date": generator.subschema_for::<Date>(),
            },
            "required": required,
            "additionalProperties": false,
        })
    }
}

const fn fact<T>(value: T, sure: Sure, source: Source) -> Fact<T> {
    let Source { source, date } = source;
    Fact { value, sure, source: Text(source), date }
}

/// Where the refusals of [`Capabilities::NONE`](crate::Capabilities::NONE) come from.
pub const UNDECLARED: Source = Source::new("not declared by the adapter", Date::new(2026, 11, 22));
