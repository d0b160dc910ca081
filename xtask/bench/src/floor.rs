//! The least that an edit can cost: sockets of the standard library and base64-simd, both ways, with
//! the images streamed through two buffers. It checks nothing that a client must check.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use base64_simd::{Out, STANDARD};
use serde::Deserialize;
use serde_json::Value;

use crate::Result;
use crate::client::{ANSWER_BYTES, files};
use crate::meter::Meter;

/// A multiple of 3, so that the pieces join without padding.
const PIECE: usize = 192 * 1024;
const HEAD: &str = r#"{"model":"black-forest-labs/FLUX.2-dev","prompt":"p","response_format":"base64","reference_images":["#;
const START: &str = "data:image/jpeg;base64,";

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Vec<Picture<'a>>,
}

#[derive(Deserialize)]
struct Picture<'a> {
    b64_json: &'a str,
}

pub(crate) fn run(base: &str, folder: &Path, times: &str) -> Result<Value> {
    let address = base.strip_prefix("http://").ok_or("the floor speaks http alone")?;
    let files = files(folder);
    let mut meter = Meter::default();
    for _ in 0..times.parse::<usize>()? {
        let begun = Meter::begin();
        let mut length = HEAD.len() + "]}".len() + files.len() - 1;
        for file in &files {
            let base64 = std::fs::metadata(file)?.len().div_ceil(3) * 4;
            length += START.len() + "\"\"".len() + usize::try_from(base64)?;
        }
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        write!(
            stream,
            "POST /v1/images/generations HTTP/1.1\r\nhost: {address}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{HEAD}"
        )?;
        let (mut raw, mut encoded) = (vec![0; PIECE], vec![0; PIECE / 3 * 4]);
        for (index, file) in files.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(stream, "{comma}\"{START}")?;
            let mut file = File::open(file)?;
            loop {
                let length = fill(&mut file, &mut raw)?;
                if length == 0 {
                    break;
                }
                let piece = STANDARD.encode(&raw[..length], Out::from_slice(&mut encoded));
                stream.write_all(piece)?;
            }
            stream.write_all(b"\"")?;
        }
        stream.write_all(b"]}")?;
        let mut answer = Vec::with_capacity(ANSWER_BYTES / 3 * 4 + 1024);
        stream.read_to_end(&mut answer)?;
        let body = answer.windows(4).position(|it| it == b"\r\n\r\n").ok_or("no answer")? + 4;
        let Answer { data } = serde_json::from_slice(&answer[body..])?;
        let base64 = data.first().ok_or("no picture")?.b64_json;
        let picture = STANDARD.decode_to_vec(base64)?;
        if picture.len() != ANSWER_BYTES {
            return Err("not the whole picture".into());
        }
        meter.end(&begun);
    }
    Ok(meter.line())
}

fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}
