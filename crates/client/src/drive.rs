//! The loop: calls, pauses and downloads until a provider is done, by what each phase means for money.

use std::time::Duration;

use repaint_core::{
    Attempt, Call, Done, Endpoint, Error, ErrorKind, Handle, Image, Made, Payload, Phase, Picture,
    Provider, Result, Step, Warning, WarningCode, quotable,
};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use url::Url;

use crate::client::Run;
use crate::exchange::{Answer, Fault, Lifted, Order, Sent};
use crate::ledger::{Ledger, orders};
use crate::progress::Progress;
use crate::retry::Budget;

/// A redirect may point to another, but not for ever.
const REDIRECTS: usize = 5;

/// Makes the first call and all that follow.
pub(crate) async fn drive(run: &Run, provider: &'static Provider, first: Call) -> Result<Made> {
    let first = run.client.addressed(provider, first)?;
    if first.body.as_ref().is_some_and(|it| !it.is_ready()) {
        let message =
            "an input image that is to be changed was not: its request was only previewed";
        return Err(Error::new(ErrorKind::Unexpected, message));
    }
    let mut drive = Drive::new(run, provider, budget(run))?;
    let result = drive.go(first).await;
    drive.end(result).await
}

/// Asks for what was ordered before.
pub(crate) async fn resume(
    run: &Run,
    provider: &'static Provider,
    handle: &Handle,
) -> Result<Made> {
    if handle.provider != provider.id {
        let message = format!("the job is at {}, not at {}", handle.provider, provider.id);
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    let mut drive = Drive::new(run, provider, budget(run))?;
    drive.made.request_id = Some(handle.id.clone()).filter(|it| !it.is_empty());
    drive.made.handle = Some(handle.clone());
    let result = drive.pick_up(handle).await;
    drive.end(result).await
}

/// Makes one order, once, and gives the answer as it is but for our key.
pub(crate) async fn once(run: &Run, provider: &'static Provider, call: Call) -> Result<Answer> {
    let call = run.client.addressed(provider, call)?;
    let mut drive = Drive::new(run, provider, Budget::once(&run.client.shared.chance))?;
    let mut answer = match drive.answer(&call).await {
        Ok(answer) => answer,
        Err(err) => return Err(drive.with_what_is_known(err)),
    };
    let key = run.client.key(provider);
    if let Some(key) = key.as_ref().map(ExposeSecret::expose_secret) {
        let words = String::from_utf8_lossy(&answer.reply.body);
        let said = without_key(&words, key);
        if said != words {
            answer.reply.body = said.into();
        }
    }
    Ok(answer)
}

fn budget(run: &Run) -> Budget {
    Budget::new(&run.repeats, run.most_repeats, &run.client.shared.chance)
}

struct Drive<'a> {
    run: &'a Run,
    provider: &'static Provider,
    endpoint: &'static Endpoint,
    base: Url,
    made: Made,
    budget: Budget,
    ledger: Option<Ledger>,
}

/// Why something was given up while it went on.
#[derive(Clone, Copy)]
enum Interrupted {
    Cancelled,
    Late,
}

impl<'a> Drive<'a> {
    fn new(run: &'a Run, provider: &'static Provider, budget: Budget) -> Result<Self> {
        let endpoint = provider.endpoint.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, format!("{} has no address", provider.name))
        })?;
        let base = run.client.shared.keys.base(provider, endpoint)?;
        let (made, ledger) = (Made::default(), run.ledger.clone());
        Ok(Self { run, provider, endpoint, base, made, budget, ledger })
    }

    /// First where the pictures are, if the handle says so; addresses end sooner than jobs.
    async fn pick_up(&mut self, handle: &Handle) -> Result<()> {
        let poll = handle.poll.as_ref().map(|url| Call {
            url: url.clone(),
            auth: Some(self.endpoint.auth),
            body: None,
            phase: Phase::Poll,
        });
        if !handle.pictures.is_empty() {
            let pictures = handle.pictures.iter().cloned().map(Picture::Url).collect();
            let done = Done { pictures, ..Done::default() };
            match self.finish(done, Vec::new()).await {
                Err(err) if err.kind() == ErrorKind::Expired && poll.is_some() => {}
                result => return result,
            }
        }
        match poll {
            Some(poll) => self.go(poll).await,
            None => {
                let message = format!(
                    "{} gave no address at which the job could be asked for; look for {} there",
                    self.provider.name, handle.id
                );
                Err(Error::new(ErrorKind::InvalidRequest, message))
            }
        }
    }

    /// What came of it, written down and told.
    async fn end(&mut self, result: Result<()>) -> Result<Made> {
        let Err(err) = result else { return Ok(std::mem::take(&mut self.made)) };
        let err = self.with_what_is_known(err);
        if let Some(ledger) = &mut self.ledger
            && let Some(warning) = ledger.ended(&self.run.client, &err).await
        {
            return Err(err.with(|it| it.message.push_str(&format!("; {}", warning.message))));
        }
        Err(err)
    }

    async fn go(&mut self, first: Call) -> Result<()> {
        let mut call = first;
        loop {
            let Answer { reply, lifted } = self.answer(&call).await?;
            let step = (self.endpoint.advance)(&call, &reply);
            if step.is_ok() {
                // An error status is an answer too, but after it the pauses must grow.
                self.budget.went_well();
            }
            match step {
                Ok(Step::Done(done)) => return self.finish(done, lifted).await,
                Ok(Step::Accepted { handle, charge, next, after }) => {
                    self.made.cost = charge.cost;
                    self.made.evidence = charge.evidence;
                    self.made.request_id = Some(handle.id.clone());
                    self.made.handle = Some(handle.clone());
                    if let Some(ledger) = &mut self.ledger {
                        let warning = ledger.accepted(&self.run.client, &handle, self.made.cost);
                        self.made.warnings.extend(warning.await);
                    }
                    self.run.tell(Progress::Accepted { handle });
                    self.pause(next.phase, after).await?;
                    call = next;
                }
                Ok(Step::Call { call: next, after, status }) => {
                    if let Some(ledger) = &mut self.ledger {
                        self.made.warnings.extend(ledger.held(&self.run.client).await);
                    }
                    self.run.tell(Progress::Status { status: quotable(&status) });
                    self.pause(next.phase, after).await?;
                    call = next;
                }
                Err(err) => self.wait_after(&call, err).await?,
            }
        }
    }

    /// Waits until a refused call may be made again, or gives the error back.
    ///
    /// An order is made again only after 429: the provider says that it did not take it. A job that
    /// cannot be asked for is no order that was not taken, whatever the provider says to the question.
    async fn wait_after(&mut self, call: &Call, err: Error) -> Result<()> {
        let order = matches!(call.phase, Phase::Connect | Phase::Submit);
        let unheard = !order && matches!(err.kind(), ErrorKind::Exhausted | ErrorKind::Unavailable);
        let again = match order {
            true => err.data().status == Some(429),
            false => unheard && err.data().status != Some(402),
        };
        let left = self.run.deadline.saturating_duration_since(Instant::now());
        let pause = if again { self.budget.again(call.phase, err.retry_after()) } else { None };
        match pause.filter(|it| *it < left) {
            Some(after) => {
                let why = err.message().to_owned();
                self.run.tell(Progress::Again { phase: call.phase, after, why });
                self.pause(call.phase, after).await
            }
            None if unheard => Err(err.with(|it| {
                it.code = ErrorKind::OutcomeUnknown;
                it.message.push_str(
                    "; the job was taken, where it stands is not known, and it may be charged",
                );
            })),
            None => Err(err),
        }
    }

    /// One answer; calls that surely bought nothing are made again while the budget lasts.
    async fn answer(&mut self, call: &Call) -> Result<Answer> {
        loop {
            let (url, sent) = (self.checked(call)?, Sent::default());
            let auth = match call.auth {
                Some(auth) => {
                    let secret = self.run.client.header(self.provider, self.endpoint)?;
                    Some((auth.header, secret))
                }
                None => None,
            };
            let total = call.body.as_ref().map_or(0, |it| it.length());
            let (up, down) = (self.run.clone(), self.run.clone());
            let order = Order {
                url,
                auth,
                body: call.body.clone(),
                sent: sent.clone(),
                undecoded: self.run.undecoded,
                uploaded: std::sync::Arc::new(move |bytes| {
                    up.tell(Progress::Sent { bytes, total })
                }),
                received: std::sync::Arc::new(move |bytes| down.tell(Progress::Received { bytes })),
            };
            if let (Some(ledger), true, Some(body)) =
                (&mut self.ledger, orders(call.phase), &call.body)
            {
                // Before a byte is sent. What cannot be written down is not ordered.
                let left = self.run.deadline.saturating_duration_since(Instant::now());
                ledger.before(&self.run.client, body, left).await?;
            }
            self.run.tell(Progress::Calling { phase: call.phase });
            let began = Instant::now();
            let exchange = self.run.client.shared.exchange()?;
            let result = self.guard(exchange.send(order)).await;
            let failure = match &result {
                Ok(Ok(answer)) => {
                    if let Some(rate) = answer.reply.rate() {
                        self.run.tell(Progress::Rate { rate });
                    }
                    self.note(call.phase, began, Some(answer.reply.status), None);
                    None
                }
                Ok(Err(fault)) => Some(fault.message.clone()),
                Err(Interrupted::Cancelled) => Some("cancelled".to_owned()),
                Err(Interrupted::Late) => Some("out of time".to_owned()),
            };
            if let Some(failure) = failure {
                // What was not sent whole bought nothing, and counts as connecting.
                let order = call.phase == Phase::Submit;
                let phase = if order && !sent.may_be_taken() { Phase::Connect } else { call.phase };
                self.note(phase, began, None, Some(failure));
            }
            match result {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(fault)) => self.wait_after_fault(call.phase, &sent, fault).await?,
                Err(why) => return Err(self.interrupted(call.phase, sent.may_be_taken(), why)),
            }
        }
    }

    async fn wait_after_fault(&mut self, phase: Phase, sent: &Sent, fault: Fault) -> Result<()> {
        let Fault { message, transient } = fault;
        let order = matches!(phase, Phase::Connect | Phase::Submit);
        if order && sent.may_be_taken() {
            let message = format!(
                "{message}; the order was sent whole, so the picture may have been made and charged: \
                 look there before you ask again"
            );
            return Err(Error::new(ErrorKind::OutcomeUnknown, message));
        }
        let pause = if transient { self.budget.again(phase, None) } else { None };
        let left = self.run.deadline.saturating_duration_since(Instant::now());
        match pause.filter(|it| *it < left) {
            Some(after) => {
                self.run.tell(Progress::Again { phase, after, why: message });
                self.pause(phase, after).await
            }
            None if order => {
                let message = format!("{}: {message}; nothing was bought", self.provider.name);
                // What fails again whenever it is tried lies with the request.
                let kind =
                    if transient { ErrorKind::Unavailable } else { ErrorKind::InvalidRequest };
                Err(Error::new(kind, message))
            }
            None if transient => Err(self.interrupted(phase, false, Interrupted::Late)),
            None => Err(Error::new(ErrorKind::Unexpected, message)),
        }
    }

    /// The address of a call; a key goes only to hosts that the provider's rule allows.
    fn checked(&self, call: &Call) -> Result<Url> {
        let unknown = |message: String| Error::new(ErrorKind::OutcomeUnknown, message);
        let url = Url::parse(&call.url)
            .map_err(|err| unknown(format!("the provider gave an address that is none: {err}")))?;
        if call.auth.is_some() && !self.endpoint.trusts(&self.base, &url) {
            return Err(unknown(format!(
                "{} says to ask for the picture at {}, which is not its own: the key is not sent there",
                self.provider.name,
                repaint_core::quotable(&url.origin().ascii_serialization())
            )));
        }
        Ok(url)
    }

    /// Turns what the provider gave into pictures.
    async fn finish(&mut self, done: Done, lifted: Vec<Lifted>) -> Result<()> {
        let Done { pictures, request_id, charge } = done;
        self.made.request_id = self.made.request_id.take().or(request_id);
        self.made.cost = self.made.cost.or(charge.cost);
        self.made.evidence.extend(charge.evidence);
        let addresses = pictures.iter().filter_map(|it| match it {
            Picture::Url(url) => Some(url.clone()),
            Picture::Payload(_) | Picture::Missing => None,
        });
        let addresses: Vec<String> = addresses.collect();
        if !addresses.is_empty() {
            let id = self.made.request_id.clone().unwrap_or_default();
            let provider = self.provider.id.to_owned();
            let handle = self.made.handle.get_or_insert(Handle {
                provider,
                id,
                poll: None,
                pictures: Vec::new(),
            });
            handle.pictures = addresses;
        }
        if let Some(ledger) = &mut self.ledger {
            let (handle, cost) = (self.made.handle.as_ref(), self.made.cost);
            self.made.warnings.extend(ledger.made(&self.run.client, handle, cost).await);
        }
        for picture in pictures {
            let image = match picture {
                Picture::Payload(payload) => unpack(payload, &lifted),
                Picture::Url(url) if self.leaves(&url) => Ok(Image::left(url)),
                Picture::Url(url) => {
                    let address = (!url.starts_with("data:")).then(|| url.clone());
                    self.download(&url).await.map(|it| Image { address, ..it })
                }
                Picture::Missing => Err(Error::new(
                    ErrorKind::Unexpected,
                    "the answer has a place for a picture, and no picture in it",
                )),
            };
            match image {
                Ok(image) => self.keep(image),
                Err(err) => self.made.failures.push(err),
            }
        }
        if self.made.images.is_empty() {
            let none = || Error::new(ErrorKind::Unexpected, "the provider sent no picture");
            return Err(self.made.failures.pop().unwrap_or_else(none));
        }
        Ok(())
    }

    /// A picture was paid for: what it is does not matter.
    fn keep(&mut self, image: Image) {
        if !image.is_left()
            && let Err(why) = image.facts()
        {
            let message = format!("the picture that came back {why}; its bytes are kept");
            self.made.warnings.push(Warning::new(WarningCode::Provider, None, message));
        }
        self.made.images.push(image);
    }

    /// Whether a picture is to stay where it is: the caller asked for addresses, and this is one that
    /// a caller can use.
    fn leaves(&self, address: &str) -> bool {
        let wanted = |it: &Url| it.scheme() == "https" || it.scheme() == self.base.scheme();
        self.run.leaves && Url::parse(address).is_ok_and(|it| it.has_host() && wanted(&it))
    }

    async fn download(&mut self, address: &str) -> Result<Image> {
        let unexpected = |message: String| Error::new(ErrorKind::Unexpected, message);
        if let Some((head, base64)) = address.split_once(";base64,")
            && head.starts_with("data:")
        {
            return unpack(Payload::Inline(base64.to_owned()), &[]);
        }
        let mut url = Url::parse(address)
            .map_err(|err| unexpected(format!("the address of the picture is none: {err}")))?;
        let mut redirects = 0;
        loop {
            // Plain http is for providers that are reached so themselves, such as one on this machine.
            if url.scheme() != "https" && !(url.scheme() == "http" && self.base.scheme() == "http")
            {
                return Err(unexpected(format!("the picture is at a {}: address", url.scheme())));
            }
            self.run.tell(Progress::Calling { phase: Phase::Download });
            let run = self.run.clone();
            let seen: crate::exchange::Watch =
                std::sync::Arc::new(move |bytes| run.tell(Progress::Received { bytes }));
            let (began, shared) = (Instant::now(), &self.run.client.shared);
            let own = url.origin() == self.base.origin();
            let fetched = self.guard(shared.fetch(&url, own, &seen)).await;
            let why = match fetched {
                Err(why) => return Err(self.interrupted(Phase::Download, true, why)),
                Ok(Err(err)) => return Err(err),
                Ok(Ok(Ok(fetched))) => {
                    self.note(Phase::Download, began, Some(fetched.status), None);
                    match (fetched.status, fetched.location) {
                        (200, _) if fetched.bytes.is_empty() => {
                            return Err(unexpected("the picture is empty".to_owned()));
                        }
                        (200, _) => return Ok(Image::new(fetched.bytes)),
                        (301 | 302 | 303 | 307 | 308, Some(location)) if redirects < REDIRECTS => {
                            redirects += 1;
                            url = url.join(&location).map_err(|err| {
                                unexpected(format!(
                                    "the picture is redirected to no address: {err}"
                                ))
                            })?;
                            continue;
                        }
                        (408 | 429 | 500..=599, _) => {
                            format!("the picture's host answers {}", fetched.status)
                        }
                        (403 | 404 | 410, _) => {
                            let message =
                                format!("the picture is no longer there ({})", fetched.status);
                            return Err(Error::new(ErrorKind::Expired, message));
                        }
                        (status, _) => {
                            return Err(unexpected(format!("the picture's host answers {status}")));
                        }
                    }
                }
                Ok(Ok(Err(fault))) => {
                    self.note(Phase::Download, began, None, Some(fault.message.clone()));
                    if !fault.transient {
                        return Err(unexpected(fault.message));
                    }
                    fault.message
                }
            };
            let after = self.budget.again(Phase::Download, None).unwrap_or_default();
            self.run.tell(Progress::Again { phase: Phase::Download, after, why });
            self.pause(Phase::Download, after).await?;
        }
    }

    /// Waits, unless the job is cancelled or out of time.
    async fn pause(&self, phase: Phase, after: Duration) -> Result<()> {
        let slept = self.guard(tokio::time::sleep(after)).await;
        slept.map_err(|why| self.interrupted(phase, self.made.handle.is_some(), why))
    }

    async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        // What has ended has ended, even at the last moment: each asks the work first.
        match tokio::time::timeout_at(self.run.deadline, self.run.cancel.stops(work)).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(Interrupted::Cancelled),
            Err(_) => Err(Interrupted::Late),
        }
    }

    fn interrupted(&self, phase: Phase, taken: bool, why: Interrupted) -> Error {
        let what = match why {
            Interrupted::Cancelled => "cancelled".to_owned(),
            Interrupted::Late => format!("given up after {} s", self.run.timeout.as_secs()),
        };
        match (phase, taken) {
            (Phase::Connect | Phase::Submit, false) => Error::new(
                ErrorKind::Unavailable,
                format!("{what} before the order was sent; nothing was bought"),
            ),
            (Phase::Connect | Phase::Submit, true) => {
                let message =
                    format!("{what} after the order was sent: the picture may be made and charged");
                Error::new(ErrorKind::OutcomeUnknown, message)
            }
            (Phase::Poll, _) => {
                let message = format!(
                    "{what} while {} still works on the job, which may be charged",
                    self.provider.name
                );
                Error::new(ErrorKind::OutcomeUnknown, message)
            }
            (Phase::Download, _) => {
                let message = format!("{what} while the finished picture was fetched");
                Error::new(ErrorKind::OutcomeUnknown, message)
            }
        }
    }

    fn note(&mut self, phase: Phase, began: Instant, status: Option<u16>, failure: Option<String>) {
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.made.attempts.push(Attempt { phase, status, milliseconds, failure });
    }

    /// An error says what was charged, and how a started job is picked up.
    fn with_what_is_known(&mut self, err: Error) -> Error {
        let made = std::mem::take(&mut self.made);
        let over = matches!(err.kind(), ErrorKind::Moderated);
        let env = self.endpoint.auth.env;
        let key = self.run.client.key(self.provider);
        err.with(|it| {
            it.request_id = it.request_id.take().or(made.request_id);
            // A provider may repeat our key in its words, whatever its status says.
            if let Some(key) = key.as_ref().map(ExposeSecret::expose_secret) {
                let words = it.provider_message.iter_mut().chain(&mut it.request_id);
                words.chain([&mut it.message]).for_each(|it| *it = without_key(it, key));
            }
            if it.code == ErrorKind::Denied && !it.message.contains(env) {
                it.message.push_str(&format!(": look at {env}"));
            }
            let orders = made.attempts.iter().filter(|it| is_order(it.phase)).count();
            let again = matches!(it.code, ErrorKind::Exhausted | ErrorKind::Unavailable);
            if again && 1 < orders {
                it.message.push_str(&format!("; tried {orders} times"));
            }
            if let Some(seconds) = it.retry_after_seconds.filter(|it| 0 < *it) {
                it.message.push_str(&format!("; wait {seconds} s"));
            }
            it.cost = it.cost.or(made.cost);
            if it.resume.is_none() && !over {
                it.resume = made.handle;
            }
        })
    }
}

/// Whether a phase is a part of an order.
fn is_order(phase: Phase) -> bool {
    matches!(phase, Phase::Connect | Phase::Submit)
}

/// What is shorter stands for a key in a trial, is no secret, and may be any word.
const SHORTEST_KEY: usize = 4;
/// What is shorter may be a part of any word, and is taken out only where it stands by itself.
const LONG_KEY: usize = 8;

/// A text without our key in it.
fn without_key(text: &str, key: &str) -> String {
    const INSTEAD: &str = "(the key)";
    if key.len() < SHORTEST_KEY {
        return text.to_owned();
    }
    if LONG_KEY <= key.len() {
        return text.replace(key, INSTEAD);
    }
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(key) {
        let (before, after) = (&rest[..at], &rest[at + key.len()..]);
        let joins = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
        let inside = joins(before.chars().next_back().or(told.chars().next_back()))
            || joins(after.chars().next());
        told.push_str(before);
        told.push_str(if inside { key } else { INSTEAD });
        rest = after;
    }
    told.push_str(rest);
    told
}

fn unpack(payload: Payload, lifted: &[Lifted]) -> Result<Image> {
    let unexpected = |message: &str| Error::new(ErrorKind::Unexpected, message);
    match payload {
        Payload::Lifted(index) => {
            let image = lifted.get(index).and_then(Lifted::image);
            image.ok_or_else(|| unexpected("a picture in the answer is empty or not base64"))
        }
        Payload::Inline(text) => {
            let base64 = text.split_once(";base64,").map_or(text.as_str(), |it| it.1);
            let bytes = base64_simd::forgiving_decode_to_vec(base64.as_bytes())
                .map_err(|_| unexpected("a picture in the answer is not base64"))?;
            if bytes.is_empty() {
                return Err(unexpected("a picture in the answer is empty"));
            }
            Ok(Image::new(bytes.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hidden_and_words_that_have_a_short_one_in_them_are_not() {
        assert_eq!(without_key("bad key k-123456789!", "k-123456789"), "bad key (the key)!");
        assert_eq!(
            without_key("glued k-123456789k-123456789", "k-123456789").matches("key)").count(),
            2
        );
        assert_eq!(
            without_key("s3cret is no key, s3crets is", "s3cret"),
            "(the key) is no key, s3crets is"
        );
        assert_eq!(without_key("a cat", "a"), "a cat");
        assert_eq!(without_key("keys key2 key3", "key3"), "keys key2 (the key)");
        assert_eq!(without_key("nothing", ""), "nothing");
    }
}
