//! The client: keys, addresses and limits, and the running of one job.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use repaint_core::{
    Call, Endpoint, Error, ErrorKind, Handle, Image, ImageInput, ImageRequest, ImageSource, Job,
    Made, OutputFormat, Provider, Result, Store, Submit, Transport, Work,
};
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::cancel::CancellationToken;
use crate::exchange::{Answer, Exchange, Fault, Fetched, Watch};
use crate::http::Http;
use crate::inspect::{facts, inspect};
use crate::keys::{Brought, Keys};
use crate::ledger::Ledger;
use crate::pixels::{converted, remade};
use crate::progress::Progress;
use crate::retry::{Chance, Repeats};
use crate::room::Room;

/// Reaches providers and files. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    brought: Arc<Brought>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keys: Keys,
    pub(crate) picture_limit: u64,
    pub(crate) chance: Chance,
    clock: Clock,
    room: Option<Room>,
    exchange: OnceLock<Arc<dyn Exchange>>,
    #[cfg(feature = "guard")]
    guard: Option<repaint_fetch::Fetcher>,
}

impl Shared {
    /// The way to the network; made when it is first needed, since reading the system's certificates
    /// takes longer than most commands.
    pub(crate) fn exchange(&self) -> Result<&Arc<dyn Exchange>> {
        if let Some(exchange) = self.exchange.get() {
            return Ok(exchange);
        }
        let http: Arc<dyn Exchange> = Arc::new(Http::new(self.picture_limit, self.room.clone())?);
        Ok(self.exchange.get_or_init(|| http))
    }

    /// Fetches a picture from an address that the provider gave; `own` is whether it is the provider's own.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        own: bool,
        seen: &Watch,
    ) -> Result<Result<Fetched, Fault>> {
        #[cfg(feature = "guard")]
        if let Some(guard) = self.guard.as_ref().filter(|_| !own) {
            return Ok(crate::guarded::fetch(guard, url, self.picture_limit, seen).await);
        }
        #[cfg(not(feature = "guard"))]
        let _ = own;
        Ok(self.exchange()?.fetch(url, self.picture_limit, seen).await)
    }
}

/// Makes a [`Client`].
#[derive(Debug)]
pub struct Builder {
    keys: Keys,
    exchange: Option<Arc<dyn Exchange>>,
    answer_limit: u64,
    chance: Chance,
    clock: Clock,
    room: Option<Room>,
    #[cfg(feature = "guard")]
    guard: Option<repaint_fetch::Fetcher>,
}

/// What says the time of day. Pauses and deadlines are measured by tokio's clock.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// One job on its way: a client with a deadline, a way to cancel, and somebody who watches.
#[derive(Clone)]
pub struct Run {
    pub(crate) client: Client,
    pub(crate) deadline: Instant,
    pub(crate) timeout: Duration,
    pub(crate) cancel: CancellationToken,
    pub(crate) watch: Arc<dyn Fn(Progress) + Send + Sync>,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) repeats: Repeats,
    pub(crate) most_repeats: u32,
    pub(crate) leaves: bool,
    pub(crate) undecoded: bool,
}

/// A job is given up after this long, unless its policy says otherwise.
const TIMEOUT: Duration = Duration::from_secs(300);
/// All pictures of one answer together, or one download, weigh no more than this.
const ANSWER_LIMIT: u64 = 256 << 20;

impl Client {
    /// A client with keys and addresses from the environment, such as `TOGETHER_API_KEY`.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A client of your own making.
    pub fn builder() -> Builder {
        let keys = Keys { environment: true, ..Keys::default() };
        let clock = Clock(Arc::new(SystemTime::now));
        Builder {
            keys,
            exchange: None,
            answer_limit: ANSWER_LIMIT,
            chance: Chance::default(),
            clock,
            room: None,
            #[cfg(feature = "guard")]
            guard: None,
        }
    }

    /// Whether there is a key for a provider.
    pub fn has_key(&self, provider: &Provider) -> bool {
        self.key(provider).is_some()
    }

    /// The same client with the keys of somebody else, by the ids of providers, who pays then. They win over all
    /// others. Connections and limits are shared.
    #[must_use]
    pub fn bringing(&self, keys: impl IntoIterator<Item = (String, SecretString)>) -> Self {
        Self { shared: Arc::clone(&self.shared), brought: Arc::new(keys.into_iter().collect()) }
    }

    /// Whether less than a quarter of the [room](Builder::answers_room) for pictures is free, so that whoever can put
    /// some elsewhere should.
    pub fn is_short_of_room(&self) -> bool {
        self.shared.room.as_ref().is_some_and(Room::is_short)
    }

    pub(crate) fn key(&self, provider: &Provider) -> Option<SecretString> {
        self.shared.keys.key(provider, &self.brought)
    }

    /// The value of the header that lets us in.
    pub(crate) fn header(&self, provider: &Provider, endpoint: &Endpoint) -> Result<SecretString> {
        self.shared.keys.header(provider, endpoint, &self.brought)
    }

    /// Reads the heads of all files of a request: what admission must know of them.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the file, if one is missing, no picture, damaged or cut short.
    pub async fn inspect(&self, request: ImageRequest) -> Result<ImageRequest> {
        inspect(request).await
    }

    /// A run that is watched, and can be cancelled; its deadline begins now.
    pub fn watched(&self, job: &Job, watch: impl Fn(Progress) + Send + Sync + 'static) -> Run {
        let seconds = job.policy.timeout_seconds;
        let timeout = seconds.map_or(TIMEOUT, |it| Duration::from_secs(it.into()));
        Run {
            client: self.clone(),
            deadline: Instant::now() + timeout,
            timeout,
            cancel: CancellationToken::new(),
            watch: Arc::new(watch),
            ledger: None,
            repeats: Repeats::new(),
            most_repeats: u32::MAX,
            leaves: false,
            undecoded: false,
        }
    }

    /// The time of day, as this client's clock has it.
    pub fn now(&self) -> SystemTime {
        (self.shared.clock.0)()
    }

    /// The time of day in milliseconds since 1970, as this client's clock has it.
    pub fn now_ms(&self) -> u64 {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// 64 bits by chance, as this client's dice have it.
    pub fn chance(&self) -> u64 {
        (self.shared.chance.0)()
    }

    /// Where a provider is reached; `None` for models that run in this process.
    ///
    /// # Errors
    ///
    /// Fails if the address that is set for it is none.
    pub fn base(&self, provider: &Provider) -> Result<Option<Url>> {
        let endpoint = provider.endpoint.as_ref();
        endpoint.map(|it| self.shared.keys.base(provider, it)).transpose()
    }

    /// The call as it would go out, with the base address that is set for its provider.
    pub fn addressed(&self, provider: &Provider, mut call: Call) -> Result<Call> {
        if let Some(endpoint) = &provider.endpoint {
            let base = self.shared.keys.base(provider, endpoint)?;
            if let Some(path) = call.url.strip_prefix(endpoint.base) {
                call.url = format!("{}{path}", base.as_str().trim_end_matches('/'));
            }
        }
        Ok(call)
    }
}

impl Builder {
    /// A key for a provider, by its id; it wins over the environment.
    #[must_use]
    pub fn key(mut self, provider: &str, key: impl Into<SecretString>) -> Self {
        self.keys.given.insert(provider.to_owned(), key.into());
        self
    }

    /// Where a provider is reached, by its id; it wins over the environment.
    #[must_use]
    pub fn base(mut self, provider: &str, base: Url) -> Self {
        self.keys.bases.insert(provider.to_owned(), base);
        self
    }

    /// Takes keys and addresses only from this builder.
    #[must_use]
    pub fn without_environment(mut self) -> Self {
        self.keys.environment = false;
        self
    }

    /// Makes HTTP calls in another way than over the network.
    #[must_use]
    pub fn exchange(mut self, exchange: impl Exchange + 'static) -> Self {
        self.exchange = Some(Arc::new(exchange));
        self
    }

    /// What says the time of day, for dates and for what is written down; the system's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock(Arc::new(clock));
        self
    }

    /// What rolls the dice, for the lengths of pauses and for ids of jobs; by default what the standard
    /// library seeds its maps with. Each call gives 64 bits. Whoever repeats what happened gives equal ones.
    #[must_use]
    pub fn chance(mut self, chance: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.chance = Chance(Arc::new(chance));
        self
    }

    /// The bytes that the pictures of all answers should have together, from when they come until nobody holds
    /// them any more: for servers. An answer for which there is no room is not read for up to two seconds. No
    /// limit by default. An [`exchange`](Self::exchange) of your own has rules of its own.
    #[must_use]
    pub fn answers_room(mut self, bytes: u64) -> Self {
        self.room = Some(Room::new(bytes));
        self
    }

    /// The most bytes that the pictures of one answer may weigh; 256 MiB by default.
    #[must_use]
    pub fn answer_limit(mut self, bytes: u64) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Fetches pictures that a provider has at an address only from where this fetcher goes, with its rules
    /// about addresses, and the limits of this client: for servers, since what a provider answers may lead to
    /// what only they can reach. Scheme, host and port that a provider is reached at itself are its own and are
    /// always gone to. An [`exchange`](Self::exchange) of your own guards itself.
    #[cfg(feature = "guard")]
    #[must_use]
    pub fn guard_downloads(mut self, guard: repaint_fetch::Fetcher) -> Self {
        self.guard = Some(guard);
        self
    }

    /// The client.
    pub fn build(self) -> Result<Client> {
        let Self {
            keys,
            exchange,
            answer_limit,
            chance,
            clock,
            room,
            #[cfg(feature = "guard")]
            guard,
        } = self;
        #[cfg(feature = "guard")]
        let guard = guard.filter(|_| exchange.is_none());
        let exchange = exchange.map_or_else(OnceLock::new, OnceLock::from);
        let shared = Shared {
            keys,
            picture_limit: answer_limit,
            chance,
            clock,
            room,
            exchange,
            #[cfg(feature = "guard")]
            guard,
        };
        Ok(Client { shared: Arc::new(shared), brought: Arc::default() })
    }
}

impl Run {
    /// Cancels the run when it is triggered; a job that was started is reported with its handle.
    pub fn canceller(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// When it is given up.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The same run, watched by somebody else.
    #[must_use]
    pub fn watching(self, watch: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { watch: Arc::new(watch), ..self }
    }

    /// The same run, which sends an order again at most so often; all clones of a run share one budget
    /// besides.
    #[must_use]
    pub fn repeating(self, most: u32) -> Self {
        Self { most_repeats: most, ..self }
    }

    /// The same run, which fetches no picture that the provider has at an address: it is
    /// [left](Image::left) there, for a caller who asked for addresses.
    #[must_use]
    pub fn leaving(self, leaves: bool) -> Self {
        Self { leaves, ..self }
    }

    /// The same run, whose pictures stay [base64](Image::base64) where they come so, for a caller who sends them
    /// on as they are. A policy that has them converted decodes them all the same.
    #[must_use]
    pub fn undecoded(self, undecoded: bool) -> Self {
        Self { undecoded, ..self }
    }

    /// Does some waiting until the run is cancelled or out of time.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it is, since whatever waits has bought nothing.
    pub async fn waits<T>(&self, wait: impl Future<Output = T>) -> Result<T> {
        let what = match timeout_at(self.deadline, self.cancel.stops(wait)).await {
            Ok(Some(done)) => return Ok(done),
            Ok(None) => "cancelled".to_owned(),
            Err(_) => format!("given up after {} s", self.timeout.as_secs()),
        };
        let message = format!("{what} before the order was sent; nothing was bought");
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// The same run, whose order is written down before it is sent, and whenever it is known what became
    /// of it. The store fills in when, and what the order's fingerprint is; a run makes one order.
    #[must_use]
    pub fn written_down(mut self, store: Arc<dyn Store>, submit: Submit) -> Self {
        self.ledger = Some(Ledger::new(store, submit));
        self
    }

    /// The same run, for an order that stands in a store, and is to be picked up.
    #[must_use]
    pub fn picked_up(mut self, store: Arc<dyn Store>, submit: Submit) -> Self {
        self.ledger = Some(Ledger::resumed(store, submit));
        self
    }

    /// Asks for the pictures of a job that was started, by this process or by another; buys nothing.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the handle is of another provider or does not say where to ask, `Expired` if
    /// the job is gone, and what a poll can meet.
    pub async fn resume(&self, provider: &'static Provider, handle: &Handle) -> Result<Made> {
        crate::drive::resume(self, provider, handle).await
    }

    /// Sends an order once, and gives the answer as it is, whatever its status: for probes, which are
    /// meant to be refused. It has the key, the address and the deadline of every other order, and is
    /// never made again; nothing is polled or downloaded. The answer's body never has the key in it.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown` if the order was sent whole and no answer came: it may have been taken.
    pub async fn once(&self, provider: &'static Provider, call: Call) -> Result<Answer> {
        crate::drive::once(self, provider, call).await
    }

    /// Tells whoever watches.
    pub fn tell(&self, progress: Progress) {
        (self.watch)(progress);
    }
}

#[async_trait]
impl Transport for Run {
    async fn drive(&self, provider: &'static Provider, first: Call) -> Result<Made> {
        crate::drive::drive(self, provider, first).await
    }

    async fn read(&self, image: &ImageInput) -> Result<Bytes> {
        let image = image.clone();
        blocking(move || match image.source() {
            ImageSource::Bytes(bytes) => Ok(bytes.clone()),
            ImageSource::Base64(base64) => base64_simd::STANDARD
                .decode_to_vec(base64)
                .map(Bytes::from)
                .map_err(|_| Error::new(ErrorKind::InvalidRequest, "the image is not base64")),
            ImageSource::Kept(kept) => {
                let base64 = kept.whole().map_err(|err| {
                    Error::new(ErrorKind::Unexpected, format!("the image cannot be read: {err}"))
                })?;
                base64_simd::STANDARD
                    .decode_to_vec(base64)
                    .map(Bytes::from)
                    .map_err(|_| Error::new(ErrorKind::InvalidRequest, "the image is not base64"))
            }
            ImageSource::File(path) => {
                facts(path)?;
                std::fs::read(path).map(Bytes::from).map_err(|err| {
                    let message = format!("{} cannot be read: {err}", path.display());
                    Error::new(ErrorKind::InvalidRequest, message)
                })
            }
            ImageSource::Url(_) => {
                let message = format!("{} is an address; download it first", image.label());
                Err(Error::new(ErrorKind::InvalidRequest, message))
            }
        })
        .await
    }

    async fn compute(&self, work: Work) -> Result<Made> {
        self.tell(Progress::Working);
        self.aside(work).await
    }

    async fn remake(&self, image: &ImageInput) -> Result<ImageInput> {
        let Some(target) = image.becomes().copied() else { return Ok(image.clone()) };
        let (name, bytes) = (image.label(), self.read(image).await?);
        self.tell(Progress::Working);
        self.aside(move || remade(&name, &bytes, &target)).await
    }

    async fn convert(&self, image: &Image, format: OutputFormat) -> Result<Image, String> {
        let image = image.clone();
        // Neither a deadline nor a wish to stop takes away what is paid for and here.
        let work = tokio::task::spawn_blocking(move || converted(&image, format));
        work.await.unwrap_or_else(|err| Err(err.to_string()))
    }
}

impl Run {
    /// Work beside the network's threads, until it is done, stopped or too late.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match timeout_at(self.deadline, self.cancel.stops(blocking(work))).await {
            Ok(Some(done)) => done,
            Ok(None) => {
                Err(Error::new(ErrorKind::Unavailable, "cancelled before the picture was made"))
            }
            Err(_) => {
                let message = format!("given up after {} s", self.timeout.as_secs());
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let work = tokio::task::spawn_blocking(work);
    work.await.unwrap_or_else(|err| Err(Error::new(ErrorKind::Unexpected, err.to_string())))
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
