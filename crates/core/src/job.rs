//! What is serialised, kept and posted: a request, who may take it, and under which rules.

use std::hash::{Hash, Hasher};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::wire::{non_null, whole_or_absent};
use crate::{Date, ImageRequest, Usd};

/// A request with the models that may take it and the rules that hold.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Who may take it: models (`flux2-pro`), offers (`together/flux2-pro`), families (`flux2`) or
    /// providers' own names; none is any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    /// What is wanted.
    pub request: ImageRequest,
    /// Under which rules.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
}

/// Rules that hold for a job, whoever takes it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Who is tried first.
    #[serde(default, skip_serializing_if = "OrderBy::is_default")]
    pub order: OrderBy,
    /// Whose offers may take it, besides what is selected.
    #[serde(default, skip_serializing_if = "Providers::is_default")]
    pub providers: Providers,
    /// Whether the next offer is tried when one surely did not take the job, and nothing was bought; it
    /// is unless this says `false`.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub fallback: bool,
    /// What may be changed to make the request fit.
    #[serde(default, skip_serializing_if = "Adapt::is_default")]
    pub adapt: Adapt,
    /// The most that the job may cost, with all calls and whoever takes it, in millionths of a US dollar; compared with the high estimate.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Usd>,
    /// Seconds until the job is given up; 300 by default.
    #[serde(
        default,
        deserialize_with = "whole_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1))]
    pub timeout_seconds: Option<u32>,
}

/// What decides who is tried first. Those with a key, and those that need not rest, come before others.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderBy {
    /// What this very job would cost.
    #[default]
    Price,
    /// How long it took lately; those of which nothing is known come last, but for a few tries.
    Latency,
    /// The order of `select`.
    Preference,
}

/// Providers by their ids, such as `together`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Providers {
    /// Only these; none is any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Not these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// What may be changed to make a request fit, by field; nothing unless it is named here.
///
/// Input images and masks are never changed away.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Adapt {
    /// `nearest`: the closest size or shape that the model makes.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub size: Option<AdaptSize>,
    /// `drop`: go without where the model takes none.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub seed: Option<AdaptDrop>,
    /// `drop`: go without where the model takes none.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<AdaptDrop>,
    /// `drop`: go without where the model takes none; `nearest`: into its range.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub steps: Option<AdaptNumber>,
    /// `drop`: go without where the model takes none; `nearest`: into its range.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub guidance: Option<AdaptNumber>,
    /// `drop`: take the file format that the model likes; `convert`: take it, and convert the picture
    /// afterwards, which loses the provider's marks in it.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub output_format: Option<AdaptFormat>,
    /// `fit`: scale input images down, or pack them tighter, where they are larger than the model takes.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub input_size: Option<AdaptFit>,
    /// `convert`: make input images JPEG or PNG where the model does not take their kind of file.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub input_format: Option<AdaptConvert>,
}

/// Take the closest that there is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the type says it")]
pub enum AdaptSize {
    Nearest,
}

/// Go without.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the type says it")]
pub enum AdaptDrop {
    Drop,
}

/// Go without, or take the closest that there is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the type says it")]
pub enum AdaptNumber {
    Drop,
    Nearest,
}

/// Go without, or convert what comes back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the type says it")]
pub enum AdaptFormat {
    Drop,
    Convert,
}

/// Make it as large as is taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the type says it")]
pub enum AdaptFit {
    Fit,
}

/// Make it of a kind that is taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the type says it")]
pub enum AdaptConvert {
    Convert,
}

/// What admission needs besides the request: what may be changed, and the day.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What may be changed to make the request fit.
    pub adapt: &'a Adapt,
    /// The day on which the request would be sent; offers retire.
    pub today: Date,
}

impl Job {
    /// Any model, nothing changed, no limit on the cost.
    pub fn new(request: ImageRequest) -> Self {
        Self { select: Vec::new(), request, policy: Policy::default() }
    }
}

impl Job {
    /// A keyed hash, 32 hex digits: jobs that ask for the same have equal ones, whatever may be spent
    /// and however long it may take.
    pub fn fingerprint(&self, secret: &[u8; 16]) -> String {
        let Self { select, request, policy } = self;
        let words = ImageRequest { images: Vec::new(), mask: None, ..request.clone() };
        let words = serde_json::to_string(&(select, words, &policy.adapt)).unwrap_or_default();
        let mut hasher = Fingerprint::new(secret);
        words.hash(&mut hasher);
        for image in request.images.iter().map(Some).chain([request.mask.as_ref()]) {
            if let Some(image) = image {
                image.hash_into(&mut hasher, secret);
            }
            // Where one ends and the next begins matters, too.
            hasher.write_u8(0xff);
        }
        hasher.shown()
    }
}

impl Policy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            order: OrderBy::default(),
            providers: Providers::default(),
            fallback: yes(),
            adapt: Adapt::NONE,
            max_cost: None,
            timeout_seconds: None,
        }
    }
}

impl OrderBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Providers {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this provider may take a job.
    pub fn allows(&self, provider: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|it| it == provider);
        (self.allow.is_empty() || listed(&self.allow)) && !listed(&self.deny)
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_yes(it: &bool) -> bool {
    *it
}

impl Adapt {
    /// Nothing may be changed: what a job begins with.
    pub const NONE: Self = Self {
        size: None,
        seed: None,
        negative_prompt: None,
        steps: None,
        guidance: None,
        output_format: None,
        input_size: None,
        input_format: None,
    };

    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Sets one field from `FIELD=METHOD`, such as `size=nearest`; the error lists what there is.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        match text {
            "size=nearest" => self.size = Some(AdaptSize::Nearest),
            "seed=drop" => self.seed = Some(AdaptDrop::Drop),
            "negative_prompt=drop" => self.negative_prompt = Some(AdaptDrop::Drop),
            "steps=drop" => self.steps = Some(AdaptNumber::Drop),
            "steps=nearest" => self.steps = Some(AdaptNumber::Nearest),
            "guidance=drop" => self.guidance = Some(AdaptNumber::Drop),
            "guidance=nearest" => self.guidance = Some(AdaptNumber::Nearest),
            "output_format=drop" => self.output_format = Some(AdaptFormat::Drop),
            "output_format=convert" => self.output_format = Some(AdaptFormat::Convert),
            "input_size=fit" => self.input_size = Some(AdaptFit::Fit),
            "input_format=convert" => self.input_format = Some(AdaptConvert::Convert),
            _ => {
                return Err(format!(
                    "`{text}` is no adaptation; there are size=nearest, seed=drop, \
                     negative_prompt=drop, steps=drop|nearest, guidance=drop|nearest, \
                     output_format=drop|convert, input_size=fit and input_format=convert (images \
                     and masks are never changed away)"
                ));
            }
        }
        Ok(())
    }
}
