//! A gateway in front of an emulator, both behind sockets of this machine, and clients to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use repaint_adapters as _;
use repaint_client::Client;
use repaint_core::{Registry, Store};
use repaint_emulator::{Emulator, Seen, Settings};
use repaint_gateway::{Builder, Gateway, Limits, Server};
use repaint_router::Router;
use repaint_store::Memory;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;
use url::Url;

/// A gateway and what stands behind it.
pub(crate) struct House {
    pub(crate) emulator: repaint_emulator::Server,
    pub(crate) server: Server,
    http: reqwest::Client,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|it| it.to_str().ok())
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { thumbnails: false, ..Settings::default() };
        set(&mut settings);
        Self::made(settings, Limits::default(), Arc::new(Memory::new())).await
    }

    pub(crate) async fn limited(set: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        set(&mut limits);
        Self::made(Settings::default(), limits, Arc::new(Memory::new())).await
    }

    pub(crate) async fn set(
        emulator: impl FnOnce(&mut Settings),
        gateway: impl FnOnce(&mut Limits),
    ) -> Self {
        let (mut settings, mut limits) = (Settings::default(), Limits::default());
        emulator(&mut settings);
        gateway(&mut limits);
        Self::made(settings, limits, Arc::new(Memory::new())).await
    }

    /// One whose gateway is made in another way.
    pub(crate) async fn built(
        set: impl FnOnce(&mut Settings),
        build: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let mut settings = Settings { thumbnails: false, ..Settings::default() };
        set(&mut settings);
        let registry = Registry::linked().expect("adapters are linked");
        let emulator = repaint_emulator::Server::start(Emulator::new(&registry, settings)).await;
        let emulator = emulator.expect("a port is free");
        let server = listening(emulator.url(), Arc::new(Memory::new()), build).await;
        Self { emulator, server, http: http() }
    }

    /// One whose providers are somewhere else; its emulator idles.
    pub(crate) async fn before(base: Url, build: impl FnOnce(Builder) -> Builder) -> Self {
        let house = Self::open().await;
        let server = listening(base, Arc::new(Memory::new()), build).await;
        Self { server, ..house }
    }

    async fn made(settings: Settings, limits: Limits, store: Arc<dyn Store>) -> Self {
        let registry = Registry::linked().expect("adapters are linked");
        let emulator = repaint_emulator::Server::start(Emulator::new(&registry, settings)).await;
        let emulator = emulator.expect("a port is free");
        let server = gateway(&emulator, limits, store).await;
        Self { emulator, server, http: http() }
    }

    /// Two gateways with one store, in front of one emulator.
    pub(crate) async fn two(
        set: impl FnOnce(&mut Settings),
        store: Arc<dyn Store>,
    ) -> (Self, Server) {
        let mut settings = Settings::default();
        set(&mut settings);
        let house = Self::made(settings, Limits::default(), Arc::clone(&store)).await;
        let other = gateway(&house.emulator, Limits::default(), store).await;
        (house, other)
    }

    /// Posts to another gateway.
    pub(crate) async fn post_at(
        &self,
        at: &Server,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = format!("http://{}/v1/images/generations", at.address());
        let mut request = self.http.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.body(body.to_owned()).send().await.expect("an answer")).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    pub(crate) fn request(&self, path: &str, body: &str) -> reqwest::RequestBuilder {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        request.body(body.to_owned())
    }

    /// Stops the gateway; the emulator goes on.
    pub(crate) async fn stop(self) -> repaint_emulator::Server {
        self.server.stop().await;
        self.emulator
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_with(path, body, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.http.post(self.url(path)).body(body.to_owned());
        if headers.iter().all(|it| it.0 != "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send().await.expect("an answer")).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: Form) -> Answer {
        self.post_form_with(path, form, &[]).await
    }

    pub(crate) async fn post_form_with(
        &self,
        path: &str,
        form: Form,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (kind, body) = form.done();
        let mut request = self.http.post(self.url(path)).header("content-type", kind).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send().await.expect("an answer")).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send().await.expect("an answer")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.http.get(self.url(path)).send().await.expect("an answer")).await
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self.http.get(self.url(path)).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    pub(crate) async fn fetch(&self, url: &str) -> Vec<u8> {
        let request = self.http.get(url).header("user-agent", "a client");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{url}");
        answer.bytes().await.expect("bytes").to_vec()
    }

    /// How many orders the providers took.
    pub(crate) fn paid(&self) -> usize {
        self.emulator.emulator().orders().count()
    }

    pub(crate) fn last_order(&self) -> Seen {
        self.emulator.emulator().orders().last().cloned().expect("an order")
    }

    pub(crate) async fn until_paid(&self, count: usize) {
        until(|| async { self.paid() == count }).await;
    }

    pub(crate) async fn until_metric(&self, line: &str) {
        until(|| async { self.text("/metrics").await.contains(&format!("{line}\n")) }).await;
    }

    /// Requests that are answered, some of them out of files; then nothing is kept of any.
    pub(crate) async fn spills(&self, answers: impl Future<Output = Vec<Answer>>) -> Vec<Answer> {
        let spilled = until(|| async { !self.text("/metrics").await.contains("_in_files 0\n") });
        let (answers, ()) = tokio::join!(answers, spilled);
        for answer in &answers {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let metrics = self.text("/metrics").await;
        let nothing = ["repaint_bytes_in_files 0\n", "repaint_body_bytes 0\n"];
        assert!(nothing.iter().all(|it| metrics.contains(it)), "{metrics}");
        answers
    }

    pub(crate) async fn until_safe(&self, job: &str) {
        let path = format!("/v1/jobs/{job}");
        until(|| async { self.get(&path).await.body["orders"][0]["state"] == "safe" }).await;
    }
}

/// A gateway whose providers the emulator stands in for.
pub(crate) async fn gateway(
    emulator: &repaint_emulator::Server,
    limits: Limits,
    store: Arc<dyn Store>,
) -> Server {
    listening(emulator.url(), store, |it| it.limits(limits)).await
}

/// The same, made in another way.
async fn listening(
    base: Url,
    store: Arc<dyn Store>,
    build: impl FnOnce(Builder) -> Builder,
) -> Server {
    let registry = Registry::linked().expect("adapters are linked");
    let mut client = Client::builder().without_environment();
    for provider in ["together", "bfl"] {
        client = client.key(provider, "a-key").base(provider, base.clone());
    }
    let router = Router::new(registry, client.build().expect("a client"));
    let gateway = build(Gateway::builder(router, store)).build().await;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::bind(gateway.expect("a gateway"), anywhere).await.expect("a port is free")
}

async fn answer(answer: reqwest::Response) -> Answer {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("text");
    let body = serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}"));
    Answer { status, headers, body }
}

/// Waits for something that comes soon.
pub(crate) async fn until<F: Future<Output = bool>>(mut is: impl FnMut() -> F) {
    for _ in 0..1000 {
        if is().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come within 10 s");
}

fn http() -> reqwest::Client {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// A form, as libraries write it.
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let boundary = format!("----boundary{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { boundary, body: Vec::new() }
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.part(&format!("name=\"{name}\""), text.as_bytes())
    }

    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        let head = format!("name=\"{name}\"; filename=\"a.png\"\r\nContent-Type: image/png");
        self.part(&head, bytes)
    }

    fn part(mut self, head: &str, content: &[u8]) -> Self {
        let boundary = &self.boundary;
        let start = format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        self.body.extend(start.as_bytes());
        self.body.extend(content);
        self.body.extend(b"\r\n");
        self
    }

    fn done(mut self) -> (String, Vec<u8>) {
        self.body.extend(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }
}

/// A client that can break its connection at any place.
pub(crate) struct Raw(Option<TcpStream>);

impl Raw {
    /// Sends a whole request.
    pub(crate) async fn post(house: &House, body: &str, headers: &[(&str, &str)]) -> Self {
        let stream = TcpStream::connect(house.server.address()).await.expect("a connection");
        let mut raw = Self(Some(stream));
        raw.again(body, headers).await;
        raw
    }

    /// Sends another one on the same connection.
    pub(crate) async fn again(&mut self, body: &str, headers: &[(&str, &str)]) {
        let stream = self.0.as_mut().expect("it is open");
        let more: String = headers.iter().map(|(name, it)| format!("{name}: {it}\r\n")).collect();
        let head = format!(
            "POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{more}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        stream.write_all(body.as_bytes()).await.expect("it is sent");
    }

    /// Reads a whole answer.
    pub(crate) async fn read(&mut self) {
        let stream = self.0.as_mut().expect("it is open");
        let (mut read, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let length = stream.read(&mut piece).await.expect("it comes");
            assert_ne!(length, 0, "it ends too soon");
            read.extend_from_slice(&piece[..length]);
            let text = String::from_utf8_lossy(&read);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let wanted = head.lines().find_map(|it| it.strip_prefix("content-length: "));
            if wanted.expect("a length").parse() == Ok(body.len()) {
                return;
            }
        }
    }

    /// Breaks the connection, as a client that gives up does.
    pub(crate) fn reset(&mut self) {
        if let Some(stream) = self.0.take() {
            let _ = stream.set_zero_linger();
        }
    }
}

/// A picture of about so many bytes that decodes.
pub(crate) fn picture(bytes: usize) -> Vec<u8> {
    let mut picture = repaint_testkit::real_png(64, 64, 1);
    let end = picture.split_off(picture.len() - 12);
    let mut chunk = b"tEXt".to_vec();
    chunk.extend((0..bytes).map(|it| (it % 251) as u8 | 1));
    picture.extend((bytes as u32).to_be_bytes());
    let check = crc(&chunk);
    picture.extend(chunk);
    picture.extend(check.to_be_bytes());
    picture.extend(end);
    picture
}

/// ref: PNG, annex D
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |it, _| {
            (it >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(it & 1)))
        })
    })
}

pub(crate) fn data_uri(bytes: usize) -> String {
    format!("data:image/png;base64,{}", base64_simd::STANDARD.encode_to_string(picture(bytes)))
}
