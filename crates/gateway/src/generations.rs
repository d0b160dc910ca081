//! `POST /v1/images/generations`: pictures, in Together's dialect and OpenAI's.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{HeaderMap, StatusCode};
use repaint_core::Violation;

use crate::calls::Print;
use crate::dialect::{Understood, understand};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::held::Held;
use crate::keys::Caller;
use crate::receive::{self, Kind, Reader};
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
    let Reading { understood, print, held } = understood(gateway, body, reader).await?;
    let understood = understood.map_err(|it| Fault::violations(&it))?;
    Ok(Request { caller, understood, body: print, held })
}

/// A body that was read.
pub(crate) struct Reading {
    pub(crate) understood: Result<Understood, Vec<Violation>>,
    /// A keyed hash of it.
    pub(crate) print: Print,
    /// What was kept of it.
    pub(crate) held: Arc<Held>,
}

/// Reads and understands a body.
pub(crate) async fn understood(
    gateway: &Gateway,
    body: Body,
    reader: impl Reader,
) -> Result<Reading, Fault> {
    let (reader, held) = receive::body(body, reader, gateway).await?;
    let policy = gateway.policy().clone();
    let (lies_in_file, kept) = (held.lies_in_file(), held.whole());
    let work = move || {
        let (read, print) = reader.finish(&kept)?;
        Ok((understand(read, &policy), print))
    };
    let read = match lies_in_file {
        // What waits for a disk does so beside the network.
        true => tokio::task::spawn_blocking(work).await.map_err(|err| err.to_string()).flatten(),
        false => work(),
    };
    let (understood, print) = read.map_err(Fault::invalid)?;
    Ok(Reading { understood, print, held })
}
