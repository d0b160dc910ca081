//! What an offer accepts, as data.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provenance::{UNDECLARED, assumed};
use crate::{Dimensions, Fact, List, MediaType, OutputFormat, Ratio, Text, Vocabulary};

/// What an offer accepts, as data.
///
/// One value answers the validator, the router, the JSON Schema, the documentation and the trials.
/// A field belongs here only if some request can be refused because of it. Write a row as changes
/// to [`NONE`](Self::NONE): what an adapter does not name is refused.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// How many input images: `0..=0` draws only, `1..=1` edits only, `0..=8` does both.
    pub images: Fact<Bounds<u32>>,
    /// How an input image may travel.
    pub transports: Fact<Transports>,
    /// Kinds of picture taken as input, where we send the bytes.
    pub media_types: Fact<List<MediaType>>,
    /// The most bytes of one input image, before base64.
    pub image_bytes: Fact<u64>,
    /// Width times height of one input image.
    pub image_pixels: Fact<Bounds<u64>>,
    /// The shortest side of one input image, in pixels.
    pub image_side: Fact<u32>,
    /// The most pixels of all input images and the picture together.
    pub pixel_budget: Fact<Option<PixelBudget>>,
    /// The most bytes of a whole body.
    pub body_bytes: Fact<u64>,
    /// Whether a mask is honoured.
    pub mask: Fact<bool>,
    /// What is understood of the prompt.
    pub instructions: Fact<Instructions>,
    /// Which shapes can be asked for.
    pub ratios: Fact<Ratios>,
    /// Which widths and heights can be asked for.
    pub pixels: Fact<Pixels>,
    /// How many pictures one call can return.
    pub count: Fact<Bounds<u32>>,
    /// Which seeds are honoured.
    pub seed: Fact<Option<Bounds<u64>>>,
    /// Whether a negative prompt is honoured.
    pub negative_prompt: Fact<bool>,
    /// How many steps can be asked for.
    pub steps: Fact<Option<Bounds<u32>>>,
    /// How much guidance can be asked for.
    pub guidance: Fact<Option<Bounds<f64>>>,
    /// Which file formats can be asked for.
    pub output_formats: Fact<List<OutputFormat>>,
    /// Which fields of the provider's body can be given as options.
    pub options: Fact<List<Text>>,
}

/// From `min` to `max`, both included.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(inline)]
#[serde(deny_unknown_fields)]
pub struct Bounds<T> {
    /// The least.
    pub min: T,
    /// The most.
    pub max: T,
}

/// How an input image may travel.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Transports {
    /// As an address that the provider fetches.
    pub url: bool,
    /// In the body: as a data URI, as base64, or to a model in this process.
    pub bytes: bool,
}

/// The most pixels of all input images and the picture together.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PixelBudget {
    /// Width times height, summed.
    pub total: u64,
    /// An input image counts at most so much, since the provider scales it down to that.
    pub input: u64,
}

/// Which shapes can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Ratios {
    /// None.
    None,
    /// These.
    Listed(List<Ratio>),
    /// Any from the tallest to the flattest, both included.
    Between {
        /// The tallest.
        tallest: Ratio,
        /// The flattest.
        flattest: Ratio,
    },
}

/// Which widths and heights can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Pixels {
    /// None.
    None,
    /// Any whose sides are in a range and multiples of a step, and whose area is in a range.
    Range {
        /// The range of each side.
        side: Bounds<u32>,
        /// Each side is a multiple of this.
        step: u32,
        /// The range of width times height.
        area: Bounds<u64>,
    },
    /// These.
    Listed(List<Dimensions>),
}

/// What is understood of the prompt.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Instructions {
    /// Any words.
    Any,
    /// These words only, in this order; each must be understood.
    Closed(Vocabulary),
}

/// Limits that no provider publishes start here.
pub const IMAGE_BYTES: u64 = 20_000_000;
/// See [`IMAGE_BYTES`].
pub const BODY_BYTES: u64 = 64_000_000;

impl Capabilities {
    /// Refuses everything but a prompt: what a row starts from.
    pub const NONE: Self = Self {
        images: assumed(between(0, 0), UNDECLARED),
        transports: assumed(Transports { url: false, bytes: false }, UNDECLARED),
        media_types: assumed(List::EMPTY, UNDECLARED),
        image_bytes: assumed(IMAGE_BYTES, UNDECLARED),
        image_pixels: assumed(between(1, u64::MAX >> 11), UNDECLARED),
        image_side: assumed(1, UNDECLARED),
        pixel_budget: assumed(None, UNDECLARED),
        body_bytes: assumed(BODY_BYTES, UNDECLARED),
        mask: assumed(false, UNDECLARED),
        instructions: assumed(Instructions::Any, UNDECLARED),
        ratios: assumed(Ratios::None, UNDECLARED),
        pixels: assumed(Pixels::None, UNDECLARED),
        count: assumed(between(1, 1), UNDECLARED),
        seed: assumed(None, UNDECLARED),
        negative_prompt: assumed(false, UNDECLARED),
        steps: assumed(None, UNDECLARED),
        guidance: assumed(None, UNDECLARED),
        output_formats: assumed(List::EMPTY, UNDECLARED),
        options: assumed(List::EMPTY, UNDECLARED),
    };
}

impl Capabilities {
    /// What is wrong with the facts themselves, whoever wrote them; facts from outside are not taken
    /// before they pass.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { images, image_pixels, pixels, count, seed, steps, guidance, .. } = self;
        let mut ordered = vec![
            ("images", images.value.min <= images.value.max),
            ("image_pixels", image_pixels.value.min <= image_pixels.value.max),
            ("count", 1 <= count.value.min && count.value.min <= count.value.max),
            ("seed", seed.value.is_none_or(|it| it.min <= it.max)),
            ("steps", steps.value.is_none_or(|it| it.min <= it.max)),
            ("guidance", guidance.value.is_none_or(|it| it.min <= it.max)),
        ];
        if let Pixels::Range { side, step, area } = &pixels.value {
            let sides = 1 <= side.min && side.min <= side.max && side.max <= LONGEST_SIDE;
            let reached = pixels.value.areas().is_some_and(|it| it.min <= it.max);
            ordered.push(("pixels", sides && 1 <= *step && area.min <= area.max && reached));
        }
        match ordered.iter().find(|(_, holds)| !holds) {
            Some((name, _)) => {
                Err(format!("the limits of `{name}` leave nothing that could be asked for"))
            }
            None => Ok(()),
        }
    }
}

/// No model makes sides beyond this; a greater one in a fact is a slip.
const LONGEST_SIDE: u32 = 65_536;

/// From `min` to `max`, both included.
pub const fn between<T>(min: T, max: T) -> Bounds<T> {
    Bounds { min, max }
}

impl<T: PartialOrd> Bounds<T> {
    /// Whether the value lies within; `NaN` lies in none.
    pub fn contains(&self, value: &T) -> bool {
        self.min <= *value && *value <= self.max
    }
}

impl Ratios {
    /// Whether this shape can be asked for, in these very terms.
    pub fn contains(&self, ratio: Ratio) -> bool {
        match self {
            Self::None => false,
            // It has no text, and so no place in a body.
            Self::Between { .. } if Ratio::MOST < ratio.width.max(ratio.height) => false,
            Self::Listed(ratios) => ratios.contains(&ratio),
            Self::Between { tallest, flattest } => {
                tallest.compare(ratio).is_le() && ratio.compare(*flattest).is_le()
            }
        }
    }
}

impl Pixels {
    /// Whether this width and height can be asked for.
    pub fn contains(&self, size: Dimensions) -> bool {
        match self {
            Self::None => false,
            Self::Listed(sizes) => sizes.contains(&size),
            Self::Range { side, step, area } => {
                [size.width, size.height].iter().all(|it| side.contains(it) && it % step == 0)
                    && area.contains(&size.area())
            }
        }
    }

    /// The greatest and the least area that can be asked for.
    pub fn areas(&self) -> Option<Bounds<u64>> {
        match self {
            Self::None => None,
            Self::Listed(sizes) => {
                let areas = || sizes.iter().map(|it| it.area());
                Some(between(areas().min()?, areas().max()?))
            }
            Self::Range { side, area, .. } => {
                let square = |side: u32| u64::from(side) * u64::from(side);
                Some(between(square(side.min).max(area.min), square(side.max).min(area.max)))
            }
        }
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            return write!(f, "{}", self.min);
        }
        write!(f, "{} to {}", self.min, self.max)
    }
}

impl fmt::Display for Ratios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no ratio"),
            Self::Listed(ratios) => list(f, ratios),
            Self::Between { tallest, flattest } => write!(f, "{tallest} to {flattest}"),
        }
    }
}

impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no pixels"),
            Self::Listed(sizes) if 6 < sizes.len() => {
                write!(f, "{} sizes such as ", sizes.len())?;
                list(f, &sizes[..3])
            }
            Self::Listed(sizes) => list(f, sizes),
            Self::Range { side, step, area } => {
                write!(f, "sides of {side} pixels")?;
                if 1 < *step {
                    write!(f, " in steps of {step}")?;
                }
                let square = |side: u32| u64::from(side) * u64::from(side);
                if area.max < square(side.max) {
                    write!(f, ", at most {:.1} megapixels", area.max as f64 / 1e6)?;
                }
                if square(side.min) < area.min {
                    write!(f, ", at least {:.1} megapixels", area.min as f64 / 1e6)?;
                }
                Ok(())
            }
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}
