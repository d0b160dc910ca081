//! What JSON Schema cannot say of a body: named rules with their parameters, as data.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::violation::{Violation, below};
use crate::wire::WireImage;
use crate::{Dimensions, Form, List, MediaType, Ratio, RefusalCode};

/// What a body must keep besides its schema. A body is taken if its schema and all its rules take it.
///
/// Rules judge values whose schema is kept; another value is the schema's affair, so that a rule can be
/// written in any language without looking at types twice.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "BodyRule")]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Rule {
    /// `width` and `height` come together or not at all, and the one times the other is from
    /// `min_area` to `max_area`, both included.
    Pixels {
        /// The field of the pixels across.
        width: String,
        /// The field of the pixels down.
        height: String,
        /// The least product.
        min_area: u64,
        /// The greatest product.
        max_area: u64,
    },
    /// `width` and `height` come together or not at all, and are one of `sizes`.
    ListedPixels {
        /// The field of the pixels across.
        width: String,
        /// The field of the pixels down.
        height: String,
        /// Such as `1024x768`.
        sizes: List<Dimensions>,
    },
    /// The text of `field` is a ratio from `tallest` to `flattest`, both included, by the quotient of
    /// its two numbers: `10:20` is as tall as `1:2`.
    Ratio {
        /// The field of the ratio.
        field: String,
        /// The tallest.
        tallest: Ratio,
        /// The flattest.
        flattest: Ratio,
    },
    /// Each of `fields` that is there, or each entry of it, is an image. A text that begins with `http://`
    /// or `https://` is an address: only where `url` is true, and at least one character must follow, which is none of `/`, `?`
    /// and `#`, and no character may be U+0020 or below. Any other text is the bytes. In the form
    /// `data_uri` it is `data:`, one of `media_types`, `;base64,` and base64; in the form `base64` it is
    /// base64 alone. Base64 has the alphabet `A-Z a-z 0-9 + /` and is padded with `=` to a multiple of
    /// 4 characters, at least 4; it stands for at most `max_bytes` bytes. No `media_types`: no bytes.
    Image {
        /// The fields of images or of lists of images.
        fields: Vec<String>,
        /// Whether an address is taken.
        url: bool,
        /// How bytes are written.
        form: Form,
        /// Which kinds of picture are taken as bytes.
        media_types: List<MediaType>,
        /// The most bytes of one image, before base64.
        max_bytes: u64,
    },
    /// The texts of the body, at any depth, have at most `max_bytes` bytes of UTF-8 together; names of
    /// fields do not count.
    Texts {
        /// The most bytes.
        max_bytes: u64,
    },
}

impl Rule {
    /// Pushes what a body, which its schema takes, does against the rule.
    pub fn check(&self, body: &Map<String, Value>, found: &mut Vec<Violation>) {
        match self {
            Self::Pixels { width, height, min_area, max_area } => {
                let Some((across, down)) = pair(body, width, height, found) else { return };
                let area = u128::from(across) * u128::from(down);
                if area < u128::from(*min_area) || u128::from(*max_area) < area {
                    let message = format!(
                        "makes a picture of {area} pixels with `{height}`, beyond {min_area} to {max_area}"
                    );
                    let violation =
                        Violation::new(RefusalCode::OutOfRange, &below("", width), message);
                    let limit = crate::between(*min_area, *max_area);
                    let change = if area < u128::from(*min_area) { "enlarge" } else { "reduce" };
                    found.push(
                        violation.limit(limit).fix(format!("{change} `{width}` or `{height}`")),
                    );
                }
            }
            Self::ListedPixels { width, height, sizes } => {
                let Some((across, down)) = pair(body, width, height, found) else { return };
                let is =
                    |it: &Dimensions| (u64::from(it.width), u64::from(it.height)) == (across, down);
                if !sizes.iter().any(is) {
                    let message =
                        format!("with `{height}` is {across}x{down}, which is not listed");
                    let quotient = |w: u64, h: u64| w.max(1) as f64 / h.max(1) as f64;
                    let wanted = quotient(across, down);
                    let far = |it: &Dimensions| {
                        let shape = crate::size::distance(it.quotient(), wanted);
                        let area =
                            (it.area() as f64 / (across.max(1) as f64 * down.max(1) as f64)).ln();
                        shape * 4.0 + area.abs()
                    };
                    let nearest = sizes.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
                    let violation =
                        Violation::new(RefusalCode::NotListed, &below("", width), message);
                    let fix = nearest.map_or_else(
                        || "leave both out".to_owned(),
                        |it| format!("ask for {it}, which is listed"),
                    );
                    found.push(violation.limit(sizes).fix(fix));
                }
            }
            Self::Ratio { field, tallest, flattest } => {
                let Some(ratio) = body.get(field).and_then(Value::as_str) else { return };
                let Ok(ratio) = ratio.parse::<Ratio>() else { return };
                if tallest.compare(ratio).is_gt() || ratio.compare(*flattest).is_gt() {
                    let message = format!("must be from {tallest} to {flattest}, not {ratio}");
                    let nearest = if tallest.compare(ratio).is_gt() { tallest } else { flattest };
                    let violation =
                        Violation::new(RefusalCode::OutOfRange, &below("", field), message);
                    let limit = [tallest.to_string(), flattest.to_string()];
                    found.push(violation.limit(limit).fix(format!("ask for {nearest}")));
                }
            }
            Self::Image { fields, .. } => {
                for field in fields {
                    match body.get(field) {
                        Some(Value::Array(items)) => {
                            for (index, item) in items.iter().enumerate() {
                                let at = || format!("{}/{index}", below("", field));
                                found.extend(self.check_image(item, at));
                            }
                        }
                        Some(item) => found.extend(self.check_image(item, || below("", field))),
                        None => {}
                    }
                }
            }
            Self::Texts { max_bytes } => {
                let bytes: u64 = body.values().map(texts).sum();
                if *max_bytes < bytes {
                    let message =
                        format!("has texts of {bytes} bytes together, more than {max_bytes}");
                    let violation = Violation::new(RefusalCode::TooLarge, "", message);
                    let fix = "make the images smaller, or give addresses";
                    found.push(violation.limit(max_bytes).got(&bytes.into()).fix(fix));
                }
            }
        }
    }

    fn check_image(&self, image: &Value, at: impl Fn() -> String) -> Option<Violation> {
        let Self::Image { fields: _, url, form, media_types, max_bytes } = self else {
            return None;
        };
        let text = image.as_str()?;
        let says = |code, message: String| Some(Violation::new(code, &at(), message));
        let kinds = || media_types.iter().map(|it| it.name()).collect::<Vec<_>>();
        if let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) {
            if !url {
                return says(RefusalCode::Unsupported, "must not be an address".to_owned())
                    .map(|it| it.fix("download the image and inline it"));
            }
            let host = rest.chars().next().is_some_and(|it| !matches!(it, '/' | '?' | '#'));
            if !host || rest.bytes().any(|it| it <= b' ') {
                return says(
                    RefusalCode::Unreadable,
                    "is an address that cannot be read".to_owned(),
                )
                .map(|it| it.fix("give a host, and escape blanks as %20"));
            }
            return None;
        }
        let (prefix, ways) = match form {
            Form::DataUri => ("data:image/png;base64,", "a data URI"),
            Form::Base64 => ("", "base64"),
        };
        if media_types.is_empty() {
            return says(RefusalCode::Unsupported, "must be an http(s) address".to_owned())
                .map(|it| it.fix("put the image where it can be fetched"));
        }
        let unreadable = |what: &str| {
            let fix = match url {
                true => format!("give an http(s) address, or {ways}: `{prefix}…`"),
                false => format!("give {ways}: `{prefix}…`"),
            };
            says(RefusalCode::Unreadable, what.to_owned()).map(|it| it.fix(fix))
        };
        let base64 = match form {
            Form::Base64 if text.starts_with("data:") => {
                return unreadable("must be bare base64, without `data:…;base64,` before it");
            }
            Form::Base64 => text,
            Form::DataUri => {
                let Some((kind, base64)) =
                    text.strip_prefix("data:").and_then(|it| it.split_once(";base64,"))
                else {
                    return unreadable("is no image");
                };
                if !media_types.iter().any(|it| it.name() == kind) {
                    let kinds = kinds();
                    let message = format!("must be {}", kinds.join(" or "));
                    return says(RefusalCode::NotListed, message).map(|it| {
                        it.limit(&kinds).fix("convert the image, and name its kind after `data:`")
                    });
                }
                base64
            }
        };
        let Some(bytes) = decoded_length(base64.as_bytes()) else {
            return unreadable("is not padded base64");
        };
        if *max_bytes < bytes {
            let message = format!("has {bytes} bytes, more than {max_bytes} an image");
            return says(RefusalCode::TooLarge, message).map(|it| {
                it.limit(max_bytes)
                    .got(&bytes.into())
                    .fix("make the image smaller, or save it as JPEG")
            });
        }
        None
    }
}

/// Both numbers, if both are there and whole; one alone is pushed as a fault.
fn pair(
    body: &Map<String, Value>,
    width: &str,
    height: &str,
    found: &mut Vec<Violation>,
) -> Option<(u64, u64)> {
    let (missing, given) = match (body.get(width), body.get(height)) {
        (Some(width), Some(height)) => return whole(width).zip(whole(height)),
        (None, None) => return None,
        (Some(_), None) => (height, width),
        (None, Some(_)) => (width, height),
    };
    let message = format!("is missing beside `{given}`");
    let violation = Violation::new(RefusalCode::Empty, &below("", missing), message);
    found.push(violation.fix(format!("give `{width}` and `{height}`, or neither")));
    None
}

/// A whole number; `1024.0` is one.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_f64()?;
    let whole = 0.0 <= number && number.fract() == 0.0 && number <= (1_u64 << 53) as f64;
    whole.then_some(number as u64)
}

fn texts(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(texts).sum(),
        // A token of ours is weighed where the body is made.
        Value::Object(_) if WireImage::token(value).is_some() => 0,
        Value::Object(fields) => fields.values().map(texts).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// How many bytes padded base64 stands for; `None` if it is none. Bits that padding leaves over may be
/// anything: readers ignore them.
fn decoded_length(base64: &[u8]) -> Option<u64> {
    let length = base64.len();
    if length == 0 || !length.is_multiple_of(4) {
        return None;
    }
    let (head, tail) = base64.split_at(length - 4);
    let padding = tail.iter().rev().take_while(|it| **it == b'=').count();
    let digit = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
    let plain = padding <= 2 && tail[..4 - padding].iter().all(digit);
    let sound = plain && base64_simd::STANDARD_NO_PAD.check(head).is_ok();
    sound.then(|| (length / 4 * 3 - padding) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_weighed_without_decoding() {
        assert_eq!(decoded_length(b"QUJD"), Some(3));
        assert_eq!(decoded_length(b"QUI="), Some(2));
        assert_eq!(decoded_length(b"QUJDQQ=="), Some(4));
        // The last bits say nothing: a reader ignores them.
        assert_eq!(decoded_length(b"QUJDQR=="), Some(4));
        for wrong in ["", "QUJ", "Q===", "====", "QU=D", "QUI=QUJD", "QU D", "QUJ-", "QUJDQ"] {
            assert_eq!(decoded_length(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
