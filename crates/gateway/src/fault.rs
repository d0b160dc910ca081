//! What goes wrong, in the caller's dialect: `{"id", "error": {"message", "type", "param", "code"}}`.
//!
//! Libraries send a request again after 408, 409, 429 and 5xx, some even where a header says not to. So
//! these are given only where nothing can have been bought; see `status`.

use axum::response::{IntoResponse, Response};
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use repaint_core::{Error, ErrorData, ErrorKind, Refusal, RefusalCode, Violation};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::answer::json;
use crate::dialect::{Names, param};

/// Says whether a library may send the same request again; OpenAI's and Together's obey it.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The answer to a request that brought no picture.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "ErrorAnswer")]
pub(crate) struct Body {
    /// The id of the job, for `GET /v1/jobs/{id}`; of another request, one to find it in the log by.
    pub(crate) id: String,
    /// What went wrong.
    pub(crate) error: Told,
}

/// What went wrong.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "ErrorObject")]
pub(crate) struct Told {
    /// In words, with what to do instead.
    pub(crate) message: String,
    /// Whose business it is: `invalid_request_error`, `authentication_error`, `rate_limit_error`,
    /// `server_error`, or `outcome_unknown_error`, which nobody should send again.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Which field of the request is wrong, such as `reference_images[2]`; `null` where it is none.
    #[schemars(schema_with = "text_or_null")]
    pub(crate) param: Option<String>,
    /// What kind of error: a code of `schemas/codes.json`, or one of the gateway's own.
    #[schemars(schema_with = "text_or_null")]
    pub(crate) code: Option<String>,
    /// All that is known: every refusal, what it cost, how to pick a job up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ErrorData>")]
    pub(crate) details: Option<Error>,
}

/// OpenAI's own errors have these fields always, so they are `null` and not absent.
fn text_or_null(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [{ "type": "string" }, { "type": "null" }] })
}

/// What went wrong, and how it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    code: Box<str>,
    message: Box<str>,
    param: Option<Box<str>>,
    retry_after: Option<u64>,
    /// Whether the same request may be sent again, where the status alone would say something else.
    should_retry: Option<bool>,
    job: Option<Box<str>>,
    details: Option<Error>,
}

impl Fault {
    /// A fault of the gateway's own, or one that it finds in a request.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into().into(),
            param: None,
            retry_after: None,
            should_retry: None,
            job: None,
            details: None,
        }
    }

    /// A request that is wrong whoever takes it.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// No room now; nothing was done.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        let fault = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
        Self { retry_after: Some(1), ..fault }
    }

    /// Somebody cancelled the job. Nobody should begin it again unasked, so it is no 5xx.
    pub(crate) fn cancelled() -> Self {
        let message = "the job was cancelled before anything was bought";
        let fault = Self::new(StatusCode::BAD_REQUEST, "cancelled", message);
        Self { should_retry: Some(false), ..fault }
    }

    /// All that is wrong with a body.
    pub(crate) fn violations(found: &[Violation]) -> Self {
        let told = |it: &Violation| {
            let place = match param(&it.pointer) {
                whole if whole.is_empty() => "the body".to_owned(),
                param => format!("`{param}`"),
            };
            let fix = if it.fix.is_empty() { String::new() } else { format!(": {}", it.fix) };
            format!("{place} {}{fix}", it.message)
        };
        let message: Vec<String> = found.iter().map(told).collect();
        let fault = Self::invalid(message.join("; "));
        let Some(first) = found.first() else { return fault };
        let code = serde_json::to_value(first.code).unwrap_or_default();
        let pointer = param(&first.pointer);
        Self {
            code: code.as_str().unwrap_or("invalid").into(),
            param: (!pointer.is_empty()).then(|| pointer.into()),
            ..fault
        }
    }

    /// What became of a job.
    pub(crate) fn of(error: &Error, names: &Names) -> Self {
        let data = error.data();
        let first = data.refusals.first();
        let code = match first.filter(|_| error.kind() == ErrorKind::Refused) {
            Some(refusal) => code(refusal.code),
            None => error.kind().code().to_owned(),
        };
        let may_have_cost = may_have_cost(error);
        Self {
            status: status(error),
            code: code.into(),
            // The program's words for what is a field here.
            message: error.to_string().replace("name it with --model", "name it in `model`").into(),
            param: first.map(|it: &Refusal| names.param(&it.field).into()),
            retry_after: data.retry_after_seconds,
            should_retry: may_have_cost.then_some(false),
            job: None,
            details: Some(error.clone()),
        }
    }

    #[must_use]
    pub(crate) fn about(self, param: &str) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    #[must_use]
    pub(crate) fn of_job(self, job: &str) -> Self {
        Self { job: Some(job).filter(|it| !it.is_empty()).map(Into::into), ..self }
    }
}

/// Whether what failed may have cost something, so that nobody should send it again unseen.
pub(crate) fn may_have_cost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Unexpected | ErrorKind::Expired)
        || error.data().resume.is_some()
        || error.data().cost.is_some_and(|it| 0 < it.0)
}

/// The status of an error: the provider's own where it said what is wrong with the request; nothing that
/// a library sends again by itself where a picture may have been bought.
fn status(error: &Error) -> StatusCode {
    let data = error.data();
    let theirs = data.status.and_then(|it| StatusCode::from_u16(it).ok());
    let client_error = theirs.filter(StatusCode::is_client_error);
    if may_have_cost(error) {
        return match error.kind() {
            ErrorKind::Expired => StatusCode::GONE,
            ErrorKind::Moderated => StatusCode::BAD_REQUEST,
            _ => StatusCode::FAILED_DEPENDENCY,
        };
    }
    match error.kind() {
        ErrorKind::Refused if data.refusals.iter().any(is_of_a_budget) => {
            StatusCode::PAYMENT_REQUIRED
        }
        ErrorKind::Refused | ErrorKind::InvalidRequest | ErrorKind::Moderated => {
            client_error.unwrap_or(StatusCode::BAD_REQUEST)
        }
        ErrorKind::Denied => client_error.unwrap_or(StatusCode::FORBIDDEN),
        ErrorKind::Exhausted => client_error.unwrap_or(StatusCode::TOO_MANY_REQUESTS),
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::OutcomeUnknown | ErrorKind::Expired | ErrorKind::Unexpected => {
            StatusCode::FAILED_DEPENDENCY
        }
    }
}

/// A budget of the store's, not the cap of the request.
fn is_of_a_budget(refusal: &Refusal) -> bool {
    refusal.code == RefusalCode::OverBudget && refusal.field == "budget"
}

fn code(code: RefusalCode) -> String {
    serde_json::to_value(code)
        .ok()
        .and_then(|it| it.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// OpenAI's word for a status.
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "authentication_error",
        402 => "insufficient_quota",
        424 => "outcome_unknown_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self { status, code, message, param, retry_after, should_retry, job, details } = self;
        let kind = kind(status).to_owned();
        let id = job.map_or_else(crate::ids::request, String::from);
        let (message, code) = (String::from(message), Some(String::from(code)));
        let param = param.map(String::from);
        let body = Body { id, error: Told { message, kind, param, code, details } };
        let mut headers = HeaderMap::new();
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(should_retry) = should_retry {
            let word = if should_retry { "true" } else { "false" };
            headers.insert(SHOULD_RETRY, HeaderValue::from_static(word));
        }
        (status, headers, json(&body)).into_response()
    }
}
