//! What differs between two editions of the set, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::edition::Edition;
use crate::rules;

/// One difference between two editions.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Change {
    /// Of which kind.
    pub kind: Kind,
    /// What is different: a file, an offer, a type, or a field such as `Policy.max_cost`.
    pub place: String,
    /// How, in words that follow the place.
    pub what: String,
    /// The file it is in, from `schemas/`.
    pub path: String,
    /// A name that programs were generated from is gone, or means another thing, which breaks them even
    /// where all values stay right; or a named rule takes less than it did.
    pub breaks: bool,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// There is more.
    Added,
    /// It is another.
    Changed,
    /// It is gone.
    Removed,
    /// It is told in other words.
    Reworded,
}

/// Every difference, sorted by kind, then by place.
pub fn changes(old: &Edition, new: &Edition) -> Vec<Change> {
    let mut all = Vec::new();
    let moved = old.version.major != new.version.major;
    let (before_all, after_all) = (old.judged(), new.judged());
    for (path, before) in &before_all {
        let mut found = Found { path, changes: &mut all };
        match after_all.get(path) {
            None if path.starts_with("openapi.json ") => {
                found.add(Kind::Removed, path, "it is gone".to_owned());
            }
            None => found.add(Kind::Removed, path, "the file is gone".to_owned()),
            Some(after) => found.schema(title(before), before, after),
        }
    }
    // Another major version has other ids, of every file.
    all.retain(|it| !(moved && it.what.starts_with("`$id` ")));
    for path in after_all.keys().filter(|it| !before_all.contains_key(*it)) {
        let what = if path.starts_with("openapi.json ") { "new" } else { "a new file" };
        Found { path, changes: &mut all }.add(Kind::Added, path, what.to_owned());
    }
    let mut offers = Found { path: "catalog.json", changes: &mut all };
    for offer in new.offers.iter().filter(|it| !old.offers.contains(it)) {
        offers.add(Kind::Added, offer, "a new offer".to_owned());
    }
    for offer in old.offers.iter().filter(|it| !new.offers.contains(it)) {
        offers.add(Kind::Removed, offer, "the offer is gone".to_owned());
    }
    for (offer, before) in &old.rules {
        if let Some(after) = new.rules.get(offer) {
            all.extend(rules::changes(offer, before, after));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// The differences of one file.
struct Found<'a> {
    path: &'a str,
    changes: &'a mut Vec<Change>,
}

/// Keywords that bound a value, and how they are read.
const LIMITS: &[(&str, &str, &str)] = &[
    ("minimum", "at least ", ""),
    ("exclusiveMinimum", "more than ", ""),
    ("maximum", "at most ", ""),
    ("exclusiveMaximum", "less than ", ""),
    ("multipleOf", "a multiple of ", ""),
    ("minLength", "at least ", " characters"),
    ("maxLength", "at most ", " characters"),
    ("minItems", "at least ", " items"),
    ("maxItems", "at most ", " items"),
    ("minProperties", "at least ", " fields"),
    ("maxProperties", "at most ", " fields"),
];

impl Found<'_> {
    fn add(&mut self, kind: Kind, place: &str, what: String) {
        self.push(kind, place, what, kind == Kind::Removed);
    }

    fn push(&mut self, kind: Kind, place: &str, what: String, breaks: bool) {
        let (place, path) = (place.to_owned(), self.path.to_owned());
        self.changes.push(Change { kind, place, what, path, breaks });
    }

    /// Compares keyword by keyword, so that one which has no words here is still told.
    fn schema(&mut self, place: &str, old: &Value, new: &Value) {
        let (Value::Object(before), Value::Object(after)) = (old, new) else {
            if old != new {
                self.keyword(place, "schema", Some(old), Some(new));
            }
            return;
        };
        let keywords: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for keyword in keywords {
            let (old, new) = (before.get(keyword), after.get(keyword));
            if old != new {
                self.keyword(place, keyword, old, new);
            }
        }
    }

    fn keyword(&mut self, place: &str, keyword: &str, old: Option<&Value>, new: Option<&Value>) {
        let limit = LIMITS.iter().find(|it| it.0 == keyword);
        match (keyword, old, new) {
            ("description" | "examples" | "$comment" | "$schema", ..) => {
                let what =
                    if keyword == "description" { "in other words" } else { "other examples" };
                self.add(Kind::Reworded, place, what.to_owned());
            }
            ("properties", ..) => {
                self.fields(fields(old), fields(new), "field", |it| format!("{place}.{it}"));
            }
            ("$defs", ..) => self.fields(fields(old), fields(new), "type", str::to_owned),
            ("required", ..) => {
                let (old, new) = (values(old), values(new));
                for name in new.difference(&old) {
                    self.add(Kind::Changed, &format!("{place}.{name}"), "required now".to_owned());
                }
                for name in old.difference(&new) {
                    self.add(Kind::Changed, &format!("{place}.{name}"), "optional now".to_owned());
                }
            }
            ("enum", Some(_), Some(_)) => {
                let (old, new) = (values(old), values(new));
                for value in new.difference(&old) {
                    let what = format!("`{value}` is one of its values now");
                    self.add(Kind::Changed, place, what);
                }
                for value in old.difference(&new) {
                    let what = format!("`{value}` is none of its values now");
                    self.add(Kind::Changed, place, what);
                }
            }
            ("items", Some(old), Some(new)) => self.schema(&format!("{place}[]"), old, new),
            ("additionalProperties", Some(old), Some(new))
                if old.is_object() && new.is_object() =>
            {
                self.schema(&format!("{place}.*"), old, new);
            }
            ("additionalProperties", ..) => {
                let closed = new == Some(&Value::Bool(false));
                let what =
                    if closed { "takes only named fields now" } else { "takes other fields now" };
                self.add(Kind::Changed, place, what.to_owned());
            }
            ("oneOf" | "anyOf", Some(Value::Array(old)), Some(Value::Array(new))) => {
                self.arms(place, old, new);
            }
            _ if limit.is_some_and(|_| old.or(new).is_some_and(Value::is_number)) => {
                let (_, before, after) = limit.copied().unwrap_or_default();
                let said = |value: &Value| format!("{before}{value}{after}");
                let what = match (old, new) {
                    (Some(old), Some(new)) => format!("{}, was {old}", said(new)),
                    (None, Some(new)) => format!("{}, was without this limit", said(new)),
                    (Some(old), None) => format!("no longer {}", said(old)),
                    (None, None) => return,
                };
                self.add(Kind::Changed, place, what);
            }
            // Generators name types after these, and validators check a format or refuse to.
            ("title" | "$id" | "$ref", Some(old), Some(new)) => {
                let what = format!("`{keyword}` is {} now, was {}", short(new), short(old));
                self.push(Kind::Changed, place, what, true);
            }
            ("title" | "$id", Some(old), None) => {
                let what = format!("`{keyword}` was {}, is gone", short(old));
                self.push(Kind::Changed, place, what, true);
            }
            ("format", _, Some(new)) => {
                let what = format!("has the format {} now", short(new));
                self.push(Kind::Changed, place, what, true);
            }
            (_, old, new) => {
                let told = |it: Option<&Value>| it.map_or_else(|| "absent".to_owned(), short);
                let what = format!("`{keyword}` is {} now, was {}", told(new), told(old));
                self.add(Kind::Changed, place, what);
            }
        }
    }

    fn fields(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        what: &str,
        place: impl Fn(&str) -> String,
    ) {
        for (name, before) in old {
            match new.get(name) {
                None => self.add(Kind::Removed, &place(name), format!("the {what} is gone")),
                Some(after) => self.schema(&place(name), before, after),
            }
        }
        for name in new.keys().filter(|it| !old.contains_key(*it)) {
            self.add(Kind::Added, &place(name), format!("a new {what}"));
        }
    }

    fn arms(&mut self, place: &str, old: &[Value], new: &[Value]) {
        let (old, new) = (labelled(old), labelled(new));
        for (label, before) in &old {
            match new.get(label) {
                None => self.add(Kind::Changed, place, format!("is never `{label}` now")),
                Some(after) => self.schema(&format!("{place} as {label}"), before, after),
            }
        }
        for label in new.keys().filter(|it| !old.contains_key(*it)) {
            self.add(Kind::Changed, place, format!("may be `{label}`, too"));
        }
    }
}

fn title(schema: &Value) -> &str {
    schema["title"].as_str().unwrap_or("the document")
}

fn fields(value: Option<&Value>) -> &Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value.and_then(Value::as_object).unwrap_or(&NONE)
}

fn values(value: Option<&Value>) -> BTreeSet<String> {
    let values = value.and_then(Value::as_array).into_iter().flatten();
    values.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned)).collect()
}

/// The arms of a union by what tells them apart: the type that they name, their title, a constant of
/// their own or of a field, the one field that they must have; their places in the list where that does not tell all of them apart.
fn labelled(arms: &[Value]) -> BTreeMap<String, &Value> {
    let label = |arm: &Value| {
        let reference = arm["$ref"].as_str().and_then(|it| it.rsplit('/').next());
        let name = reference.or_else(|| arm["title"].as_str()).map(str::to_owned);
        let fixed = || arm.get("const").map(Value::to_string);
        let tag = || {
            let constant =
                |(name, it): (&String, &Value)| Some(format!("{name} {}", it.get("const")?));
            fields(arm.get("properties")).iter().find_map(constant)
        };
        let only = || match arm["required"].as_array().map(Vec::as_slice) {
            Some([only]) => only.as_str().map(str::to_owned),
            _ => None,
        };
        name.or_else(fixed).or_else(tag).or_else(only)
    };
    let named: Option<BTreeMap<String, &Value>> =
        arms.iter().map(|it| Some((label(it)?, it))).collect();
    match named {
        Some(named) if named.len() == arms.len() => named,
        _ => (1..).zip(arms).map(|(place, it)| (format!("form {place}"), it)).collect(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edition(schema: Value) -> Edition {
        let version = "1.0.0".parse().expect("a version");
        let schemas = BTreeMap::from([("a.schema.json".to_owned(), schema)]);
        Edition {
            version,
            offers: Vec::new(),
            schemas,
            rules: BTreeMap::new(),
            openapi: Value::Null,
        }
    }

    fn told(old: Value, new: Value) -> Vec<String> {
        let found = changes(&edition(old), &edition(new)).into_iter();
        found.map(|it| format!("{:?} {}: {}", it.kind, it.place, it.what)).collect()
    }

    #[test]
    fn every_difference_is_told_in_words() {
        let old = json!({
            "title": "Request",
            "properties": {
                "width": { "type": "integer", "maximum": 1920, "description": "Pixels across." },
                "format": { "enum": ["png", "gif"] },
                "seed": { "type": "integer" },
                "image": { "oneOf": [{ "$ref": "#/$defs/ByUrl" }, { "$ref": "#/$defs/ByName" }] },
                "odd": { "contains": 1 },
            },
            "required": ["width"],
            "$defs": { "ByUrl": { "minLength": 1 }, "ByName": {} },
        });
        let new = json!({
            "title": "Request",
            "properties": {
                "width": { "type": "integer", "maximum": 1440, "description": "How wide." },
                "format": { "enum": ["png", "webp"] },
                "steps": { "type": "integer" },
                "image": { "oneOf": [{ "$ref": "#/$defs/ByUrl" }, { "$ref": "#/$defs/ByBytes" }] },
                "odd": { "contains": 2 },
            },
            "required": ["format"],
            "$defs": { "ByUrl": {}, "ByBytes": {} },
        });
        assert_eq!(
            told(old, new),
            [
                "Added ByBytes: a new type",
                "Added Request.steps: a new field",
                "Changed ByUrl: no longer at least 1 characters",
                "Changed Request.format: `gif` is none of its values now",
                "Changed Request.format: `webp` is one of its values now",
                "Changed Request.format: required now",
                "Changed Request.image: is never `ByName` now",
                "Changed Request.image: may be `ByBytes`, too",
                "Changed Request.odd: `contains` is `2` now, was `1`",
                "Changed Request.width: at most 1440, was 1920",
                "Changed Request.width: optional now",
                "Removed ByName: the type is gone",
                "Removed Request.seed: the field is gone",
                "Reworded Request.width: in other words",
            ]
        );
    }

    #[test]
    fn another_major_version_may_have_other_ids() {
        let of = |version: &str, id: &str| Edition {
            version: version.parse().expect("a version"),
            ..edition(json!({ "title": "A", "$id": id }))
        };
        assert_eq!(changes(&of("1.0.0", "v1/a"), &of("2.0.0", "v2/a")), []);
        assert!(changes(&of("1.0.0", "v1/a"), &of("1.1.0", "v2/a"))[0].breaks);
    }
}
