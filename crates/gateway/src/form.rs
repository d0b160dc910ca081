//! Reads a `multipart/form-data` body: the same value that JSON would be, and its files as slices of what
//! came.
//!
//! ref: RFC 7578 and RFC 2046, 5.1

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Map, Value};

use crate::dialect;
use crate::json::{Lifted, Read};

/// A form has no more parts.
const PARTS: usize = 256;
/// The head of a part has no more bytes.
const HEAD: usize = 4096;
/// The name of a field in a form has no more characters.
pub(crate) const LONGEST_NAME: usize = 64;
/// A text in a form has no more bytes: a prompt is shorter.
const TEXT: usize = 1 << 20;

/// A part of a form.
#[derive(Debug)]
pub(crate) struct Part {
    /// The name of its field, without the `[]` at its end.
    pub(crate) name: String,
    /// Whether the name says that it is one of several.
    many: bool,
    file: bool,
    pub(crate) content: Bytes,
}

#[cfg(feature = "fuzzing")]
impl Part {
    /// Whether it is one of several, and whether it is a file.
    pub(crate) fn is(&self) -> (bool, bool) {
        (self.many, self.file)
    }
}

/// The parts of a form. The error is in words.
pub(crate) fn parts(body: &Bytes, boundary: &str) -> Result<Vec<Part>, String> {
    let broken = |what: &str| format!("the body is no form: {what}");
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&between);
    // What stands before the first boundary is for nobody.
    let mut at = match body.starts_with(first.as_bytes()) {
        true => first.len(),
        false => {
            finder.find(body).ok_or_else(|| broken("its boundary is not in it"))? + between.len()
        }
    };
    let mut parts = Vec::new();
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        // Blanks may follow a boundary.
        let line = memmem::find(&rest[..rest.len().min(HEAD)], b"\r\n");
        let line = line.filter(|it| rest[..*it].iter().all(|it| matches!(it, b' ' | b'\t')));
        let begin = at + line.ok_or_else(|| broken("it ends within a part"))? + 2;
        let rest = &body[begin..];
        let (head, skip) = match rest.starts_with(b"\r\n") {
            true => (&rest[..0], 2),
            false => {
                let end = memmem::find(&rest[..rest.len().min(HEAD)], b"\r\n\r\n");
                let end = end.ok_or_else(|| broken("the head of a part has no end"))?;
                (&rest[..end], end + 4)
            }
        };
        let start = begin + skip;
        if finder.find(&body[begin - 2..start - 2]).is_some() {
            return Err(broken("the head of a part has no end"));
        }
        // The line that ends the head may be that of the boundary already; then there is nothing in the part.
        let end = finder.find(&body[start - 2..]).ok_or_else(|| broken("it ends within a part"))?;
        let length = end.saturating_sub(2);
        parts.push(part(head, body.slice(start..start + length)).map_err(|it| broken(&it))?);
        if PARTS < parts.len() {
            return Err(broken(&format!("it has more than {PARTS} parts")));
        }
        at = start - 2 + end + between.len();
    }
}

fn part(head: &[u8], content: Bytes) -> Result<Part, String> {
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
    Ok(Part { name: plain, many, file, content })
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

/// What the parts say, as JSON would say it. The error is in words.
pub(crate) fn read(parts: Vec<Part>) -> Result<Read, String> {
    let mut lifted = Lifted::default();
    let mut fields: Map<String, Value> = Map::new();
    for Part { name, many, file, content } in parts {
        let value = match file {
            true if content.is_empty() => return Err(format!("the file in `{name}` is empty")),
            true => Value::String(lifted.file(content)),
            false => text(&name, &content)?,
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
    Ok(Read { value: Value::Object(fields), lifted })
}

/// A text as the value that its field has: in a form, everything is a text.
fn text(name: &str, content: &Bytes) -> Result<Value, String> {
    if TEXT < content.len() {
        return Err(format!(
            "the text in `{name}` has more than {TEXT} bytes: send images as files"
        ));
    }
    let text = std::str::from_utf8(content).map_err(|_| format!("`{name}` is no UTF-8"))?;
    let as_json = || serde_json::from_str::<Value>(text);
    match dialect::kind(name) {
        Some("string") => Ok(Value::from(text)),
        // Shown as it is where it is none, so that whoever wrote it sees what is wrong.
        Some(_) => Ok(as_json().unwrap_or_else(|_| Value::from(text))),
        // An option of a model's own: what reads as a number, a truth or a list is one.
        None => Ok(as_json().unwrap_or_else(|_| Value::from(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<Vec<Part>, String> {
        parts(&Bytes::from(text.replace('\n', "\r\n")), "x")
    }

    #[test]
    fn parts_are_slices_and_lists_are_lists_under_either_name() {
        let text = "--x\nContent-Disposition: form-data; name=\"prompt\"\n\na\nb\n\
             --x\ncontent-disposition: form-data; name=\"image[]\"; filename=\"a;\\\"b.png\"\n\
             content-type: image/png\n\n\u{89}PNG\n\
             --x  \nContent-Disposition: form-data; name=image; filename=c.png\n\nabc\n\
             --x\nContent-Disposition: form-data; name=\"n\"\n\n2\n\
             --x\nContent-Disposition: form-data; name=\"size\"\n\n1024x1024\n--x--\n";
        let parts = form(text).expect("a form");
        let names: Vec<&str> = parts.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["prompt", "image", "image", "n", "size"]);
        assert_eq!(&parts[0].content[..], b"a\r\nb");
        let read = read(parts).expect("fields");
        assert_eq!(read.value["image"].as_array().map(Vec::len), Some(2));
        assert_eq!((&read.value["n"], &read.value["size"]), (&2.into(), &"1024x1024".into()));
    }

    #[test]
    fn no_part_is_read_as_a_piece_of_another() {
        let named = |it: &str| format!("--x\nContent-Disposition: form-data; name=\"{it}\"");
        let swallowed = format!("{}\n{}\n\n1\n--x--", named("a"), named("n"));
        assert!(form(&swallowed).is_err());
        let empty = format!("{}\n\n{}\n\n1\n--x--", named("a"), named("n"));
        let parts = form(&empty).expect("a form");
        assert_eq!(parts.iter().map(|it| it.content.len()).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_is_no_form_is_told() {
        for text in [
            "",
            "--y--",
            "--x",
            "--x\n",
            "--x\nContent-Disposition: form-data; name=\"a\"\n\nabc",
            "--x\nContent-Disposition: form-data; name=\"a\"\nabc\n--x--",
            "--x\nContent-Disposition: form-data\n\nabc\n--x--",
            "--x\n\nabc\n--x--",
            "--x\nContent-Disposition: form-data; name=\"a\"\nContent-Transfer-Encoding: base64\n\na\n--x--",
        ] {
            assert!(form(text).is_err(), "{text:?}");
        }
        let twice = "--x\nContent-Disposition: form-data; name=\"n\"\n\n1\n\
                     --x\nContent-Disposition: form-data; name=\"n\"\n\n2\n--x--";
        assert!(
            read(form(twice).expect("a form")).expect_err("twice").contains("`n` is there twice")
        );
        let named = |name: &str| {
            form(&format!("--x\nContent-Disposition: form-data; name=\"{name}\"\n\na\n--x--"))
        };
        // Characters count, in whatever script.
        assert!(named(&"ñ".repeat(LONGEST_NAME)).is_ok());
        assert!(named(&"n".repeat(LONGEST_NAME + 1)).is_err() && named("[]").is_err());
        let empty = "--x\nContent-Disposition: form-data; name=\"image\"; filename=\"\"\n\n\n--x--";
        assert!(read(form(empty).expect("a form")).is_err());
        assert_eq!(form("--x--").expect("an empty form").len(), 0);
    }
}
