//! What comes back: pictures, and what was done to get them.

use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Estimate, Handle, ImageFacts, MediaType, Phase, Usd};

/// So many bytes say what kind a file is; a multiple of 3.
const HEAD: usize = 66;

/// A picture that a model made: the provider's bytes, untouched.
#[derive(Clone, PartialEq)]
pub struct Image {
    /// The kind of file, read from the bytes; `None` when they are of no kind that we know.
    pub media_type: Option<MediaType>,
    /// The bytes; none of a picture that was [left](Self::left) where it is, or stays [base64](Self::base64).
    pub bytes: Bytes,
    /// The bytes as standard base64 with padding, where they came so and whoever asked wants them so.
    pub base64: Option<Bytes>,
    /// Where the provider has it, usually for minutes only; `None` where it gave no address.
    pub address: Option<String>,
}

/// Pictures and the account of how they were made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The pictures, in the order of the calls and of the provider; at least one.
    pub images: Vec<Image>,
    /// What was done.
    pub receipt: Receipt,
}

/// What was done for a request.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Receipt {
    /// The offer that made the pictures.
    pub offer: String,
    /// Whether a generative model made them.
    pub generative: bool,
    /// How many pictures came back.
    pub pictures: u32,
    /// What was changed of the request.
    pub adaptations: Vec<Adaptation>,
    /// What else the caller should know.
    pub warnings: Vec<Warning>,
    /// Every call that was made, in order.
    pub attempts: Vec<Attempt>,
    /// What it was to cost.
    pub estimate: Estimate,
    /// What the provider says that it charged for the pictures, in millionths of a US dollar; absent
    /// if it did not say it of each call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Usd>,
    /// What the whole job has cost, with calls that failed: what was charged, and where that is not
    /// known, what it may be.
    pub spent: Estimate,
    /// Why the cost is another than the estimate, in words, as far as the provider shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// What the provider shows for its use of the inputs, under its own names; empty if it offers none.
    pub evidence: Map<String, Value>,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How the job could be picked up, where the provider gave a handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// Each call, where there were several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Called>,
    /// Pictures that were made and could not be brought back, and calls that brought none.
    #[schemars(with = "Vec<crate::ErrorData>")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Error>,
    /// Offers that were tried before, and why each was left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
    /// The id of the job, where orders are written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The ids of its orders, where they are written down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<String>,
}

/// One of several calls for one job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Called {
    /// How many pictures were asked for.
    pub count: u32,
    /// Its seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How many pictures came back.
    pub pictures: u32,
    /// What it was to cost.
    pub estimate: Estimate,
    /// What it has cost: what was charged, and where that is not known, what it may be.
    pub spent: Estimate,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How it could be picked up, where the provider gave a handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// Why it brought nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
}

/// An offer that was tried and left.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Hop {
    /// The offer.
    pub offer: String,
    /// What went wrong there.
    pub code: ErrorKind,
    /// In words.
    pub message: String,
    /// What it has cost there: what was charged, and where that is not known, what it may be.
    pub spent: Estimate,
    /// The ids of its orders, where they are written down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<String>,
}

/// One change that was made so that a request fits.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Adaptation {
    /// Which field of the request.
    pub field: String,
    /// How, such as `nearest`; `exact` where nothing was lost.
    pub method: String,
    /// What was asked for.
    pub from: Value,
    /// What was sent instead; `null` where the field was left out.
    pub to: Value,
}

/// Something that the caller should know and that stops nothing.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Warning {
    /// What kind of warning.
    pub code: WarningCode,
    /// Which field of the request, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// In words.
    pub message: String,
}

/// Kinds of warning; a closed list, version 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Nothing is known of this input before the provider fetches it.
    Unchecked,
    /// The offer ends soon.
    Retiring,
    /// A fact comes from an overlay.
    Overlay,
    /// The offer needs a key that was not found.
    NoKey,
    /// The picture was made by something else than a generative model.
    NotGenerative,
    /// The local offer did something to the picture that the caller may not expect.
    Picture,
    /// The provider answered something odd that did not stop the request.
    Provider,
    /// An input image holds more than a model may see: frames, or bits.
    Input,
    /// A picture is another file than the provider's, or could not be made the file that was asked for.
    Output,
    /// What became of an order could not be written down.
    Store,
    /// The offer failed lately or is busy, so others are tried before.
    Resting,
}

impl WarningCode {
    /// The code in JSON, such as `no_key`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Retiring => "retiring",
            Self::Overlay => "overlay",
            Self::NoKey => "no_key",
            Self::NotGenerative => "not_generative",
            Self::Picture => "picture",
            Self::Provider => "provider",
            Self::Input => "input",
            Self::Output => "output",
            Self::Store => "store",
            Self::Resting => "resting",
        }
    }
}

/// One call that was made.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Attempt {
    /// What for.
    pub phase: Phase,
    /// The HTTP status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What went wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What a model hands back: the pictures and its part of the receipt.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The pictures, in order.
    pub images: Vec<Image>,
    /// Every call that was made.
    pub attempts: Vec<Attempt>,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
    /// What was charged.
    pub cost: Option<Usd>,
    /// Evidence that the inputs were used.
    pub evidence: Map<String, Value>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// How the job could be picked up.
    pub handle: Option<Handle>,
    /// Pictures that were made and could not be brought back.
    pub failures: Vec<Error>,
}

impl Image {
    /// A picture with the kind that its bytes say.
    pub fn new(bytes: Bytes) -> Self {
        let media_type = MediaType::of(&bytes[..bytes.len().min(HEAD)]);
        Self { media_type, bytes, base64: None, address: None }
    }

    /// The same of a text of base64, which is not decoded; `None` if it is none.
    pub fn undecoded(base64: Bytes) -> Option<Self> {
        base64_simd::STANDARD.check(&base64).ok()?;
        let head = &base64[..base64.len().min(HEAD / 3 * 4)];
        let media_type = MediaType::of(&base64_simd::STANDARD.decode_to_vec(head).ok()?);
        Some(Self { media_type, bytes: Bytes::new(), base64: Some(base64), address: None })
    }

    /// A picture that was not fetched: whoever asked for it fetches it there.
    pub fn left(address: impl Into<String>) -> Self {
        Self { media_type: None, bytes: Bytes::new(), base64: None, address: Some(address.into()) }
    }

    /// Whether it was left where it is, so that nothing is known of its bytes.
    pub fn is_left(&self) -> bool {
        self.weight() == 0 && self.address.is_some()
    }

    /// How many bytes it takes as it is here.
    pub fn weight(&self) -> u64 {
        self.base64.as_ref().map_or(self.bytes.len(), Bytes::len) as u64
    }

    /// What its bytes say of it.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with it, such as that it is cut off.
    pub fn facts(&self) -> Result<ImageFacts, String> {
        match &self.base64 {
            Some(base64) => ImageFacts::of_base64(base64),
            None => ImageFacts::of(&self.bytes),
        }
    }
}

impl Warning {
    /// A warning about a field, or about none.
    pub fn new(code: WarningCode, field: Option<&str>, message: impl Into<String>) -> Self {
        Self { code, field: field.map(str::to_owned), message: message.into() }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.media_type.map_or("of unknown kind", MediaType::name);
        write!(f, "Image({} bytes, {kind})", self.weight())
    }
}

impl fmt::Display for Adaptation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, method, from, to } = self;
        match to {
            Value::Null => write!(f, "{field}: {from} was left out ({method})"),
            to => write!(f, "{field}: {from} became {to} ({method})"),
        }
    }
}
