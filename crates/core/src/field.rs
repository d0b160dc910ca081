//! What each field of an offer's body holds, read off the adapter's own translation: enough for a
//! program in any language to write the body of a request.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::shape::Shape;
use crate::wire::WireImage;
use crate::{Form, ImageInput, ImageRequest, Offer, Owner};

/// One field of an offer's body.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "BodyField")]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// For `image`: which input image, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// For images and masks: how bytes are written. An http(s) address is written as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// What stands there unless something else is asked for; absent: the field is left out then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A value of the request for which the field is left out, since it is what the provider does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omit: Option<Value>,
}

/// What a field of a body holds.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "BodyFieldHolds")]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// The provider's name for the model.
    Model,
    /// The prompt.
    Prompt,
    /// One input image.
    Image,
    /// The list of all input images.
    Images,
    /// The mask.
    Mask,
    /// The width of a size in pixels.
    Width,
    /// The height of a size in pixels.
    Height,
    /// A size that is a ratio.
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
    /// The option of this name.
    Option,
}

/// What a wire type makes of a request, as a body with tokens for images; nothing is sent.
pub(crate) type Sample = fn(&ImageRequest, &Offer) -> Value;

impl Field {
    /// Those of the wire's fields that the offer takes, in the order of the body.
    pub(crate) fn all(
        names: &[String],
        shape: &Shape,
        owned: &[(&str, Owner)],
        offer: &Offer,
        sample: Sample,
    ) -> Vec<Self> {
        let least = ImageRequest::new("prompt");
        let plain = sample(&least, offer);
        let whole = sample(&with_images(&least, offer), offer);
        let twice = sample(&ImageRequest { count: 2, ..least }, offer);
        let taken = names.iter().filter(|it| shape.field(it).is_some());
        let fields = taken.map(|name| {
            let owner = owned.iter().find(|(it, _)| it == name).map(|it| it.1);
            let in_plain = plain.get(name).cloned();
            let index = match owner {
                Some(Owner::Image(index)) => Some(index),
                _ => None,
            };
            let (value, omit) = match owner {
                Some(Owner::Model) => (Some(json!(offer.name)), None),
                Some(Owner::Count) if in_plain.is_none() && twice.get(name).is_some() => {
                    (None, Some(json!(1)))
                }
                Some(Owner::Prompt | Owner::Image(_) | Owner::Images | Owner::Mask) => (None, None),
                _ => (in_plain, None),
            };
            let form = whole.get(name).and_then(form);
            Self { name: name.clone(), holds: Holds::by(owner), index, form, value, omit }
        });
        fields.collect()
    }
}

impl Holds {
    fn by(owner: Option<Owner>) -> Self {
        match owner {
            Some(Owner::Model) => Self::Model,
            Some(Owner::Prompt) => Self::Prompt,
            Some(Owner::Image(_)) => Self::Image,
            Some(Owner::Images) => Self::Images,
            Some(Owner::Mask) => Self::Mask,
            Some(Owner::Width) => Self::Width,
            Some(Owner::Height) => Self::Height,
            Some(Owner::Ratio) => Self::Ratio,
            Some(Owner::Count) => Self::Count,
            Some(Owner::Seed) => Self::Seed,
            Some(Owner::NegativePrompt) => Self::NegativePrompt,
            Some(Owner::Steps) => Self::Steps,
            Some(Owner::Guidance) => Self::Guidance,
            Some(Owner::OutputFormat) => Self::OutputFormat,
            None => Self::Option,
        }
    }
}

/// More images than these need not be tried to see how they are written.
const ENOUGH: u32 = 64;

/// The request with as many images as the offer takes, and a mask if it takes one.
fn with_images(least: &ImageRequest, offer: &Offer) -> ImageRequest {
    let most = offer.accepts.images.value.max.min(ENOUGH);
    let image = || ImageInput::file("nothing reads it");
    let mask = (offer.accepts.mask.value && 0 < most).then(image);
    ImageRequest { images: (0..most).map(|_| image()).collect(), mask, ..least.clone() }
}

/// How the bytes of the images in a field are written.
fn form(value: &Value) -> Option<Form> {
    let first = value.as_array().and_then(|it| it.first()).unwrap_or(value);
    WireImage::token(first).map(|it| it.1)
}
