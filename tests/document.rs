//! The gate of the gateway's document, broken on purpose: whoever wrote a client by it keeps it.

use std::collections::BTreeMap;

use repaint_schema::{Edition, openapi_parts};
use serde_json::{Value, json};

use crate::gate::{Set, faults};
use crate::{grow, present, put};

/// A document with one of everything.
fn document() -> Value {
    let part = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let arm = |model: &str| {
        json!({
            "title": model, "type": "object", "required": ["model"],
            "properties": { "model": { "enum": [model] }, "steps": part("Steps") },
            "additionalProperties": part("NotTaken"),
        })
    };
    json!({
        "openapi": "3.1.1",
        "info": { "title": "t", "version": "1.0.0" },
        "security": [{}, { "key": [] }],
        "paths": {
            "/v1/draw": { "post": {
                "operationId": "draw",
                "requestBody": { "required": true, "content": {
                    "application/json": { "schema": part("Request") },
                    "multipart/form-data": { "schema": part("Form") }
                } },
                "responses": {
                    "200": {
                        "description": "d", "headers": { "x-cost": { "schema": { "type": "string" } } },
                        "content": { "application/json": { "schema": part("Answer") } }
                    },
                    "400": { "$ref": "#/components/responses/Wrong" }
                }
            } },
            "/v1/jobs": { "get": {
                "operationId": "list",
                "parameters": [{ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 9 } }],
                "responses": { "200": {
                    "description": "d", "content": { "application/json": { "schema": part("Answer") } }
                } }
            } }
        },
        "components": {
            "responses": { "Wrong": {
                "description": "d", "content": { "application/json": { "schema": part("Problem") } }
            } },
            "schemas": {
                "Request": {
                    "title": "Request", "allOf": [part("OneSize")], "oneOf": [part("A"), part("B")],
                    "discriminator": { "propertyName": "model" }
                },
                "A": arm("a"),
                "B": arm("b"),
                "OneSize": { "title": "OneSize", "type": "object", "properties": { "size": { "type": "string" } } },
                "Steps": { "title": "Steps", "type": ["integer", "null"], "minimum": 1, "maximum": 50 },
                "NotTaken": { "title": "NotTaken", "type": "null" },
                "Form": {
                    "title": "Form", "type": "object", "required": ["model"], "additionalProperties": true,
                    "properties": { "model": { "type": "string" }, "format": { "enum": ["png", "jpeg"] } }
                },
                "Answer": {
                    "title": "Answer", "type": "object", "required": ["id", "state"],
                    "properties": {
                        "id": { "type": "string" }, "state": part("State"), "note": { "type": "string" }
                    }
                },
                "State": { "title": "State", "enum": ["made", "failed"] },
                "Problem": {
                    "title": "Problem", "type": "object", "required": ["message"],
                    "properties": { "message": { "type": "string" } }
                }
            }
        }
    })
}

/// What the gate says when one document becomes another.
fn judged(old: &Value, new: &Value, version: &str) -> Vec<String> {
    let edition = |version: &str, document: &Value| Edition {
        version: version.parse().expect("a version"),
        offers: Vec::new(),
        schemas: BTreeMap::new(),
        rules: BTreeMap::new(),
        openapi: document.clone(),
    };
    let (before, after) = (edition("1.0.0", old), edition(version, new));
    let roles = openapi_parts(new).into_iter().map(|(place, it)| (place, it.0)).collect();
    let excuses = BTreeMap::new();
    faults(&Set { old: &before, new: &after, roles: &roles, excuses: &excuses })
}

const PARTS: &str = "/components/schemas";
const DRAW: &str = "/paths/~1v1~1draw/post";

/// A change by a pointer, in which names may have a slash.
fn set(document: &mut Value, pointer: &str, value: Value) {
    put(document, pointer, value);
}

#[test]
fn what_a_client_lives_on_stays() {
    type Change = (&'static str, fn(&mut Value));
    let changes: &[Change] = &[
        ("a path that is gone", |it| {
            let paths = it["paths"].as_object_mut().expect("paths");
            paths.remove("/v1/jobs").expect("it is there");
        }),
        ("a method that is gone", |it| {
            let post = it["paths"]["/v1/draw"]["post"].take();
            it["paths"]["/v1/draw"] = json!({ "put": post });
        }),
        ("another name of an operation", |it| {
            set(it, &format!("{DRAW}/operationId"), json!("paint"));
        }),
        ("a parameter that is gone", |it| it["paths"]["/v1/jobs"]["get"]["parameters"] = json!([])),
        ("a parameter that must be given", |it| {
            it["paths"]["/v1/jobs"]["get"]["parameters"][0]["required"] = json!(true);
        }),
        ("a parameter that takes less", |it| {
            it["paths"]["/v1/jobs"]["get"]["parameters"][0]["schema"]["maximum"] = json!(5);
        }),
        ("a kind of body that is gone", |it| {
            let content = &mut it["paths"]["/v1/draw"]["post"]["requestBody"]["content"];
            content.as_object_mut().expect("kinds").remove("multipart/form-data");
        }),
        ("a key that must be given", |it| it["security"] = json!([{ "key": [] }])),
        ("a header that is gone", |it| {
            set(it, &format!("{DRAW}/responses/200/headers/x-cost"), Value::Null);
        }),
        ("another kind of answer", |it| {
            let content = &mut it["paths"]["/v1/draw"]["post"]["responses"]["200"]["content"];
            let answer = content["application/json"].take();
            *content = json!({ "text/json": answer });
        }),
        ("a model that is gone", |it| {
            it["components"]["schemas"]["Request"]["oneOf"].as_array_mut().expect("arms").pop();
        }),
        ("a name of a model that is gone", |it| {
            set(it, &format!("{PARTS}/A/properties/model/enum"), json!(["c"]));
        }),
        ("a field of a request that is gone", |it| {
            set(it, &format!("{PARTS}/A/properties/steps"), Value::Null);
        }),
        ("a field of a request that must be given", |it| {
            set(it, &format!("{PARTS}/A/required"), json!(["model", "steps"]));
        }),
        ("a field that takes less", |it| set(it, &format!("{PARTS}/Steps/maximum"), json!(40))),
        ("a field that takes no null", |it| {
            set(it, &format!("{PARTS}/Steps/type"), json!("integer"))
        }),
        ("a value that is gone", |it| {
            set(it, &format!("{PARTS}/Form/properties/format/enum"), json!(["png"]));
        }),
        ("a form that takes no options", |it| {
            set(it, &format!("{PARTS}/Form/additionalProperties"), json!(false));
        }),
        ("one more condition", |it| {
            let all = it["components"]["schemas"]["Request"]["allOf"].as_array_mut();
            all.expect("conditions").push(json!({ "$ref": "#/components/schemas/Steps" }));
        }),
        ("a condition that asks for more", |it| {
            set(it, &format!("{PARTS}/OneSize/required"), json!(["size"]));
        }),
        ("a field of an answer that is gone", |it| {
            set(it, &format!("{PARTS}/Answer/properties/note"), Value::Null);
        }),
        ("a field of an answer that may be absent", |it| {
            set(it, &format!("{PARTS}/Answer/required"), json!(["id"]));
        }),
        ("a field of an answer with another type", |it| {
            set(it, &format!("{PARTS}/Answer/properties/id/type"), json!("integer"));
        }),
        ("a field of an answer that may be null", |it| {
            set(it, &format!("{PARTS}/Answer/properties/id/type"), json!(["string", "null"]));
        }),
        ("one more value in an answer", |it| {
            set(it, &format!("{PARTS}/State/enum"), json!(["made", "failed", "lost"]));
        }),
        ("another type in an error", |it| {
            set(it, &format!("{PARTS}/Problem/properties/message"), Value::Null);
        }),
    ];
    for (name, change) in changes {
        let mut new = document();
        change(&mut new);
        assert_ne!(new, document(), "{name} changes nothing");
        let found = judged(&document(), &new, "1.1.0");
        assert!(!found.is_empty(), "{name} breaks nobody");
        assert!(found.iter().all(|it| it.contains("schemas/openapi.json ")), "{name}: {found:?}");
        assert_eq!(
            judged(&document(), &new, "2.0.0"),
            [""; 0],
            "{name} may be in another major version"
        );
    }
}

#[test]
fn there_may_be_more_of_everything() {
    type Change = (&'static str, fn(&mut Value));
    let changes: &[Change] = &[
        ("one more path", |it| {
            it["paths"]["/v1/more"] = it["paths"]["/v1/jobs"].clone();
        }),
        ("one more parameter", |it| {
            let parameters = it["paths"]["/v1/jobs"]["get"]["parameters"].as_array_mut();
            let more = json!({ "name": "open", "in": "query", "schema": { "type": "boolean" } });
            parameters.expect("a list").push(more);
        }),
        ("one more kind of body", |it| {
            let content = &mut it["paths"]["/v1/draw"]["post"]["requestBody"]["content"];
            content["text/plain"] = json!({ "schema": { "type": "string" } });
        }),
        ("one more status", |it| {
            it["paths"]["/v1/jobs"]["get"]["responses"]["401"] =
                json!({ "$ref": "#/components/responses/Wrong" });
        }),
        ("one more model", |it| {
            let mut more = it["components"]["schemas"]["A"].clone();
            more["properties"]["model"]["enum"] = json!(["c"]);
            it["components"]["schemas"]["C"] = more;
            let arms = it["components"]["schemas"]["Request"]["oneOf"].as_array_mut();
            arms.expect("arms").push(json!({ "$ref": "#/components/schemas/C" }));
        }),
        ("one more name", |it| {
            set(it, &format!("{PARTS}/A/properties/model/enum"), json!(["a", "aa"]))
        }),
        ("one more field of a request", |it| {
            set(it, &format!("{PARTS}/A/properties/seed"), json!({ "type": "integer" }));
        }),
        ("one more field of an open form", |it| {
            set(it, &format!("{PARTS}/Form/properties/seed"), json!({ "type": "integer" }));
        }),
        ("a field that takes more", |it| set(it, &format!("{PARTS}/Steps/maximum"), json!(60))),
        ("one more field of an answer", |it| {
            set(it, &format!("{PARTS}/Answer/properties/cost"), json!({ "type": "integer" }));
        }),
        ("other words", |it| set(it, &format!("{PARTS}/Answer/description"), json!("An answer."))),
        ("a key that may be given", |it| it["paths"]["/v1/jobs"]["get"]["security"] = json!([{}])),
    ];
    for (name, change) in changes {
        let mut new = document();
        change(&mut new);
        assert_ne!(new, document(), "{name} changes nothing");
        assert_eq!(judged(&document(), &new, "1.1.0"), [""; 0], "{name} breaks nobody");
    }
}

/// What is sure to break nobody passes on the document that there really is.
#[test]
fn the_document_of_the_gateway_can_grow() {
    let old = present().0.openapi;
    let mut new = old.clone();
    let mut grown = 0;
    for (name, part) in new["components"]["schemas"].as_object_mut().expect("parts") {
        // A condition that knows one more field asks for more.
        let is_condition = ["OneWayOf", "WithImages"].iter().any(|it| name.starts_with(it));
        if !is_condition {
            grow(part, &mut grown);
        }
    }
    assert!(50 < grown, "only {grown} objects grew");
    new["paths"]["/v1/more"] = new["paths"]["/v1/models"].clone();
    let found = judged(&old, &new, "1.1.0");
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

#[test]
fn every_part_is_judged_on_its_side() {
    let document = present().0.openapi;
    let parts = openapi_parts(&document);
    for name in document["components"]["schemas"].as_object().expect("parts").keys() {
        let is_there = |side: &str| parts.contains_key(&format!("openapi.json {name}, {side}"));
        // What only stands for null, or is told apart by it, is no part of any value.
        assert!(is_there("asked") || is_there("answered") || name == "NotTaken", "{name}");
    }
    assert!(parts.contains_key("openapi.json POST /v1/images/generations"));
    assert!(parts.contains_key("openapi.json GET /v1/jobs/{id} 200"));
    assert!(parts.contains_key("openapi.json ErrorAnswer, answered"));
}
