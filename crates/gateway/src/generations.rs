//! `POST /v1/images/generations`: pictures, in Together's dialect and OpenAI's.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{HeaderMap, StatusCode};

use crate::dialect::understand;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::keys::Caller;
use crate::receive::{self, Kind, Whole};
use crate::run::{self, Request};

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

/// Reads and understands a JSON body.
pub(crate) async fn read_json(
    gateway: &Gateway,
    caller: Caller,
    body: Body,
) -> Result<Request, Fault> {
    let (read, digest) = match receive::json(body, gateway).await? {
        Whole::Memory(whole) => {
            let mut digest = gateway.digest();
            digest.part(&whole);
            let read = crate::json::read(&whole).map_err(Fault::invalid)?;
            (understand(read, gateway.policy()), digest)
        }
        // What waits for a disk does so beside the network.
        Whole::File(spill, length) => {
            let (mut digest, policy) = (gateway.digest(), gateway.policy().clone());
            let work = tokio::task::spawn_blocking(move || {
                let read = crate::spill::read(spill, length, |piece| digest.piece(piece))?;
                digest.ends();
                Ok((understand(read, &policy), digest))
            });
            work.await.map_err(|err| err.to_string()).flatten().map_err(Fault::invalid)?
        }
    };
    let understood = read.map_err(|it| Fault::violations(&it))?;
    Ok(Request { caller, understood, body: digest.done() })
}
