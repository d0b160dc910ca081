//! Checks a JSON value against the part of JSON Schema that our schemas use.

use serde_json::Value;

use crate::input::IMAGE_PATTERN;
use crate::size::{RATIO_PATTERN, SIZE_PATTERN};
use crate::violation::{Violation, below};
use crate::wire::WireImage;
use crate::{Ratio, RefusalCode, Size, between};

/// A compiled schema.
#[derive(Debug)]
pub(crate) enum Shape {
    Boolean,
    Integer {
        least: Option<f64>,
        most: Option<f64>,
        step: Option<f64>,
    },
    Number {
        least: Option<f64>,
        most: Option<f64>,
    },
    Text {
        shortest: u64,
        pattern: Option<Pattern>,
    },
    OneOf(Vec<Value>),
    List {
        fewest: u64,
        most: Option<u64>,
        each: Box<Self>,
    },
    Object {
        fields: Vec<(String, Self)>,
        required: Vec<String>,
        closed: bool,
    },
    Either(Vec<Self>),
    /// A keyword that this check does not know: nothing passes, so that a trial shows it.
    Strange(String),
}

/// Checks values that others wrote by a schema of ours, such as that of a type; what is wrong is told
/// with its place and its fix.
///
/// It knows the part of JSON Schema that our own schemas use; a keyword beyond that lets nothing pass.
#[derive(Debug)]
pub struct Checker(Shape);

impl Checker {
    /// For a schema with its definitions.
    pub fn new(schema: &Value) -> Self {
        Self(Shape::compile(schema, schema))
    }

    /// All that is wrong with a value; nothing if the schema takes it.
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        self.0.check(value, "", Writer::Others, &mut found);
        found
    }
}

/// The patterns that our schemas have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pattern {
    Image,
    Ratio,
    Size,
}

/// Who wrote a value: our own bodies have tokens in the place of images, which nobody else may write.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Writer {
    Us,
    Others,
}

impl Shape {
    pub(crate) fn compile(schema: &Value, root: &Value) -> Self {
        if let Some(target) = schema["$ref"].as_str() {
            return match target.strip_prefix("#/$defs/").map(|name| &root["$defs"][name]) {
                Some(Value::Null) | None => Self::Strange(format!("$ref {target}")),
                Some(definition) => Self::compile(definition, root),
            };
        }
        if let Some(arms) = schema["oneOf"].as_array() {
            return Self::Either(arms.iter().map(|it| Self::compile(it, root)).collect());
        }
        if !schema["const"].is_null() {
            return Self::OneOf(vec![schema["const"].clone()]);
        }
        if let Some(values) = schema["enum"].as_array() {
            return Self::OneOf(values.clone());
        }
        let number = |key: &str| schema[key].as_f64();
        let count = |key: &str| schema[key].as_u64();
        match schema["type"].as_str() {
            Some("boolean") => Self::Boolean,
            Some("integer") => Self::Integer {
                least: number("minimum"),
                most: number("maximum"),
                step: number("multipleOf"),
            },
            Some("number") => Self::Number { least: number("minimum"), most: number("maximum") },
            Some("string") => {
                let text =
                    |pattern| Self::Text { shortest: count("minLength").unwrap_or(0), pattern };
                match schema["pattern"].as_str() {
                    None => text(None),
                    Some(IMAGE_PATTERN) => text(Some(Pattern::Image)),
                    Some(RATIO_PATTERN) => text(Some(Pattern::Ratio)),
                    Some(SIZE_PATTERN) => text(Some(Pattern::Size)),
                    Some(other) => Self::Strange(format!("pattern {other}")),
                }
            }
            Some("array") => Self::List {
                fewest: count("minItems").unwrap_or(0),
                most: count("maxItems"),
                each: Box::new(Self::compile(&schema["items"], root)),
            },
            Some("object") => Self::Object {
                fields: match &schema["properties"] {
                    Value::Object(fields) => fields
                        .iter()
                        .map(|(name, it)| (name.clone(), Self::compile(it, root)))
                        .collect(),
                    _ => Vec::new(),
                },
                required: match &schema["required"] {
                    Value::Array(names) => {
                        names.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
                    }
                    _ => Vec::new(),
                },
                closed: schema["additionalProperties"] == Value::Bool(false),
            },
            other => Self::Strange(format!("type {other:?}")),
        }
    }

    /// The shape of one field of an object, in whichever arm has it.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object { fields, .. } => fields.iter().find(|(it, _)| it == name).map(|it| &it.1),
            Self::Either(arms) => arms.iter().find_map(|it| it.field(name)),
            _ => None,
        }
    }

    /// Pushes what is wrong with the value that stands at this pointer.
    pub(crate) fn check(
        &self,
        value: &Value,
        at: &str,
        writer: Writer,
        found: &mut Vec<Violation>,
    ) {
        let mut invalid = |what: &str| {
            let message = format!("must be {what}, not {}", shown(value));
            let violation = Violation::new(RefusalCode::Invalid, at, message).got(value);
            found.push(violation.fix(format!("give {what}")));
        };
        match self {
            Self::Boolean if value.is_boolean() => {}
            Self::Boolean => invalid("true or false"),
            Self::Integer { least, most, step } => match value.as_f64() {
                Some(number) if number.fract() == 0.0 => {
                    // The ends of the range that are multiples, so that each fix can be followed.
                    let step = step.unwrap_or(1.0);
                    let least = least.map(|it| (it / step).ceil() * step);
                    let most = most.map(|it| (it / step).floor() * step);
                    if let Some(violation) = beyond(value, at, least, most) {
                        found.push(violation);
                    } else if number % step != 0.0 {
                        let nearest = (number / step).round() * step;
                        let nearest = nearest.max(least.unwrap_or(nearest));
                        let nearest = nearest.min(most.unwrap_or(nearest));
                        let message = format!("must be a multiple of {step}, not {value}");
                        let violation = Violation::new(RefusalCode::OutOfRange, at, message);
                        found.push(violation.got(value).fix(format!("give {nearest}")));
                    }
                }
                _ => invalid("a whole number"),
            },
            Self::Number { least, most } => match value.as_f64() {
                Some(_) => found.extend(beyond(value, at, *least, *most)),
                None => invalid("a number"),
            },
            Self::Text { shortest, pattern } => match value.as_str() {
                Some(text) if is_shorter(text, *shortest) => {
                    let violation = Violation::new(RefusalCode::Empty, at, "must not be empty");
                    found.push(violation.fix("give a text, or leave the field out"));
                }
                Some(text) => match pattern {
                    Some(Pattern::Image) if !begins_as_image(text) => {
                        invalid("an http(s) address or a data URI of an image")
                    }
                    Some(Pattern::Ratio) if text.parse::<Ratio>().is_err() => {
                        invalid("a ratio such as 16:9")
                    }
                    Some(Pattern::Size) if text.parse::<Size>().is_err() => {
                        invalid("a size such as 1024x768, 16:9 or auto")
                    }
                    Some(Pattern::Image | Pattern::Ratio | Pattern::Size) | None => {}
                },
                None if writer == Writer::Us && WireImage::token(value).is_some() => {}
                None => invalid("a text"),
            },
            Self::OneOf(values) if values.iter().any(|it| same(it, value)) => {}
            Self::OneOf(values) => {
                let listed: Vec<String> = values.iter().map(ToString::to_string).collect();
                let message = format!("must be {}, not {}", listed.join(" or "), shown(value));
                let violation = Violation::new(RefusalCode::NotListed, at, message);
                let fix = format!("give {}", listed.join(" or "));
                found.push(violation.limit(values).got(value).fix(fix));
            }
            Self::List { fewest, most, each } => match value.as_array() {
                Some(items) => {
                    let length = items.len() as u64;
                    found.extend(too_many_or_few(length, at, *fewest, *most));
                    for (index, item) in items.iter().enumerate() {
                        each.check(item, &format!("{at}/{index}"), writer, found);
                    }
                }
                None => invalid("a list"),
            },
            Self::Object { fields, required, closed } => match value.as_object() {
                Some(object) => {
                    for name in required.iter().filter(|it| !object.contains_key(*it)) {
                        let violation =
                            Violation::new(RefusalCode::Empty, &below(at, name), "is missing");
                        found.push(violation.fix("give it"));
                    }
                    for (name, item) in object {
                        match fields.iter().find(|(it, _)| it == name) {
                            Some((_, shape)) => {
                                shape.check(item, &below(at, name), writer, found);
                            }
                            None if *closed => {
                                let at = below(at, name);
                                let near = fields
                                    .iter()
                                    .map(|it| it.0.as_str())
                                    .find(|it| 0.85 < strsim::jaro_winkler(it, name));
                                let fix = near.map_or("leave it out".to_owned(), |it| {
                                    format!("did you mean `{it}`?")
                                });
                                let message = "does not exist";
                                let violation = Violation::new(RefusalCode::Unknown, &at, message);
                                found.push(violation.fix(fix));
                            }
                            None => {}
                        }
                    }
                }
                None => invalid("an object"),
            },
            Self::Either(arms) => {
                let mut least: Option<((bool, bool, usize), Vec<Violation>)> = None;
                for arm in arms {
                    let mut wrong = Vec::new();
                    arm.check(value, at, writer, &mut wrong);
                    // The arm that was meant is of the right kind, and has the fewest faults.
                    let itself = wrong.iter().any(|it| it.pointer == at);
                    let faults = (!arm.is_kind_of(value), itself, wrong.len());
                    if least.as_ref().is_none_or(|it| faults < it.0) {
                        least = Some((faults, wrong));
                    }
                }
                found.extend(least.map(|it| it.1).unwrap_or_default());
            }
            Self::Strange(what) => {
                let message = format!("cannot be checked: {what}");
                found.push(Violation::new(RefusalCode::Invalid, at, message));
            }
        }
    }
}

impl Shape {
    /// Whether a value is of the kind that is wanted, whatever else is wrong with it.
    fn is_kind_of(&self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Integer { .. } | Self::Number { .. } => value.is_number(),
            Self::Text { .. } => value.is_string(),
            Self::List { .. } => value.is_array(),
            Self::Object { .. } => value.is_object(),
            Self::OneOf(values) => {
                values.iter().any(|it| std::mem::discriminant(it) == std::mem::discriminant(value))
            }
            Self::Either(arms) => arms.iter().any(|it| it.is_kind_of(value)),
            Self::Strange(_) => false,
        }
    }
}

/// Length in characters, looked at no further than needed: a text may be megabytes.
fn is_shorter(text: &str, shortest: u64) -> bool {
    (text.chars().take(usize::try_from(shortest).unwrap_or(usize::MAX)).count() as u64) < shortest
}

/// The same as [`IMAGE_PATTERN`].
fn begins_as_image(text: &str) -> bool {
    let address = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if let Some(rest) = address {
        return rest.chars().next().is_some_and(|it| !matches!(it, '/' | '?' | '#' | ' '));
    }
    let Some(rest) = text.strip_prefix("data:image/") else { return false };
    let Some(end) = rest.find([';', ',']).filter(|it| 0 < *it) else { return false };
    let base64 = rest[end..].strip_prefix(";base64,");
    base64.is_some_and(|it| it.chars().next().is_some_and(|it| it != '\n'))
}

/// JSON Schema knows one kind of number: `1024.0` is `1024`.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn beyond(value: &Value, at: &str, least: Option<f64>, most: Option<f64>) -> Option<Violation> {
    let number = value.as_f64()?;
    let (low, high) = (least.is_some_and(|it| number < it), most.is_some_and(|it| it < number));
    if !low && !high {
        return None;
    }
    let range = match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => return None,
    };
    let nearest = if low { least } else { most }?;
    let violation =
        Violation::new(RefusalCode::OutOfRange, at, format!("must be {range}, not {value}"));
    let violation = match (least, most) {
        (Some(least), Some(most)) => violation.limit(between(plain(least), plain(most))),
        _ => violation.limit(plain(nearest)),
    };
    Some(violation.got(value).fix(format!("give {nearest}")))
}

/// A limit as it is written in a schema: `50`, not `50.0`.
fn plain(number: f64) -> Value {
    let whole = number.fract() == 0.0 && number.abs() <= (1_u64 << 53) as f64;
    if whole { Value::from(number as i64) } else { Value::from(number) }
}

fn too_many_or_few(length: u64, at: &str, fewest: u64, most: Option<u64>) -> Option<Violation> {
    let (code, fix) = if length < fewest {
        (RefusalCode::TooFew, format!("add {}", fewest - length))
    } else {
        let most = most.filter(|it| *it < length)?;
        (RefusalCode::TooMany, format!("drop {}", length - most))
    };
    let most = most.map_or_else(|| "more".to_owned(), |it| it.to_string());
    let message = format!("must have {fewest} to {most} entries, not {length}");
    let limit = if code == RefusalCode::TooFew { fewest.to_string() } else { most };
    let violation = Violation::new(code, at, message).limit(limit.parse::<u64>().ok());
    Some(violation.got(&length.into()).fix(fix))
}

/// A value in a message: its kind, and the value itself only where it is short.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => it.to_string(),
        Value::String(it) if it.len() <= 40 => format!("{it:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_two_kinds_the_one_that_came_is_spoken_of() {
        let list = json!({ "type": "array", "minItems": 1, "items": { "type": "string" } });
        let checker = Checker::new(&json!({ "oneOf": [{ "type": "string" }, list] }));
        let message = |value: Value| {
            let found = checker.check(&value);
            found.first().map(|it| it.message.clone()).unwrap_or_default()
        };
        assert_eq!(message(json!("a")), "");
        assert_eq!(message(json!(["a"])), "");
        assert!(!message(json!([])).contains("text"), "{}", message(json!([])));
        assert_eq!(message(json!([1])), "must be a text, not 1");
        assert_eq!(message(json!(1)), "must be a text, not 1");
    }
}
