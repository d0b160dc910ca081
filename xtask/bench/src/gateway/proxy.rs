//! Two proxies to compare with. The raw one streams bytes and looks at nothing: the least that anything
//! between can cost. The buffering one does what a careful gateway must at least do: it reads both bodies
//! whole, checks that they are JSON, and writes nothing anew.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{address, caller, listen};

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Through = Either<Incoming, Full<Bytes>>;

/// How much a proxy looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Raw,
    Buffering,
}

/// Serves until the process ends; the first line says where.
pub(crate) fn run(way: Way, upstream: &str) -> crate::Result<Value> {
    let upstream = upstream.to_owned();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Client<_, Through> = Client::builder(TokioExecutor::new()).build(connector);
        let listener = listen().await?;
        println!("listening on http://{}", address(&listener)?);
        loop {
            let Some(stream) = caller(&listener).await else { continue };
            let (client, upstream) = (client.clone(), upstream.clone());
            tokio::spawn(async move {
                let service = service_fn(|request| passed(request, way, &client, &upstream));
                // How a connection ends is the caller's business.
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        }
    })
}

async fn passed(
    request: Request<Incoming>,
    way: Way,
    client: &Client<HttpConnector, Through>,
    upstream: &str,
) -> Result<Response<Through>, Fault> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    parts.uri = format!("{upstream}{path}").parse::<Uri>()?;
    let body = through(body, way).await?;
    let (parts, body) = client.request(Request::from_parts(parts, body)).await?.into_parts();
    Ok(Response::from_parts(parts, through(body, way).await?))
}

async fn through(mut body: Incoming, way: Way) -> Result<Through, Fault> {
    if matches!(way, Way::Raw) {
        return Ok(Either::Left(body));
    }
    let length = body.size_hint().exact().and_then(|it| usize::try_from(it).ok());
    let mut whole = BytesMut::with_capacity(length.unwrap_or(4096));
    while let Some(frame) = body.frame().await {
        whole.extend_from_slice(frame?.data_ref().map_or(&[][..], |it| it));
    }
    // Every byte of it is looked at, and no field is made of it.
    let _: BTreeMap<&str, IgnoredAny> = serde_json::from_slice(&whole)?;
    Ok(Either::Right(Full::new(whole.freeze())))
}
