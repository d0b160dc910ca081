//! `POST /v1/images/explain` and `/v1/images/validate`: what would become of a request. Nothing is bought.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{HeaderMap, StatusCode};
use repaint_core::{Job, Plan, Refusal, RefusalCode, Violation};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::json;
use crate::dialect::{Names, param};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::generations::understood;
use crate::keys::Caller;
use crate::receive::{self, Kind};
use crate::scan::Scan;

/// What is wrong with a request.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "ValidateAnswer")]
pub(crate) struct Verdict {
    /// Whether some model would take it.
    pub(crate) valid: bool,
    /// Why none would; empty if one would.
    pub(crate) errors: Vec<Problem>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "Problem")]
pub(crate) struct Problem {
    /// Which field, such as `reference_images[2]`; absent where it is the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) param: Option<String>,
    /// What kind of fault.
    pub(crate) code: RefusalCode,
    /// In words.
    pub(crate) message: String,
    /// What to do instead.
    pub(crate) fix: String,
    /// Who refuses it; absent where it is wrong whoever takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offer: Option<String>,
}

/// `POST /v1/images/explain`: who would take the request, and why each other would not.
pub(crate) async fn explain(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    match read(&gateway, &headers, body).await? {
        Ok((caller, mut job, names)) => Ok(json(&plan(&gateway, &caller, &mut job, &names).await?)),
        Err(found) => Err(Fault::violations(&found)),
    }
}

/// `POST /v1/images/validate`: all that is wrong with the request.
pub(crate) async fn validate(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let errors = match read(&gateway, &headers, body).await? {
        Err(found) => found.into_iter().map(of_violation).collect(),
        Ok((caller, mut job, names)) => {
            let plan = plan(&gateway, &caller, &mut job, &names).await?;
            match plan.candidates.is_empty() {
                false => Vec::new(),
                true => refused(&plan, &names),
            }
        }
    };
    Ok(json(&Verdict { valid: errors.is_empty(), errors }))
}

type Understood = Result<(Caller, Job, Names), Vec<Violation>>;

async fn read(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Understood, Fault> {
    let caller = gateway.caller(headers)?;
    if receive::kind(headers)? != Kind::Json {
        let message = "the content-type must be application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Fault::new(status, "unsupported_media_type", message));
    }
    let reading = understood(gateway, body, Scan::new(gateway.secret())).await?;
    let understood = reading.understood;
    Ok(understood.map(|it| (caller, it.job, it.names)))
}

async fn plan(
    gateway: &Gateway,
    caller: &Caller,
    job: &mut Job,
    names: &Names,
) -> Result<Plan, Fault> {
    crate::run::known(gateway, caller, job)?;
    crate::fetch::fetched(gateway, job, names).await?;
    caller.router(gateway).plan(job).await.map_err(|err| Fault::of(&err, names))
}

/// Why those that were asked refuse it. What nobody asked for is left out.
fn refused(plan: &Plan, names: &Names) -> Vec<Problem> {
    let mut problems = Vec::new();
    for refusals in plan.refusals.iter() {
        let is_asked = |it: &Refusal| it.code != RefusalCode::NotAsked;
        if !refusals.reasons.iter().all(is_asked) {
            continue;
        }
        problems.extend(refusals.reasons.iter().map(|it| Problem {
            param: Some(names.param(&it.field)).filter(|it| !it.is_empty()),
            code: it.code,
            message: it.message.clone(),
            fix: it.fix.clone(),
            offer: Some(refusals.offer.clone()),
        }));
    }
    problems
}

fn of_violation(violation: Violation) -> Problem {
    let Violation { code, pointer, message, fix, .. } = violation;
    let param = Some(param(&pointer)).filter(|it| !it.is_empty());
    Problem { param, code, message, fix, offer: None }
}
