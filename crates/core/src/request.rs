//! What a caller wants, whichever model makes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::{non_null, whole, whole_or_absent};
use crate::{ImageInput, MediaType, Size};

/// What a caller wants, whichever model makes it.
///
/// ```
/// use repaint_core::{ImageInput, ImageRequest};
///
/// let request = ImageRequest {
///     images: vec![ImageInput::url("https://example.com/cat.jpg")?],
///     size: "16:9".parse()?,
///     ..ImageRequest::new("Transform this into a watercolor painting")
/// };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Deliberately without `#[non_exhaustive]`: encoders in this workspace destructure it without
/// `..`, so a new field does not compile until every adapter has said what it does with it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// What to draw, or how to change the input images; models that number images count from 1.
    #[schemars(length(min = 1))]
    pub prompt: String,
    /// Images to edit or to follow, the most important first; none draws from the prompt alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageInput>,
    /// Which part of the first image to change, for models with masks.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub mask: Option<ImageInput>,
    /// How large, or in what shape: `1024x768`, `16:9`, or `auto`, the default.
    #[serde(default, skip_serializing_if = "is_auto")]
    pub size: Size,
    /// How many pictures; 1 by default.
    #[serde(default = "one", deserialize_with = "whole", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1))]
    pub count: u32,
    /// Equal seeds give like pictures, where the model can.
    #[serde(
        default,
        deserialize_with = "whole_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    pub seed: Option<u64>,
    /// What not to draw, for models that take it apart from the prompt.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub negative_prompt: Option<String>,
    /// How many denoising steps; more is slower, may be finer, and may cost more.
    #[serde(
        default,
        deserialize_with = "whole_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1))]
    pub steps: Option<u32>,
    /// How closely to follow the prompt; the scale is the model's own.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub guidance: Option<f64>,
    /// The file format of the pictures; the model's own choice if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub output_format: Option<OutputFormat>,
    /// Fields of one provider's own body that no field above covers, by the provider's name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// A file format that can be asked for.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each value says it")]
pub enum OutputFormat {
    Png,
    Jpeg,
    Webp,
}

impl ImageRequest {
    /// One picture of `prompt`, everything else left to the model.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            images: Vec::new(),
            mask: None,
            size: Size::Auto,
            count: one(),
            seed: None,
            negative_prompt: None,
            steps: None,
            guidance: None,
            output_format: None,
            options: Map::new(),
        }
    }

    /// Every input image, the mask last.
    pub fn inputs(&self) -> impl Iterator<Item = &ImageInput> {
        self.images.iter().chain(&self.mask)
    }
}

impl OutputFormat {
    /// The kind of file that it is.
    pub const fn media_type(self) -> MediaType {
        match self {
            Self::Png => MediaType::Png,
            Self::Jpeg => MediaType::Jpeg,
            Self::Webp => MediaType::Webp,
        }
    }

    /// Such as `png`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

fn is_auto(size: &Size) -> bool {
    *size == Size::Auto
}
