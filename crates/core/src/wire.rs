//! The body of a request, exactly as one provider parses it for one family.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{ImageInput, ImageRequest, Offer};

/// The body of a request, exactly as one provider parses it for one family.
///
/// The implementing struct is the single source of truth: serde writes it, `#[schemars]` bounds
/// check it and stand in the JSON Schema, its doc comments are the published documentation, for the
/// provider's user. List only what the provider documents for this family: it is the superset of
/// the family there, and the offer's capabilities narrow it. Never share it between families.
///
/// Write `#[serde(deny_unknown_fields)]`, make every optional field an `Option` that is skipped
/// when `None`, and hold input images as [`WireImage`].
pub trait Wire: DeserializeOwned + JsonSchema + Serialize {
    /// Which fields a neutral field of the request fills. All others can only be options.
    const OWNED: &'static [(&'static str, Owner)];

    /// Translates a request that the offer has admitted. Destructure it without `..`, so that a new
    /// field does not compile until it is decided here.
    fn from_request(request: &ImageRequest, offer: &Offer) -> Self;
}

/// The part of a request that fills a wire field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// The provider's name for the model.
    Model,
    /// The prompt.
    Prompt,
    /// The input image of this index, from 0.
    Image(u32),
    /// The list of all input images.
    Images,
    /// The mask.
    Mask,
    /// The width of the size.
    Width,
    /// The height of the size.
    Height,
    /// The size as a ratio.
    Ratio,
    /// The count.
    Count,
    /// The seed.
    Seed,
    /// The negative prompt.
    NegativePrompt,
    /// The steps.
    Steps,
    /// The guidance.
    Guidance,
    /// The output format.
    OutputFormat,
}

impl Owner {
    /// The field of a request or a job, as a caller knows it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Model => "select",
            Self::Prompt => "prompt",
            Self::Image(_) | Self::Images => "images",
            Self::Mask => "mask",
            Self::Width | Self::Height | Self::Ratio => "size",
            Self::Count => "count",
            Self::Seed => "seed",
            Self::NegativePrompt => "negative_prompt",
            Self::Steps => "steps",
            Self::Guidance => "guidance",
            Self::OutputFormat => "output_format",
        }
    }
}

/// An input image in a wire struct: a token that the body replaces as it streams out.
///
/// It is no string until then, so no text of a caller can be taken for one.
#[derive(Clone, Debug, PartialEq)]
pub struct WireImage(Token);

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// The input image of this index (the mask comes after the last), written in this form.
    Input(usize, Form),
    /// What a finished body holds.
    Text(String),
}

/// How the bytes of an input image are written; an address is written as it is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "ImageForm")]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `data:image/png;base64,…`
    DataUri,
    /// `…`
    Base64,
}

impl WireImage {
    /// All input images of a request, in order.
    pub fn all(images: &[ImageInput], form: Form) -> impl Iterator<Item = Self> {
        (0..images.len()).map(move |index| Self(Token::Input(index, form)))
    }

    /// The mask of a request.
    pub fn mask(request: &ImageRequest, form: Form) -> Option<Self> {
        let index = request.images.len();
        request.mask.as_ref().map(|_| Self(Token::Input(index, form)))
    }

    /// The input image that a serialised token stands for.
    pub(crate) fn token(value: &Value) -> Option<(usize, Form)> {
        let fields = value.as_object().filter(|it| it.len() == 1)?;
        let token = fields.get(TOKEN)?.as_u64()?;
        let form = if token % 2 == 0 { Form::DataUri } else { Form::Base64 };
        usize::try_from(token / 2).ok().map(|index| (index, form))
    }

    /// Whether what a caller gave has a token of ours in it, at any depth.
    pub(crate) fn is_within(value: &Value) -> bool {
        Self::token(value).is_some()
            || match value {
                Value::Array(items) => items.iter().any(Self::is_within),
                Value::Object(fields) => fields.values().any(Self::is_within),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            }
    }
}

/// Options are searched for it before they are taken, so in a body this key can only be ours.
const TOKEN: &str = "\u{0}image";

impl Serialize for WireImage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Token::Input(index, form) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(TOKEN, &(index * 2 + usize::from(*form == Form::Base64)))?;
                map.end()
            }
            Token::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for WireImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|it| Self(Token::Text(it)))
    }
}

impl JsonSchema for WireImage {
    fn schema_name() -> Cow<'static, str> {
        "WireImage".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// No `format`: validators choke on a `uri` of megabytes.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, IMAGE_MARK: true })
    }
}

/// What tells the field of an image from one of text, until an offer's schema is narrowed.
pub(crate) const IMAGE_MARK: &str = "x-image";

/// The JSON Schema of the whole wire type, before an offer narrows it.
pub(crate) fn schema<W: Wire>() -> Schema {
    let settings = SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<W>();
    crate::house::tidy(&mut schema);
    schema
}

/// Reads an optional field: absent or a value, never `null`.
pub fn non_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a whole number as our schemas have it: `1024.0` is one, and none is beyond 2⁵³ − 1, since
/// JavaScript rounds it.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let exact = |it: &f64| it.fract() == 0.0 && (0.0..(1_u64 << 53) as f64).contains(it);
    let whole = number.as_f64().filter(exact).map(|it| it as u64);
    whole.and_then(|it| T::try_from(it).ok()).ok_or_else(|| {
        D::Error::custom(format!("{number} is no whole number, or beyond what can be asked for"))
    })
}

/// Reads an optional whole number: absent or a value, never `null`; see [`whole`].
pub fn whole_or_absent<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    whole(deserializer).map(Some)
}
