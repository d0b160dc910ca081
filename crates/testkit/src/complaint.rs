//! What a trial says when it fails.

use std::fmt;

/// What does not hold of a model, and what to do about it: no trial fails without the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// What does not hold.
    pub wrong: String,
    /// What to do about it.
    pub fix: String,
}

impl Complaint {
    pub(crate) fn new(wrong: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), fix: fix.into() }
    }

    /// The same, about one of many cases.
    pub(crate) fn of(self, case: &str) -> Self {
        Self { wrong: format!("{case}: {}", self.wrong), fix: self.fix }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  what to do: {}", self.wrong, self.fix)
    }
}
