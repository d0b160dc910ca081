//! A server that answers what a test wants, byte by byte, and a resolver that answers what a test wants.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use repaint_fetch::Resolve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The smallest PNG: one grey pixel.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";

/// What is sent, and what then.
#[derive(Clone)]
pub(crate) struct Script {
    first: Vec<u8>,
    then: Then,
}

#[derive(Clone)]
enum Then {
    Close,
    /// The same again, without end.
    Again(Vec<u8>, Duration),
    /// Nothing, without end.
    Nothing,
}

/// An answer with these lines in its head.
pub(crate) fn answer(status: u16, head: &[&str], body: &[u8]) -> Script {
    let mut first = format!("HTTP/1.1 {status} Whatever\r\n").into_bytes();
    head.iter().for_each(|it| first.extend(format!("{it}\r\n").into_bytes()));
    first.extend(b"connection: close\r\n\r\n");
    first.extend(body);
    Script { first, then: Then::Close }
}

/// A picture or something in its place, with a length.
pub(crate) fn whole(body: &[u8]) -> Script {
    answer(200, &[&format!("content-length: {}", body.len()), "content-type: image/png"], body)
}

/// A redirect.
pub(crate) fn redirect(to: &str) -> Script {
    answer(302, &[&format!("location: {to}"), "content-length: 0"], b"")
}

impl Script {
    /// These bytes and nothing else.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self { first: bytes.to_vec(), then: Then::Close }
    }

    /// After that, these bytes again and again.
    pub(crate) fn again(self, bytes: &[u8], pause: Duration) -> Self {
        Self { then: Then::Again(bytes.to_vec(), pause), ..self }
    }

    /// After that, nothing, and the connection stays open.
    pub(crate) fn hanging(self) -> Self {
        Self { then: Then::Nothing, ..self }
    }
}

/// Listens on this machine.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let scripts: Arc<Mutex<BTreeMap<String, Script>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (theirs, heard) = (Arc::clone(&scripts), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (scripts, asked) = (Arc::clone(&theirs), Arc::clone(&heard));
                tokio::spawn(serve(stream, scripts, asked));
            }
        });
        Self { address, scripts, asked }
    }

    /// What is answered at a path, whatever its query is unless it has one.
    pub(crate) fn at(&self, path: &str, script: Script) {
        self.scripts.lock().expect("not poisoned").insert(path.to_owned(), script);
    }

    /// The heads of all requests, as they came.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// The address of a path at one of the names that lead here.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }
}

/// The other side closes whenever it has had enough, so that no write here need succeed.
async fn serve(
    mut stream: TcpStream,
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
    asked: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("not poisoned").push(head);
    let script = {
        let scripts = scripts.lock().expect("not poisoned");
        scripts.get(&path).or_else(|| scripts.get(path.split('?').next()?)).cloned()
    };
    let Script { first, then } = script.unwrap_or_else(|| answer(404, &[], b"nothing"));
    stream.write_all(&first).await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Nothing => stream.read_u8().await.map(|_| ()),
        Then::Again(bytes, pause) => loop {
            stream.write_all(&bytes).await?;
            tokio::time::sleep(pause).await;
        },
    }
}

/// Answers for `ip-10-0-0-1.example` and `ip6-fd00--1.example` what they say; for other names what it was told, one
/// answer after the other, the last for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    told: Arc<Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub(crate) fn and(self, name: &str, answers: &[&[&str]]) -> Self {
        let ip = |it: &&str| it.parse().expect("an address");
        let answers = answers.iter().map(|it| it.iter().map(ip).collect()).collect();
        self.told.lock().expect("not poisoned").insert(name.to_owned(), answers);
        self
    }

    /// The names that were looked up, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().expect("not poisoned").push(name.to_owned());
        let label = name.split('.').next().unwrap_or_default();
        let ip = match (label.strip_prefix("ip-"), label.strip_prefix("ip6-")) {
            (Some(ip), _) => ip.replace('-', ".").parse().ok(),
            (_, Some(ip)) => ip.replace('-', ":").parse().ok(),
            _ => None,
        };
        if let Some(ip) = ip {
            return Ok(vec![ip]);
        }
        let mut told = self.told.lock().expect("not poisoned");
        let answers = told.get_mut(name).ok_or_else(|| io::Error::other("unknown: 10.9.8.7"))?;
        Ok(if 1 < answers.len() { answers.remove(0) } else { answers[0].clone() })
    }
}
