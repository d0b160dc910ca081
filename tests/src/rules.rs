//! The named rules of the catalogue, judged a second time: written from what `docs/schemas.md` and the catalogue's
//! schema say of them, on their JSON, without a line of the library.

use serde_json::Value;

/// Whether a body keeps a rule; a value of another type than the rule is about is the schema's affair.
pub fn keeps(rule: &Value, body: &Value) -> bool {
    let field = |name: &str| &body[rule[name].as_str().unwrap_or_default()];
    match rule["rule"].as_str().expect("a rule has a name") {
        "pixels" => match sides(field("width"), field("height")) {
            Sides::None => true,
            Sides::One => false,
            Sides::Both(width, height) => {
                let area = width * height;
                number(&rule["min_area"]) <= area && area <= number(&rule["max_area"])
            }
        },
        "listed_pixels" => match sides(field("width"), field("height")) {
            Sides::None => true,
            Sides::One => false,
            Sides::Both(width, height) => {
                let wanted = format!("{width}x{height}");
                rule["sizes"]
                    .as_array()
                    .expect("sizes")
                    .iter()
                    .any(|it| it == &Value::from(wanted.as_str()))
            }
        },
        "ratio" => {
            let Some(quotient) = field("field").as_str().and_then(quotient) else { return true };
            let bound = |name: &str| quotient_of(&rule[name]);
            // Cross-multiplied, so that nothing is rounded.
            let at_least = |(a, b): (u128, u128), (c, d): (u128, u128)| a * d >= c * b;
            at_least(quotient, bound("tallest")) && at_least(bound("flattest"), quotient)
        }
        "image" => {
            let fields = rule["fields"].as_array().expect("fields").iter();
            let values = fields.map(|it| &body[it.as_str().expect("a name")]);
            let mut texts = values.flat_map(|it| match it {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                Value::String(text) => vec![text.as_str()],
                _ => Vec::new(),
            });
            texts.all(|it| image(rule, it))
        }
        "texts" => {
            let mut all = Vec::new();
            body.as_object().expect("an object").values().for_each(|it| texts(it, &mut all));
            all.concat().len() as u128 <= number(&rule["max_bytes"])
        }
        other => panic!("nobody has written down here what the rule `{other}` says"),
    }
}

enum Sides {
    None,
    One,
    Both(u128, u128),
}

fn sides(width: &Value, height: &Value) -> Sides {
    match (width, height) {
        (Value::Null, Value::Null) => Sides::None,
        (Value::Null, _) | (_, Value::Null) => Sides::One,
        (width, height) => Sides::Both(number(width), number(height)),
    }
}

fn number(value: &Value) -> u128 {
    value.as_f64().expect("a number") as u128
}

fn quotient_of(value: &Value) -> (u128, u128) {
    value.as_str().and_then(quotient).expect("a ratio")
}

fn quotient(text: &str) -> Option<(u128, u128)> {
    let (width, height) = text.split_once(':')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

fn image(rule: &Value, text: &str) -> bool {
    for scheme in ["http://", "https://"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            let host = rest.chars().next().is_some_and(|it| !"/?#".contains(it));
            return rule["url"] == true && host && !rest.chars().any(|it| it <= '\u{20}');
        }
    }
    let kinds: Vec<&str> =
        rule["media_types"].as_array().expect("kinds").iter().filter_map(Value::as_str).collect();
    if kinds.is_empty() {
        return false;
    }
    let base64 = match rule["form"].as_str() {
        Some("base64") => Some(text),
        Some("data_uri") => {
            kinds.iter().find_map(|it| text.strip_prefix(&format!("data:{it};base64,")))
        }
        other => panic!("the form {other:?}"),
    };
    base64.and_then(weight).is_some_and(|it| it <= number(&rule["max_bytes"]))
}

/// How many bytes padded base64 stands for, digit by digit.
fn weight(base64: &str) -> Option<u128> {
    let digits = base64.trim_end_matches('=');
    let padding = base64.len() - digits.len();
    let known = |it: u8| it.is_ascii_alphanumeric() || it == b'+' || it == b'/';
    let whole = !base64.is_empty() && base64.len().is_multiple_of(4) && padding <= 2;
    (whole && digits.bytes().all(known)).then(|| digits.len() as u128 * 6 / 8)
}

fn texts<'a>(value: &'a Value, all: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => all.push(text),
        Value::Array(items) => items.iter().for_each(|it| texts(it, all)),
        Value::Object(fields) => fields.values().for_each(|it| texts(it, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
