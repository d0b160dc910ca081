//! Black Forest Labs: one path for each model, a ticket, then polling where the ticket says.

use std::time::Duration;

use repaint_core::{
    Auth, Call, Charge, Done, Endpoint, Error, ErrorKind, Handle, Payload, Phase, Picture,
    Provider, Reply, Result, Stage, Step, Usd,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Black Forest Labs.
///
/// ref: <https://docs.bfl.ai/api_integration/integration_guidelines>, 2026-11-22
pub static BFL: Provider = Provider {
    id: "bfl",
    name: "Black Forest Labs",
    endpoint: Some(Endpoint {
        base: "https://api.bfl.ai/v1",
        base_env: "BFL_BASE_URL",
        base_suffix: "/v1",
        path: "/{name}",
        auth: AUTH,
        // Polling addresses are on regional hosts of this domain, and must be used to the letter.
        trusts: &["bfl.ai"],
        advance,
    }),
};

const AUTH: Auth = Auth { header: "x-key", prefix: "", env: "BFL_API_KEY" };

/// ref: the sample code of docs.bfl.ai, 2026-11-22
const POLL_EVERY: Duration = Duration::from_millis(500);

fn advance(call: &Call, reply: &Reply) -> Result<Step> {
    if !(200..=299).contains(&reply.status) {
        // A failed poll may say in its body what became of the job; its status only says "no".
        let word = reply.read::<Poll>().ok().and_then(|it| judge(&it.status, reply));
        return Err(match word.filter(|_| call.phase == Phase::Poll) {
            Some(Err(err)) => err,
            Some(Ok(())) | None => reply.failure(call.phase),
        });
    }
    match call.phase {
        Phase::Connect | Phase::Submit => accepted(reply),
        Phase::Poll | Phase::Download => polled(call, reply),
    }
}

fn accepted(reply: &Reply) -> Result<Step> {
    let ticket: Ticket = reply.read().map_err(|err| {
        // The order was taken, but by which name is not known.
        err.with(|it| it.code = ErrorKind::OutcomeUnknown)
    })?;
    let charge = ticket.charge();
    let Ticket { id, polling_url, status, .. } = ticket;
    let charged = |err: Error| err.with(|it| it.cost = charge.cost);
    if let Some(status) = status.as_ref().and_then(Value::as_str) {
        judge(status, reply).transpose().map_err(charged)?;
    }
    let handle =
        Handle { provider: BFL.id.to_owned(), id, poll: polling_url.clone(), pictures: Vec::new() };
    let Some(url) = polling_url else {
        let message =
            "the order was taken, but the answer does not say where to ask for the picture";
        return Err(charged(reply.error(ErrorKind::OutcomeUnknown, message))
            .with(|it| it.resume = Some(handle)));
    };
    let next = Call { url, auth: Some(AUTH), body: None, phase: Phase::Poll };
    Ok(Step::Accepted { handle, charge, next, after: POLL_EVERY })
}

fn polled(call: &Call, reply: &Reply) -> Result<Step> {
    // A page in the way of an answer says nothing of the job, which goes on.
    let Poll { id, status, result } =
        reply.read().map_err(|err| err.with(|it| it.code = ErrorKind::Unavailable))?;
    if let Some(step) = judge(&status, reply) {
        step?;
        let sample = result.and_then(|it| serde_json::from_value(it).ok());
        let sample = sample.and_then(|it: Sample| it.sample).ok_or_else(|| {
            reply.error(
                ErrorKind::OutcomeUnknown,
                "the picture is said to be ready, but no address is given",
            )
        })?;
        let pictures = vec![match sample {
            Payload::Inline(url) => Picture::Url(url),
            lifted @ Payload::Lifted(_) => Picture::Payload(lifted),
        }];
        return Ok(Step::Done(Done { pictures, request_id: id, charge: Charge::default() }));
    }
    Ok(Step::Call { call: call.clone(), after: POLL_EVERY, status })
}

/// `None` goes on polling: the list of statuses grows, so an unknown one is no end.
///
/// ref: docs.bfl.ai/api-reference/utility/get-result and docs.bfl.ai/api_integration/errors, 2026-11-22
fn judge(status: &str, reply: &Reply) -> Option<Result<()>> {
    match status {
        "Ready" => Some(Ok(())),
        "Request Moderated" => Some(Err(reply.moderated(Stage::Input))),
        "Content Moderated" => Some(Err(reply.moderated(Stage::Output))),
        "Error" | "Failed" => {
            Some(Err(reply.error(ErrorKind::Unexpected, "the provider failed to make the picture")))
        }
        "Task not found" => Some(Err(
            reply.error(ErrorKind::Expired, "the provider does not know the job (any more)")
        )),
        // "Pending", "Reasoning", "Generating", and what may come.
        _ => None,
    }
}

#[derive(Deserialize)]
struct Ticket {
    id: String,
    polling_url: Option<String>,
    status: Option<Value>,
    /// Credits; one is a cent. What is odd about these numbers does not lose the job.
    cost: Option<Value>,
    input_mp: Option<Value>,
    output_mp: Option<Value>,
}

impl Ticket {
    fn charge(&self) -> Charge {
        let Self { id: _, polling_url: _, status: _, cost, input_mp, output_mp } = self;
        let credits = |it: &Value| it.as_f64().or_else(|| it.as_str()?.parse().ok());
        let cost = cost.as_ref().and_then(credits).filter(|it| (0.0..1e9).contains(it));
        let mut evidence = Map::new();
        for (name, value) in [("input_mp", input_mp), ("output_mp", output_mp)] {
            if let Some(value) = value.as_ref().filter(|it| it.is_number() || it.is_string()) {
                evidence.insert(name.to_owned(), value.clone());
            }
        }
        Charge { cost: cost.map(|it| Usd((it * 10_000.0).round() as u64)), evidence }
    }
}

#[derive(Deserialize)]
struct Poll {
    id: Option<String>,
    status: String,
    /// Only of a ready job is it looked into.
    result: Option<Value>,
}

#[derive(Deserialize)]
struct Sample {
    sample: Option<Payload>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(phase: Phase) -> Call {
        Call { url: "https://eu.bfl.ai/1".into(), auth: Some(AUTH), body: None, phase }
    }

    fn after(phase: Phase, body: &str) -> Result<Step> {
        advance(&call(phase), &Reply { status: 200, body: body.into(), ..Reply::default() })
    }

    fn status(status: &str) -> Result<Step> {
        after(Phase::Poll, &format!(r#"{{"id":"1","status":"{status}","result":null}}"#))
    }

    #[test]
    fn a_ticket_is_polled_where_it_says_and_its_cost_is_kept() {
        let body = r#"{"id":"1","polling_url":"https://eu.bfl.ai/1","cost":4.5,"input_mp":1.05,"output_mp":1}"#;
        let Ok(Step::Accepted { handle, charge, next, .. }) = after(Phase::Submit, body) else {
            panic!("not accepted")
        };
        assert_eq!(next, call(Phase::Poll));
        assert_eq!(handle.id, "1");
        assert_eq!(charge.cost, Some(Usd(45_000)));
        let odd = r#"{"id":"1","polling_url":"https://eu.bfl.ai/1","cost":"4.5","input_mp":null}"#;
        assert!(
            matches!(after(Phase::Submit, odd), Ok(Step::Accepted { charge, .. }) if charge.cost == Some(Usd(45_000)))
        );
        assert_eq!(Value::from(charge.evidence).to_string(), r#"{"input_mp":1.05,"output_mp":1}"#);
    }

    #[test]
    fn the_key_goes_only_to_hosts_of_the_provider() {
        let endpoint = BFL.endpoint.as_ref().expect("hosted");
        let trusts = |base: &str, url: &str| {
            endpoint.trusts(&base.parse().expect("a base"), &url.parse().expect("an address"))
        };
        for base in ["https://api.bfl.ai/v1", "https://api.eu.bfl.ai/v1"] {
            for own in [
                "https://api.eu2.bfl.ai/v1/get_result?id=1",
                "https://bfl.ai/x",
                "https://API.BFL.AI/x",
            ] {
                assert!(trusts(base, own), "{base} {own}");
            }
            for strange in [
                "http://api.bfl.ai/x",
                "https://evilbfl.ai/x",
                "https://bfl.ai.example.com/x",
                "https://bfl.ai@example.com/x",
                "https://user@api.bfl.ai/x",
                "https://api.bfl.ai:8443/x",
                "https://example.com/?bfl.ai",
            ] {
                assert!(!trusts(base, strange), "{base} {strange}");
            }
        }
        let gateway = "http://127.0.0.1:9000/v1";
        assert!(trusts(gateway, "http://127.0.0.1:9000/poll"));
        for strange in ["https://api.bfl.ai/x", "http://127.0.0.1:9001/poll"] {
            assert!(!trusts(gateway, strange), "{strange}");
        }
    }

    #[test]
    fn known_and_unknown_statuses_are_polled_on() {
        for word in ["Pending", "Reasoning", "Generating", "Paused", ""] {
            assert!(matches!(status(word), Ok(Step::Call { .. })), "{word}");
        }
    }

    #[test]
    fn moderation_stops_at_either_stage() {
        for (word, stage) in
            [("Request Moderated", Stage::Input), ("Content Moderated", Stage::Output)]
        {
            let err = status(word).expect_err(word);
            assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(stage)));
        }
    }

    #[test]
    fn a_ready_picture_is_done() {
        let body = r#"{"id":"1","status":"Ready","result":{"sample":"https://delivery.bfl.ai/1.png","seed":1}}"#;
        let Ok(Step::Done(done)) = after(Phase::Poll, body) else { panic!("not done") };
        assert_eq!(done.pictures, [Picture::Url("https://delivery.bfl.ai/1.png".into())]);
    }

    #[test]
    fn what_is_gone_and_what_failed_is_said() {
        assert_eq!(status("Task not found").expect_err("gone").kind(), ErrorKind::Expired);
        assert_eq!(status("Error").expect_err("error").kind(), ErrorKind::Unexpected);
        assert_eq!(status("Failed").expect_err("failed").kind(), ErrorKind::Unexpected);
        assert_eq!(status("Ready").expect_err("no sample").kind(), ErrorKind::OutcomeUnknown);
    }

    #[test]
    fn a_ticket_that_cannot_be_read_may_have_been_charged() {
        for body in ["{}", "not JSON", r#"{"id":"1","status":"x","webhook_url":"https://a"}"#] {
            assert_eq!(
                after(Phase::Submit, body).expect_err(body).kind(),
                ErrorKind::OutcomeUnknown
            );
        }
    }
}
