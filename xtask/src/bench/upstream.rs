//! The provider that the clients talk to: it takes whole orders on loopback, and answers each with the
//! same picture of 8 MB as base64. It runs in this process, so its CPU is not counted.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::random::Random;

/// Characters of base64 in an answer: 6 MB, decoded.
const BASE64: usize = 8_000_000;
const PATIENCE: Duration = Duration::from_secs(20);
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Begins to serve, until the process ends; the address comes back.
pub(super) fn serve(least: u64) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let answer = Arc::new(answer());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A client that goes away ends its connection, and nothing else.
            thread::spawn(move || drop(connection(&stream, least, &answer)));
        }
    });
    Ok(address)
}

/// Serves the orders of one connection.
fn connection(stream: &TcpStream, least: u64, answer: &[u8]) -> Result<()> {
    stream.set_nodelay(true)?;
    // A client that waits for what will not come fails, and does not hang.
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut reader, mut writer) = (BufReader::with_capacity(256 * 1024, stream), stream);
    loop {
        let (mut length, mut last, mut line) = (None, false, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let header = line.to_ascii_lowercase();
            last |= header.trim_end() == "connection: close";
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse::<u64>().ok();
            }
        }
        // Whoever loses an image on the way is not to win the race by it.
        let Some(length) = length.filter(|it| least <= *it) else {
            return writer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        };
        if std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())? < length {
            return Err(Error::other("the order was cut short"));
        }
        writer.write_all(answer)?;
        if last {
            return Ok(());
        }
    }
}

fn answer() -> Vec<u8> {
    let (start, end) =
        (r#"{"id":"bench","object":"list","data":[{"index":0,"b64_json":""#, r#""}]}"#);
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{start}",
        start.len() + BASE64 + end.len()
    )
    .into_bytes();
    // What begins so is a JPEG.
    answer.extend_from_slice(b"/9j/");
    let bytes = Random::new(1).take(BASE64 - 4);
    answer.extend(bytes.map(|it| ALPHABET[usize::from(it % 64)]));
    answer.extend_from_slice(end.as_bytes());
    answer
}
