//! `/healthz`, `/readyz` and `/metrics`: for whoever runs it.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use crate::gateway::Gateway;

/// A store that answers later is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process is alive.
pub(crate) async fn healthz() -> Response {
    "ok\n".into_response()
}

/// `GET /readyz`: it takes requests, and its store answers.
pub(crate) async fn readyz(State(gateway): State<Gateway>) -> Response {
    let not = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    if gateway.drains() {
        return not("stopping");
    }
    match tokio::time::timeout(PATIENCE, gateway.store().budgets()).await {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(_)) | Err(_) => not("the store does not answer"),
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(gateway): State<Gateway>) -> Response {
    let text = gateway.metrics().text(&gateway.now());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
