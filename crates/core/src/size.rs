//! How large a picture is to be: by shape, by pixels, or as the model likes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How large a picture is to be; written `1024x768`, `16:9` or `auto`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub enum Size {
    /// The model decides; an edit usually keeps the size of its first input image.
    #[default]
    Auto,
    /// This shape, in as many pixels as the model likes.
    Ratio(Ratio),
    /// This many pixels.
    Pixels(Dimensions),
}

/// Width to height, such as `16:9`; each from 1 to 9999.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Ratio {
    /// The share of the width.
    pub width: u16,
    /// The share of the height.
    pub height: u16,
}

/// Pixels across and down, such as `1024x768`; each from 1 to 99999.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Dimensions {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Ratio {
    /// The greatest share that can be written.
    pub const MOST: u16 = 9999;

    /// A ratio in a table; a 0 does not compile.
    pub const fn new(width: u16, height: u16) -> Self {
        assert!(width != 0 && height != 0, "a side is 0");
        Self { width, height }
    }

    /// Compares shapes: flatter is greater, `4:2` equals `2:1`.
    pub fn compare(self, other: Self) -> Ordering {
        let product = |a: u16, b: u16| u32::from(a) * u32::from(b);
        product(self.width, other.height).cmp(&product(other.width, self.height))
    }

    /// Width divided by height.
    pub fn quotient(self) -> f64 {
        f64::from(self.width) / f64::from(self.height)
    }
}

impl Dimensions {
    /// Dimensions in a table; a 0 does not compile.
    pub const fn new(width: u32, height: u32) -> Self {
        assert!(width != 0 && height != 0, "a side is 0");
        Self { width, height }
    }

    /// Width times height.
    pub const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The shape in lowest terms, if its terms are small enough to be one (`1920x1080` is `16:9`).
    pub fn ratio(self) -> Option<Ratio> {
        let divisor = gcd(self.width, self.height);
        let width = u16::try_from(self.width / divisor).ok()?;
        let height = u16::try_from(self.height / divisor).ok()?;
        Some(Ratio { width, height })
    }

    /// Whether the shape is exactly this one.
    pub fn is(self, ratio: Ratio) -> bool {
        u64::from(self.width) * u64::from(ratio.height)
            == u64::from(self.height) * u64::from(ratio.width)
    }

    /// Width divided by height.
    pub fn quotient(self) -> f64 {
        f64::from(self.width) / f64::from(self.height)
    }
}

/// How far two shapes are apart: 0 when equal, the same for flatter and taller.
pub(crate) fn distance(a: f64, b: f64) -> f64 {
    (a.ln() - b.ln()).abs()
}

pub(crate) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Ratio(ratio) => ratio.fmt(f),
            Self::Pixels(dimensions) => dimensions.fmt(f),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if text.contains(':') {
            return text.parse().map(Self::Ratio);
        }
        text.parse().map(Self::Pixels)
    }
}

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = sides(text, ':', 4)
            .ok_or_else(|| format!("`{text}` is not a ratio of width to height such as 16:9"))?;
        Ok(Self { width, height })
    }
}

impl FromStr for Dimensions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = sides(text, 'x', 5)
            .ok_or_else(|| format!("`{text}` is not a width and height such as 1024x768"))?;
        Ok(Self { width, height })
    }
}

/// Two whole numbers from 1 up, without sign, blank or leading zero, of so many digits at most.
fn sides<T: FromStr>(text: &str, separator: char, digits: usize) -> Option<(T, T)> {
    let (width, height) = text.split_once(separator)?;
    let side = |text: &str| {
        let plain = text.bytes().all(|it| it.is_ascii_digit()) && !text.starts_with('0');
        if plain && text.len() <= digits { text.parse().ok() } else { None }
    };
    Some((side(width)?, side(height)?))
}

/// Every [`Size`], and nothing else.
pub(crate) const SIZE_PATTERN: &str =
    "^(auto|[1-9][0-9]{0,3}:[1-9][0-9]{0,3}|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$";
/// Every [`Ratio`], and nothing else.
pub(crate) const RATIO_PATTERN: &str = "^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$";

/// What [`Size`], [`Ratio`] and [`Dimensions`] have alike: they are strings in JSON.
macro_rules! as_text {
    ($($name:ident, $pattern:expr;)*) => {$(
        impl TryFrom<Cow<'_, str>> for $name {
            type Error = String;

            fn try_from(text: Cow<'_, str>) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(it: $name) -> Self {
                it.to_string()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

as_text! {
    Size, SIZE_PATTERN;
    Ratio, RATIO_PATTERN;
    Dimensions, "^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_alike() {
        for text in ["auto", "16:9", "1024x768"] {
            assert_eq!(text.parse::<Size>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn nonsense_is_named() {
        for text in [
            "",
            "x",
            "0x1",
            "1x0",
            "01x1",
            "-1x1",
            "1024",
            "16:",
            "NaN:1",
            "1e3x1",
            "99999999999x1",
            "100000x1",
            "10000:1",
        ] {
            let message = text.parse::<Size>().expect_err(text);
            assert!(message.contains(&format!("`{text}`")), "{message}");
        }
    }

    #[test]
    fn well_known_pixels_have_their_ratio() {
        let ratio = |width, height| Dimensions::new(width, height).ratio().map(|it| it.to_string());
        assert_eq!(ratio(1024, 768).as_deref(), Some("4:3"));
        assert_eq!(ratio(1920, 1080).as_deref(), Some("16:9"));
        assert_eq!(ratio(1080, 1920).as_deref(), Some("9:16"));
    }
}
