//! `/openapi.json`: the API as OpenAPI 3.1.1, from the same types that requests are read by.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use repaint_core::{Plan, house};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::answer::{self, json as answered};
use crate::gateway::Gateway;
use crate::{ask, dialect, fault, jobs, models};

/// `GET /openapi.json`
pub(crate) async fn get(State(_): State<Gateway>) -> Response {
    answered(&openapi())
}

/// The API as OpenAPI 3.1.1 has it.
pub fn openapi() -> Value {
    let mut parts = Parts::default();
    let generation = parts.add("Generation", dialect::schema());
    let pictures = parts.sent::<answer::Pictures>("PicturesAnswer");
    let error = parts.sent::<fault::Body>("ErrorAnswer");
    let models = parts.sent::<models::List>("ModelsAnswer");
    let model = parts.sent::<models::Model>("ModelAnswer");
    let plan = parts.sent::<Plan>("Plan");
    let verdict = parts.sent::<ask::Verdict>("ValidateAnswer");
    let job = parts.sent::<jobs::Job>("JobAnswer");
    let list = parts.sent::<jobs::List>("JobsAnswer");
    let asks = |what: &str, answer: &Value, errors: &[u16]| {
        let body = json!({ "required": true, "content": { "application/json": { "schema": generation } } });
        operation(what, Some(body), Some(answer), errors, &error)
    };
    let reads = |what: &str, answer: &Value, errors: &[u16]| {
        operation(what, None, Some(answer), errors, &error)
    };
    let mut edit = asks(
        "editImage|Edit images|The same as `/v1/images/generations` for at least one image: as JSON, or as a \
         form with files in `image`, `image[]`, `images[]` and `mask`.",
        &pictures,
        MAKES,
    );
    edit["requestBody"]["content"]["multipart/form-data"] = json!({ "schema": form(&generation) });
    let id = json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" },
                      "description": "The id of a job, which each answer has." }]);
    let with_id = |mut operation: Value| {
        operation["parameters"] = id.clone();
        operation
    };
    let mut lists = reads("listJobs|List jobs|Jobs, the newest first.", &list, &[400]);
    lists["parameters"] = json!([
        { "name": "open", "in": "query", "schema": { "type": "boolean", "default": false },
          "description": "Only those that have an order that has not ended." },
        { "name": "limit", "in": "query",
          "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 },
          "description": "At most so many orders are looked at." }
    ]);
    let mut one = reads(
        "getModel|Get a model|One offer, by any name that stands for one alone.",
        &model,
        &[400, 404],
    );
    one["parameters"] = json!([{ "name": "id", "in": "path", "required": true,
        "schema": { "type": "string" },
        "description": "An offer such as `together/flux2-pro`, or a provider's own name; its slash may stand as it is." }]);
    let mut schema = reads(
        "getModelSchema|Get the schema of a model's body|JSON Schema of what the provider is sent. Its fields \
         that a request has no name for are options.",
        &json!({ "type": "object", "additionalProperties": true }),
        &[400, 404],
    );
    schema["parameters"] = one["parameters"].clone();
    let text = |what: &str, unready: bool| {
        let mut operation = operation(what, None, None, &[], &error);
        let plain = json!({ "text/plain": { "schema": { "type": "string" } } });
        operation["responses"]["200"]["content"] = plain.clone();
        if unready {
            operation["responses"]["503"] =
                json!({ "description": "It does not take requests now.", "content": plain });
        }
        operation["security"] = json!([]);
        operation
    };
    let mut itself = reads(
        "getOpenApi|Get this document|The API as OpenAPI 3.1.1.",
        &json!({ "type": "object", "additionalProperties": true }),
        &[],
    );
    itself["security"] = json!([]);
    let mut resume = with_id(operation(
        "resumeJob|Resume a job|Brings the pictures of a job that was given up; buys nothing.",
        None,
        Some(&pictures),
        &[400, 404, 410, 422, 424, 503],
        &error,
    ));
    resume["responses"]["200"]["description"] = json!("The pictures.");
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "repaint",
            "version": repaint_schema::VERSION,
            "summary": "One request, any image-editing model.",
            "description": "What clients of Together and OpenAI send already, for every model.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" }
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "http://127.0.0.1:8080", "description": "A gateway on this machine." }],
        "security": [{ "key": [] }, {}],
        "tags": [
            { "name": "images", "description": "Pictures, and what they would cost." },
            { "name": "models", "description": "Who makes them." },
            { "name": "jobs", "description": "What became of requests." },
            { "name": "operation", "description": "For whoever runs it." }
        ],
        "paths": {
            "/v1/images/generations": { "post": tagged("images", asks(
                "generateImage|Make pictures|Draws from a prompt, or edits the images that are given. The answer \
                 has the headers `x-repaint-receipt`, the id of the job, and `x-repaint-estimate`, in US dollars.",
                &pictures, MAKES)) },
            "/v1/images/edits": { "post": tagged("images", edit) },
            "/v1/images/explain": { "post": tagged("images", asks(
                "explainImage|Say who would make it|Who would take the request, in order and with the cost, and \
                 why each other would not. Nothing is bought.", &plan, READS)) },
            "/v1/images/validate": { "post": tagged("images", asks(
                "validateImage|Say what is wrong|All that is wrong with the request. Nothing is bought.",
                &verdict, READS)) },
            "/v1/models": { "get": tagged("models", reads(
                "listModels|List models|Every offer with what it takes.", &models, &[])) },
            "/v1/models/{id}": { "get": tagged("models", one) },
            "/v1/models/{id}/schema": { "get": tagged("models", schema) },
            "/v1/jobs": { "get": tagged("jobs", lists) },
            "/v1/jobs/{id}": { "get": tagged("jobs", with_id(reads(
                "getJob|Get a job|Its receipt or its error, and its orders.", &job, &[404]))) },
            "/v1/jobs/{id}/resume": { "post": tagged("jobs", resume) },
            "/v1/jobs/{id}/cancel": { "post": tagged("jobs", with_id(reads(
                "cancelJob|Cancel a job|Stops it; what was bought is not lost, and can be picked up.",
                &job, &[400, 404]))) },
            "/healthz": { "get": tagged("operation", text("getHealth|Say that it is alive|Always `ok`.", false)) },
            "/readyz": { "get": tagged("operation", text(
                "getReadiness|Say that it takes requests|Not while it stops, or its store does not answer.", true)) },
            "/metrics": { "get": tagged("operation", text(
                "getMetrics|Get what is counted|In the text form of Prometheus.", false)) },
            "/openapi.json": { "get": tagged("operation", itself) },
        },
        "components": {
            "schemas": Value::Object(parts.0.into_iter().collect::<Map<_, _>>()),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer",
                "description": "A key of a caller; none is needed where the gateway has no keys." } }
        }
    })
}

/// The statuses of what may make pictures.
const MAKES: &[u16] = &[400, 402, 403, 404, 408, 410, 413, 415, 422, 424, 429, 503];
/// Those of what only reads a request.
const READS: &[u16] = &[400, 404, 408, 413, 415, 503];

/// One operation; `what` is its id, its summary and its description, with bars between.
fn operation(
    what: &str,
    body: Option<Value>,
    answer: Option<&Value>,
    errors: &[u16],
    error: &Value,
) -> Value {
    let mut words = what.splitn(3, '|');
    let mut word = || words.next().unwrap_or_default();
    let mut operation = json!({
        "operationId": word(),
        "summary": word(),
        "description": word(),
        "responses": { "200": { "description": "The answer." } }
    });
    if let Some(answer) = answer {
        operation["responses"]["200"]["content"] =
            json!({ "application/json": { "schema": answer } });
    }
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    for status in errors {
        operation["responses"][status.to_string()] = json!({
            "description": described(*status),
            "content": { "application/json": { "schema": error } }
        });
    }
    operation
}

fn described(status: u16) -> &'static str {
    match status {
        400 => "The request is wrong, or no model takes it; nothing was bought.",
        402 => "A budget or a credit is used up; nothing was bought.",
        403 => "The provider does not let the gateway in; nothing was bought.",
        404 => "There is no such model or job.",
        408 => "The body did not come in time; nothing was bought.",
        410 => "The pictures are no longer there.",
        413 => "The body is too large; nothing was bought.",
        415 => "The body is of a kind that is not taken; nothing was bought.",
        422 => "The provider or a key of the caller's stands against it.",
        424 => "A picture may have been made and charged: do not send the request again unseen.",
        429 => "A rate is used up; nothing was bought.",
        _ => "Nothing was bought: the same request may be sent again.",
    }
}

fn tagged(tag: &str, mut operation: Value) -> Value {
    operation["tags"] = json!([tag]);
    operation
}

/// The same body as a form: files in the place of addresses, and several under one name.
fn form(generation: &Value) -> Value {
    let file = json!({ "type": "string", "contentMediaType": "application/octet-stream" });
    let files = json!({ "type": "array", "items": file, "minItems": 1 });
    json!({
        "description": "The fields of the JSON body as texts, and images as files.",
        "type": "object",
        "required": ["model", "prompt"],
        "properties": {
            "model": { "type": "string", "minLength": 1, "description": "Who makes the picture." },
            "prompt": { "type": "string", "minLength": 1, "description": "How to change the images." },
            "image": with(&files, "The images, the most important first."),
            "image[]": with(&files, "The same."),
            "images[]": with(&files, "The same."),
            "mask": with(&file, "Which part of the first image to change.")
        },
        "additionalProperties": true,
        "$comment": format!("Every other field is that of {}.", generation["$ref"].as_str().unwrap_or_default())
    })
}

fn with(schema: &Value, description: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = description.into();
    schema
}

/// The schemas of the document, by name.
#[derive(Default)]
struct Parts(BTreeMap<String, Value>);

impl Parts {
    /// What we write: open.
    fn sent<T: JsonSchema>(&mut self, name: &str) -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<T>();
        house::tidy(&mut schema);
        house::open(&mut schema);
        self.add(name, schema)
    }

    /// Adds a schema with all its parts; gives what refers to it.
    fn add(&mut self, name: &str, schema: Schema) -> Value {
        let text = schema.to_value().to_string().replace("#/$defs/", "#/components/schemas/");
        let mut whole: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        for key in ["$schema", "$id"] {
            whole.shift_remove(key);
        }
        if let Some(Value::Object(parts)) = whole.shift_remove("$defs") {
            self.0.extend(parts);
        }
        whole.insert("title".to_owned(), name.into());
        self.0.insert(name.to_owned(), Value::Object(whole));
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` of a value.
    fn refs(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    found.push(target.to_owned());
                }
                fields.values().for_each(|it| refs(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| refs(it, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_part_is_used() {
        let document = openapi();
        let mut found = Vec::new();
        refs(&document, &mut found);
        for target in &found {
            let place = target.strip_prefix('#').expect("it is within the document");
            assert!(document.pointer(place).is_some(), "{target}");
        }
        for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
            let own = format!("#/components/schemas/{name}");
            assert!(found.contains(&own), "nothing refers to {name}");
        }
    }

    #[test]
    fn parts_of_one_name_are_one() {
        // A part is added by each type that has it; a later one must not be another.
        let mut parts = Parts::default();
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        let mut check = |parts: &mut Parts| {
            for (name, part) in std::mem::take(&mut parts.0) {
                if let Some(before) = known.insert(name.clone(), part.clone()) {
                    assert_eq!(before, part, "{name}");
                }
            }
        };
        parts.add("Generation", dialect::schema());
        check(&mut parts);
        parts.sent::<fault::Body>("ErrorAnswer");
        check(&mut parts);
        parts.sent::<Plan>("Plan");
        check(&mut parts);
        parts.sent::<models::List>("ModelsAnswer");
        check(&mut parts);
        parts.sent::<jobs::List>("JobsAnswer");
        check(&mut parts);
        parts.sent::<ask::Verdict>("ValidateAnswer");
        check(&mut parts);
    }
}
