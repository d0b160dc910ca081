//! House rules for every JSON Schema that we publish: what generators and validators of other
//! languages read alike.

use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value, json};

/// Optional means absent, integers are plain, definitions are titled.
pub fn tidy(schema: &mut Schema) {
    RecursiveTransform(first_paragraph).transform(schema);
    RecursiveTransform(strip_null).transform(schema);
    RecursiveTransform(plain_numbers).transform(schema);
    RecursiveTransform(strip_null_default).transform(schema);
    name_parts(schema);
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        hoist(definitions);
        for (name, definition) in definitions {
            if let Value::Object(fields) = definition {
                fields.entry("title").or_insert_with(|| json!(name));
            }
        }
    }
}

/// Gives each fact and each range a name of its own, after the field that it stands in: they are
/// generic in Rust, and where a schema has no name for a type, generators number it.
fn name_parts(schema: &mut Schema) {
    let mut parts = Map::new();
    let Some(root) = schema.as_object_mut() else { return };
    name_parts_of(root, &mut parts);
    if parts.is_empty() && !root.contains_key("$defs") {
        return;
    }
    let definitions = root.entry("$defs").or_insert_with(|| json!({}));
    for definition in definitions.as_object_mut().into_iter().flat_map(Map::values_mut) {
        definition.as_object_mut().into_iter().for_each(|it| name_parts_of(it, &mut parts));
        for arm in definition.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
            let inner = arm.get_mut("properties").and_then(Value::as_object_mut);
            let inner =
                inner.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
            inner.for_each(|it| name_parts_of(it, &mut parts));
        }
    }
    definitions.as_object_mut().into_iter().for_each(|it| it.append(&mut parts));
}

fn name_parts_of(object: &mut Map<String, Value>, parts: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return };
    for (name, property) in properties {
        let has = |keys: &[&str]| keys.iter().all(|key| property["properties"].get(key).is_some());
        let (title, what) = if has(&["sure", "source", "date"]) {
            if let Some(value) = property["properties"].get_mut("value") {
                name_range(name, value, parts);
            }
            (format!("{}Fact", pascal(name)), "A value with its provenance.")
        } else {
            name_range(name, property, parts);
            continue;
        };
        name_part(title, what, property, parts);
    }
}

fn name_range(name: &str, property: &mut Value, parts: &mut Map<String, Value>) {
    let bounds = property["properties"].as_object();
    if bounds.is_some_and(|it| it.len() == 2 && it.contains_key("min") && it.contains_key("max")) {
        let what = "From `min` to `max`, both included.";
        name_part(format!("{}Range", pascal(name)), what, property, parts);
    }
}

/// Moves a part to the definitions; what its field says of it stays with the field.
fn name_part(title: String, what: &str, part: &mut Value, parts: &mut Map<String, Value>) {
    let Value::Object(fields) = part else { return };
    let said = fields.shift_remove("description").filter(|it| it != what);
    fields.insert("description".to_owned(), json!(what));
    // Another field of this name that holds something else keeps its own.
    if parts.get(&title).is_some_and(|it| it != part) {
        return;
    }
    let named = std::mem::replace(part, json!({ "$ref": format!("#/$defs/{title}") }));
    parts.insert(title, named);
    if let (Some(said), Value::Object(fields)) = (said, part) {
        fields.shift_insert(0, "description".to_owned(), said);
    }
}

/// Gives each arm of a union that is an object a name of its own: generators name types after
/// definitions, and number what has no name.
fn hoist(definitions: &mut Map<String, Value>) {
    let mut arms = Vec::new();
    for (name, definition) in definitions.iter_mut() {
        for arm in definition.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(tag) = arm.get("properties").and_then(Value::as_object).and_then(tag) else {
                continue;
            };
            let title = format!("{name}{}", pascal(&tag));
            arms.push((title.clone(), std::mem::take(arm)));
            *arm = json!({ "$ref": format!("#/$defs/{title}") });
        }
    }
    definitions.extend(arms);
}

/// What tells an arm from the others: the value of its tag, or the name of its only field.
fn tag(fields: &Map<String, Value>) -> Option<String> {
    let tagged = fields.values().find_map(|it| it["const"].as_str());
    let only = || fields.keys().next().filter(|_| fields.len() == 1);
    tagged.or_else(|| only().map(String::as_str)).map(str::to_owned)
}

fn pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect()
}

/// The first paragraph of a doc comment is for everybody, the rest for those who write Rust.
fn first_paragraph(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraph = text.split("\n\n").next().unwrap_or_default();
        *text = paragraph.replace('\n', " ");
    }
}

/// schemars makes every `Option` nullable; we leave a field out instead.
fn strip_null(schema: &mut Schema) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|it| !it.is_null());
    }
    let only = match fields.get_mut("anyOf") {
        Some(Value::Array(arms)) if arms.iter().any(|it| it["type"] == "null") => {
            arms.retain(|it| it["type"] != "null");
            (arms.len() == 1).then(|| arms.remove(0))
        }
        _ => None,
    };
    if let Some(Value::Object(only)) = only {
        fields.shift_remove("anyOf");
        for (key, value) in only {
            fields.entry(key).or_insert(value);
        }
    }
}

fn strip_null_default(schema: &mut Schema) {
    if let Some(fields) = schema.as_object_mut()
        && fields.get("default") == Some(&Value::Null)
    {
        fields.shift_remove("default");
    }
}

/// `uint32` and its like are no formats of JSON Schema: they become limits. Whole numbers beyond
/// 2⁵³ are rounded by JavaScript, so no limit is greater.
fn plain_numbers(schema: &mut Schema) {
    let Some(fields) = schema.as_object_mut() else { return };
    let Some(Value::String(format)) = fields.get("format") else { return };
    let limits = match format.as_str() {
        "uint8" => Some((0, u64::from(u8::MAX))),
        "uint16" => Some((0, u64::from(u16::MAX))),
        "uint32" => Some((0, u64::from(u32::MAX))),
        "uint64" | "uint" => Some((0, (1 << 53) - 1)),
        "int32" | "int64" | "float" | "double" => None,
        _ => return,
    };
    fields.shift_remove("format");
    if let Some((least, most)) = limits {
        fields.entry("minimum").or_insert(json!(least));
        fields.entry("maximum").or_insert(json!(most));
    }
}

/// What we send may grow: readers must not refuse a field that they do not know.
pub fn open(schema: &mut Schema) {
    let mut reopen = RecursiveTransform(|schema: &mut Schema| {
        if let Some(fields) = schema.as_object_mut()
            && fields.get("additionalProperties") == Some(&Value::Bool(false))
        {
            fields.shift_remove("additionalProperties");
        }
    });
    reopen.transform(schema);
}
