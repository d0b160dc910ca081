//! The gateway behind a port: connections within their limits, and an end that loses nothing.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, sleep, timeout};

use crate::gateway::Gateway;
use crate::limits::Limits;
use crate::patient::Patient;
use crate::run::Given;

/// A head that has more bytes is refused, as soon as that is seen; so much of a body is read at once, too.
const HEAD: usize = 64 * 1024;
/// The head of a request has no more lines.
const HEADERS: usize = 100;
/// What a store may take to write down what was left at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often what was kept is looked at.
const TIDIES: Duration = Duration::from_secs(1);
/// How soon who has read an answer asks for the next thing.
const MOMENT: Duration = Duration::from_millis(5);

/// A gateway that listens. Dropping it ends it at once; [`stop`](Self::stop) lets calls finish.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    gateway: Gateway,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at an address; port 0 is any that is free.
    ///
    /// # Errors
    ///
    /// Fails if the address is taken or not of this machine; and if others can reach it while strangers
    /// are let in, since there are no keys of callers.
    pub async fn bind(gateway: Gateway, listen: SocketAddr) -> io::Result<Self> {
        if !gateway.door().keeps_out() && !listen.ip().is_loopback() {
            let message = format!(
                "{listen} can be reached from other machines, and without keys of callers everybody there \
                 could spend your money: listen on 127.0.0.1"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, gateway.clone(), stopped));
        Ok(Self { address, gateway, stop, task: Some(task) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more calls, and waits for those that go on, as long as the limits say. What is not done
    /// then stands in the store, and can be picked up.
    pub async fn stop(mut self) {
        self.gateway.drain();
        // An error means that it has ended by itself.
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, gateway: Gateway, stopped: watch::Receiver<bool>) {
    let (mut open, mut stop) = (JoinSet::new(), stopped.clone());
    let room = Arc::new(Semaphore::new(gateway.limits().connections));
    let mut tidies = JoinSet::new();
    tidies.spawn(tidies_up(gateway.clone()));
    let routes = gateway.routes();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Who comes when all places are taken is let go at once, and comes again.
                    let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                    let (gateway, stopped) = (gateway.clone(), stopped.clone());
                    let routes = routes.clone();
                    open.spawn(async move {
                        gateway.metrics().connections.fetch_add(1, Ordering::Relaxed);
                        connection(stream, routes, gateway.limits(), stopped).await;
                        gateway.metrics().connections.fetch_sub(1, Ordering::Relaxed);
                        drop(place);
                    });
                }
                // Such as too many open files: it may be over soon.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let all = async {
        while open.join_next().await.is_some() {}
        // Jobs whose callers have gone, too.
        while gateway.calls().any_at_work() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(gateway.limits().drain, all).await.is_ok() {
        return;
    }
    // Those that hang are given up. What was ordered, and that it was left, must be known to whoever is asked for it next.
    open.shutdown().await;
    gateway.calls().give_up();
    let written = async {
        while gateway.calls().any_at_work() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(LAST_WORDS, written).await;
}

/// Looks at what is kept, again and again.
async fn tidies_up(gateway: Gateway) {
    let mut tidies = interval(TIDIES);
    loop {
        tokio::select! {
            _ = tidies.tick() => {}
            // Whoever has read an answer says so in a moment, with the next request; then it need not be put away. Where
            // the answers of others wait for room, it is put away at once.
            () = gateway.calls().pressed() => match gateway.router().client().is_short_of_room() {
                true => {}
                false => sleep(MOMENT).await,
            },
        }
        gateway.calls().tidy(gateway.spills());
    }
}

async fn connection(
    stream: TcpStream,
    routes: axum::Router,
    limits: &Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // What is small goes out at once; a stream that cannot do that goes on.
    let _ = stream.set_nodelay(true);
    let (routes, given) = (TowerToHyperService::new(routes), Arc::new(Mutex::new(None::<Given>)));
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let slot = Arc::clone(&given);
        if let Some(given) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            given.before(request.headers());
        }
        let response = routes.call(request);
        async move {
            let mut response = response.await?;
            let given = response.extensions_mut().remove::<Given>();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = given;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD)
        .max_headers(HEADERS);
    let stream = TokioIo::new(Patient::new(stream, limits.body_time));
    let mut connection = http.serve_connection(stream, service);
    let stop = async {
        if stopped.wait_for(|it| *it).await.is_err() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        // How a connection ends is the caller's business.
        _ = &mut connection => {}
        () = stop => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            let _ = (&mut connection).await;
        }
    }
}
