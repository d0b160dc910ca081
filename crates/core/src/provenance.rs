//! Where a fact about a model comes from, and how sure it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Date, Text};

/// A value with its provenance.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(inline)]
#[serde(deny_unknown_fields)]
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

const fn fact<T>(value: T, sure: Sure, source: Source) -> Fact<T> {
    let Source { source, date } = source;
    Fact { value, sure, source: Text(source), date }
}

/// Where the refusals of [`Capabilities::NONE`](crate::Capabilities::NONE) come from.
pub const UNDECLARED: Source = Source::new("not declared by the adapter", Date::new(2026, 11, 22));
