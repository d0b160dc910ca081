//! `POST /v1/images/generations`: pictures, in Together's dialect and OpenAI's.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{HeaderMap, StatusCode};
use repaint_core::Violation;

use crate::calls::Print;
use crate::dialect::{Understood, understand};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::keys::Caller;
use crate::receive::{self, Kind, Reader, Whole};
use crate::run::{self, Request};
use crate::scan::Scan;

/// `POST /v1/images/generations`
pub(crate) async fn post(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    if receive::kind(&headers)? != Kind::Json {
        let message =
            "the content-type must be application/json; POST /v1/images/edits takes forms";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Fault::new(status, "unsupported_media_type", message));
    }
    let request = read_json(&gateway, caller, body).await?;
    run::run(&gateway, &headers, request).await
}

/// The request that a JSON body is.
pub(crate) async fn read_json(
    gateway: &Gateway,
    caller: Caller,
    body: Body,
) -> Result<Request, Fault> {
    read(gateway, caller, body, Scan::new(gateway.secret())).await
}

/// The request that a body is.
pub(crate) async fn read(
    gateway: &Gateway,
    caller: Caller,
    body: Body,
    reader: impl Reader,
) -> Result<Request, Fault> {
    let (understood, body) = understood(gateway, body, reader).await?;
    let understood = understood.map_err(|it| Fault::violations(&it))?;
    Ok(Request { caller, understood, body })
}

/// Reads and understands a body; with a keyed hash of it.
pub(crate) async fn understood(
    gateway: &Gateway,
    body: Body,
    reader: impl Reader,
) -> Result<(Result<Understood, Vec<Violation>>, Print), Fault> {
    let (reader, whole) = receive::body(body, reader, gateway).await?;
    let policy = gateway.policy().clone();
    let lies_in_file = matches!(whole, Whole::File(_));
    let work = move || {
        let (read, print) = reader.finish(&whole)?;
        Ok((understand(read, &policy), print))
    };
    match lies_in_file {
        // What waits for a disk does so beside the network.
        true => tokio::task::spawn_blocking(work).await.map_err(|err| err.to_string()).flatten(),
        false => work(),
    }
    .map_err(Fault::invalid)
}
