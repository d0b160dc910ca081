//! The book, done as it is read: every command of its pages is run, in order, in a folder of the page, with the program
//! that was built, no key and no network; what it prints and the pictures it makes are those on the page.
//!
//! A comment right before a block says what is different there: `<!-- not run: REASON -->`, `<!-- with a key -->` (a
//! server in this process answers as the providers do), `<!-- exits with 3 -->`. A `text` block right after it is what
//! is printed, where a line `…` stands for any lines. `REPAINT_BOOK=renew` writes what is printed, and the pictures.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use repaint_testkit::png;
use serde_json::json;
use tempfile::TempDir;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A fenced block with the comment before it.
#[derive(Debug)]
struct Block<'a> {
    mark: &'a str,
    language: &'a str,
    /// Lines between the fences, counted from 0.
    lines: std::ops::Range<usize>,
}

fn blocks<'a>(lines: &[&'a str]) -> Vec<Block<'a>> {
    let (mut found, mut open) = (Vec::new(), None);
    for (at, line) in lines.iter().enumerate() {
        let Some(language) = line.strip_prefix("```") else { continue };
        match open.take() {
            None => open = Some((at, language)),
            Some((start, language)) => {
                let before = if start == 0 { "" } else { lines[start - 1] };
                let mark = before
                    .strip_prefix("<!-- ")
                    .and_then(|it| it.strip_suffix(" -->"))
                    .unwrap_or("");
                found.push(Block { mark, language, lines: start + 1..at });
            }
        }
    }
    found
}

/// The chapters: what docs/SUMMARY.md links to.
fn pages() -> Vec<PathBuf> {
    let docs = Path::new(ROOT).join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).expect("a summary");
    let links = summary.split("](").skip(1).filter_map(|it| it.split(')').next());
    let pages: Vec<PathBuf> = links.map(|it| docs.join(it)).collect();
    assert!(10 < pages.len(), "{pages:?}");
    pages
}

/// A server that answers as Together and Black Forest Labs do: with a picture.
async fn provider() -> MockServer {
    let server = MockServer::start().await;
    let at = |name: &str| format!("{}/{name}", server.uri());
    let answer = |body: serde_json::Value| ResponseTemplate::new(200).set_body_json(body);
    let picture = ResponseTemplate::new(200).set_body_raw(png(64, 64, 0), "image/png");
    let made = json!({ "id": "a", "object": "list", "data": [{ "index": 0, "url": at("1.png") }] });
    let ticket = json!({ "id": "job-1", "polling_url": at("poll"), "cost": 4.5, "input_mp": 0.2 });
    let ready = json!({ "id": "job-1", "status": "Ready", "result": { "sample": at("1.png") } });
    let mocks = [
        Mock::given(method("POST")).and(path("/v1/images/generations")).respond_with(answer(made)),
        Mock::given(method("POST")).and(path_regex("^/v1/flux")).respond_with(answer(ticket)),
        Mock::given(method("GET")).and(path("/poll")).respond_with(answer(ready)),
        Mock::given(method("GET")).and(path("/1.png")).respond_with(picture),
    ];
    for mock in mocks {
        mock.mount(&server).await;
    }
    server
}

/// Runs a block of shell as a person would type it; what it prints, and the code with which it ends.
fn shell(folder: &Path, text: &str, key: Option<&str>) -> (String, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_repaint")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-euc", &format!("exec 2>&1\n{text}")]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", format!("{}:{path}", program.display())).env("HOME", folder);
    // Nothing listens there, so nothing beyond this machine is reached.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env_remove("XDG_CONFIG_HOME").env_remove("REPAINT_CONFIG");
    command.env_remove("XDG_DATA_HOME").env_remove("REPAINT_STORE");
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    for name in ["TOGETHER", "BFL"] {
        let (secret, base) = (format!("{name}_API_KEY"), format!("{name}_BASE_URL"));
        match key {
            Some(url) => command.env(secret, "a-key-of-nobody").env(base, url),
            None => command.env_remove(secret).env_remove(base),
        };
    }
    let output = command.output().expect("a shell");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
}

/// Whether a text is what a page shows of it: `…` stands for any lines where it is alone on one, else for any
/// characters.
fn is_shown(printed: &[&str], shown: &[&str]) -> bool {
    match shown {
        [] => printed.is_empty(),
        ["…", rest @ ..] => {
            (0..=printed.len()).any(|skipped| is_shown(&printed[skipped..], rest))
        }
        [line, rest @ ..] => printed
            .split_first()
            .is_some_and(|(first, others)| is_line(first, line) && is_shown(others, rest)),
    }
}

fn is_line(printed: &str, shown: &str) -> bool {
    match shown.split_once('…') {
        None => printed == shown,
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|it| it.0)
                .chain([rest.len()])
                .any(|at| is_line(&rest[at..], after))
        }),
    }
}

/// How far apart two pictures are: the mean difference of a channel, or that they cannot be compared.
fn difference(one: &[u8], other: &[u8]) -> Result<f64, String> {
    let read =
        |it: &[u8]| image::load_from_memory(it).map(|it| it.to_rgb8()).map_err(|it| it.to_string());
    let (one, other) = (read(one)?, read(other)?);
    if one.dimensions() != other.dimensions() {
        return Err(format!("{:?} and {:?}", one.dimensions(), other.dimensions()));
    }
    let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    Ok(sum as f64 / one.len().max(1) as f64)
}

/// What is more than a page should weigh is kept as a lighter JPEG, which looks the same.
fn light(made: Vec<u8>) -> Vec<u8> {
    if made.len() < 450_000 {
        return made;
    }
    let picture = image::load_from_memory(&made).expect("a picture").to_rgb8();
    let lighter = [85, 78, 70, 60].into_iter().map(|quality| {
        let mut file = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality);
        picture.write_with_encoder(encoder).expect("a JPEG");
        file
    });
    lighter
        .take_while(|it| it.len() < made.len())
        .min_by_key(|it| it.len().abs_diff(400_000))
        .unwrap_or(made)
}

/// Runs a page; the page as it should be, and what is wrong with it.
fn run(page: &Path, folder: &Path, server: &str, renew: bool) -> (String, Vec<String>, usize) {
    let text = fs::read_to_string(page).expect("a page");
    let lines: Vec<&str> = text.lines().collect();
    let blocks = blocks(&lines);
    let (mut wrong, mut ran) = (Vec::new(), 0);
    let mut pieces: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for (index, block) in blocks.iter().enumerate().filter(|it| it.1.language == "sh") {
        let place = format!("{}:{}", page.display(), block.lines.start + 1);
        let (mut key, mut code) = (None, 0);
        match block.mark {
            "" => {}
            mark if mark.strip_prefix("not run: ").is_some_and(|it| !it.is_empty()) => continue,
            mark => {
                for word in mark.split("; ") {
                    match word.strip_prefix("exits with ").and_then(|it| it.parse().ok()) {
                        Some(number) => code = number,
                        None if word == "with a key" => key = Some(server),
                        None => wrong.push(format!("{place}: `{word}` means nothing here")),
                    }
                }
            }
        }
        ran += 1;
        let (printed, ended) = shell(folder, &lines[block.lines.clone()].join("\n"), key);
        if ended != code {
            wrong.push(format!("{place} ends with {ended}, not {code}:\n{printed}"));
        }
        let Some(next) = blocks.get(index + 1) else { continue };
        if next.language != "text" || 3 < next.lines.start - block.lines.end {
            continue;
        }
        let shown = &lines[next.lines.clone()];
        if is_shown(&printed.lines().collect::<Vec<_>>(), shown) {
            continue;
        }
        if renew && !shown.iter().any(|it| it.contains('…')) {
            pieces.push((next.lines.clone(), printed));
        } else {
            wrong.push(format!("{place} prints\n{printed}\nand not\n{}", shown.join("\n")));
        }
    }
    // A picture of the book is one that the page's commands have made.
    for picture in text.split("](pictures/").skip(1).filter_map(|it| it.split(')').next()) {
        let kept = page.with_file_name("pictures").join(picture);
        let Ok(made) = fs::read(folder.join(picture)) else {
            wrong.push(format!("{}: no command makes {picture}", page.display()));
            continue;
        };
        let apart =
            fs::read(&kept).map_err(|it| it.to_string()).and_then(|it| difference(&it, &made));
        if !apart.as_ref().is_ok_and(|it| *it < 3.0) {
            if renew {
                fs::write(&kept, light(made)).expect("written");
            } else {
                wrong.push(format!(
                    "{} is another than the command makes: {apart:?}",
                    kept.display()
                ));
            }
        }
    }
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    for (range, printed) in pieces.into_iter().rev() {
        lines.splice(range, printed.lines().map(str::to_owned));
    }
    (lines.join("\n") + "\n", wrong, ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_book_does_what_its_page_shows() {
    let server = provider().await;
    let renew = std::env::var("REPAINT_BOOK").is_ok_and(|it| it == "renew");
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for page in pages() {
        let folder = TempDir::new().expect("a folder");
        for name in [
            "cat.png",
            "astronaut.png",
            "autumn.jpg",
            "bowl.jpg",
            "bowl-mask.png",
            "dandelion.jpg",
            "flower.jpg",
            "hopper.jpg",
            "mountain.jpg",
        ] {
            let from = Path::new(ROOT).join("examples").join(name);
            fs::copy(from, folder.path().join(name)).expect("copied");
        }
        let (text, mut found, count) = run(&page, folder.path(), &server.uri(), renew);
        if renew && text != fs::read_to_string(&page).expect("a page") {
            fs::write(&page, text).expect("written");
        }
        wrong.append(&mut found);
        ran += count;
    }
    assert!(wrong.is_empty(), "{}\nREPAINT_BOOK=renew writes what is printed", wrong.join("\n\n"));
    assert!(20 < ran, "only {ran} blocks were run");
}

#[test]
fn what_is_left_out_of_a_page_may_be_anything_and_the_rest_may_not() {
    let lines = |it: &'static str| it.lines().collect::<Vec<_>>();
    for (shown, is) in [
        ("a b\nc\nd", true),
        ("a b\n…\nd", true),
        ("…\na b\n…", true),
        ("…\na … …\nc\nd", false),
        ("a…\n…", true),
        ("…c\nd", false),
        ("a b\nc", false),
        ("a b\n…\ne", false),
        ("c\n…", false),
    ] {
        assert_eq!(is_shown(&lines("a b\nc\nd"), &lines(shown)), is, "{shown}");
    }
}
