//! Hostile servers: what comes, how it comes, and where it leads to.

use std::process::Command;
use std::time::Duration;

use repaint_core::{ErrorKind, MediaType};
use repaint_fetch::{Allow, Builder, Fetcher, Limits};

use crate::scripted::{Names, PNG, Script, Scripted, answer, redirect, whole};

/// A name that is allowed, wherever it leads.
const MINE: &str = "mine.example";

fn names() -> Names {
    Names::default().and(MINE, &[&["127.0.0.1"]])
}

/// Nothing but that name is allowed: not the address that it leads to.
fn builder(time: Duration) -> Builder {
    let limits = Limits { bytes: 100_000, time, pixels: 1_000_000, ..Limits::default() };
    let allow: Allow = MINE.parse().expect("a name");
    Fetcher::builder().resolve(names()).allow([allow]).limits(limits)
}

/// One that waits longer than any machine needs for what comes at all.
fn fetcher() -> Fetcher {
    builder(Duration::from_secs(60)).build()
}

/// A PNG that says it is so large.
fn sized(width: u32, height: u32) -> Vec<u8> {
    let mut png = PNG.to_vec();
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    png
}

#[tokio::test]
async fn a_picture_is_fetched_as_it_is_whatever_its_server_calls_it() {
    let server = Scripted::start().await;
    server.at("/cat.html?s=1", answer(200, &["content-type: text/html"], PNG));
    let fetched = fetcher().fetch(&server.url(MINE, "/cat.html?s=1#top")).await.expect("a picture");
    assert_eq!((fetched.media_type, &fetched.bytes[..]), (MediaType::Png, PNG));
    assert_eq!(fetched.facts.bytes, PNG.len() as u64);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    let head = asked[0].to_lowercase();
    for word in ["accept-encoding", "cookie", "referer", "authorization"] {
        assert!(!head.contains(word), "{head}");
    }
    assert!(head.contains("user-agent: repaint/"), "{head}");
}

#[tokio::test]
async fn redirects_are_followed_where_they_may_lead() {
    let server = Scripted::start().await;
    server.at("/a", redirect("/b#c"));
    // Nobody waits for a body that says nothing.
    let endless = answer(301, &["location: d/../cat.png", "content-length: 9"], b"moved");
    server.at("/b", endless.hanging());
    server.at("/cat.png", whole(PNG));
    fetcher().fetch(&server.url(MINE, "/a")).await.expect("a picture");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_redirect_is_checked_like_an_address_that_somebody_gave() {
    let server = Scripted::start().await;
    let secret = server.url("127.0.0.1", "/secret?token=hunter2");
    server.at("/secret", whole(PNG));
    let secret_by_name = server.url("ip-127-0-0-1.example", "/secret");
    let rows: &[(&str, &str)] = &[
        (&secret, "is at an address that is loopback;"),
        (&secret_by_name, "is at an address that is loopback;"),
        ("//127.1/secret", "is at an address that is loopback;"),
        ("http://169.254.169.254/latest/meta-data/", "where a cloud keeps secrets"),
        ("http://[fd00:ec2::254]/", "where a cloud keeps secrets"),
        ("http://[::ffff:10.0.0.1]/", "that is private;"),
        ("http://localhost/", "leads to something nearby"),
        ("http://metadata.google.internal/", "leads to something nearby"),
        ("file:///etc/passwd", "only http and https are fetched"),
        ("data:image/png;base64,iVBORw0KGgo=", "only http and https are fetched"),
        ("ftp://ftp.example.com/cat.png", "only http and https are fetched"),
        ("javascript:alert(1)", "only http and https are fetched"),
        ("http://user:hunter2@example.com/", "has a user or a password in it"),
        ("http://example.com:22/", "only ports 80, 443 and 1024 and above"),
        ("http://", "redirects to what is no address:"),
        ("http://[::1", "redirects to what is no address:"),
    ];
    for (index, (to, reason)) in rows.iter().enumerate() {
        let path = format!("/{index}");
        server.at(&path, redirect(to));
        let url = server.url(MINE, &path);
        let err = fetcher().fetch(&url).await.expect_err(to);
        assert!(err.message().contains(reason), "{to}: {err}");
        assert!(err.message().starts_with(&url), "it names what was given: {err}");
        assert!(!err.message().contains("hunter2"), "{err}");
        assert_eq!(err.kind(), ErrorKind::InvalidRequest, "{to}");
    }
    assert!(server.asked().iter().all(|it| !it.contains("secret")), "{:?}", server.asked());
}

#[tokio::test]
async fn what_is_no_picture_is_named() {
    let server = Scripted::start().await;
    let page = format!("<!doctype html><title>{}</title>", "sorry ".repeat(10_000));
    let rows: &[(Script, ErrorKind, &str)] = &[
        (whole(page.as_bytes()), ErrorKind::InvalidRequest, "is a web page"),
        (whole(b"<html>"), ErrorKind::InvalidRequest, "is a web page"),
        (
            whole(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            ErrorKind::InvalidRequest,
            "is SVG or XML",
        ),
        (whole(br#"{"error":"gone"}"#), ErrorKind::InvalidRequest, "is JSON"),
        (whole(b"%PDF-1.7"), ErrorKind::InvalidRequest, "is a PDF"),
        (whole(b"MZ\x90\0"), ErrorKind::InvalidRequest, "is no picture that can be recognised"),
        (whole(b""), ErrorKind::InvalidRequest, "is empty"),
        (whole(&PNG[..40]), ErrorKind::InvalidRequest, "is cut short"),
        (
            whole(&sized(65_535, 65_535)),
            ErrorKind::InvalidRequest,
            "says that it is 65535x65535 pixels; no more",
        ),
        (whole(&sized(1001, 1000)), ErrorKind::InvalidRequest, "no more than 1000000 are taken"),
        (whole(&sized(0, 1)), ErrorKind::InvalidRequest, "0x1"),
        (whole(&sized(u32::MAX, u32::MAX)), ErrorKind::InvalidRequest, "pixels"),
        (
            answer(200, &["content-encoding: gzip"], b"\x1f\x8b\x08\0"),
            ErrorKind::InvalidRequest,
            "comes packed (gzip)",
        ),
        (answer(204, &[], b""), ErrorKind::InvalidRequest, "answers 204"),
        (
            answer(206, &["content-range: bytes 0-1/9"], PNG),
            ErrorKind::InvalidRequest,
            "answers 206",
        ),
        (answer(300, &["location: /cat.png"], b""), ErrorKind::InvalidRequest, "answers 300"),
        (answer(304, &[], b""), ErrorKind::InvalidRequest, "answers 304"),
        (answer(302, &[], b""), ErrorKind::InvalidRequest, "does not say where to"),
        (answer(401, &["www-authenticate: basic"], PNG), ErrorKind::InvalidRequest, "answers 401"),
        (answer(404, &[], PNG), ErrorKind::InvalidRequest, "answers 404"),
        (answer(429, &["retry-after: 1"], b""), ErrorKind::Unavailable, "answers 429"),
        (answer(503, &[], b""), ErrorKind::Unavailable, "answers 503"),
        (Script::raw(b""), ErrorKind::Unavailable, "does not answer as a web server does"),
        (
            Script::raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
            ErrorKind::Unavailable,
            "does not answer as a web server",
        ),
        (
            Script::raw(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
            ErrorKind::Unavailable,
            "does not answer",
        ),
        (
            Script::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
            ErrorKind::Unavailable,
            "does not answer",
        ),
        (
            answer(200, &["content-length: 5000"], PNG),
            ErrorKind::Unavailable,
            "did not come whole: the connection broke",
        ),
        (answer(200, &["content-length: 40"], PNG), ErrorKind::InvalidRequest, "is cut short"),
        (
            answer(200, &["content-length: 100001"], PNG),
            ErrorKind::InvalidRequest,
            "weighs 100001 bytes; no more",
        ),
        (
            answer(200, &["content-length: 1000000000000000"], PNG),
            ErrorKind::InvalidRequest,
            "no more than 100000 are taken",
        ),
        (
            answer(200, &[], PNG).again(&[0; 65_536], Duration::ZERO),
            ErrorKind::InvalidRequest,
            "weighs more than 100000 bytes",
        ),
        (
            answer(200, &["transfer-encoding: chunked"], b"5\r\nhello\r\n")
                .again(&b"1\r\nx\r\n".repeat(100), Duration::ZERO),
            ErrorKind::InvalidRequest,
            "is no picture",
        ),
        (
            answer(200, &["transfer-encoding: chunked"], b"5\r\n\x89PNG\r\r\n")
                .again(&b"1\r\nx\r\n".repeat(100), Duration::ZERO),
            ErrorKind::InvalidRequest,
            "weighs more than 100000 bytes",
        ),
        (
            answer(200, &["content-length: 5000"], PNG).again(&[0], Duration::from_millis(20)),
            ErrorKind::Unavailable,
            "has not come within 0.5 s",
        ),
        (Script::raw(b"").hanging(), ErrorKind::Unavailable, "has not come within 0.5 s"),
        (
            answer(200, &["content-length: 5000"], PNG).hanging(),
            ErrorKind::Unavailable,
            "has not come within",
        ),
        (
            Script::raw(b"HTTP/1.1 200 OK\r\n").again(b"x: y\r\n", Duration::from_millis(10)),
            ErrorKind::Unavailable,
            "has not come within",
        ),
        (
            Script::raw(b"HTTP/1.1 200 OK\r\n").again(&b"x: y\r\n".repeat(1000), Duration::ZERO),
            ErrorKind::Unavailable,
            "has a host that does not answer as a web server does",
        ),
    ];
    let hurried = builder(Duration::from_millis(500)).build();
    let patient = fetcher();
    for (index, (script, kind, reason)) in rows.iter().enumerate() {
        let path = format!("/{index}.png");
        server.at(&path, script.clone());
        let url = server.url(MINE, &path);
        let address = format!("{url}?token=hunter2");
        let late = reason.contains("has not come within");
        let fetcher = if late { &hurried } else { &patient };
        let err = fetcher.fetch(&address).await.expect_err(reason);
        assert!(err.message().contains(reason), "{index} {reason}: {err}");
        assert!(err.message().starts_with(&url) && !err.message().contains("hunter2"), "{err}");
        assert_eq!(err.kind(), *kind, "{index} {reason}: {err}");
    }
}

#[tokio::test]
async fn a_web_page_without_end_is_left_as_soon_as_it_shows() {
    let server = Scripted::start().await;
    let page = format!("<!doctype html>{}", " ".repeat(100));
    server.at("/", answer(200, &[], page.as_bytes()).hanging());
    let err = fetcher().fetch(&server.url(MINE, "/")).await.expect_err("a page");
    assert!(err.message().contains("is a web page"), "before its time was up: {err}");
}

#[tokio::test]
async fn redirects_end() {
    let server = Scripted::start().await;
    server.at("/round", redirect("/about"));
    server.at("/about", redirect("/round#again"));
    let err = fetcher().fetch(&server.url(MINE, "/round")).await.expect_err("a circle");
    assert!(err.message().contains("the redirects go in a circle"), "{err}");
    assert_eq!(server.asked().len(), 2);
    for step in 0..20 {
        server.at(&format!("/{step}"), redirect(&format!("/{}", step + 1)));
    }
    let err = fetcher().fetch(&server.url(MINE, "/0")).await.expect_err("far away");
    assert!(err.message().contains("is the end of more than 5 redirects"), "{err}");
    assert_eq!(server.asked().len(), 2 + 6);
    server.at("/5", whole(PNG));
    fetcher().fetch(&server.url(MINE, "/0")).await.expect("five are followed");
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let server = Scripted::start().await;
    server.at("/cat.png", whole(PNG));
    server.at("/on", redirect("/cat.png"));
    // A name of somebody who changes what it leads to as soon as it was looked at.
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["10.0.0.1"]];
    let rebinding = || Names::default().and("rebind.example", answers);
    let fetch = async |names: &Names, path: &str| {
        let allow: Allow = "127.0.0.1".parse().expect("an address");
        let fetcher = Fetcher::builder().resolve(names.clone()).allow([allow]);
        let fetcher = fetcher.build();
        fetcher.fetch(&server.url("rebind.example", path)).await
    };
    let names = rebinding();
    fetch(&names, "/cat.png").await.expect("checked and gone to by the same answer");
    assert_eq!(names.asked(), ["rebind.example"]);
    let names = rebinding();
    let err = fetch(&names, "/on").await.expect_err("it leads elsewhere now");
    assert!(err.message().contains("is at an address that is private;"), "{err}");
    assert_eq!(names.asked().len(), 2, "each connection looks once");
}

#[tokio::test]
async fn what_is_allowed_opens_nothing_else() {
    let server = Scripted::start().await;
    server.at("/cat.png", whole(PNG));
    let port = server.address.port();
    let refused = async |allow: &[&str], host: &str| {
        let allow: Vec<Allow> = allow.iter().map(|it| it.parse().expect(it)).collect();
        let names =
            names().and("other.example", &[&["127.0.0.1"]]).and("localhost", &[&["127.0.0.1"]]);
        let fetcher = Fetcher::builder().resolve(names).allow(allow);
        let fetched = fetcher.build().fetch(&format!("http://{host}:{port}/cat.png")).await;
        fetched.err().map(|it| it.message().to_owned())
    };
    for (allow, host) in [
        (["127.0.0.1"], "127.0.0.1"),
        (["127.0.0.0/8"], "127.0.0.1"),
        (["::ffff:127.0.0.1"], "127.0.0.1"),
        (["127.0.0.1"], "[::ffff:127.0.0.1]"),
        (["127.0.0.1"], "other.example"),
        (["127.0.0.1"], "localhost"),
        (["localhost"], "localhost"),
        (["MINE.example."], "mine.example"),
    ] {
        assert_eq!(refused(&allow, host).await, None, "{allow:?} {host}");
    }
    for (allow, host) in [
        (["127.0.0.2"], "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.2"),
        (["10.0.0.0/8"], "127.0.0.1"),
        (["mine.example"], "other.example"),
        (["mine.example"], "127.0.0.1"),
        (["example"], "mine.example"),
        (["0.0.0.0/0"], "169.254.169.254"),
        (["0.0.0.0/0"], "[64:ff9b::a9fe:a9fe]"),
        (["::/0"], "[fd00:ec2::254]"),
    ] {
        let why = refused(&allow, host).await.expect(host);
        assert!(why.contains("is at an address that is"), "{allow:?} {host}: {why}");
    }
}

#[test]
fn what_is_neither_a_network_nor_a_name_is_not_allowed() {
    for wrong in [
        "",
        ".",
        "*",
        "*.example.com",
        "10.0.0.0/33",
        "10.0.0/8",
        "http://a.example",
        "a.example:80",
        "a/b",
    ] {
        let err = wrong.parse::<Allow>().expect_err(wrong);
        assert!(err.message().contains(&format!("`{wrong}`")), "{err}");
        assert!(serde_json::from_value::<Allow>(wrong.into()).is_err(), "{wrong}");
    }
    for (text, shown) in [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("[::1]", "::1"),
        ("Bücher.example", "xn--bcher-kva.example"),
    ] {
        assert_eq!(text.parse::<Allow>().expect(text).to_string(), shown);
    }
}

#[tokio::test]
async fn a_single_call_is_guarded_and_leaves_the_rest_to_its_caller() {
    let server = Scripted::start().await;
    server.at("/on", redirect("http://10.0.0.1/"));
    server.at("/text", whole(b"no picture at all"));
    let url = |text: &str| url::Url::parse(text).expect("an address");
    let fetcher = fetcher();
    let get = async |text: &str| fetcher.get(&url(text), 20, |_| {}).await;
    let answer = get(&server.url(MINE, "/on")).await.expect("an answer");
    assert_eq!((answer.status, answer.location.as_deref()), (302, Some("http://10.0.0.1/")));
    let answer = get(&server.url(MINE, "/text")).await.expect("an answer");
    assert_eq!((answer.status, &answer.bytes[..]), (200, &b"no picture at all"[..]));
    let err = get("http://10.0.0.1/?hunter2").await.expect_err("private");
    assert!(
        err.message().starts_with("http://10.0.0.1/ is at an address that is private"),
        "{err}"
    );
    let err = fetcher.get(&url(&server.url(MINE, "/text")), 16, |_| {}).await.expect_err("heavy");
    assert!(err.message().contains("weighs 17 bytes"), "{err}");
}

#[test]
fn no_proxy_of_the_environment_is_asked() {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "servers::a_picture_is_fetched_as_it_is_whatever_its_server_calls_it"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:1");
    }
    let child = child.env_remove("NO_PROXY").env_remove("no_proxy").output().expect("it runs");
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && told.contains("1 passed"), "{told}");
}
