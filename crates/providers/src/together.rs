//! Together AI: one path for all models, the model in the body, the pictures in the answer.

use repaint_core::{
    Auth, Call, Done, Endpoint, Error, ErrorKind, Payload, Picture, Provider, Reply, Result, Stage,
    Step,
};
use serde::Deserialize;

/// Together AI.
///
/// ref: <https://docs.together.ai/reference/post-images-generations>, OpenAPI of 2026-04-28
pub static TOGETHER: Provider = Provider {
    id: "together",
    name: "Together AI",
    endpoint: Some(Endpoint {
        base: "https://api.together.ai/v1",
        // Its Python library 3 wants the host, its others the host with `/v1`.
        base_env: "TOGETHER_BASE_URL",
        base_suffix: "/v1",
        path: "/images/generations",
        auth: Auth { header: "authorization", prefix: "Bearer ", env: "TOGETHER_API_KEY" },
        trusts: &[],
        advance,
    }),
};

fn advance(call: &Call, reply: &Reply) -> Result<Step> {
    if !(200..=299).contains(&reply.status) {
        return Err(failure(call, reply));
    }
    let Answer { id, data } = reply.read().map_err(|err| {
        // The order was taken; whether a picture was made is not to be read from this.
        err.with(|it| it.code = ErrorKind::OutcomeUnknown)
    })?;
    let pictures: Vec<Picture> = data.into_iter().map(Item::picture).collect();
    if pictures.iter().all(|it| *it == Picture::Missing) {
        let message = "the answer has no picture in it; one may have been made and charged";
        return Err(reply.error(ErrorKind::OutcomeUnknown, message).with(|it| it.request_id = id));
    }
    Ok(Step::Done(Done { pictures, request_id: id, ..Done::default() }))
}

/// ref: docs.together.ai/docs/error-codes; "images/parameters" for 422; 2026-11-22
fn failure(call: &Call, reply: &Reply) -> Error {
    let Failure { id, error } = reply.read().unwrap_or_default();
    let Words { code, message } = error.unwrap_or_default();
    let code = code.unwrap_or_default();
    let err = match (reply.status, code.as_str()) {
        (400, "content_policy_violation") => reply.moderated(Stage::Input),
        // "Engine overloaded": the request was not begun.
        (503, _) => reply.error(ErrorKind::Unavailable, "the provider is overloaded (503)"),
        // "Safety checker triggered": the documentation does not say on what, nor in which words, and
        // it is the usual status for a field that is wrong, too.
        (422, code) if speaks_of_moderation(code, &message.unwrap_or_default()) => {
            reply.moderated(Stage::Unstated)
        }
        _ => reply.failure(call.phase),
    };
    err.with(|it| it.request_id = id.or(it.request_id.take()))
}

/// Whether the words of a refusal say that moderation is why.
fn speaks_of_moderation(code: &str, message: &str) -> bool {
    let words = format!("{code} {message}").to_lowercase();
    ["safety", "moderat", "nsfw", "content policy", "content_policy"]
        .iter()
        .any(|it| words.contains(it))
}

/// Printed samples lack `type` or `object` and have `timings`: only what is needed is read.
#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    #[serde(default)]
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    url: Option<Payload>,
    b64_json: Option<Payload>,
}

impl Item {
    fn picture(self) -> Picture {
        let empty = Payload::Inline(String::new());
        let Self { url, b64_json } = self;
        match (b64_json.filter(|it| *it != empty), url.filter(|it| *it != empty)) {
            (Some(payload), _) => Picture::Payload(payload),
            (None, Some(Payload::Inline(url))) => Picture::Url(url),
            // A data URI in the place of an address.
            (None, Some(lifted @ Payload::Lifted(_))) => Picture::Payload(lifted),
            (None, None) => Picture::Missing,
        }
    }
}

#[derive(Default, Deserialize)]
struct Failure {
    id: Option<String>,
    error: Option<Words>,
}

#[derive(Default, Deserialize)]
struct Words {
    code: Option<String>,
    message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use repaint_core::Phase;

    fn after(status: u16, body: &str) -> Result<Step> {
        let call = Call { url: String::new(), auth: None, body: None, phase: Phase::Submit };
        advance(&call, &Reply { status, body: body.into(), ..Reply::default() })
    }

    fn pictures(body: &str) -> Vec<Picture> {
        match after(200, body) {
            Ok(Step::Done(done)) => done.pictures,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_parse_in_every_documented_form() {
        let url = Picture::Url("https://api.together.ai/shrt/abc".into());
        let base64 = Picture::Payload(Payload::Inline("/9j/4AAQSkZJRgABAQA".into()));
        // ref: the samples of docs.together.ai, "images/overview" and "images/parameters", 2026-11-22
        for (body, wanted) in [
            (
                r#"{"id":"o","model":"m","data":[{"index":0,"url":"https://api.together.ai/shrt/abc"}]}"#,
                &url,
            ),
            (
                r#"{"id":"o","object":"list","model":"m","data":[{"index":0,"type":"url","url":"https://api.together.ai/shrt/abc"}]}"#,
                &url,
            ),
            (
                r#"{"id":"o","data":[{"b64_json":"/9j/4AAQSkZJRgABAQA","index":0,"type":null,"timings":{"inference":0.79}}],"model":"m","object":"list"}"#,
                &base64,
            ),
            (r#"{"data":[{"b64_json":"/9j/4AAQSkZJRgABAQA","url":null}]}"#, &base64),
            (r#"{"data":[{"b64_json":"","url":"https://api.together.ai/shrt/abc"}]}"#, &url),
        ] {
            assert_eq!(pictures(body), std::slice::from_ref(wanted), "{body}");
        }
    }

    #[test]
    fn an_answer_without_a_picture_carries_its_text() {
        for body in [
            r#"{"id":"o","data":[]}"#,
            r#"{"message":"I cannot draw that"}"#,
            // What cannot be read may have been a picture.
            "I cannot draw that",
        ] {
            let err = after(200, body).expect_err(body);
            assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
            assert!(err.data().provider_message.is_some(), "{err:?}");
        }
    }

    #[test]
    fn failures_are_by_what_the_caller_can_do() {
        for (status, kind) in [
            (400, ErrorKind::InvalidRequest),
            (401, ErrorKind::Denied),
            (402, ErrorKind::Exhausted),
            (403, ErrorKind::Denied),
            (404, ErrorKind::InvalidRequest),
            (422, ErrorKind::InvalidRequest),
            (429, ErrorKind::Exhausted),
            (500, ErrorKind::OutcomeUnknown),
            (503, ErrorKind::Unavailable),
            (504, ErrorKind::OutcomeUnknown),
        ] {
            let body =
                r#"{"id":"o1","error":{"message":"words","type":"t","param":null,"code":null}}"#;
            let err = after(status, body).expect_err(body);
            assert_eq!(err.kind(), kind, "{status}");
            assert_eq!(err.data().status, Some(status));
            assert_eq!(err.data().provider_message.as_deref(), Some("words"));
            assert_eq!(err.data().request_id.as_deref(), Some("o1"));
        }
    }

    #[test]
    fn a_moderated_prompt_is_no_invalid_request() {
        let body = r#"{"error":{"message":"no","code":"content_policy_violation"}}"#;
        let err = after(400, body).expect_err("moderated");
        assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(Stage::Input)));
        for words in ["Safety checker triggered", "flagged as NSFW", "blocked by Content Policy"] {
            let body = format!(r#"{{"error":{{"message":"{words}"}}}}"#);
            let err = after(422, &body).expect_err("moderated");
            assert_eq!(err.data().stage, Some(Stage::Unstated), "{words}");
        }
    }

    #[test]
    fn a_field_that_is_wrong_is_no_moderation_whatever_the_status_is() {
        for body in [r#"{"error":{"message":"width must be a multiple of 16"}}"#, "", "<html>"] {
            let err = after(422, body).expect_err("refused");
            assert_eq!((err.kind(), err.data().stage), (ErrorKind::InvalidRequest, None), "{body}");
        }
    }
}
