//! The fields that Together's API has and OpenAI's has not.
//!
//! ref: togethercomputer/openapi, `/images/generations`, 2026-04-28; docs.together.ai, "images/parameters"
//! and "quickstart-flux", 2026-11-22. Fields of one family alone (`prompt_upsampling`, `image_loras`,
//! `disable_safety_checker`) are options, which the model's own wire type decides about.

use repaint_core::{Dimensions, ImageInput, Ratio, Size, whole_or_absent};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::dialect::Asked;

/// The fields that Together's API has and OpenAI's has not.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Together {
    /// The image to edit; for several, `reference_images`. Whichever is given, the model gets it in the
    /// field that it takes.
    #[schemars(with = "Option<ImageInput>")]
    image_url: Option<String>,
    /// The images to edit or to follow, the most important first.
    #[schemars(with = "Option<Vec<ImageInput>>", length(min = 1))]
    reference_images: Option<Vec<String>>,
    /// The width of the picture, with `height`.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schemars(range(min = 1, max = 65535))]
    width: Option<u32>,
    /// The height of the picture, with `width`.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schemars(range(min = 1, max = 65535))]
    height: Option<u32>,
    /// The shape of the picture, instead of `width` and `height`, such as `16:9`.
    aspect_ratio: Option<Ratio>,
    /// How many denoising steps.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schemars(range(min = 1, max = 1000))]
    steps: Option<u32>,
    /// Equal seeds give like pictures, where the model can.
    #[serde(default, deserialize_with = "whole_or_absent")]
    seed: Option<u64>,
    /// What not to draw.
    #[schemars(length(min = 1))]
    negative_prompt: Option<String>,
    /// How closely to follow the prompt.
    guidance_scale: Option<f64>,
    /// The same as `guidance_scale`, which some of Together's pages call so.
    guidance: Option<f64>,
}

impl Together {
    /// Adds what they say to what is asked for.
    pub(crate) fn tell(self, asked: &mut Asked) {
        let Self {
            image_url,
            reference_images,
            width,
            height,
            aspect_ratio,
            steps,
            seed,
            negative_prompt,
            guidance_scale,
            guidance,
        } = self;
        if let Some(address) = image_url {
            asked.images("image_url", vec![("/image_url".to_owned(), address)]);
        }
        if let Some(list) = reference_images {
            let at = |(index, it)| (format!("/reference_images/{index}"), it);
            asked.images("reference_images", list.into_iter().enumerate().map(at).collect());
        }
        match (width, height) {
            (Some(width), Some(height)) => {
                asked.size("width", Size::Pixels(Dimensions::new(width, height)));
            }
            (Some(_), None) => asked.missing("height", "`width` is given without it"),
            (None, Some(_)) => asked.missing("width", "`height` is given without it"),
            (None, None) => {}
        }
        if let Some(ratio) = aspect_ratio {
            asked.size("aspect_ratio", Size::Ratio(ratio));
        }
        if let Some(scale) = guidance_scale {
            asked.guidance("guidance_scale", scale);
        }
        if let Some(scale) = guidance {
            asked.guidance("guidance", scale);
        }
        asked.request.steps = steps;
        asked.request.seed = seed;
        asked.request.negative_prompt = negative_prompt;
    }
}
