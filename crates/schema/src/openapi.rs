//! `openapi.json` as schemas that can be judged one by one: each operation's request and its success, and each part
//! that they refer to, on the sides on which they refer to it.
//!
//! Where a schema refers to a part, a constant with the part's name stands for it, so that a part that changes is
//! told once, and none is too large to be judged. What a judge cannot reason about is put into words that it can:
//! conditions that hold all together are fields that must all be there.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::schemas::Role;

/// Where the parts of a document are.
const PARTS: &str = "#/components/schemas/";
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The schemas of a document by where they stand, each with the side of it that we are on. Of no document there are
/// none.
pub fn openapi_parts(document: &Value) -> BTreeMap<String, (Role, Value)> {
    let mut parts = Parts { document, found: BTreeMap::new() };
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in METHODS.iter().filter_map(|it| Some((it, item.get(it)?))) {
            let place = format!("openapi.json {} {path}", method.to_uppercase());
            parts.request(&place, operation);
            parts.successes(&place, operation);
        }
    }
    parts.found
}

struct Parts<'a> {
    document: &'a Value,
    found: BTreeMap<String, (Role, Value)>,
}

impl Parts<'_> {
    fn add(
        &mut self,
        place: String,
        role: Role,
        title: &str,
        fields: Map<String, Value>,
        needed: Vec<String>,
    ) {
        let schema = json!({
            "title": title, "type": "object", "properties": fields, "required": needed,
            "additionalProperties": false,
        });
        self.found.insert(place, (role, schema));
    }

    /// What may be sent: parameters, a body of one kind or another, and whether with a key.
    fn request(&mut self, place: &str, operation: &Value) {
        let (mut fields, mut needed) = (Map::new(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = self.resolved(parameter);
            let text = |key: &str| parameter[key].as_str().unwrap_or_default();
            let name = format!("{} {}", text("in"), text("name"));
            if parameter["required"] == true {
                needed.push(name.clone());
            }
            let schema = self.encoded(&parameter["schema"], Role::Received);
            fields.insert(name, schema);
        }
        let body = self.resolved(&operation["requestBody"]);
        if body["required"] == true {
            needed.push("body".to_owned());
        }
        if let Some(content) = body["content"].as_object() {
            let arms = content.iter().map(|(kind, it)| {
                let schema = self.encoded(&it["schema"], Role::Received);
                json!({ "type": "object", "properties": { kind: schema }, "required": [kind],
                        "additionalProperties": false })
            });
            let arms: Vec<Value> = arms.collect();
            fields.insert("body".to_owned(), json!({ "oneOf": arms }));
        }
        let schemes = operation.get("security").unwrap_or(&self.document["security"]);
        let schemes = schemes.as_array().map_or(&[][..], Vec::as_slice);
        let is_open = |it: &Value| it.as_object().is_some_and(Map::is_empty);
        if !schemes.is_empty() && !schemes.iter().any(is_open) {
            needed.push("key".to_owned());
        }
        fields.insert("key".to_owned(), json!({ "type": "string" }));
        let id = operation["operationId"].as_str().unwrap_or(place);
        self.add(place.to_owned(), Role::Received, id, fields, needed);
    }

    /// What comes where all went well; what went wrong may have statuses that are new.
    fn successes(&mut self, place: &str, operation: &Value) {
        let responses = operation["responses"].as_object().into_iter().flatten();
        for (status, response) in responses {
            let response = self.resolved(response);
            let (mut fields, mut needed) = (Map::new(), Vec::new());
            for (kind, it) in response["content"].as_object().into_iter().flatten() {
                let schema = self.encoded(&it["schema"], Role::Sent);
                fields.insert(kind.clone(), schema);
                needed.push(kind.clone());
            }
            for (name, it) in response["headers"].as_object().into_iter().flatten() {
                let schema = self.encoded(&it["schema"], Role::Sent);
                fields.insert(format!("header {name}"), schema);
            }
            if status.starts_with('2') {
                let id = operation["operationId"].as_str().unwrap_or(place);
                let title = format!("{id} {status}");
                self.add(format!("{place} {status}"), Role::Sent, &title, fields, needed);
            }
        }
    }

    /// What stands behind a reference to a parameter, a body or a response.
    fn resolved(&self, value: &Value) -> Value {
        let target = value["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
        target.and_then(|it| self.document.pointer(it)).unwrap_or(value).clone()
    }

    /// A schema of the document as the judge reads it; the parts that it refers to are found.
    fn encoded(&mut self, schema: &Value, role: Role) -> Value {
        let Value::Object(keywords) = schema else { return schema.clone() };
        let mut all = Map::new();
        let mut plain = Map::new();
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$ref" => {
                    let name = self.part(value.as_str().unwrap_or_default(), role);
                    all.insert(format!("is {name}"), json!({ "const": name }));
                }
                "allOf" => {
                    for (place, it) in value.as_array().into_iter().flatten().enumerate() {
                        let name = it["$ref"].as_str().and_then(|it| it.strip_prefix(PARTS));
                        let name = name.map_or_else(|| format!("form {place}"), str::to_owned);
                        let arm = self.encoded(it, role);
                        all.insert(format!("is {name}"), arm);
                    }
                }
                "properties" => {
                    let of = |(name, it): (&String, &Value)| (name.clone(), self.encoded(it, role));
                    let fields: Map<String, Value> =
                        value.as_object().into_iter().flatten().map(of).collect();
                    plain.insert(keyword.clone(), fields.into());
                }
                "oneOf" | "anyOf" => {
                    let arms = value.as_array().into_iter().flatten();
                    let arms: Vec<Value> = arms.map(|it| self.encoded(it, role)).collect();
                    plain.insert(keyword.clone(), arms.into());
                }
                "items" => {
                    let items = self.encoded(value, role);
                    plain.insert(keyword.clone(), items);
                }
                "additionalProperties" if value.is_object() && !self.is_null(value) => {
                    let others = self.encoded(value, role);
                    plain.insert(keyword.clone(), others);
                }
                "additionalProperties" => {
                    let others = if value == &json!(true) { json!(true) } else { json!(false) };
                    plain.insert(keyword.clone(), others);
                }
                // Nothing is proven of these, so each must stay as it is.
                "not" | "propertyNames" => {
                    all.insert(format!("{keyword} is"), json!({ "const": value.to_string() }));
                }
                "discriminator" | "$comment" | "contentMediaType" => {}
                _ => {
                    plain.insert(keyword.clone(), value.clone());
                }
            }
        }
        if role == Role::Received && plain.contains_key("properties") {
            let others = plain.insert("additionalProperties".to_owned(), json!(false));
            // An option that gets a name of its own is taken as before, which no judge can know; to be open at all is
            // a thing to lose.
            if others.is_none_or(|it| it != json!(false))
                && let Some(Value::Object(fields)) = plain.get_mut("properties")
            {
                fields.insert("any other".to_owned(), json!({ "type": "boolean" }));
            }
        }
        match all.len() {
            0 => plain.into(),
            // The words beside a reference are no condition.
            1 if plain.keys().all(|it| WORDS.contains(&it.as_str())) => {
                let mut only = all.into_iter().next().map_or(Value::Null, |it| it.1);
                for (keyword, value) in plain {
                    only[keyword] = value;
                }
                only
            }
            _ => {
                let words: Map<String, Value> = WORDS
                    .iter()
                    .filter_map(|it| Some(((*it).to_owned(), plain.shift_remove(*it)?)))
                    .collect();
                if !plain.is_empty() {
                    all.insert("is itself".to_owned(), plain.into());
                }
                let needed: Vec<String> = all.keys().cloned().collect();
                let mut whole = Value::Object(words);
                whole["type"] = "object".into();
                whole["properties"] = all.into();
                whole["required"] = needed.into();
                whole
            }
        }
    }

    /// Whether only `null` may stand there, which is the same as nothing.
    fn is_null(&self, schema: &Value) -> bool {
        self.resolved(schema)["type"] == "null"
    }

    /// The name of a part, which is judged by itself.
    fn part(&mut self, target: &str, role: Role) -> String {
        let name = target.strip_prefix(PARTS).unwrap_or(target).to_owned();
        let side = match role {
            Role::Received => "asked",
            Role::Sent => "answered",
        };
        let place = format!("openapi.json {name}, {side}");
        if !self.found.contains_key(&place) {
            // It may refer to itself.
            self.found.insert(place.clone(), (role, Value::Null));
            let part = self.document["components"]["schemas"][&name].clone();
            let part = self.encoded(&part, role);
            self.found.insert(place, (role, part));
        }
        name
    }
}

/// What says nothing of values.
const WORDS: [&str; 5] = ["title", "description", "examples", "default", "deprecated"];
