//! What can be told to go wrong, as data: every fault with its name, its words and where it strikes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It orders a picture, and costs money.
    Order,
    /// It asks where an order stands.
    Poll,
    /// It fetches a picture.
    Download,
    /// Anything else, such as a question for the credit.
    Other,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Fault {
    /// 402.
    NoCredit,
    /// 429 with `Retry-After`.
    RateLimited,
    /// 429 without it.
    RateLimitedBare,
    /// 500.
    ServerError,
    /// 503.
    Overloaded,
    /// 504.
    GatewayTimeout,
    /// No connection.
    Refuse,
    /// The connection is reset before the body.
    ResetBeforeBody,
    /// The connection is reset within the body.
    ResetInBody,
    /// The whole body is handed over, and lost on the way.
    LostBody,
    /// The order is taken, then the connection is reset.
    ResetAfterBody,
    /// Nothing is read.
    HangConnect,
    /// The body is read half, and no further.
    HangRequestBody,
    /// The request is taken, and no answer comes.
    HangResponseHead,
    /// Half of the answer comes, and no more.
    HangResponseBody,
    /// A poll gets no answer.
    HangPoll,
    /// A download stops half way.
    HangDownload,
    /// Half of the answer comes, and the connection ends.
    HalfBody,
    /// The answer is longer than it says.
    WrongLength,
    /// The answer comes in small pieces.
    SlowDrip,
    /// Moderation stops the input.
    ModeratedInput,
    /// Moderation stops the picture.
    ModeratedOutput,
    /// The job, or the address of the picture, has expired.
    Expired,
    /// The polling address is on another host.
    PollHost,
}

/// A row of the table of faults.
struct Row {
    fault: Fault,
    name: &'static str,
    about: &'static str,
    strikes: &'static [Stage],
}

const fn row(
    fault: Fault,
    name: &'static str,
    strikes: &'static [Stage],
    about: &'static str,
) -> Row {
    Row { fault, name, about, strikes }
}

use Stage::{Download, Order, Poll};

const ALL: &[Stage] = &[Order, Poll, Download];
const ASKED: &[Stage] = &[Order, Poll];
const ORDER: &[Stage] = &[Order];

/// In the order of [`Fault`]'s variants, which a test checks.
const ROWS: &[Row] = &[
    row(Fault::NoCredit, "402", ORDER, "the account has no credit"),
    row(Fault::RateLimited, "429", ASKED, "too many requests, with Retry-After"),
    row(Fault::RateLimitedBare, "429-bare", ASKED, "too many requests, without Retry-After"),
    row(Fault::ServerError, "500", ALL, "the server fails; an order is billed all the same"),
    row(Fault::Overloaded, "503", ALL, "the server is overloaded; an order is not begun"),
    row(Fault::GatewayTimeout, "504", ALL, "a gateway gives up; an order is billed all the same"),
    row(Fault::Refuse, "refuse", ALL, "the connection is refused: reset before a byte is read"),
    row(Fault::ResetBeforeBody, "reset-before-body", ORDER, "reset after the head of an order"),
    row(Fault::ResetInBody, "reset-in-body", ORDER, "reset when half of an order's body is read"),
    row(Fault::LostBody, "lost-body", ORDER, "the order is sent whole and not taken; then reset"),
    row(
        Fault::ResetAfterBody,
        "reset-after-body",
        ORDER,
        "the order is taken and billed; then reset",
    ),
    row(Fault::HangConnect, "hang-connect", ALL, "nothing is read and nothing comes"),
    row(
        Fault::HangRequestBody,
        "hang-request-body",
        ORDER,
        "half of an order's body is read, no more",
    ),
    row(
        Fault::HangResponseHead,
        "hang-response-head",
        ALL,
        "the request is taken; no answer comes",
    ),
    row(Fault::HangResponseBody, "hang-response-body", ALL, "half of the answer comes, no more"),
    row(Fault::HangPoll, "hang-poll", &[Poll], "a poll gets no answer"),
    row(Fault::HangDownload, "hang-download", &[Download], "half of a picture comes, no more"),
    row(Fault::HalfBody, "half-body", ALL, "half of the answer comes, then the connection ends"),
    row(Fault::WrongLength, "wrong-length", ALL, "Content-Length says less than there is"),
    row(Fault::SlowDrip, "slow-drip", ALL, "the answer comes in small pieces, for five seconds"),
    row(Fault::ModeratedInput, "moderated-input", ORDER, "moderation stops the prompt or an image"),
    row(Fault::ModeratedOutput, "moderated-output", ORDER, "moderation stops the finished picture"),
    row(Fault::Expired, "expired", ALL, "the job, or the address of its picture, is gone"),
    row(Fault::PollHost, "poll-host", ORDER, "the polling address names another host (BFL)"),
];

impl Fault {
    /// Every fault.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        ROWS.iter().map(|it| it.fault)
    }

    /// What it is called in a flag, a header and a script.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it does, in a line.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// Whether it can befall a request for this.
    pub fn strikes(self, stage: Stage) -> bool {
        self.row().strikes.contains(&stage)
    }

    /// Whether the request never arrives whole, so that nothing can have been ordered.
    pub fn loses_the_request(self) -> bool {
        matches!(
            self,
            Self::Refuse
                | Self::ResetBeforeBody
                | Self::ResetInBody
                | Self::LostBody
                | Self::HangConnect
                | Self::HangRequestBody
        )
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all().find(|it| it.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::all().map(Self::name).collect();
            format!("no fault is called `{name}`; there are {}", names.join(", "))
        })
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// Which faults come, in order: `null` lets a request pass, and a fault waits for the next request
/// that it can befall. As JSON a list, such as `["429", null, "reset-after-body"]`.
pub type Script = Vec<Option<Fault>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_fault_and_has_a_name_of_its_own() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.fault as usize, index, "{}", row.name);
            assert_eq!(row.name.parse(), Ok(row.fault));
            assert!(row.name.is_ascii() && !row.strikes.is_empty() && row.about.len() < 60);
        }
        assert_eq!(Fault::PollHost as usize + 1, ROWS.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_all_names() {
        let err = "402x".parse::<Fault>().expect_err("unknown");
        assert!(Fault::all().all(|it| err.contains(it.name())), "{err}");
    }
}
