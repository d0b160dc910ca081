//! What differs between the named rules of two editions, and whether a body that was taken no longer is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::changes::{Change, Kind};

/// Every difference of one offer's rules.
pub(crate) fn changes(offer: &str, old: &[Value], new: &[Value]) -> Vec<Change> {
    let mut all = Vec::new();
    let mut add = |kind, rule: &Value, what: String, breaks| {
        let (place, path) = (
            format!("{offer} rule {}", name(rule)),
            // An excuse is given for the file that the offer's bodies are checked with.
            format!("models/{offer}.request.schema.json"),
        );
        all.push(Change { kind, place, what, path, breaks });
    };
    for rule in new {
        match old.iter().find(|it| is_about_the_same(it, rule)) {
            None => {
                add(Kind::Added, rule, "a new rule: what it refuses was taken".to_owned(), true)
            }
            Some(before) => {
                for (field, value) in rule.as_object().into_iter().flatten() {
                    if before[field] != *value {
                        let takes = takes(field, &before[field], value);
                        let what = format!(
                            "`{field}` is {value}, was {}: {}",
                            before[field],
                            takes.words()
                        );
                        add(Kind::Changed, rule, what, takes == Takes::Less);
                    }
                }
            }
        }
    }
    for rule in old.iter().filter(|rule| !new.iter().any(|it| is_about_the_same(it, rule))) {
        add(Kind::Removed, rule, "no longer a rule: takes more".to_owned(), false);
    }
    all
}

/// What a changed parameter makes of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    Less,
    More,
}

impl Takes {
    fn words(self) -> &'static str {
        match self {
            Self::Less => "takes less",
            Self::More => "takes more",
        }
    }
}

/// A parameter that is not known here may take less.
fn takes(field: &str, old: &Value, new: &Value) -> Takes {
    let less = match field {
        "min_area" => old.as_u64() < new.as_u64(),
        "max_area" | "max_bytes" => new.as_u64() < old.as_u64(),
        "tallest" => quotient(old) < quotient(new),
        "flattest" => quotient(new) < quotient(old),
        "url" => new == false,
        "media_types" | "sizes" => !set(old).is_subset(&set(new)),
        // A field that a rule is about now is new in the schema, too, or the rule of another.
        "fields" => false,
        _ => true,
    };
    if less { Takes::Less } else { Takes::More }
}

fn is_about_the_same(one: &Value, other: &Value) -> bool {
    ["rule", "width", "height", "field"].iter().all(|it| one[*it] == other[*it])
        // Of two rules about images, the fields tell which is which.
        && (one["fields"].is_null() || !set(&one["fields"]).is_disjoint(&set(&other["fields"])))
}

fn name(rule: &Value) -> &str {
    rule["rule"].as_str().unwrap_or("without a name")
}

fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(Value::to_string).collect()
}

fn quotient(ratio: &Value) -> f64 {
    let (width, height) = ratio.as_str().and_then(|it| it.split_once(':')).unwrap_or(("0", "1"));
    let number = |it: &str| it.parse::<f64>().unwrap_or_default();
    number(width) / number(height).max(1.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether a change of one rule breaks anybody; `None` if there is no change.
    fn breaks(old: &Value, new: &Value) -> Option<bool> {
        let old = std::slice::from_ref(old);
        let found = changes("acme/a", old, std::slice::from_ref(new));
        found.first().map(|it| it.breaks)
    }

    #[test]
    fn a_rule_that_takes_less_breaks_and_one_that_takes_more_does_not() {
        let pixels = |min: u64, max: u64| json!({ "rule": "pixels", "width": "w", "height": "h", "min_area": min, "max_area": max });
        let sizes = |all: &[&str]| json!({ "rule": "listed_pixels", "width": "w", "height": "h", "sizes": all });
        let ratio = |tallest: &str, flattest: &str| json!({ "rule": "ratio", "field": "r", "tallest": tallest, "flattest": flattest });
        let image = |url: bool, kinds: &[&str], most: u64| {
            json!({ "rule": "image", "fields": ["a"], "url": url, "form": "data_uri",
                    "media_types": kinds, "max_bytes": most })
        };
        let texts = |most: u64| json!({ "rule": "texts", "max_bytes": most });
        for (wide, narrow) in [
            (pixels(1, 100), pixels(2, 100)),
            (pixels(1, 100), pixels(1, 99)),
            (sizes(&["1x1", "2x2"]), sizes(&["1x1"])),
            (ratio("1:4", "4:1"), ratio("1:3", "4:1")),
            (ratio("1:4", "4:1"), ratio("1:4", "3:1")),
            (image(true, &["image/png"], 9), image(false, &["image/png"], 9)),
            (image(true, &["image/png", "image/webp"], 9), image(true, &["image/png"], 9)),
            (image(true, &["image/png"], 9), image(true, &["image/png"], 8)),
            (texts(9), texts(8)),
        ] {
            assert_eq!(breaks(&wide, &narrow), Some(true), "{wide} {narrow}");
            assert_eq!(breaks(&narrow, &wide), Some(false), "{narrow} {wide}");
            assert_eq!(breaks(&wide, &wide), None);
        }
    }

    #[test]
    fn a_new_rule_breaks_and_one_that_is_gone_does_not() {
        let texts = [json!({ "rule": "texts", "max_bytes": 9 })];
        let new = changes("acme/a", &[], &texts);
        assert!(new[0].breaks && new[0].path == "models/acme/a.request.schema.json", "{new:?}");
        assert!(!changes("acme/a", &texts, &[])[0].breaks);
    }
}
