//! `/v1/models`: every offer with what it takes, in OpenAI's form.

use axum::extract::State;
use axum::response::Response;
use hyper::{HeaderMap, StatusCode};
use repaint_core::ImageModel;
use repaint_schema::{Entry, catalogue, request_schema};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::json;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::named::Named;
use crate::run::unknown_model;

/// Every model.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "ModelsAnswer")]
pub(crate) struct List {
    /// Always `list`.
    pub(crate) object: String,
    /// The models: one for each offer.
    pub(crate) data: Vec<Model>,
}

/// One offer: a model at a provider, with what it takes.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "ModelAnswer")]
pub(crate) struct Model {
    /// Always `model`.
    pub(crate) object: String,
    /// Always 0: nobody says when it was made.
    pub(crate) created: u64,
    /// The provider.
    pub(crate) owned_by: String,
    /// Whether the gateway has a key for its provider, or needs none.
    pub(crate) ready: bool,
    /// The offer.
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// `GET /v1/models`: those that the caller may use.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    let entries = catalogue(gateway.router().registry()).models;
    let data = entries
        .into_iter()
        .filter(|it| caller.may_use(&it.id))
        .map(|it| told(&gateway, it))
        .collect();
    Ok(json(&List { object: "list".to_owned(), data }))
}

/// `GET /v1/models/{id}` and `GET /v1/models/{id}/schema`, where an id may have a slash in it.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Named(path): Named,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    let registry = gateway.router().registry();
    let (name, wants_schema) = match path.strip_suffix("/schema") {
        Some(name) => (name, true),
        None => (path.as_str(), false),
    };
    let found = registry.resolve(name).map_err(|err| unknown_model(&err))?;
    caller.may_use_some(&found)?;
    let model = match found.as_slice() {
        [only] => *only,
        several => {
            let ids: Vec<&str> = several.iter().map(|it| it.id()).collect();
            let message =
                format!("`{name}` is at several providers: name one of {}", ids.join(", "));
            return Err(Fault::invalid(message).about("model"));
        }
    };
    if wants_schema {
        return schema(model);
    }
    let mut entries = catalogue(registry).models.into_iter().filter(|it| it.id == model.id());
    let told = entries.next().map(|it| told(&gateway, it));
    Ok(json(&told))
}

fn schema(model: &dyn ImageModel) -> Result<Response, Fault> {
    request_schema(model).map(|it| json(&it)).ok_or_else(|| {
        let message = format!(
            "{} runs in this process and has no body of its own; /openapi.json has that of a request",
            model.id()
        );
        Fault::new(StatusCode::NOT_FOUND, "not_found", message)
    })
}

fn told(gateway: &Gateway, entry: Entry) -> Model {
    let registry = gateway.router().registry();
    let provider = registry.get(&entry.id).map(|it| it.provider());
    let has_key = provider.is_some_and(|it| gateway.router().client().has_key(it));
    Model {
        object: "model".to_owned(),
        created: 0,
        owned_by: entry.provider.clone(),
        ready: entry.key.is_none() || has_key,
        entry,
    }
}
