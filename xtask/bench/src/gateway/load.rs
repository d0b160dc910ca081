//! Callers: so many at once, each on a connection of its own, one request after another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;

const PATIENCE: Duration = Duration::from_secs(120);

/// What is asked for again and again.
#[derive(Debug)]
struct Asked {
    url: Uri,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// Requests that are still to be sent.
    left: AtomicU64,
}

/// How the requests of one caller went.
#[derive(Debug, Default)]
struct Went {
    milliseconds: Vec<f64>,
    bytes: u64,
    errors: u64,
    /// What went wrong first.
    first: Option<String>,
}

/// Sends a body so often; headers are `name: value`.
pub(crate) fn run(
    url: &str,
    body: &str,
    callers: &str,
    times: &str,
    headers: &[&str],
) -> Result<Value> {
    let asked = Asked {
        url: url.parse()?,
        headers: headers
            .iter()
            .filter_map(|it| it.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: std::fs::read(body)?.into(),
        left: AtomicU64::new(times.parse()?),
    };
    let (asked, callers): (_, u64) = (Arc::new(asked), callers.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let all = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(caller(Arc::clone(&asked)));
        }
        tasks.join_all().await
    });
    let mut milliseconds: Vec<f64> = all.iter().flat_map(|it| it.milliseconds.clone()).collect();
    milliseconds.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let last = milliseconds.len().checked_sub(1)?;
        milliseconds.get((last as f64 * part).round() as usize).copied()
    };
    Ok(json!({
        "answers": milliseconds.len(),
        "errors": all.iter().map(|it| it.errors).sum::<u64>(),
        "first_error": all.iter().find_map(|it| it.first.clone()),
        "bytes": all.iter().map(|it| it.bytes).sum::<u64>(),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
    }))
}

async fn caller(asked: Arc<Asked>) -> Went {
    let (mut went, mut connection) = (Went::default(), None);
    let takes = |it: u64| it.checked_sub(1);
    while asked.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, takes).is_ok() {
        let began = Instant::now();
        let once = tokio::time::timeout(PATIENCE, once(&asked, connection.take())).await;
        match once.map_err(Into::into).flatten() {
            Ok((kept, bytes)) => {
                connection = Some(kept);
                went.bytes += bytes;
                went.milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
            }
            Err(err) => {
                went.errors += 1;
                went.first.get_or_insert(err.to_string());
            }
        }
    }
    went
}

type Connection = SendRequest<Full<Bytes>>;

/// One request, on a connection that is there or on a new one.
async fn once(
    asked: &Asked,
    kept: Option<Connection>,
) -> std::result::Result<(Connection, u64), Box<dyn std::error::Error + Send + Sync>> {
    let authority = asked.url.authority().ok_or("no host")?.as_str();
    let mut kept = kept.filter(|it| !it.is_closed());
    if let Some(old) = &mut kept
        && old.ready().await.is_err()
    {
        kept = None;
    }
    let mut connection = match kept {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            let (connection, driver) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(driver);
            connection
        }
    };
    let path = asked.url.path_and_query().map_or("/", |it| it.as_str());
    let mut request = Request::post(path).header("host", authority);
    request = request.header("content-type", "application/json");
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    let response = connection.send_request(request.body(Full::new(asked.body.clone()))?).await?;
    let (status, mut bytes) = (response.status(), 0);
    let (mut body, mut words) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let data = frame.data_ref().map_or(&[][..], |it| it);
        bytes += data.len() as u64;
        if !status.is_success() && words.len() < 300 {
            words.extend_from_slice(data);
        }
    }
    if status.is_success() {
        return Ok((connection, bytes));
    }
    words.truncate(300);
    Err(format!("{status}: {}", String::from_utf8_lossy(&words)).into())
}
