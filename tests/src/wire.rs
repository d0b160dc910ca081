//! A server that misbehaves by the byte: it plays one act with each connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do with one connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// Reads the head and hangs up on the body.
    HangUpOnTheBody,
    /// Sends these bytes after the head, and only then reads the body.
    AnswerEarly(Vec<u8>),
    /// Reads the whole call and hangs up.
    HangUp,
    /// Reads the whole call, sends these bytes, and closes.
    Answer(Vec<u8>),
    /// Reads the whole call and sends these bytes, one every tenth of a second.
    Drip(Vec<u8>),
    /// Reads the whole call and says nothing.
    Silence,
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its first line and headers, in lower case.
    pub head: String,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

/// A server on a port of its own.
#[derive(Debug)]
pub struct Server {
    /// Where it is, without a slash at its end.
    pub url: String,
    listener: Option<TcpListener>,
    received: Arc<Mutex<Vec<Received>>>,
}

/// An answer in full, which closes the connection.
pub fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-length: {length}\r\nconnection: close\r\n\
         {headers}\r\n{body}"
    )
    .into_bytes()
}

impl Server {
    /// A server on a free port, which answers once it plays.
    pub async fn bind() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    /// A server behind a listener that is there already.
    pub fn on(listener: TcpListener) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        Self { url, listener: Some(listener), received: Arc::default() }
    }

    /// Plays one act with each connection, in turn, and hangs up on all that come after.
    #[must_use]
    pub fn play(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        let acts: Vec<Act> = acts.into_iter().collect();
        let listener = self.listener.take().expect("a server plays once");
        let received = Arc::clone(&self.received);
        tokio::spawn(async move {
            let mut acts = acts.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let act = acts.next().unwrap_or(Act::HangUp);
                let received = Arc::clone(&received);
                // A client that goes away first is a part of some plays.
                tokio::spawn(async move { play(stream, act, &received).await.ok() });
            }
        });
        self
    }

    /// Every call so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("nobody panics here").clone()
    }
}

impl Received {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(": "))
    }
}

async fn play(
    mut stream: TcpStream,
    act: Act,
    received: &Mutex<Vec<Received>>,
) -> std::io::Result<()> {
    let whole = !matches!(act, Act::HangUpOnTheBody | Act::AnswerEarly(_));
    let call = read(&mut stream, whole).await?;
    received.lock().expect("nobody panics here").push(call);
    match act {
        Act::HangUpOnTheBody | Act::HangUp => {}
        Act::AnswerEarly(bytes) => {
            stream.write_all(&bytes).await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        }
        Act::Answer(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
        }
        Act::Drip(bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Act::Silence => std::future::pending().await,
    }
    Ok(())
}

async fn read(stream: &mut TcpStream, whole: bool) -> std::io::Result<Received> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            break bytes.len();
        }
    };
    let body = bytes.split_off(head);
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let mut call = Received { head, body };
    let length = call.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    while whole && call.body.len() < length {
        if stream.read_buf(&mut call.body).await? == 0 {
            break;
        }
    }
    Ok(call)
}
