//! The emulator behind a port: HTTP in front of the same machines, and connections that break.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming as Stream};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::emulator::{Emulator, Seen};
use crate::fault::Fault;
use crate::fetch::Fetcher;
use crate::message::{Incoming, Outgoing};
use crate::reply::Reply;

/// An emulator that listens. Dropping it ends it at once; [`stop`](Self::stop) lets calls finish.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

/// Where a server listens, and what it does besides.
pub struct Serving {
    /// The address; port 0 is any that is free.
    pub listen: SocketAddr,
    /// Whether input images are fetched from their addresses, to be shown.
    pub fetch: bool,
    /// Told of every request, when its answer is known or the connection broken.
    pub watch: Box<dyn Fn(&Seen) + Send + Sync>,
}

impl Default for Serving {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen, fetch: false, watch: Box::new(|_| {}) }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("listen", &self.listen).finish_non_exhaustive()
    }
}

struct Shared {
    emulator: Mutex<Emulator>,
    began: Instant,
    local: Url,
    fetcher: Option<Fetcher>,
    watch: Box<dyn Fn(&Seen) + Send + Sync>,
}

/// More is answered with 413.
const MOST: u64 = 256 << 20;
/// Calls that go on when the server stops have so long to finish.
const GRACE: Duration = Duration::from_secs(1);

impl Server {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub async fn start(emulator: Emulator) -> io::Result<Self> {
        Self::bind(emulator, Serving::default()).await
    }

    /// Listens where it is told to.
    ///
    /// # Errors
    ///
    /// Fails if the address is taken or is not of this machine.
    pub async fn bind(emulator: Emulator, serving: Serving) -> io::Result<Self> {
        let Serving { listen, fetch, watch: told } = serving;
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let local = Url::parse(&format!("http://{address}")).map_err(io::Error::other)?;
        let fetcher = if fetch { Some(Fetcher::new().map_err(io::Error::other)?) } else { None };
        let (emulator, began) = (Mutex::new(emulator), Instant::now());
        let shared = Arc::new(Shared { emulator, began, local, fetcher, watch: told });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, stop, task: Some(task) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, such as `http://127.0.0.1:40123`: what `TOGETHER_BASE_URL` and `BFL_BASE_URL`
    /// are set to.
    pub fn url(&self) -> Url {
        self.shared.local.clone()
    }

    /// The emulator, to look at what came. No request goes on while it is held.
    pub fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.shared.emulator()
    }

    /// Takes no more calls, and waits a second for those that go on.
    pub async fn stop(mut self) {
        // An error means that it has ended by itself.
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lost(&self, head: &Incoming, fault: Fault) {
        let mut emulator = self.emulator();
        emulator.lost(head, fault, self.now());
        emulator.last().into_iter().for_each(&self.watch);
    }

    /// What the machines say, with the log.
    fn handle(&self, incoming: &Incoming, fault: Option<Fault>) -> Outgoing {
        let mut emulator = self.emulator();
        let before = emulator.count();
        let outgoing = emulator.handle(incoming, fault, self.now());
        if before < emulator.count() {
            emulator.last().into_iter().for_each(&self.watch);
        }
        outgoing
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let mut calls = JoinSet::new();
    let mut stop = stopped.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    calls.spawn(connection(stream, Arc::clone(&shared), stopped.clone()));
                }
                // Such as too many open files: it may be over soon.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = calls.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let all = async { while calls.join_next().await.is_some() {} };
    // Those that hang are given up; dropping the set ends them.
    let _ = timeout(GRACE, all).await;
}

/// The connection is to end without a word.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reset")
    }
}

impl std::error::Error for Reset {}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    // What is small goes out at once; a stream that cannot do that goes on.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request: Request<Stream>| {
        let (shared, reset) = (Arc::clone(&shared), Arc::clone(&reset));
        let call: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
            let answer = call(request, &shared).await;
            reset.store(answer.is_err(), Ordering::Release);
            answer
        });
        call
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = &mut connection => {}
        _ = stopped.changed() => {
            Pin::new(&mut connection).graceful_shutdown();
            let _ = (&mut connection).await;
        }
    }
    if reset.load(Ordering::Acquire) {
        // Without this, what was sent would still be acknowledged.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn call(request: Request<Stream>, shared: &Shared) -> Result<Response<Reply>, Reset> {
    let (parts, mut body) = request.into_parts();
    let host = parts.headers.get("host").and_then(|it| it.to_str().ok());
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let url = host.and_then(|it| Url::parse(&format!("http://{it}{path}")).ok());
    let url = url.or_else(|| shared.local.join(path).ok()).unwrap_or_else(|| shared.local.clone());
    let mut incoming = Incoming::get(url);
    incoming.method = parts.method.as_str().to_owned();
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    incoming.headers = headers.collect();
    let fault = shared.emulator().fault(&incoming);
    let fault = match fault {
        Ok(fault) => fault,
        Err(why) => {
            let outgoing = Outgoing::json(400, &serde_json::json!({ "detail": why }));
            return Ok(Reply::respond(outgoing, None));
        }
    };
    if let Some(fault) = fault.filter(|it| it.loses_the_request()) {
        shared.lost(&incoming, fault);
        return Err(lose(&mut body, fault).await);
    }
    let Ok(bytes) = read(&mut body, MOST).await else {
        let message = format!("the body has more than {MOST} bytes, or broke off");
        let outgoing = Outgoing::json(413, &serde_json::json!({ "detail": message }));
        return Ok(Reply::respond(outgoing, None));
    };
    incoming.body = bytes;
    if let Some(fetcher) = &shared.fetcher {
        incoming.fetched = fetcher.fetch(Emulator::addresses(&incoming)).await;
    }
    let outgoing = shared.handle(&incoming, fault);
    sleep(outgoing.after).await;
    match fault {
        Some(Fault::ResetAfterBody) => Err(Reset),
        Some(Fault::HangResponseHead | Fault::HangPoll) => pending().await,
        _ => Ok(Reply::respond(outgoing, fault)),
    }
}

/// Reads as much as the fault lets pass; then it hangs, or the connection is reset.
async fn lose(body: &mut Stream, fault: Fault) -> Reset {
    let total = body.size_hint().exact().unwrap_or(0);
    match fault {
        Fault::ResetInBody | Fault::HangRequestBody => drop(read(body, total / 2).await),
        Fault::LostBody => drop(read(body, MOST).await),
        _ => {}
    }
    if matches!(fault, Fault::HangConnect | Fault::HangRequestBody) {
        pending::<Infallible>().await;
    }
    Reset
}

/// The whole body; an error, and what was read is gone, if it has more than so many bytes.
async fn read(body: &mut Stream, most: u64) -> Result<Bytes, ()> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ())?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        if most < bytes.len() as u64 {
            return Err(());
        }
    }
    Ok(bytes.into())
}
