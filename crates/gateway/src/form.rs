//! Reads a `multipart/form-data` body as it comes: the same value that JSON would be, and its files as base64.
//!
//! ref: RFC 7578 and RFC 2046, 5.1

use std::fmt;

use base64_simd::STANDARD;
use memchr::memmem;
use repaint_core::{Base64Reader, Kept};
use serde_json::{Map, Value};

use crate::calls::Print;
use crate::dialect;
use crate::digest::Digest;
use crate::json::{Lifted, Read};
use crate::receive::Reader;

/// A form has no more parts.
const PARTS: usize = 256;
/// The head of a part has no more bytes.
const HEAD: usize = 4096;
/// The name of a field in a form has no more characters.
pub(crate) const LONGEST_NAME: usize = 64;
/// A text in a form has no more bytes: a prompt is shorter.
const TEXT: usize = 1 << 20;
/// All texts of a form have no more bytes together: they are counted by no budget.
const TEXTS: usize = 4 << 20;

/// A form as far as it has come. Its files are made base64 while they come, which is how they are sent: so they are
/// encoded once, whoever takes them, and lie in memory or in a file like those of a JSON body.
pub(crate) struct Form {
    secret: [u8; 16],
    /// What stands between two parts.
    between: memmem::Finder<'static>,
    state: State,
    /// What has come and is not taken yet.
    held: Vec<u8>,
    parts: Vec<Part>,
    /// How many bytes its texts have.
    texts: usize,
    /// What is to be kept of the last piece, and how much was before that.
    encoded: String,
    kept: u64,
}

enum State {
    /// Before the first boundary; what stands there is for nobody.
    Before,
    Boundary,
    /// In the head of a part, with the end of the line before it.
    Head,
    /// In what a part has, with the end of the line before it, of which so much is still to come.
    Content(Box<Part>, usize),
    Ended,
}

/// A part of a form.
#[derive(Debug)]
struct Part {
    /// The name of its field, without the `[]` at its end.
    name: String,
    /// Whether the name says that it is one of several.
    many: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(Vec<u8>),
    File(Box<File>),
}

/// A file, by where its base64 is in what was kept.
#[derive(Debug)]
struct File {
    from: u64,
    to: u64,
    /// Up to two bytes that wait for their group of three.
    carry: Vec<u8>,
    reader: Base64Reader,
}

impl Form {
    /// Nothing yet. The secret is that of the store; what equal forms are told by is keyed with it.
    pub(crate) fn new(boundary: &str, secret: &[u8; 16]) -> Self {
        Self {
            secret: *secret,
            between: memmem::Finder::new(&format!("\r\n--{boundary}")).into_owned(),
            state: State::Before,
            // A body may begin with its boundary, so it is read as if a line had ended before it.
            held: b"\r\n".to_vec(),
            parts: Vec::new(),
            texts: 0,
            encoded: String::new(),
            kept: 0,
        }
    }

    /// Takes some of what is held; nothing if more must come first.
    fn step(&mut self) -> Result<Option<usize>, String> {
        let next = self.between.find(&self.held);
        let needle = self.between.needle().len();
        // So much is no part of a boundary, whatever comes.
        let sure = next.unwrap_or((self.held.len() + 1).saturating_sub(needle));
        match &mut self.state {
            State::Before => {
                if next.is_some() {
                    self.state = State::Boundary;
                    return Ok(Some(sure + needle));
                }
                Ok(Some(sure).filter(|it| *it != 0))
            }
            State::Boundary => {
                // Blanks may follow it.
                let blanks = self.held.iter().take_while(|it| matches!(it, b' ' | b'\t')).count();
                match &self.held[blanks..] {
                    [b'-', b'-', ..] if blanks == 0 => {
                        self.state = State::Ended;
                        Ok(Some(2))
                    }
                    [b'\r', b'\n', ..] if blanks < HEAD => {
                        self.state = State::Head;
                        Ok(Some(blanks))
                    }
                    [] | [b'\r'] if blanks < HEAD => Ok(None),
                    [b'-'] if blanks == 0 => Ok(None),
                    _ => Err(broken(CUT)),
                }
            }
            State::Head => {
                let end = memmem::find(&self.held, b"\r\n\r\n");
                let Some(end) = end.filter(|it| *it < HEAD) else {
                    return if self.held.len() < HEAD + 4 {
                        Ok(None)
                    } else {
                        Err(broken(HEADLESS))
                    };
                };
                if next.is_some_and(|it| it < end) {
                    return Err(broken(HEADLESS));
                }
                let head = head(self.held.get(2..end).unwrap_or_default());
                let (name, many, file) = head.map_err(|it| broken(&it))?;
                if PARTS <= self.parts.len() {
                    return Err(broken(&format!("it has more than {PARTS} parts")));
                }
                let from = self.kept + self.encoded.len() as u64;
                let content = match file {
                    true => Content::File(Box::new(File::new(from, &self.secret))),
                    false => Content::Text(Vec::new()),
                };
                self.state = State::Content(Box::new(Part { name, many, content }), 2);
                Ok(Some(end + 2))
            }
            State::Content(part, line) => {
                let skipped = sure.min(*line);
                *line -= skipped;
                let bytes = &self.held[skipped..sure];
                part.add(bytes, &mut self.encoded)?;
                if let Content::Text(_) = part.content {
                    self.texts += bytes.len();
                }
                if TEXTS < self.texts {
                    return Err(format!(
                        "the texts of the form have more than {TEXTS} bytes: send images as files"
                    ));
                }
                if next.is_none() {
                    return Ok(Some(sure).filter(|it| *it != 0));
                }
                if let (State::Content(mut part, _), encoded) =
                    (std::mem::replace(&mut self.state, State::Boundary), &mut self.encoded)
                {
                    part.ends(encoded);
                    self.parts.push(*part);
                }
                Ok(Some(sure + needle))
            }
            State::Ended => Ok(Some(self.held.len()).filter(|it| *it != 0)),
        }
    }

    /// The parts, now that all has come.
    fn parts(self) -> Result<Vec<Part>, String> {
        match self.state {
            State::Ended => Ok(self.parts),
            State::Before => Err(broken("its boundary is not in it")),
            State::Boundary | State::Head | State::Content(..) => Err(broken(CUT)),
        }
    }
}

impl Reader for Form {
    fn keeps(length: u64) -> u64 {
        // The last group of each part may have a byte alone.
        length.div_ceil(3).saturating_add(PARTS as u64).saturating_mul(4)
    }

    fn piece<'a>(&'a mut self, piece: &'a [u8]) -> Result<&'a [u8], String> {
        self.kept += self.encoded.len() as u64;
        self.encoded.clear();
        self.held.extend_from_slice(piece);
        while let Some(taken) = self.step()? {
            self.held.drain(..taken);
        }
        Ok(self.encoded.as_bytes())
    }

    fn finish(self, kept: &Kept) -> Result<(Read, Print), String> {
        let mut digest = Digest::new(&self.secret);
        let mut lifted = Lifted::default();
        let mut fields: Map<String, Value> = Map::new();
        for Part { name, many, content } in self.parts()? {
            // A boundary is another each time, so what stands between them counts.
            digest.part(name.as_bytes());
            let value = match content {
                Content::File(file) if file.from == file.to => {
                    return Err(format!("the file in `{name}` is empty"));
                }
                Content::File(file) => {
                    let File { from, to, reader, .. } = *file;
                    let read = reader.finish();
                    read.hash().iter().for_each(|it| digest.part(&it.to_le_bytes()));
                    Value::String(lifted.file(kept.part(from, to), read))
                }
                Content::Text(content) => {
                    digest.part(&content);
                    text(&name, content)?
                }
            };
            // Several images may have one name, with `[]` or without: they are a list.
            let list = many || matches!(name.as_str(), "image" | "images" | "reference_images");
            match fields.get_mut(&name) {
                Some(Value::Array(items)) if list => items.push(value),
                Some(_) => return Err(format!("`{name}` is there twice")),
                None if list && !value.is_array() => {
                    fields.insert(name, Value::Array(vec![value]));
                }
                None => {
                    fields.insert(name, value);
                }
            }
        }
        Ok((Read { value: Value::Object(fields), lifted }, digest.done()))
    }
}

impl Part {
    fn add(&mut self, bytes: &[u8], encoded: &mut String) -> Result<(), String> {
        match &mut self.content {
            Content::File(file) => file.add(bytes, encoded),
            Content::Text(text) if text.len() + bytes.len() <= TEXT => {
                text.extend_from_slice(bytes)
            }
            Content::Text(_) => {
                let name = &self.name;
                return Err(format!(
                    "the text in `{name}` has more than {TEXT} bytes: send images as files"
                ));
            }
        }
        Ok(())
    }

    fn ends(&mut self, encoded: &mut String) {
        if let Content::File(file) = &mut self.content {
            let carry = std::mem::take(&mut file.carry);
            file.encode(&carry, encoded);
        }
    }
}

impl File {
    fn new(from: u64, secret: &[u8; 16]) -> Self {
        Self { from, to: from, carry: Vec::new(), reader: Base64Reader::new(secret) }
    }

    fn add(&mut self, bytes: &[u8], encoded: &mut String) {
        let missing = if self.carry.is_empty() { 0 } else { 3 - self.carry.len() };
        let (head, rest) = bytes.split_at(missing.min(bytes.len()));
        self.carry.extend_from_slice(head);
        if self.carry.len() == 3 {
            let group = std::mem::take(&mut self.carry);
            self.encode(&group, encoded);
        }
        let (groups, tail) = rest.split_at(rest.len() / 3 * 3);
        self.encode(groups, encoded);
        self.carry.extend_from_slice(tail);
    }

    fn encode(&mut self, bytes: &[u8], encoded: &mut String) {
        let before = encoded.len();
        STANDARD.encode_append(bytes, encoded);
        self.reader.piece(&encoded.as_bytes()[before..]);
        self.to += (encoded.len() - before) as u64;
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} parts)", self.parts.len())
    }
}

const CUT: &str = "it ends within a part";
const HEADLESS: &str = "the head of a part has no end";

fn broken(what: &str) -> String {
    format!("the body is no form: {what}")
}

/// What a head says: the name, whether that is of several, and whether the part is a file.
pub(crate) fn head(head: &[u8]) -> Result<(String, bool, bool), String> {
    let head =
        std::str::from_utf8(head).map_err(|_| "the head of a part is no UTF-8".to_owned())?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-disposition") {
            disposition = Some(value);
        }
        let plain = matches!(value.to_ascii_lowercase().as_str(), "binary" | "8bit" | "7bit");
        if name.eq_ignore_ascii_case("content-transfer-encoding") && !plain {
            return Err("a part is encoded: send it as it is".to_owned());
        }
    }
    let disposition = disposition.ok_or("a part has no content-disposition")?;
    let (mut name, mut file) = (None, false);
    for (key, value) in parameters(disposition) {
        match key.as_str() {
            "name" => name = Some(value),
            "filename" | "filename*" => file = true,
            _ => {}
        }
    }
    let name = name.ok_or("a part has no name")?;
    if LONGEST_NAME < name.chars().count() {
        return Err(format!("the name of a part has more than {LONGEST_NAME} characters"));
    }
    let (plain, many) = match name.strip_suffix("[]") {
        Some(plain) => (plain.to_owned(), true),
        None => (name, false),
    };
    if plain.is_empty() {
        return Err("a part has no name".to_owned());
    }
    Ok((plain, many, file))
}

/// The parameters of a header's value: `form-data; name="image[]"; filename="a;b.png"`.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = value.split_once(';').map_or("", |it| it.1);
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim().trim_start_matches(';').trim().to_ascii_lowercase();
        let (text, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (mut text, mut end, mut escaped) = (String::new(), quoted.len(), false);
                for (at, it) in quoted.char_indices() {
                    match (escaped, it) {
                        (false, '\\') => escaped = true,
                        (false, '"') => {
                            end = at;
                            break;
                        }
                        _ => {
                            text.push(it);
                            escaped = false;
                        }
                    }
                }
                let after = quoted.get(end + 1..).unwrap_or_default();
                (text, after.split_once(';').map_or("", |it| it.1))
            }
            None => {
                let (text, after) = after.split_once(';').unwrap_or((after, ""));
                (text.trim().to_owned(), after)
            }
        };
        found.push((key, text));
        rest = after;
    }
    found
}

/// A text as the value that its field has: in a form, everything is a text.
fn text(name: &str, content: Vec<u8>) -> Result<Value, String> {
    let text = String::from_utf8(content).map_err(|_| format!("`{name}` is no UTF-8"))?;
    Ok(match dialect::kind(name) {
        Some("string") => Value::from(text),
        // What is none is shown as it is, so that whoever wrote it sees what is wrong. An option of a model's own is
        // a number, a truth or a list where it reads as one.
        Some(_) | None => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text)),
    })
}

#[cfg(test)]
mod tests {
    use repaint_core::ImageSource;
    use serde_json::json;

    use super::*;
    use crate::held::Held;
    use crate::receive::in_pieces;

    /// What a form says however it comes, or what is wrong with it.
    fn form(body: &[u8]) -> Result<Read, String> {
        let read = |size| in_pieces(Form::new("x", &[7; 16]), body, size);
        let whole = read(body.len().max(1));
        for size in [1, 2, 3, 7, 64] {
            let (read, whole) = (read(size), whole.as_ref());
            let shown = |it: &Read| it.value.to_string().split("base64,").count();
            assert_eq!(read.as_ref().map(shown), whole.map(shown), "{size}");
        }
        whole
    }

    fn text(text: &str) -> Result<Read, String> {
        form(text.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn lists_are_lists_under_either_name_and_each_file_is_the_image_that_it_is() {
        let pictures = [1, 2, 3].map(|it| repaint_testkit::real_png(8, 8, it));
        let mut body =
            b"before\r\n--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na\r\nb"
                .to_vec();
        for (head, picture) in [
            "content-disposition: form-data; name=\"image[]\"; filename=\"a;\\\"b.png\"\r\ncontent-type: image/png",
            "Content-Disposition: form-data; name=image; filename=c.png",
            "Content-Disposition: form-data; name=mask; filename=d.png",
        ]
        .into_iter()
        .zip(&pictures)
        {
            body.extend(format!("\r\n--x  \r\n{head}\r\n\r\n").into_bytes());
            body.extend(picture);
        }
        body.extend(
            b"\r\n--x\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--x--\r\nafter",
        );
        let Read { value, lifted } = form(&body).expect("a form");
        assert_eq!((&value["prompt"], &value["n"]), (&json!("a\r\nb"), &json!(2)));
        let addresses = [&value["image"][0], &value["image"][1], &value["mask"]];
        for (address, picture) in addresses.into_iter().zip(&pictures) {
            let image = lifted.image(address.as_str().expect("a text")).expect("an image");
            let ImageSource::Kept(kept) = image.source() else { panic!("{image:?}") };
            let sent = STANDARD.encode_to_string(picture);
            assert_eq!(kept.whole().expect("read"), sent.as_bytes());
            assert_eq!(image.facts().map(|it| it.bytes), Some(picture.len() as u64));
        }
    }

    #[test]
    fn equal_forms_are_known_whatever_their_boundary_and_others_are_others() {
        let print = |boundary: &str, file: &str, size: usize| {
            let body = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n{file}\r\n--{boundary}--"
            );
            let (mut form, mut kept) = (Form::new(boundary, &[7; 16]), Vec::new());
            for piece in body.as_bytes().chunks(size) {
                kept.extend_from_slice(form.piece(piece).expect("a form"));
            }
            form.finish(&Held::in_memory(kept.into()).whole()).expect("a form").1
        };
        let first = print("x", "a file", 1);
        assert!(first == print("y", "a file", 7) && first == print("zz", "a file", 100));
        assert_ne!(first, print("x", "a file!", 7));
    }

    #[test]
    fn no_part_is_read_as_a_piece_of_another() {
        let named = |it: &str| format!("--x\nContent-Disposition: form-data; name=\"{it}\"");
        let swallowed = format!("{}\n{}\n\n1\n--x--", named("a"), named("n"));
        assert!(text(&swallowed).is_err());
        let empty = format!("{}\n\n{}\n\n1\n--x--", named("a"), named("n"));
        assert_eq!(text(&empty).expect("a form").value, json!({ "a": "", "n": 1 }));
    }

    #[test]
    fn what_is_no_form_is_told() {
        for body in [
            "",
            "--y--",
            "--x",
            "--x-",
            "--x y",
            "--x\n",
            "--x\nContent-Disposition: form-data; name=\"a\"\n\nabc",
            "--x\nContent-Disposition: form-data; name=\"a\"\nabc\n--x--",
            "--x\nContent-Disposition: form-data\n\nabc\n--x--",
            "--x\n\nabc\n--x--",
            "--x\nContent-Disposition: form-data; name=\"a\"\nContent-Transfer-Encoding: base64\n\na\n--x--",
        ] {
            assert!(text(body).is_err(), "{body:?}");
        }
        let named = |name: &str, content: &str| {
            format!("--x\nContent-Disposition: form-data; name=\"{name}\"\n\n{content}\n")
        };
        let one = |name: &str| text(&format!("{}--x--", named(name, "a")));
        let twice = text(&format!("{}{}--x--", named("n", "1"), named("n", "2")));
        assert!(twice.expect_err("twice").contains("`n` is there twice"));
        // Characters count, in whatever script.
        assert!(one(&"ñ".repeat(LONGEST_NAME)).is_ok());
        assert!(one(&"n".repeat(LONGEST_NAME + 1)).is_err() && one("[]").is_err());
        let empty = "--x\nContent-Disposition: form-data; name=\"image\"; filename=\"\"\n\n\n--x--";
        assert!(text(empty).expect_err("empty").contains("the file in `image` is empty"));
        assert_eq!(text("--x--").expect("an empty form").value, json!({}));
        let many = named("a[]", "1").repeat(PARTS + 1);
        assert!(text(&format!("{many}--x--")).expect_err("too many").contains("256 parts"));
        let long = |length: usize| format!("{}--x--", named("prompt", &"a".repeat(length)));
        let read = |body: &str| {
            in_pieces(Form::new("x", &[7; 16]), body.replace('\n', "\r\n").as_bytes(), 65_536)
        };
        assert!(read(&long(TEXT)).is_ok());
        assert!(read(&long(TEXT + 1)).expect_err("too long").contains("send images as files"));
        let headless = format!("--x\nContent-Disposition: form-data; name=a\n{}", "a".repeat(HEAD));
        for body in [headless.clone(), format!("{headless}\n\n1\n--x--")] {
            assert!(text(&body).expect_err("no end").contains(HEADLESS));
        }
    }
}
