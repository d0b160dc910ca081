//! `/openapi.json`: the API as OpenAPI 3.1.1, from the same types that requests are read by.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;
use repaint_core::{Plan, Registry, house};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::answer;
use crate::bodies::{Bodies, bodies};
use crate::gateway::Gateway;
use crate::{ask, fault, jobs, models};

/// `GET /openapi.json`
pub(crate) async fn get(State(gateway): State<Gateway>) -> Response {
    ([(CONTENT_TYPE, "application/json")], gateway.document()).into_response()
}

/// The API as OpenAPI 3.1.1 has it, with the bodies that the models of a registry take.
pub fn openapi(registry: &Registry) -> Value {
    let mut parts = Parts::default();
    let Bodies { generation, edit, form, explained, any } = bodies(registry, &mut parts);
    let pictures = parts.sent::<answer::Pictures>("PicturesAnswer");
    let error = parts.sent::<fault::Body>("ErrorAnswer");
    let models = parts.sent::<models::List>("ModelsAnswer");
    let model = parts.sent::<models::Model>("ModelAnswer");
    let plan = parts.sent::<Plan>("Plan");
    let verdict = parts.sent::<ask::Verdict>("ValidateAnswer");
    let job = parts.sent::<jobs::Job>("JobAnswer");
    let list = parts.sent::<jobs::List>("JobsAnswer");
    let object = json!({ "type": "object", "additionalProperties": true });
    let asks = |what: &str, body: &Value, answer: &Value, errors: &[u16]| {
        let mut operation = operation(what, Some(answer), errors);
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body } } });
        operation
    };
    let mut generate = asks(
        "generateImage|Make pictures|Draws from a prompt, or edits the images that are given.",
        &generation,
        &pictures,
        MAKES,
    );
    makes(&mut generate);
    generate["requestBody"]["content"]["application/json"]["examples"] = examples();
    let mut edits = asks(
        "editImage|Edit images|The same as `/v1/images/generations` for at least one image: as JSON, or as a \
         form with files in `image`, `image[]`, `images[]` and `mask`.",
        &edit,
        &pictures,
        MAKES,
    );
    makes(&mut edits);
    edits["requestBody"]["content"]["multipart/form-data"] = json!({ "schema": form });
    let with_id = |mut operation: Value| {
        operation["parameters"] = json!([{ "name": "id", "in": "path", "required": true,
            "schema": { "type": "string", "minLength": 1 },
            "description": "The id of a job, which each answer has." }]);
        operation
    };
    let mut lists = operation("listJobs|List jobs|Jobs, the newest first.", Some(&list), LISTS);
    lists["parameters"] = json!([
        { "name": "open", "in": "query", "schema": { "type": "boolean", "default": false },
          "description": "Only those that have an order that has not ended." },
        { "name": "limit", "in": "query",
          "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 },
          "description": "At most so many orders are looked at." }
    ]);
    let of_model = |mut operation: Value| {
        operation["parameters"] = json!([{ "name": "id", "in": "path", "required": true,
            "schema": { "type": "string", "minLength": 1 },
            "examples": {
                "offer": { "summary": "An offer", "value": "together/flux2-pro" },
                "name": { "summary": "A provider's own name", "value": "black-forest-labs/FLUX.1-kontext-pro" }
            },
            "description": "An offer such as `together/flux2-pro`, or a provider's own name; its slash may stand as it is." }]);
        operation
    };
    let one = of_model(operation(
        "getModel|Get a model|One offer, by any name that stands for one alone.",
        Some(&model),
        FINDS,
    ));
    let schema = of_model(operation(
        "getModelSchema|Get the schema of a model's body|JSON Schema of what the provider is sent. Its fields \
         that a request has no name for are options.",
        Some(&object),
        FINDS,
    ));
    let text = |what: &str| {
        let mut operation = operation(what, None, OPEN);
        operation["responses"]["200"]["content"] = plain();
        operation["security"] = json!([]);
        operation
    };
    let mut ready = text(
        "getReadiness|Say that it takes requests|Not while it stops, or its store does not answer.",
    );
    ready["responses"]["503"] =
        json!({ "description": "It does not take requests now.", "content": plain() });
    let mut itself =
        operation("getOpenApi|Get this document|The API as OpenAPI 3.1.1.", Some(&object), OPEN);
    itself["security"] = json!([]);
    let mut resume = with_id(operation(
        "resumeJob|Resume a job|Brings the pictures of a job that was given up; buys nothing.",
        Some(&pictures),
        RESUMES,
    ));
    makes(&mut resume);
    let explain = asks(
        "explainImage|Say who would make it|Who would take the request, in order and with the cost, and \
         why each other would not. Nothing is bought.",
        &explained,
        &plan,
        READS,
    );
    let validate = asks(
        "validateImage|Say what is wrong|All that is wrong with the request. Nothing is bought.",
        &any,
        &verdict,
        READS,
    );
    let lists_models =
        operation("listModels|List models|Every offer with what it takes.", Some(&models), KEYED);
    let get_job = with_id(operation(
        "getJob|Get a job|Its receipt or its error, and its orders.",
        Some(&job),
        FINDS,
    ));
    let cancel = with_id(operation(
        "cancelJob|Cancel a job|Stops it; what was bought is not lost, and can be picked up.",
        Some(&job),
        WRITES,
    ));
    let health = text("getHealth|Say that it is alive|Always `ok`.");
    let metrics = text("getMetrics|Get what is counted|In the text form of Prometheus.");
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "repaint",
            "version": repaint_schema::VERSION,
            "summary": "One request, any image-editing model.",
            "description": "What clients of Together and OpenAI send already, for every model. The addresses below \
                `/v1/images` and `/v1/models` are there without `/v1`, too, and with it twice.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" }
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [
            { "url": "http://127.0.0.1:8080", "description": "A gateway on this machine." },
            { "url": "/", "description": "The gateway that this document came from." }
        ],
        "security": [{}, { "key": [] }],
        "tags": [
            { "name": "images", "description": "Pictures, and what they would cost." },
            { "name": "models", "description": "Who makes them." },
            { "name": "jobs", "description": "What became of requests." },
            { "name": "operation", "description": "For whoever runs it." }
        ],
        "paths": {
            "/v1/images/generations": { "post": tagged("images", generate) },
            "/v1/images/edits": { "post": tagged("images", edits) },
            "/v1/images/explain": { "post": tagged("images", explain) },
            "/v1/images/validate": { "post": tagged("images", validate) },
            "/v1/models": { "get": tagged("models", lists_models) },
            "/v1/models/{id}": { "get": tagged("models", one) },
            "/v1/models/{id}/schema": { "get": tagged("models", schema) },
            "/v1/jobs": { "get": tagged("jobs", lists) },
            "/v1/jobs/{id}": { "get": tagged("jobs", get_job) },
            "/v1/jobs/{id}/resume": { "post": tagged("jobs", resume) },
            "/v1/jobs/{id}/cancel": { "post": tagged("jobs", cancel) },
            "/healthz": { "get": tagged("operation", health) },
            "/readyz": { "get": tagged("operation", ready) },
            "/metrics": { "get": tagged("operation", metrics) },
            "/openapi.json": { "get": tagged("operation", itself) },
        },
        "components": {
            "schemas": Value::Object(parts.0.into_iter().collect::<Map<_, _>>()),
            "responses": responses(&error),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer",
                "description": "A key of a caller; none is needed where the gateway has no keys. A caller who may can send a \
                    provider's key of its own along, which then pays, in the header `x-repaint-key-` with the provider's id \
                    (`x-repaint-key-together`)." } }
        }
    })
}

/// The statuses of what may make pictures.
const MAKES: &[u16] = &[400, 401, 402, 403, 404, 405, 408, 410, 413, 415, 422, 424, 429, 503];
/// Those of what brings pictures that were bought.
const RESUMES: &[u16] = &[400, 401, 402, 403, 404, 405, 410, 422, 424, 429, 503];
/// Those of what only reads a request.
const READS: &[u16] = &[400, 401, 403, 404, 405, 408, 413, 415, 429, 503];
/// Those of what changes something that is there.
const WRITES: &[u16] = &[400, 401, 403, 404, 405, 429, 503];
/// Those of what looks for something by its name.
const FINDS: &[u16] = &[400, 401, 403, 404, 405, 429, 503];
/// Those of a list that can be asked for wrongly.
const LISTS: &[u16] = &[400, 401, 403, 405, 429, 503];
/// Those of what is there for whoever has a key.
const KEYED: &[u16] = &[401, 403, 405, 429, 503];
/// Those of what is there for everybody.
const OPEN: &[u16] = &[405];

/// One operation; `what` is its id, its summary and its description, with bars between.
fn operation(what: &str, answer: Option<&Value>, errors: &[u16]) -> Value {
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
    for status in errors {
        operation["responses"][status.to_string()] =
            json!({ "$ref": format!("#/components/responses/{}", named(*status)) });
    }
    // Whatever asks a provider may be answered by its refusal.
    if errors.contains(&424) {
        operation["responses"]["4XX"] = json!({ "$ref": "#/components/responses/Refused" });
    }
    operation
}

/// What the answer with pictures has besides.
fn makes(operation: &mut Value) {
    let header = |what: &str| json!({ "description": what, "schema": { "type": "string" } });
    operation["responses"]["200"]["description"] = json!("The pictures.");
    operation["responses"]["200"]["headers"] = json!({
        "x-repaint-receipt": header("The id of the job, for `GET /v1/jobs/{id}`."),
        "x-repaint-estimate": header(
            "What it was to cost, in US dollars: one amount such as `0.03`, or the least and the most, `0.03-0.06`."),
        "x-repaint-offer": header("Who made the pictures.")
    });
}

/// Requests as people send them.
fn examples() -> Value {
    let one = |summary: &str, value: Value| json!({ "summary": summary, "value": value });
    json!({
        "draw": one("Draw a picture", json!({
            "model": "auto", "prompt": "a red fox in snow", "size": "1024x768"
        })),
        "edit": one("Edit an image, in the words of Together's documentation", json!({
            "model": "black-forest-labs/FLUX.1-kontext-pro", "width": 1024, "height": 768,
            "prompt": "Transform this into a watercolor painting",
            "image_url": "https://cdn.pixabay.com/photo/2020/05/20/08/27/cat-5195431_1280.jpg"
        })),
        "several": one("Edit several images, and let the size be made to fit", json!({
            "model": "flux2-pro", "prompt": "The person from image 1 is petting the cat from image 2",
            "reference_images": ["https://images.example/person.jpg", "https://images.example/cat.jpg"],
            "aspect_ratio": "16:9", "policy": { "adapt": { "size": "nearest" }, "max_cost": 200_000 }
        }))
    })
}

fn plain() -> Value {
    json!({ "text/plain": { "schema": { "type": "string" } } })
}

/// Every status that is no success: its name, and what it means.
const ERRORS: &[(u16, &str, &str)] = &[
    (400, "Wrong", "The request is wrong, or no model takes it; nothing was bought."),
    (
        401,
        "NoKey",
        "The gateway wants a key of the caller's, or its own is not known to the provider; nothing was bought.",
    ),
    (402, "NoMoney", "A budget or a credit is used up; nothing was bought."),
    (
        403,
        "NotAllowed",
        "The key does not allow this, or the provider does not let the gateway in; nothing was bought.",
    ),
    (404, "NotFound", "There is no such model or job."),
    (405, "OtherMethod", "This address takes another method; the header `Allow` says which."),
    (408, "TooSlow", "The body did not come in time; nothing was bought."),
    (410, "Gone", "The pictures are no longer there."),
    (413, "TooLarge", "The body is too large; nothing was bought."),
    (415, "OtherKind", "The body is of a kind that is not taken; nothing was bought."),
    (422, "Against", "The provider or a key of the caller's stands against it."),
    (
        424,
        "OutcomeUnknown",
        "A picture may have been made and charged: do not send the request again unseen.",
    ),
    (
        429,
        "TooMany",
        "A rate is used up; nothing was bought. `Retry-After` says when it comes back.",
    ),
    (503, "Busy", "Nothing was bought: the same request may be sent again."),
];

/// A provider's own status is kept.
const REFUSED: (u16, &str, &str) =
    (0, "Refused", "The provider refused it, in its own words and with its own status.");

fn named(status: u16) -> &'static str {
    ERRORS.iter().find(|it| it.0 == status).map_or("Wrong", |it| it.1)
}

/// The answers to what went wrong, by name.
fn responses(error: &Value) -> Value {
    let seconds = json!({ "type": "integer", "minimum": 0 });
    let told = |(status, name, what): &(u16, &str, &str)| {
        let mut response = json!({
            "description": what, "content": { "application/json": { "schema": error } }
        });
        let headers = match status {
            405 => json!({ "allow": { "description": "The methods that it takes.",
                "schema": { "type": "string" } } }),
            429 | 503 => {
                json!({ "retry-after": { "description": "So many seconds later it may go.",
                "schema": seconds } })
            }
            410 | 424 => {
                json!({ "x-should-retry": { "description": "`false` where nobody should send it again.",
                "schema": { "type": "string" } } })
            }
            _ => Value::Null,
        };
        if !headers.is_null() {
            response["headers"] = headers;
        }
        ((*name).to_owned(), response)
    };
    Value::Object(ERRORS.iter().chain([&REFUSED]).map(told).collect())
}

fn tagged(tag: &str, mut operation: Value) -> Value {
    operation["tags"] = json!([tag]);
    operation
}

/// The schemas of the document, by name.
#[derive(Default)]
pub(crate) struct Parts(BTreeMap<String, Value>);

impl Parts {
    /// Adds what has no parts of its own; gives what refers to it.
    pub(crate) fn put(&mut self, name: &str, mut schema: Value) -> Value {
        schema["title"] = name.into();
        self.0.insert(name.to_owned(), schema);
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// Adds the parts of a schema; gives the rest.
    pub(crate) fn definitions(&mut self, schema: Schema) -> Value {
        let text = schema.to_value().to_string().replace("#/$defs/", "#/components/schemas/");
        let mut whole: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        for key in ["$schema", "$id"] {
            whole.shift_remove(key);
        }
        if let Some(Value::Object(parts)) = whole.shift_remove("$defs") {
            self.0.extend(parts);
        }
        Value::Object(whole)
    }

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
        let whole = self.definitions(schema);
        self.put(name, whole)
    }
}

#[cfg(test)]
mod tests {
    use repaint_adapters as _;

    use super::*;
    use crate::dialect;

    fn document() -> Value {
        openapi(&Registry::linked().expect("adapters are linked"))
    }

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
        let document = document();
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
