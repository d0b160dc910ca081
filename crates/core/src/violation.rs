//! What is wrong with a value that somebody wrote, as data: where, why, and what to do instead.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::RefusalCode;

/// One thing that is wrong with a body or a job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Violation {
    /// What kind of fault; the codes of refusals.
    pub code: RefusalCode,
    /// Where: a JSON Pointer (RFC 6901) such as `/reference_images/2`; empty for the whole. For what
    /// is missing it says where it would stand.
    pub pointer: String,
    /// What would be taken; absent where no value says it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub limit: Value,
    /// What was found, if it is short and no text of the caller; absent otherwise.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub got: Value,
    /// Both in words; its subject is what stands at the pointer.
    pub message: String,
    /// What to do instead.
    pub fix: String,
}

impl Violation {
    pub(crate) fn new(code: RefusalCode, pointer: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            pointer: pointer.to_owned(),
            limit: Value::Null,
            got: Value::Null,
            message: message.into(),
            fix: String::new(),
        }
    }

    pub(crate) fn limit(mut self, limit: impl Serialize) -> Self {
        self.limit = serde_json::to_value(limit).unwrap_or_default();
        self
    }

    /// Keeps what was found, unless it may be long or somebody's words.
    pub(crate) fn got(mut self, got: &Value) -> Self {
        if matches!(got, Value::Bool(_) | Value::Number(_)) {
            self.got = got.clone();
        }
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Where and what, without the fix.
    pub(crate) fn fault(&self) -> String {
        let place = if self.pointer.is_empty() { "the whole" } else { &self.pointer };
        format!("{place} {}", self.message)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault())?;
        if !self.fix.is_empty() {
            write!(f, ": {}", self.fix)?;
        }
        Ok(())
    }
}

/// Several in one line, without their fixes.
pub(crate) fn faults(found: &[Violation]) -> String {
    found.iter().map(Violation::fault).collect::<Vec<_>>().join("; ")
}

/// The pointer of a field or an entry below another.
pub(crate) fn below(at: &str, name: &str) -> String {
    if name.contains(['~', '/']) {
        return format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    }
    format!("{at}/{name}")
}
