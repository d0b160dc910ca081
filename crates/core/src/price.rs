//! What a request costs, as far as can be known before it is sent.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Capabilities, ImageRequest, List, Size};

/// Millionths of a US dollar; a whole number, so that sums are exact.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[schemars(inline)]
#[serde(transparent)]
pub struct Usd(#[serde(deserialize_with = "crate::whole")] pub u64);

/// How a provider charges for an offer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Price {
    /// Nothing.
    Free,
    /// The same for each picture.
    Each(Usd),
    /// By the size of each picture: the first row whose area is not exceeded.
    BySize(List<SizePrice>),
    /// By the megapixel of each picture (1,000,000 pixels). Where sources say both "a megapixel" and
    /// "a picture", the lower reading is the low estimate and the higher the high one.
    Megapixel {
        /// For one megapixel.
        each: Usd,
        /// More steps than these cost more, in proportion; fewer do not cost less.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u32>,
    },
    /// The first megapixel, then by the megapixel of pictures and input images.
    FirstMegapixel {
        /// For the first megapixel of a picture.
        first: Usd,
        /// For each further one.
        further: Usd,
        /// For each megapixel of input.
        input: Usd,
    },
}

/// One row of a price by size.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SizePrice {
    /// Up to this width times height.
    pub area: u64,
    /// For each picture.
    pub each: Usd,
}

/// What a request may cost; limits compare `high`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Estimate {
    /// At least this, in millionths of a US dollar.
    pub low: Usd,
    /// At most this, in millionths of a US dollar.
    pub high: Usd,
}

const MEGAPIXEL: u64 = 1_000_000;
/// The smallest picture that any provider says it makes of a request that names no size: 1024 by 768.
/// ref: the quickstart of FLUX.2, docs.together.ai, 2026-11-22
const USUAL: u64 = 1024 * 768;

impl Estimate {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: Usd, b: Usd| Usd(a.0.saturating_add(b.0));
        Self { low: sum(self.low, other.low), high: sum(self.high, other.high) }
    }

    /// So many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        let product = |it: Usd| Usd(it.0.saturating_mul(times.into()));
        Self { low: product(self.low), high: product(self.high) }
    }

    /// Why the cost is not what was estimated, as far as the provider's evidence shows it.
    pub fn difference(self, cost: Usd, evidence: &Map<String, Value>) -> Option<String> {
        if self.low == cost && self.high == cost {
            return None;
        }
        let shown: Vec<String> = evidence.iter().map(|(name, it)| format!("{name} {it}")).collect();
        let counted = match shown.as_slice() {
            [] => "the provider does not show how it counted".to_owned(),
            shown => format!("the provider counted {}", shown.join(", ")),
        };
        let place = match cost {
            cost if cost < self.low => "less than",
            cost if self.high < cost => "more than",
            _ => "within",
        };
        Some(format!("charged {cost}, {place} the estimate of {self}: {counted}"))
    }
}

impl Price {
    /// What this request may cost; what is unknown of it widens the range.
    pub fn estimate(&self, request: &ImageRequest, accepts: &Capabilities) -> Estimate {
        let area = || match request.size {
            Size::Pixels(size) => (size.area(), size.area()),
            Size::Auto | Size::Ratio(_) => match accepts.pixels.value.areas() {
                // Left to itself, a model makes a picture of its usual size or more.
                Some(areas) => (USUAL.min(areas.max).max(areas.min), areas.max),
                None => (MEGAPIXEL, MEGAPIXEL),
            },
        };
        let (low, high) = match self {
            Self::Free => (0, 0),
            Self::Each(Usd(each)) => (*each, *each),
            Self::BySize(rows) => {
                let at = |area: u64| {
                    let row = rows.iter().find(|it| area <= it.area).or(rows.last());
                    row.map_or(0, |it| it.each.0)
                };
                let (least, most) = area();
                (at(least), at(most))
            }
            Self::Megapixel { each: Usd(each), steps } => {
                let (least, most) = area();
                let slower = |cost: u64| match (steps, request.steps) {
                    (Some(usual), Some(asked)) if *usual < asked => {
                        cost.saturating_mul(u64::from(asked)).div_ceil(u64::from(*usual).max(1))
                    }
                    _ => cost,
                };
                let low = (least.saturating_mul(*each) / MEGAPIXEL).min(*each);
                let high = most.saturating_mul(*each).div_ceil(MEGAPIXEL).max(*each);
                (slower(low), slower(high))
            }
            Self::FirstMegapixel { first, further, input } => {
                let (least, most) = area();
                let of_input = |unknown: u64| -> u64 {
                    let pixels = request.images.iter().map(|it| {
                        it.facts().map_or(unknown, |it| it.dimensions.area().min(SCALED_TO))
                    });
                    pixels.sum()
                };
                let beyond = |area: u64| area.saturating_sub(MEGAPIXEL);
                let more = |area: u64, inputs: u64| {
                    let further = beyond(area).saturating_mul(further.0);
                    further.saturating_add(inputs.saturating_mul(input.0))
                };
                let low = more(least, of_input(0)) / MEGAPIXEL;
                let high = more(most, of_input(SCALED_TO)).div_ceil(MEGAPIXEL);
                (first.0.saturating_add(low), first.0.saturating_add(high))
            }
        };
        let count = u64::from(request.count);
        Estimate { low: Usd(low.saturating_mul(count)), high: Usd(high.saturating_mul(count)) }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::Each(each) => each.fmt(f),
            Self::BySize(rows) => {
                for (index, SizePrice { area, each }) in rows.iter().enumerate() {
                    let or = if index == 0 { "" } else { ", " };
                    if index + 1 == rows.len() {
                        write!(f, "{or}else {each}")?;
                    } else {
                        write!(f, "{or}{each} up to {} megapixels", *area as f64 / 1e6)?;
                    }
                }
                Ok(())
            }
            Self::Megapixel { each, steps: None } => write!(f, "{each} a megapixel"),
            Self::Megapixel { each, steps: Some(steps) } => {
                write!(f, "{each} a megapixel, more beyond {steps} steps")
            }
            Self::FirstMegapixel { first, further, input } if further == input => {
                write!(f, "{first}, and {further} a further or input megapixel")
            }
            Self::FirstMegapixel { first, further, input } => {
                write!(f, "{first}, and {further} a further, {input} an input megapixel")
            }
        }
    }
}

/// BFL scales larger input images down to 4 megapixels before it counts them.
/// ref: "FLUX.2 Image Editing", docs.bfl.ai, 2026-11-22
const SCALED_TO: u64 = 4 << 20;

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{rest:06}");
        let digits = digits.trim_end_matches('0');
        write!(f, "${whole}.{digits:0<2}")
    }
}

impl FromStr for Usd {
    type Err = String;

    /// Reads dollars: `1`, `0.04`, `$0.000001`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount in US dollars such as 0.05");
        let number = text.strip_prefix('$').unwrap_or(text);
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let plain = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(rest) || 6 < rest.len() {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let rest: u64 = format!("{rest:0<6}").parse().map_err(|_| wrong())?;
        let micro = whole.checked_mul(1_000_000).and_then(|it| it.checked_add(rest));
        micro.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (Usd(0), Usd(0)) => f.write_str("free"),
            (low, high) if low == high => low.fmt(f),
            (low, high) => write!(f, "{low} to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly() {
        for (text, micro) in [("1", 1_000_000), ("0.04", 40_000), ("$0.000001", 1)] {
            assert_eq!(text.parse(), Ok(Usd(micro)));
        }
        for text in ["", "-1", "NaN", "1e9", ".5", "0.0000001", "99999999999999999999"] {
            assert!(text.parse::<Usd>().is_err(), "{text}");
        }
    }

    #[test]
    fn dollars_are_shown_with_cents() {
        let shown = [40_000, 15_400, 1_000_000, 0].map(|it| Usd(it).to_string());
        assert_eq!(shown, ["$0.04", "$0.0154", "$1.00", "$0.00"]);
    }

    #[test]
    fn more_steps_than_usual_cost_more_and_fewer_do_not_cost_less() {
        let price = Price::Megapixel { each: Usd(30_000), steps: Some(28) };
        let cost = |steps| {
            let size = Size::Pixels(crate::Dimensions::new(1000, 1000));
            let request = ImageRequest { steps, size, ..ImageRequest::new("x") };
            price.estimate(&request, &Capabilities::NONE).high
        };
        assert_eq!(cost(Some(56)), Usd(60_000));
        assert_eq!(cost(Some(4)), Usd(30_000));
    }
}
