//! Checks a JSON value against the part of JSON Schema that our wire types use.

use serde_json::Value;

use crate::Ratio;
use crate::wire::WireImage;

/// The only pattern in a wire schema: a ratio such as `16:9`.
pub(crate) const RATIO_PATTERN: &str = "^[1-9][0-9]{0,4}:[1-9][0-9]{0,4}$";

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
        ratio: bool,
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
            Some("string") => match schema["pattern"].as_str() {
                None => Self::Text { shortest: count("minLength").unwrap_or(0), ratio: false },
                Some(RATIO_PATTERN) => Self::Text { shortest: 0, ratio: true },
                Some(other) => Self::Strange(format!("pattern {other}")),
            },
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

    /// Pushes one line for each fault, beginning with the JSON Pointer of the value.
    pub(crate) fn check(&self, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let place = if at.is_empty() { "the body" } else { at };
        let mut fault = |what: String| wrong.push(format!("{place} {what}"));
        match self {
            Self::Boolean if value.is_boolean() => {}
            Self::Boolean => fault("must be true or false".to_owned()),
            Self::Integer { least, most, step } => match value.as_f64() {
                Some(number) if number.fract() == 0.0 && value.is_number() => {
                    if let Some(message) = beyond(number, *least, *most) {
                        fault(message);
                    }
                    if let Some(step) = step
                        && number % step != 0.0
                    {
                        fault(format!("must be a multiple of {step}, not {number}"));
                    }
                }
                _ => fault(format!("must be a whole number, not {}", shown(value))),
            },
            Self::Number { least, most } => match value.as_f64() {
                Some(number) => {
                    if let Some(message) = beyond(number, *least, *most) {
                        fault(message);
                    }
                }
                None => fault(format!("must be a number, not {}", shown(value))),
            },
            Self::Text { shortest, ratio } => match value.as_str() {
                Some(text) if (text.chars().count() as u64) < *shortest => {
                    fault("must not be empty".to_owned());
                }
                Some(text) if *ratio && text.parse::<Ratio>().is_err() => {
                    fault(format!("must be a ratio such as 16:9, not {}", shown(value)));
                }
                Some(_) => {}
                None if WireImage::token(value).is_some() => {}
                None => fault(format!("must be a text, not {}", shown(value))),
            },
            Self::OneOf(values) if values.iter().any(|it| same(it, value)) => {}
            Self::OneOf(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                fault(format!("must be {}, not {}", values.join(" or "), shown(value)));
            }
            Self::List { fewest, most, each } => match value.as_array() {
                Some(items) => {
                    let length = items.len() as u64;
                    if length < *fewest || most.is_some_and(|most| most < length) {
                        let most = most.map_or_else(|| "more".to_owned(), |it| it.to_string());
                        fault(format!("must have {fewest} to {most} entries, not {length}"));
                    }
                    for (index, item) in items.iter().enumerate() {
                        each.check(item, &format!("{at}/{index}"), wrong);
                    }
                }
                None => fault(format!("must be a list, not {}", shown(value))),
            },
            Self::Object { fields, required, closed } => match value.as_object() {
                Some(object) => {
                    for name in required {
                        if !object.contains_key(name) {
                            wrong.push(format!("{at}/{name} is missing"));
                        }
                    }
                    for (name, item) in object {
                        match fields.iter().find(|(it, _)| it == name) {
                            Some((_, shape)) => shape.check(item, &format!("{at}/{name}"), wrong),
                            None if *closed => wrong.push(format!("{at}/{name} does not exist")),
                            None => {}
                        }
                    }
                }
                None => fault(format!("must be an object, not {}", shown(value))),
            },
            Self::Either(arms) => {
                let faults = arms.iter().map(|it| {
                    let mut wrong = Vec::new();
                    it.check(value, at, &mut wrong);
                    wrong
                });
                let faults: Vec<Vec<String>> = faults.collect();
                if !faults.iter().any(Vec::is_empty) {
                    // The arm with the fewest faults is the one that was meant.
                    wrong.extend(faults.into_iter().min_by_key(Vec::len).unwrap_or_default());
                }
            }
            Self::Strange(what) => fault(format!("cannot be checked: {what}")),
        }
    }
}

/// JSON Schema knows one kind of number: `1024.0` is `1024`.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn beyond(number: f64, least: Option<f64>, most: Option<f64>) -> Option<String> {
    if least.is_none_or(|it| it <= number) && most.is_none_or(|it| number <= it) {
        return None;
    }
    Some(match (least, most) {
        (Some(least), Some(most)) => format!("must be {least} to {most}, not {number}"),
        (Some(least), None) => format!("must be at least {least}, not {number}"),
        (None, Some(most)) => format!("must be at most {most}, not {number}"),
        (None, None) => return None,
    })
}

/// A value in an error: its kind, and the value itself only where it is short and no text.
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
