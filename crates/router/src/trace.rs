//! Spans of calls, with the names that OpenTelemetry gives to those of generative models.
//!
//! ref: <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>, 2026-11-26

use repaint_core::{ImageModel, Outcome, Result};
use serde_json::json;
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::hooks::Calling;
use crate::router::Router;

/// The span of a call: no key and no image, and a prompt only where the host asked for it.
pub(crate) fn call(router: &Router, model: &dyn ImageModel, calling: &Calling<'_>) -> Span {
    let (offer, provider) = (model.offer(), model.provider());
    let base = router.client.base(provider).ok().flatten();
    let span = info_span!(
        "generate_content",
        otel.name = format!("generate_content {}", offer.name),
        otel.kind = "client",
        gen_ai.operation.name = "generate_content",
        gen_ai.output.r#type = "image",
        gen_ai.provider.name = provider.id,
        gen_ai.request.model = offer.name,
        gen_ai.request.choice.count = calling.request.count,
        gen_ai.request.seed = calling.request.seed,
        gen_ai.response.id = Empty,
        gen_ai.input.messages = Empty,
        server.address = base.as_ref().and_then(|it| it.host_str()),
        server.port = base.as_ref().and_then(|it| it.port_or_known_default()),
        error.r#type = Empty,
        repaint.offer = calling.offer,
        repaint.job = calling.job,
        repaint.order = calling.order,
        repaint.input_images = calling.request.images.len(),
        repaint.cost_microdollars = Empty,
    );
    if router.records_prompts {
        let part = json!({ "type": "text", "content": calling.request.prompt });
        let messages = json!([{ "role": "user", "parts": [part] }]);
        span.record("gen_ai.input.messages", messages.to_string());
    }
    span
}

/// What came of the call.
pub(crate) fn ended(span: &Span, result: &Result<Outcome>) {
    let (id, cost) = match result {
        Ok(outcome) => (outcome.receipt.request_id.as_ref(), outcome.receipt.cost),
        Err(err) => {
            span.record("error.type", err.kind().code());
            (err.data().request_id.as_ref(), err.data().cost)
        }
    };
    if let Some(id) = id {
        span.record("gen_ai.response.id", id);
    }
    if let Some(cost) = cost {
        span.record("repaint.cost_microdollars", cost.0);
    }
}
