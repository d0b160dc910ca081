//! The fields that OpenAI's API has and Together's has not.
//!
//! ref: openai/openai-openapi, `CreateImageRequest` and `CreateImageEditRequest`, 2026-11-22. What only
//! their own models take (`quality`, `background`, …) is an option, unless it says `auto`.

use std::borrow::Cow;

use repaint_core::{ImageInput, Size, whole_or_absent};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::dialect::Asked;

/// The fields that OpenAI's API has and Together's has not.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct OpenAi {
    /// The image to edit, or a list of them.
    image: Option<Images>,
    /// The images to edit, the most important first.
    images: Option<Images>,
    /// Which part of the first image to change, for models with masks.
    mask: Option<Given>,
    /// How large, or in what shape: `1024x768`, `16:9`, or `auto`.
    size: Option<Size>,
    /// `auto` leaves it to the model; anything else is an option.
    quality: Option<String>,
    /// `auto` leaves it to the model; anything else is an option.
    background: Option<String>,
    /// `auto` leaves it to the model; anything else is an option.
    moderation: Option<String>,
    /// Who asks, for the caller's own records. It is not sent to the provider.
    user: Option<String>,
    /// Pictures are not sent piece by piece: only `false` is taken.
    stream: Option<bool>,
    /// The same: only 0 is taken.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schemars(range(min = 0, max = 0))]
    partial_images: Option<u32>,
}

/// One image or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Images {
    One(Given),
    Several(Vec<Given>),
}

/// An image as OpenAI's JSON has it: an address, alone or in an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Given {
    Address(String),
    #[serde(rename_all = "snake_case")]
    Object {
        image_url: String,
    },
}

impl OpenAi {
    /// Adds what they say to what is asked for.
    pub(crate) fn tell(self, asked: &mut Asked) {
        let Self {
            image,
            images,
            mask,
            size,
            quality,
            background,
            moderation,
            user,
            stream,
            partial_images,
        } = self;
        for (name, given) in [("image", image), ("images", images)] {
            match given {
                Some(Images::One(one)) => asked.images(name, vec![one.told(format!("/{name}"))]),
                Some(Images::Several(list)) => {
                    let at = |(index, it): (usize, Given)| it.told(format!("/{name}/{index}"));
                    asked.images(name, list.into_iter().enumerate().map(at).collect());
                }
                None => {}
            }
        }
        if let Some(mask) = mask {
            asked.mask(mask.told("/mask".to_owned()));
        }
        // To leave it to the model is what happens anyway.
        if let Some(size) = size.filter(|it| *it != Size::Auto) {
            asked.size("size", size);
        }
        for (name, value) in
            [("quality", quality), ("background", background), ("moderation", moderation)]
        {
            if let Some(value) = value.filter(|it| it != "auto") {
                asked.option(name, Value::String(value));
            }
        }
        if user.is_some() {
            asked.warn("user", "`user` stays here: it is not sent to the provider");
        }
        if stream == Some(true) || partial_images.is_some_and(|it| it != 0) {
            asked.wrong(
                "/stream",
                "must be false: pictures are sent whole",
                "leave it out, and read the answer as one JSON object",
            );
        }
    }
}

impl Given {
    /// Where it stands, and the address.
    fn told(self, at: String) -> (String, String) {
        match self {
            Self::Address(address) => (at, address),
            Self::Object { image_url } => (format!("{at}/image_url"), image_url),
        }
    }
}

impl JsonSchema for Given {
    fn schema_name() -> Cow<'static, str> {
        "GivenImage".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let address = ImageInput::json_schema(generator);
        json_schema!({
            "description": "An image: an address, alone or in an object.",
            "oneOf": [
                address,
                {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["image_url"],
                    "properties": { "image_url": address }
                }
            ]
        })
    }
}

impl JsonSchema for Images {
    fn schema_name() -> Cow<'static, str> {
        "GivenImages".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Given>();
        json_schema!({
            "description": "One image or several.",
            "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }]
        })
    }
}
