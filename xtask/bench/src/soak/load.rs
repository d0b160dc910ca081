//! Callers as libraries are: they ask, lose patience, and ask again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::provider::Dice;
use crate::Result;

/// Libraries ask again so often.
const RETRIES: u32 = 2;
/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a caller was told in the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Told {
    Pictures,
    /// An error that says that a picture may have been bought, so that nobody asks again.
    MayHaveCost,
    /// An error after which anybody may ask again.
    CostNothing(u16),
}

/// What all callers share.
pub(super) struct Work {
    address: String,
    until: Instant,
    image: String,
    picture: Vec<u8>,
    told: Mutex<BTreeMap<String, Told>>,
    broken: AtomicU64,
}

/// A request, as it goes over the wire.
struct Asked {
    path: &'static str,
    kind: String,
    body: Vec<u8>,
    key: Option<String>,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Work {
    pub(super) fn new(address: String, until: Instant) -> Result<Self> {
        let mut dice = Dice(7);
        let noise = image::RgbImage::from_fn(480, 480, |_, _| {
            image::Rgb([0; 3].map(|_| dice.below(256) as u8))
        });
        let mut picture = std::io::Cursor::new(Vec::new());
        noise.write_to(&mut picture, image::ImageFormat::Png)?;
        let picture = picture.into_inner();
        let base64 = base64_simd::STANDARD.encode_to_string(&picture);
        let image = format!("data:image/png;base64,{base64}");
        let (told, broken) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self { address, until, image, picture, told, broken })
    }

    pub(super) fn done(&self) -> usize {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn told(&self) -> BTreeMap<String, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// One of the ways in which a picture is asked for.
    fn ask(&self, prompt: &str, dice: &mut Dice) -> Asked {
        let key = (dice.below(3) == 0).then(|| format!("key of {prompt}"));
        let model = ["black-forest-labs/FLUX.2-pro", "bfl/flux2-pro", "flux2-pro"];
        let model = model[dice.below(3) as usize];
        let mut fields = json!({ "model": model, "prompt": prompt, "width": 512, "height": 512 });
        let mut set = |name: &str, value: Value| fields[name] = value;
        if dice.below(2) == 0 {
            set("response_format", "b64_json".into());
        }
        match dice.below(4) {
            0 => {}
            1 => set("image_url", "https://a.example/1.png".into()),
            2 => set("reference_images", json!([self.image, self.image])),
            _ => return self.form(prompt, model, key),
        }
        let body = fields.to_string().into_bytes();
        Asked { path: "/v1/images/generations", kind: "application/json".into(), body, key }
    }

    fn form(&self, prompt: &str, model: &str, key: Option<String>) -> Asked {
        let mut body = Vec::new();
        for (name, value) in [("model", model), ("prompt", prompt), ("size", "512x512")] {
            let part = format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend(part.into_bytes());
        }
        let head = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\
                    Content-Type: image/png\r\n\r\n";
        body.extend(head.bytes().chain(self.picture.iter().copied()));
        body.extend(b"\r\n--b--\r\n");
        let kind = "multipart/form-data; boundary=b".to_owned();
        Asked { path: "/v1/images/edits", kind, body, key }
    }
}

/// Asks for one thing after another until the time is over.
pub(super) async fn caller(work: Arc<Work>, number: u64, seed: u64) {
    let mut dice = Dice(seed ^ (number + 1) << 32);
    for count in 0u64.. {
        if work.until <= Instant::now() {
            return;
        }
        let prompt = format!("call {number}-{count}");
        let asked = work.ask(&prompt, &mut dice);
        let told = until_told(&work, &asked, &mut dice).await;
        work.told.lock().unwrap_or_else(PoisonError::into_inner).insert(prompt, told);
    }
}

/// Asks, and asks again as libraries do: after a broken connection, and after 408, 409, 429 and 5xx unless a
/// header says not to.
async fn until_told(work: &Work, asked: &Asked, dice: &mut Dice) -> Told {
    let mut told = Told::CostNothing(0);
    let mut retries = 0;
    loop {
        // Some lose patience, and break the connection at any moment.
        let patience = match dice.below(5) {
            0 if retries < RETRIES => Duration::from_millis(dice.below(600)),
            _ => PATIENCE,
        };
        let answer = timeout(patience, send(work, asked, retries)).await;
        let again = match answer {
            Ok(Ok(answer)) => {
                let never_again = answer.head.contains("x-should-retry: false");
                told = match answer.status {
                    200 if answer.body["data"][0].is_object() => return Told::Pictures,
                    410 | 424 => Told::MayHaveCost,
                    _ if never_again || answer.body["error"]["code"] == "moderated" => {
                        Told::MayHaveCost
                    }
                    status => Told::CostNothing(status),
                };
                matches!(answer.status, 408 | 409 | 429 | 500..) && !never_again
            }
            Ok(Err(_)) | Err(_) => {
                work.broken.fetch_add(1, Ordering::Relaxed);
                // Who breaks off has to ask once more, or nobody knows what came of it.
                true
            }
        };
        let broken = !matches!(told, Told::CostNothing(1..) | Told::MayHaveCost);
        if !again || (RETRIES <= retries && !broken) {
            return told;
        }
        retries += 1;
        sleep(Duration::from_millis(50 + dice.below(200))).await;
    }
}

/// One request on a connection of its own, which breaks when this is given up.
async fn send(work: &Work, asked: &Asked, retries: u32) -> Result<Answer, std::io::Error> {
    let mut stream = TcpStream::connect(&work.address).await?;
    stream.set_nodelay(true)?;
    let key = asked.key.as_ref().map(|it| format!("idempotency-key: {it}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {}\r\ncontent-length: {}\r\n\
         x-stainless-retry-count: {retries}\r\n{key}\r\n",
        asked.path,
        asked.kind,
        asked.body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&asked.body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let text = String::from_utf8(answer).map_err(|_| broken())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(broken)?;
    // An answer that is cut short is no JSON.
    let body = serde_json::from_str(body).map_err(|_| broken())?;
    Ok(Answer { status, head: head.to_owned(), body })
}

/// What a path says.
pub(super) async fn text(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
