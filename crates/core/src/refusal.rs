//! Why an offer cannot take a request, as data: one reason each, with the limit and the fix.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fact, Sure};

/// One reason why an offer cannot take a request.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Refusal {
    /// What kind of reason.
    pub code: RefusalCode,
    /// Which field of the request, such as `images`, `images/2` (from 0) or `options/steps`.
    pub field: String,
    /// What would be taken.
    pub limit: Value,
    /// What was asked for.
    pub got: Value,
    /// Both in words; begins with a verb whose subject is the offer.
    pub message: String,
    /// What to do instead.
    pub fix: String,
    /// How sure the limit is.
    pub sure: Sure,
}

/// Kinds of reason. A closed list: version 1 has exactly these.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// A text that must say something says nothing, or what must be given is missing.
    Empty,
    /// Fewer than the offer takes.
    TooFew,
    /// More than the offer takes.
    TooMany,
    /// The offer takes no such thing at all.
    Unsupported,
    /// A number beyond its limits.
    OutOfRange,
    /// Not among the values that the offer lists.
    NotListed,
    /// A prompt outside the closed vocabulary of the offer.
    NotUnderstood,
    /// An input image that cannot be read, or was not inspected.
    Unreadable,
    /// More bytes or pixels than the offer takes.
    TooLarge,
    /// An option that names what a field of the request is for.
    Owned,
    /// An option that the provider does not have.
    Unknown,
    /// An option whose value the provider would not take.
    Invalid,
    /// The offer is no longer on sale.
    Retired,
    /// The high estimate is above the maximum cost.
    OverBudget,
    /// No key for the provider was found.
    NoKey,
    /// The policy does not allow its provider.
    NotAllowed,
    /// The offer is taken only where it is named, or where nothing else can be.
    NotAsked,
}

impl RefusalCode {
    /// The code in JSON, such as `too_many`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooFew => "too_few",
            Self::TooMany => "too_many",
            Self::Unsupported => "unsupported",
            Self::OutOfRange => "out_of_range",
            Self::NotListed => "not_listed",
            Self::NotUnderstood => "not_understood",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Owned => "owned",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Retired => "retired",
            Self::OverBudget => "over_budget",
            Self::NoKey => "no_key",
            Self::NotAllowed => "not_allowed",
            Self::NotAsked => "not_asked",
        }
    }
}

impl Refusal {
    /// A refusal by a limit.
    pub(crate) fn new<T>(
        code: RefusalCode,
        field: impl Into<String>,
        limit: &Fact<T>,
        shown: impl Serialize,
        got: impl Serialize,
    ) -> Self {
        Self {
            code,
            field: field.into(),
            limit: serde_json::to_value(shown).unwrap_or_default(),
            got: serde_json::to_value(got).unwrap_or_default(),
            message: String::new(),
            fix: String::new(),
            sure: limit.sure,
        }
    }

    /// A refusal by a rule of ours.
    pub fn by_rule(code: RefusalCode, field: impl Into<String>) -> Self {
        Self {
            code,
            field: field.into(),
            limit: Value::Null,
            got: Value::Null,
            message: String::new(),
            fix: String::new(),
            sure: Sure::Documented,
        }
    }

    /// In words, with what to do instead.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>, fix: impl Into<String>) -> Self {
        (self.message, self.fix) = (message.into(), fix.into());
        if self.sure == Sure::Assumed && !matches!(self.code, RefusalCode::Unsupported) {
            self.message.push_str(" (an assumed limit)");
        }
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.fix.is_empty() {
            write!(f, ": {}", self.fix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, WarningCode};
    use schemars::{JsonSchema, schema_for};

    /// Every value that the schema of a closed list has is the code of one of its variants.
    fn codes<T>(code: fn(T) -> &'static str)
    where
        T: JsonSchema + serde::de::DeserializeOwned,
    {
        let schema = schema_for!(T).to_value();
        let plain = schema["enum"].as_array().into_iter().flatten();
        let told = schema["oneOf"].as_array().into_iter().flatten().map(|it| &it["const"]);
        let values: Vec<&Value> = plain.chain(told).collect();
        assert!(5 < values.len(), "{schema}");
        for value in values {
            let variant: T = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(code(variant), value);
        }
    }

    #[test]
    fn a_code_is_what_json_has() {
        codes(RefusalCode::code);
        codes(WarningCode::code);
        codes(ErrorKind::code);
    }
}
