//! The provider: it takes whole orders and answers as Together does, at one port for each kind of answer,
//! since gateways hand no queries on.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{address, caller, listen};
use crate::Result;

/// One kind of answer.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    /// Characters of base64; none is an address.
    base64: usize,
    delay: Duration,
    /// Whether every second order of the first model is not taken.
    refuses: bool,
}

const KINDS: [Kind; 4] = [
    Kind { name: "small", base64: 0, delay: Duration::ZERO, refuses: false },
    Kind { name: "large", base64: 1_500_000, delay: Duration::ZERO, refuses: false },
    Kind { name: "slow", base64: 8_000_000, delay: Duration::from_secs(2), refuses: false },
    Kind { name: "flaky", base64: 1_500_000, delay: Duration::ZERO, refuses: true },
];

/// Who refuses.
const FIRST: &[u8] = b"black-forest-labs/FLUX.2-dev";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The head of a JPEG of 1024 × 1024 pixels, and its end.
const JPEG: &str = "/9j/wAALCAQABAABAREA/9oACAEBAAA/AAAA";
const JPEG_END: &str = "AP/Z";

/// What one port has seen.
#[derive(Debug)]
struct Port {
    kind: Kind,
    answer: Bytes,
    orders: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
    of_the_first: AtomicU64,
}

/// Serves until the process ends; the first line says at which port is what.
pub(crate) fn run() -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut ports = serde_json::Map::new();
        for kind in KINDS {
            let listener = listen().await?;
            ports.insert(kind.name.to_owned(), json!(format!("http://{}", address(&listener)?)));
            let port = Port {
                kind,
                answer: answer(kind.base64),
                orders: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                refused: AtomicU64::new(0),
                of_the_first: AtomicU64::new(0),
            };
            tokio::spawn(serve(listener, Arc::new(port)));
        }
        println!("{}", Value::Object(ports));
        std::future::pending().await
    })
}

async fn serve(listener: TcpListener, port: Arc<Port>) {
    loop {
        let Some(stream) = caller(&listener).await else { continue };
        let port = Arc::clone(&port);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(request, &port));
            // How a connection ends is the caller's business.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn handle(
    request: Request<Incoming>,
    port: &Port,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/seen" {
        let count = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let seen = json!({
            "orders": count(&port.orders), "bytes": count(&port.bytes), "refused": count(&port.refused),
        });
        return Ok(Response::new(Full::new(seen.to_string().into())));
    }
    let mut body = request.into_body();
    let (mut bytes, mut first) = (0, false);
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.data_ref().map_or(&[][..], |it| it);
        // Where it matters, the model stands before the images.
        if bytes == 0 && port.kind.refuses {
            first = data[..data.len().min(512)].windows(FIRST.len()).any(|it| it == FIRST);
        }
        bytes += data.len() as u64;
    }
    tokio::time::sleep(port.kind.delay).await;
    port.orders.fetch_add(1, Ordering::Relaxed);
    port.bytes.fetch_add(bytes, Ordering::Relaxed);
    let mut response = Response::new(Full::new(port.answer.clone()));
    if first && port.of_the_first.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
        port.refused.fetch_add(1, Ordering::Relaxed);
        *response.body_mut() = Full::new(Bytes::from_static(br#"{"error":{"message":"busy"}}"#));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

fn answer(base64: usize) -> Bytes {
    let head =
        r#"{"id":"bench","model":"m","object":"list","created":1700000000,"data":[{"index":0,"#;
    if base64 == 0 {
        let url = "https://api.together.ai/imgproxy/abcdefghijklmnop.jpg";
        return format!(r#"{head}"type":"url","url":"{url}"}}]}}"#).into();
    }
    let mut text = format!(r#"{head}"type":"b64_json","b64_json":""#).into_bytes();
    text.extend_from_slice(JPEG.as_bytes());
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in JPEG.len() + JPEG_END.len()..base64 / 4 * 4 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(ALPHABET[(state >> 33) as usize & 63]);
    }
    text.extend_from_slice(JPEG_END.as_bytes());
    text.extend_from_slice(br#""}]}"#);
    text.into()
}
