//! The client's way to the emulator without a network: the same machines, in tokio's time, which may
//! be paused, with every place at which a connection can break.

use std::fmt;
use std::fs;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use repaint_client::{Answer, Exchange, Fetched, Order, Watch};
use repaint_core::{Body, ImageSource, Reply, Segment};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::emulator::Emulator;
use crate::fault::{Fault, Stage};
use crate::message::{Incoming, Outgoing};

/// A [`repaint_client::Exchange`] to an [`Emulator`] in this process. Clones share the emulator, so
/// several clients, as of several processes, can be let loose on one.
///
/// Its time is tokio's, counted from when it was made. What befalls a call is chosen by
/// [`choosing`](Self::choosing), else by the emulator's script.
#[derive(Clone)]
pub struct InProcess {
    emulator: Arc<Mutex<Emulator>>,
    began: Instant,
    choose: Option<Arc<Choose>>,
}

type Choose = dyn Fn(Stage, &Incoming) -> Option<Fault> + Send + Sync;

/// A drip takes so long.
pub(crate) const DRIP: Duration = Duration::from_secs(5);

impl InProcess {
    /// The way to this emulator.
    pub fn new(emulator: Emulator) -> Self {
        let emulator = Arc::new(Mutex::new(emulator));
        Self { emulator, began: Instant::now(), choose: None }
    }

    /// Asks this before every call what is to befall it; it is told what the call is for, and its head.
    #[must_use]
    pub fn choosing(
        self,
        choose: impl Fn(Stage, &Incoming) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { choose: Some(Arc::new(choose)), ..self }
    }

    /// The emulator, to look at what came. No call goes on while it is held.
    pub fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn fault(&self, head: &Incoming) -> Result<Option<Fault>, repaint_client::Fault> {
        let stage = Emulator::stage(head);
        match &self.choose {
            Some(choose) => Ok(choose(stage, head).filter(|it| it.strikes(stage))),
            None => self.emulator().fault(head).map_err(repaint_client::Fault::lasting),
        }
    }

    /// The answer, unless the connection breaks or hangs before it is there.
    async fn answer(
        &self,
        incoming: &Incoming,
        fault: Option<Fault>,
        received: &Watch,
    ) -> Result<Outgoing, repaint_client::Fault> {
        // Nothing waits between this and the last byte sent: the order is taken, or never was sent.
        let mut outgoing = self.emulator().handle(incoming, fault, self.now());
        if !outgoing.after.is_zero() {
            sleep(outgoing.after).await;
        }
        let half = outgoing.body.len() / 2;
        match fault {
            Some(Fault::ResetAfterBody) => return Err(broken("connection reset by peer")),
            Some(Fault::HangResponseHead | Fault::HangPoll) => pending().await,
            Some(Fault::HangResponseBody | Fault::HangDownload) => {
                received(half as u64);
                pending().await
            }
            Some(Fault::HalfBody) => return Err(broken("the connection ended within the body")),
            Some(Fault::WrongLength) => outgoing.body.truncate(half),
            Some(Fault::SlowDrip) => {
                for piece in 1..=10 {
                    sleep(DRIP / 10).await;
                    received((outgoing.body.len() * piece / 10) as u64);
                }
            }
            _ => {}
        }
        received(outgoing.body.len() as u64);
        Ok(outgoing)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

#[async_trait]
impl Exchange for InProcess {
    async fn send(&self, order: Order) -> Result<Answer, repaint_client::Fault> {
        let Order { url, auth, body, sent, uploaded, received, undecoded: _ } = order;
        sent.not_yet();
        let total = body.as_ref().map_or(0, Body::length);
        let mut incoming = Incoming::get(url);
        // That there is a key is all that the emulator looks at.
        incoming.headers = auth
            .iter()
            .map(|(name, _)| ((*name).to_owned(), "Bearer (a key)".to_owned()))
            .collect();
        if body.is_some() {
            incoming.method = "POST".to_owned();
        }
        let fault = self.fault(&incoming)?;
        if let Some(fault) = fault.filter(|it| it.loses_the_request()) {
            self.emulator().lost(&incoming, fault, self.now());
            match fault {
                Fault::Refuse => return Err(broken("no connection: connection refused")),
                Fault::ResetInBody | Fault::HangRequestBody => uploaded(total / 2),
                Fault::LostBody => {
                    sent.complete();
                    uploaded(total);
                }
                _ => {}
            }
            if matches!(fault, Fault::HangConnect | Fault::HangRequestBody) {
                pending::<()>().await;
            }
            return Err(broken("connection reset by peer"));
        }
        if let Some(body) = &body {
            incoming.body = whole(body).map_err(repaint_client::Fault::lasting)?;
        }
        sent.complete();
        uploaded(total);
        let outgoing = self.answer(&incoming, fault, &received).await?;
        let headers = outgoing.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        let reply = Reply {
            status: outgoing.status,
            headers: headers.collect(),
            body: outgoing.body.into(),
        };
        Ok(Answer { reply, lifted: Vec::new() })
    }

    async fn fetch(
        &self,
        url: &Url,
        limit: u64,
        seen: &Watch,
    ) -> Result<Fetched, repaint_client::Fault> {
        let mut incoming = Incoming::get(url.clone());
        incoming.headers = vec![("user-agent".to_owned(), "repaint".to_owned())];
        let fault = self.fault(&incoming)?;
        if let Some(fault) = fault.filter(|it| it.loses_the_request()) {
            self.emulator().lost(&incoming, fault, self.now());
            if fault == Fault::HangConnect {
                pending::<()>().await;
            }
            return Err(broken("no connection: connection refused"));
        }
        let outgoing = self.answer(&incoming, fault, seen).await?;
        if limit < outgoing.body.len() as u64 {
            let message = format!("the picture weighs more than {limit} bytes");
            return Err(repaint_client::Fault::lasting(message));
        }
        let location = outgoing.headers.into_iter().find(|(name, _)| *name == "location");
        let location = location.map(|(_, value)| value);
        Ok(Fetched { status: outgoing.status, location, bytes: outgoing.body })
    }
}

fn broken(message: &str) -> repaint_client::Fault {
    repaint_client::Fault::transient(message)
}

/// The body as it goes over a wire.
fn whole(body: &Body) -> Result<Bytes, String> {
    if let [Segment::Text(text)] = body.segments() {
        return Ok(text.clone());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(body.length()).unwrap_or(0));
    for segment in body.segments() {
        match segment {
            Segment::Text(text) => bytes.extend_from_slice(text),
            Segment::Image(image) => match image.source() {
                ImageSource::Bytes(picture) => {
                    base64_simd::STANDARD.encode_append(picture, &mut bytes);
                }
                ImageSource::File(path) => {
                    let picture = fs::read(path)
                        .map_err(|err| format!("{} cannot be read: {err}", path.display()))?;
                    base64_simd::STANDARD.encode_append(&picture, &mut bytes);
                }
                ImageSource::Kept(kept) => {
                    bytes.extend(kept.whole().map_err(|err| err.to_string())?);
                }
                ImageSource::Base64(base64) => bytes.extend_from_slice(base64),
                // It is text in the body.
                ImageSource::Url(_) => {}
            },
        }
    }
    Ok(bytes.into())
}
