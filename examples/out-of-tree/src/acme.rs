//! Acme: one path for all models, the pictures at addresses in the answer.

use repaint_core::{
    Auth, Call, Done, Endpoint, ErrorKind, Picture, Provider, Reply, Result, Stage, Step,
};
use serde::Deserialize;

/// Acme.
pub(crate) static ACME: Provider = Provider {
    id: "acme",
    name: "Acme",
    endpoint: Some(Endpoint {
        base: "https://api.acme.example",
        base_env: "ACME_BASE_URL",
        base_suffix: "",
        path: "/v1/pictures",
        auth: Auth { header: "authorization", prefix: "Bearer ", env: "ACME_API_KEY" },
        trusts: &[],
        advance,
    }),
};

fn advance(call: &Call, reply: &Reply) -> Result<Step> {
    match reply.status {
        200..=299 => {}
        // Acme judges the prompt before it begins, and says so with a status of its own.
        451 => return Err(reply.moderated(Stage::Input)),
        _ => return Err(reply.failure(call.phase)),
    }
    let Answer { order, pictures } = reply.read().map_err(|err| {
        // The order was taken; whether a picture was made is not to be read from this.
        err.with(|it| it.code = ErrorKind::OutcomeUnknown)
    })?;
    let pictures = pictures.into_iter().map(Picture::Url).collect();
    Ok(Step::Done(Done { pictures, request_id: Some(order), ..Done::default() }))
}

#[derive(Deserialize)]
struct Answer {
    order: String,
    pictures: Vec<String>,
}
