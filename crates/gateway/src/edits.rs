//! `POST /v1/images/edits`: the same as generations, as a form with files or as JSON.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;
use repaint_core::{RefusalCode, Violation};

use crate::dialect::understand;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::generations::read_json;
use crate::receive::{self, Kind};
use crate::run::{self, Request};

/// `POST /v1/images/edits`
pub(crate) async fn post(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    let request = match receive::kind(&headers)? {
        Kind::Json => read_json(&gateway, caller, body).await?,
        Kind::Form(boundary) => {
            let whole = receive::whole(body, &gateway).await?;
            let parts = crate::form::parts(&whole, &boundary).map_err(Fault::invalid)?;
            drop(whole);
            // A boundary is another each time, so what stands between them counts.
            let mut digest = gateway.digest();
            for part in &parts {
                digest.part(part.name.as_bytes());
                digest.part(&part.content);
            }
            let read = crate::form::read(parts).map_err(Fault::invalid)?;
            let understood =
                understand(read, gateway.policy()).map_err(|it| Fault::violations(&it))?;
            Request { caller, understood, body: digest.done() }
        }
    };
    if request.understood.job.request.images.is_empty() {
        let missing = Violation {
            code: RefusalCode::TooFew,
            pointer: "/image".to_owned(),
            limit: 1.into(),
            got: 0.into(),
            message: "is missing: an edit needs an image".to_owned(),
            fix: "add one, or POST to /v1/images/generations to draw from the prompt alone"
                .to_owned(),
        };
        return Err(Fault::violations(&[missing]));
    }
    run::run(&gateway, &headers, request).await
}
