//! `POST /v1/images/edits`: the same as generations, as a form with files or as JSON.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;
use repaint_core::{RefusalCode, Violation};

use crate::fault::Fault;
use crate::form::Form;
use crate::gateway::Gateway;
use crate::generations::{read, read_json};
use crate::receive::{self, Kind};
use crate::run;

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
            let form = Form::new(&boundary, gateway.secret());
            read(&gateway, caller, body, form).await?
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
