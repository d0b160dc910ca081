//! The fetcher: one guarded call after another, until there is a picture or a reason.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use repaint_core::{Error, ImageFacts, MediaType, Result, address_label};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, LOCATION, USER_AGENT};
use tokio::time::timeout;
use url::Url;

use crate::allow::Allow;
use crate::guard::{Guard, Why, read};
use crate::limits::Limits;
use crate::resolve::{Resolve, System};

/// Fetches pictures from addresses that strangers give. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher {
    http: Arc<OnceLock<reqwest::Client>>,
    guard: Guard,
    limits: Limits,
}

/// Makes a [`Fetcher`].
#[derive(Debug)]
pub struct Builder {
    limits: Limits,
    allow: Vec<Allow>,
    resolve: Arc<dyn Resolve>,
}

/// A picture that was fetched, as it came.
#[derive(Clone)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Bytes,
    /// What they are; what their server says that they are does not matter.
    pub media_type: MediaType,
    /// What else they say of themselves.
    pub facts: ImageFacts,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({} of {} bytes)", self.media_type.name(), self.bytes.len())
    }
}

/// The answer to one call, whatever it is.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect points, as it is written.
    pub location: Option<String>,
    /// The body of a 200; of anything else, nothing.
    pub bytes: Bytes,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer(status {}, {} bytes)", self.status, self.bytes.len())
    }
}

/// Many hosts refuse a blank one.
const AGENT: &str = concat!("repaint/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Room that is made before anything has come.
const AT_FIRST: u64 = 64 * 1024;
/// So much shows what a file is.
const HEAD: usize = 64;

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetcher {
    /// One with all limits as they are, and nothing allowed that is not public.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// One of your own making.
    pub fn builder() -> Builder {
        Builder { limits: Limits::default(), allow: Vec::new(), resolve: Arc::new(System) }
    }

    /// Fetches a picture.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the address must not be fetched, or what is there is no picture within the
    /// [limits](Limits); `Unavailable` if it may be there another time. Either names the address that was
    /// given, and where it leads to if that is where it failed.
    pub async fn fetch(&self, address: &str) -> Result<Fetched> {
        let first = address_label(address);
        let failed = |(at, why): (Option<String>, Why)| {
            let message = match at.filter(|it| *it != first) {
                None => format!("{first} {why}"),
                Some(at) => format!("{first} redirects: {at} {why}"),
            };
            Error::new(why.kind, message)
        };
        let mut at = None;
        let fetched = match timeout(self.limits.time, self.follow(address, &mut at)).await {
            Ok(result) => result,
            Err(_) => {
                let words = format!("has not come within {} s", self.limits.time.as_secs_f32());
                Err(Why::passing(words))
            }
        };
        fetched.map_err(|why| failed((at, why)))
    }

    /// Follows redirects until there is something else; `at` is where it has come to.
    async fn follow(&self, address: &str, at: &mut Option<String>) -> Result<Fetched, Why> {
        let mut url = read(address)?;
        let mut seen: Vec<Url> = Vec::new();
        loop {
            let answer = self.call(&url, self.limits.bytes, is_picture).await?;
            let location = match (answer.status, answer.location) {
                (200, _) => return self.picture(answer.bytes),
                (301 | 302 | 303 | 307 | 308, Some(location)) => location,
                (301 | 302 | 303 | 307 | 308, None) => {
                    return Err(Why::lasting("redirects, and does not say where to"));
                }
                (status @ (408 | 429 | 500..), _) => {
                    return Err(Why::passing(format!("has a host that answers {status}")));
                }
                (status, _) => {
                    return Err(Why::lasting(format!("has a host that answers {status}")));
                }
            };
            let next = self.next(&url, &location)?;
            seen.push(std::mem::replace(&mut url, next));
            *at = Some(address_label(url.as_str()));
            if seen.contains(&url) {
                return Err(Why::lasting("was there before: the redirects go in a circle"));
            }
            if self.limits.redirects < seen.len() {
                let words = format!("is the end of more than {} redirects", self.limits.redirects);
                return Err(Why::lasting(words));
            }
        }
    }

    /// Where a redirect leads to.
    fn next(&self, url: &Url, location: &str) -> Result<Url, Why> {
        let next = url.join(location);
        let mut next =
            next.map_err(|err| Why::lasting(format!("redirects to what is no address: {err}")))?;
        next.set_fragment(None);
        if url.scheme() == "https" && next.scheme() == "http" {
            let words = format!(
                "redirects from https to {}, where anybody on the way could change the picture",
                address_label(next.as_str())
            );
            return Err(Why::lasting(words));
        }
        Ok(next)
    }

    fn picture(&self, bytes: Bytes) -> Result<Fetched, Why> {
        let facts = ImageFacts::of(&bytes).map_err(Why::lasting)?;
        let (dimensions, most) = (facts.dimensions, self.limits.pixels);
        if most < dimensions.area() {
            let words = format!(
                "says that it is {}x{} pixels; no more than {most} are taken",
                dimensions.width, dimensions.height
            );
            return Err(Why::lasting(words));
        }
        Ok(Fetched { bytes, media_type: facts.media_type, facts })
    }

    /// Makes one call and follows no redirect: for whoever has a loop of its own. The rules about addresses
    /// hold, [`Limits`] do not, and what comes need not be a picture. `seen` is told how many bytes have come.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it must not be called or weighs more than `limit`, `Unavailable` if it may answer
    /// another time.
    pub async fn get(&self, url: &Url, limit: u64, seen: impl Fn(u64) + Send) -> Result<Answer> {
        let look = |bytes: &[u8]| {
            seen(bytes.len() as u64);
            Ok(())
        };
        let answer = self.call(url, limit, look).await;
        answer.map_err(|why| Error::new(why.kind, format!("{} {why}", address_label(url.as_str()))))
    }

    /// One call; `look` sees all that has come of a body whenever more has come.
    async fn call(
        &self,
        url: &Url,
        limit: u64,
        look: impl Fn(&[u8]) -> Result<(), Why>,
    ) -> Result<Answer, Why> {
        self.guard.check(url)?;
        let request =
            self.http()?.get(url.clone()).header(USER_AGENT, AGENT).header(ACCEPT, "image/*");
        let mut response = request.send().await.map_err(|err| why(&err))?;
        let status = response.status().as_u16();
        let text = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let location = text(LOCATION);
        let packed = text(CONTENT_ENCODING).filter(|it| !it.eq_ignore_ascii_case("identity"));
        if status != 200 {
            // Its body says nothing that is used, and may have no end.
            return Ok(Answer { status, location, bytes: Bytes::new() });
        }
        if let Some(packed) = packed {
            let words = format!("comes packed ({}), which was not asked for", shown(&packed));
            return Err(Why::lasting(words));
        }
        let declared = response.content_length().unwrap_or(0);
        if limit < declared {
            let words = format!("weighs {declared} bytes; no more than {limit} are taken");
            return Err(Why::lasting(words));
        }
        // What is declared need not come: room is made for a little, and grows with what does.
        let mut bytes = Vec::with_capacity(usize::try_from(declared.min(AT_FIRST)).unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(|err| why(&err))? {
            if limit < (bytes.len() + chunk.len()) as u64 {
                let words = format!("weighs more than {limit} bytes, which is all that is taken");
                return Err(Why::lasting(words));
            }
            bytes.extend_from_slice(&chunk);
            look(&bytes)?;
        }
        Ok(Answer { status, location, bytes: bytes.into() })
    }
}

/// As soon as it shows that what comes is no picture, no more of it is read.
fn is_picture(bytes: &[u8]) -> Result<(), Why> {
    if bytes.len() < HEAD || MediaType::of(&bytes[..HEAD]).is_some() {
        return Ok(());
    }
    ImageFacts::of(bytes).map(|_| ()).map_err(Why::lasting)
}

/// A word of a stranger's server, fit for a message.
fn shown(word: &str) -> String {
    word.chars().filter(|it| it.is_ascii_graphic()).take(20).collect()
}

/// What a call ended with: the guard's own reason, or in what the network failed.
fn why(err: &reqwest::Error) -> Why {
    let mut reasons = std::iter::successors(Some(err as &dyn std::error::Error), |it| it.source());
    if let Some(why) = reasons.find_map(|it| it.downcast_ref::<Why>()) {
        return why.clone();
    }
    if err.is_builder() {
        return Why::lasting("is an address that cannot be called");
    }
    Why::passing(match () {
        () if err.is_timeout() => "did not answer in time",
        () if err.is_connect() => "has a host that cannot be reached",
        () if err.is_body() || err.is_decode() => "did not come whole: the connection broke",
        () => "has a host that does not answer as a web server does",
    })
}

impl Builder {
    /// How much is taken.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What of one's own may be gone to besides: for tests, and where pictures are kept in private.
    #[must_use]
    pub fn allow(mut self, allow: impl IntoIterator<Item = Allow>) -> Self {
        self.allow.extend(allow);
        self
    }

    /// Finds the addresses of names in another way than the system does.
    #[must_use]
    pub fn resolve(mut self, resolve: impl Resolve + 'static) -> Self {
        self.resolve = Arc::new(resolve);
        self
    }

    /// The fetcher.
    pub fn build(self) -> Fetcher {
        let Self { limits, allow, resolve } = self;
        Fetcher { http: Arc::default(), guard: Guard::new(allow, resolve), limits }
    }
}

impl Fetcher {
    /// The way to the network; made when it is first needed, since the system's certificates take time and room.
    fn http(&self) -> Result<&reqwest::Client, Why> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        // An error means that the program has chosen a provider of its own, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .dns_resolver(self.guard.clone())
            // A proxy would look names up by itself.
            .no_proxy()
            // Every redirect is checked like an address that somebody gave.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            // Whoever else is linked may have taught the HTTP library to unpack.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            // Strangers do not keep connections of ours.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|err| {
                Why::passing(format!("cannot be fetched by any client: {}", err.without_url()))
            })?;
        Ok(self.http.get_or_init(|| http))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> Url {
        Url::parse(address).expect("an address")
    }

    #[test]
    fn from_https_nobody_leads_back_to_http() {
        let fetcher = Fetcher::new();
        let next = |from, to| fetcher.next(&url(from), to).map(String::from).map_err(|it| it.words);
        let err = next("https://a.example/", "http://a.example/?secret").expect_err("plain");
        assert!(err.contains("from https to http://a.example/,"), "{err}");
        assert_eq!(next("https://a.example/b/c", "../d#e"), Ok("https://a.example/d".into()));
        assert_eq!(next("https://a.example/b", "//b.example/"), Ok("https://b.example/".into()));
        assert_eq!(next("http://a.example/", "https://b.example"), Ok("https://b.example/".into()));
    }
}
