//! The client against servers that break the connection: what was bought, and what is sent again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use repaint_client::{CancellationToken, Client, Progress};
use repaint_core::{
    Error, ErrorKind, ImageInput, ImageRequest, Job, Outcome, Phase, Policy, Result,
};
use repaint_router::Router;
use repaint_testkit::png;
use repaint_tests::{
    Act, Received, Server, answer, client, edit, edits, heavy, job, linked, ticket,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

#[tokio::test]
async fn an_order_whose_body_was_refused_half_way_bought_nothing() {
    let request = ImageRequest { images: vec![heavy(18_000_000)], ..edit() };
    let server = Server::bind().await.play(vec![Act::HangUpOnTheBody; 9]);
    let err = together(&server, request).await.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
    assert!(err.message().contains("nothing was bought"), "{err}");
    assert_eq!(server.received().len(), 5, "the first time, and four more");
}

#[tokio::test]
async fn an_order_that_was_refused_half_way_is_made_again() {
    let request = ImageRequest { images: vec![heavy(18_000_000)], ..edit() };
    let acts = [Act::HangUpOnTheBody, Act::Answer(picture())];
    let server = Server::bind().await.play(acts);
    let outcome = together(&server, request).await.expect("a picture");
    assert_eq!(outcome.images[0].bytes, b"a picture".as_slice());
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_is_heard() {
    let denied = answer(401, "", &json!({ "error": { "message": "no such key" } }).to_string());
    let request = ImageRequest { images: vec![heavy(18_000_000)], ..edit() };
    let server = Server::bind().await.play([Act::AnswerEarly(denied)]);
    let err = together(&server, request).await.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::Denied, "{err}");
    assert_eq!(server.received().len(), 1);
}

/// Row 18.
#[tokio::test]
async fn an_order_that_was_read_whole_is_never_made_again() {
    let half = &picture()[..picture().len() - 10];
    let too_short = String::from_utf8(picture()).expect("text").replace("gth: ", "gth: 9");
    for act in [
        Act::HangUp,
        Act::Answer(half.to_vec()),
        Act::Answer(too_short.into_bytes()),
        Act::Answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{".to_vec()),
        Act::Answer(b"220 mail.example.com ESMTP\r\n".to_vec()),
        Act::Answer(answer(200, "", "{\"data\": [")),
        Act::Answer(answer(200, "content-type: text/html\r\n", "<html>Bad gateway</html>")),
        Act::Answer(answer(200, "", "")),
    ] {
        let server = Server::bind().await.play([act.clone()]);
        let err = together(&server, edit()).await.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::OutcomeUnknown, "{act:?}: {err}");
        assert_eq!(server.received().len(), 1, "{act:?}");
    }
}

/// Row 18.
#[tokio::test]
async fn a_deadline_that_passes_after_the_order_leaves_the_outcome_unknown() {
    for act in [Act::Silence, Act::Drip(picture())] {
        let server = Server::bind().await.play([act]);
        let job = Job { policy: seconds(1), ..job("together/flux2-pro", edit()) };
        let err = run(&client("together", &server.url), job).await.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::OutcomeUnknown, "{err}");
        assert!(err.message().contains("given up after 1 s"), "{err}");
        assert_eq!(server.received().len(), 1);
    }
}

/// Row 18: where the provider gave a handle, it comes with the error.
#[tokio::test]
async fn a_deadline_that_passes_while_polling_leaves_the_handle() {
    let server = Server::bind().await;
    let polling_url = format!("{}/v1/get_result?id=job-1", server.url);
    let taken = answer(200, "", &ticket(&polling_url).to_string());
    let server = server.play([Act::Answer(taken), Act::Silence]);
    let job = Job { policy: seconds(1), ..job("bfl/flux2-pro", edit()) };
    let err = run(&client("bfl", &server.url), job).await.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(err.data().resume.as_ref().expect("a handle").poll, Some(polling_url));
}

/// Row 20, where the connection breaks: half a picture is none, and nothing is ordered again.
#[tokio::test]
async fn polls_and_downloads_that_break_are_made_again() {
    let server = Server::bind().await;
    let polling_url = format!("{}/v1/get_result?id=job-1", server.url);
    let sample = json!({ "sample": format!("{}/sample.png", server.url) });
    let ready = json!({ "id": "job-1", "status": "Ready", "result": sample }).to_string();
    let picture = answer(200, "", "a whole picture");
    let server = server.play([
        Act::Answer(answer(200, "", &ticket(&polling_url).to_string())),
        Act::HangUp,
        Act::Answer(answer(200, "", &ready)[..60].to_vec()),
        Act::Answer(answer(200, "", &ready)),
        Act::HangUp,
        Act::Answer(picture[..picture.len() - 3].to_vec()),
        Act::Answer(picture),
    ]);
    let made = run(&client("bfl", &server.url), job("bfl/flux2-pro", edit())).await;
    assert_eq!(made.expect("a picture").images[0].bytes, b"a whole picture".as_slice());
    let orders = server.received().into_iter().filter(|it| it.head.starts_with("post "));
    assert_eq!((orders.count(), server.received().len()), (1, 7));
}

#[tokio::test]
async fn a_deadline_that_passes_while_downloading_leaves_the_address() {
    let server = Server::bind().await;
    let url = format!("{}/picture.png", server.url);
    let made = answer(200, "", &json!({ "id": "o1", "data": [{ "url": url }] }).to_string());
    let server = server.play([Act::Answer(made), Act::Silence]);
    let job = Job { policy: seconds(1), ..job("together/flux2-pro", edit()) };
    let err = run(&client("together", &server.url), job).await.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(err.data().resume.as_ref().expect("a handle").pictures, [url]);
    assert_eq!(err.data().request_id.as_deref(), Some("o1"));
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_kept_in_memory() {
    let huge = json!({ "data": [{ "b64_json": "AAAA".repeat(1_000_000) }] }).to_string();
    let server = Server::bind().await.play([Act::Answer(answer(200, "", &huge))]);
    let builder = Client::builder().without_environment().answer_limit(1_000_000);
    let base = server.url.parse().expect("an address");
    let client = builder.key("together", "test-key").base("together", base).build().expect("one");
    let err = run(&client, job("together/flux2-pro", edit())).await.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert!(err.message().contains("1000000 bytes"), "{err}");
}

#[tokio::test]
async fn a_provider_that_comes_up_late_is_reached() {
    // A port that is bound and does not listen is nobody else's, and refuses.
    let port = TcpSocket::new_v4().expect("a socket");
    port.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let base = format!("http://{}", port.local_addr().expect("an address"));
    let (port, up) = (Mutex::new(Some(port)), Arc::new(Mutex::new(None)));
    let late = Arc::clone(&up);
    let job = job("together/flux2-pro", edit());
    // It comes up as soon as the first try has failed.
    let router = Router::new(linked(), client("together", &base));
    let task = router.watched(job, move |progress| {
        if matches!(progress, Progress::Again { phase: Phase::Submit, .. })
            && let Some(port) = port.lock().expect("nobody panics here").take()
        {
            let listener = port.listen(8).expect("it listens");
            let server = Server::on(listener).play([Act::Answer(picture())]);
            *late.lock().expect("nobody panics here") = Some(server);
        }
    });
    task.run().await.expect("a picture");
    let up = up.lock().expect("nobody panics here").take().expect("it came up");
    assert_eq!(up.received().len(), 1);
}

#[tokio::test]
async fn an_order_is_not_redirected() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Server::bind().await.play([Act::Answer(picture())]);
        let location = format!("location: {}/v1/images/generations\r\n", elsewhere.url);
        let server = Server::bind().await.play([Act::Answer(answer(status, &location, ""))]);
        let err = together(&server, edit()).await.expect_err("no picture");
        assert_eq!(err.data().status, Some(status), "{err}");
        assert_eq!((server.received().len(), elsewhere.received().len()), (1, 0), "{status}");
    }
}

/// Row 30: a poll carries the key, so it is not redirected either.
#[tokio::test]
async fn a_poll_is_not_redirected() {
    let elsewhere = Server::bind().await.play([Act::Answer(picture())]);
    let server = Server::bind().await;
    let polling_url = format!("{}/v1/get_result?id=job-1", server.url);
    let location = format!("location: {}/\r\n", elsewhere.url);
    let taken = answer(200, "", &ticket(&polling_url).to_string());
    let server = server.play([taken, answer(302, &location, "")].map(Act::Answer));
    let err = run(&client("bfl", &server.url), job("bfl/flux2-pro", edit())).await;
    assert_eq!(err.expect_err("no picture").data().resume.as_ref().expect("a handle").id, "job-1");
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn the_declared_length_is_the_length_and_every_image_is_whole_and_in_order() {
    let folder = TempDir::new().expect("a folder");
    // All three remainders of base64, and lengths around the pieces in which files are read.
    let sizes = [100, 101, 102, 196_607, 196_608, 196_609, 393_216, 1_000_001];
    let files: Vec<PathBuf> =
        sizes.iter().enumerate().map(|(at, size)| file(folder.path(), at, *size)).collect();
    for count in 1..=files.len() {
        let images = files[..count].iter().map(ImageInput::file).collect();
        let server = Server::bind().await.play([Act::Answer(picture())]);
        let prompt = "A \"quoted\" {\"\\u0000image\":0} prompt, in ünicode";
        let request = ImageRequest { images, ..ImageRequest::new(prompt) };
        together(&server, request).await.expect("a picture");
        let order = &server.received()[0];
        assert_eq!(order.header("content-length"), Some(&*order.body.len().to_string()));
        let body = json_of(order);
        assert_eq!(body["prompt"], prompt);
        let sent: Vec<Vec<u8>> = body["reference_images"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| decoded(it.as_str().expect("a text")))
            .collect();
        let given: Vec<Vec<u8>> =
            files[..count].iter().map(|it| fs::read(it).expect("a file")).collect();
        assert!(sent == given, "{count} images");
    }
}

#[tokio::test]
async fn a_file_that_changes_before_it_is_sent_stops_the_order() {
    let folder = TempDir::new().expect("a folder");
    let shrink = |path: &Path| fs::write(path, png(512, 512, 1)).expect("written");
    let grow = |path: &Path| {
        let mut file = fs::File::options().append(true).open(path).expect("a file");
        file.write_all(b"more").expect("written");
    };
    let vanish = |path: &Path| fs::remove_file(path).expect("removed");
    for change in [shrink as fn(&Path), grow, vanish] {
        let path = file(folder.path(), 1, 300_000);
        let server = Server::bind().await.play(vec![Act::Answer(picture()); 9]);
        let client = client("together", &server.url);
        let images = vec![ImageInput::file(&path)];
        let mut job = job("together/flux2-pro", ImageRequest { images, ..edit() });
        Router::new(linked(), client.clone()).plan(&mut job).await.expect("a plan");
        change(&path);
        let err = run(&client, job).await.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::InvalidRequest, "{err}");
        assert!(err.message().contains("1.png"), "the file is named: {err}");
        assert!(server.received().len() <= 1, "it is no use to try again");
        for order in server.received() {
            let length: usize = order.header("content-length").expect("one").parse().expect("one");
            assert!(order.body.len() < length, "no order is whole");
        }
    }
}

/// Row 32.
#[tokio::test]
async fn cancelling_while_polling_reports_the_job() {
    let server = Server::bind().await;
    let polling_url = format!("{}/v1/get_result?id=job-1", server.url);
    let pending = json!({ "id": "job-1", "status": "Pending" }).to_string();
    let answers = [ticket(&polling_url).to_string(), pending].map(|it| answer(200, "", &it));
    let server = server.play(answers.map(Act::Answer).into_iter().chain([Act::Silence]));
    let err = cancelled_at(client("bfl", &server.url), "bfl/flux2-pro", |progress| {
        matches!(progress, Progress::Status { .. })
    })
    .await;
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown, "{err}");
    assert!(err.message().contains("cancelled"), "{err}");
    assert_eq!(err.data().resume.as_ref().expect("a handle").id, "job-1");
}

/// Row 32.
#[tokio::test]
async fn cancelling_before_the_order_is_sent_buys_nothing() {
    let server = Server::bind().await.play([Act::Answer(picture())]);
    let err = cancelled_at(client("together", &server.url), "together/flux2-pro", |progress| {
        matches!(progress, Progress::Started { .. })
    })
    .await;
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
    assert!(err.message().contains("nothing was bought"), "{err}");
    assert!(server.received().iter().all(|it| it.body.is_empty()), "no order came");
}

/// Row 32.
#[tokio::test]
async fn cancelling_after_the_order_was_sent_leaves_the_outcome_unknown() {
    let server = Server::bind().await.play([Act::Silence]);
    let err = cancelled_at(
        client("together", &server.url),
        "together/flux2-pro",
        |progress| matches!(progress, Progress::Sent { bytes, total } if bytes == total),
    );
    assert_eq!(err.await.kind(), ErrorKind::OutcomeUnknown);
}

// --- What the trials above say in short.

async fn together(server: &Server, request: ImageRequest) -> Result<Outcome> {
    run(&client("together", &server.url), job("together/flux2-pro", request)).await
}

async fn run(client: &Client, job: Job) -> Result<Outcome> {
    Router::new(linked(), client.clone()).run(job).await
}

/// The error of a run that is cancelled as soon as it says so.
async fn cancelled_at(
    client: Client,
    offer: &str,
    now: impl Fn(&Progress) -> bool + Send + Sync + 'static,
) -> Error {
    let job = job(offer, edits(2));
    let canceller: Arc<OnceLock<CancellationToken>> = Arc::default();
    let cancel = Arc::clone(&canceller);
    let task = Router::new(linked(), client).watched(job, move |progress| {
        if now(&progress) {
            cancel.get().expect("it runs").cancel();
        }
    });
    canceller.set(task.canceller()).expect("it is set once");
    task.run().await.expect_err("it was cancelled")
}

/// An answer with a picture in it.
fn picture() -> Vec<u8> {
    let base64 = base64_simd::STANDARD.encode_to_string(b"a picture");
    answer(200, "", &json!({ "data": [{ "b64_json": base64 }] }).to_string())
}

fn seconds(seconds: u32) -> Policy {
    Policy { timeout_seconds: Some(seconds), ..Policy::default() }
}

/// A picture of its own in a file of so many bytes: after its end comes what nobody reads.
fn file(folder: &Path, index: usize, bytes: usize) -> PathBuf {
    let path = folder.join(format!("{index}.png"));
    let picture = png(512, 512, index).into_iter();
    let picture: Vec<u8> =
        picture.chain((0..).map(|it: u32| (it % 251) as u8)).take(bytes).collect();
    fs::write(&path, picture).expect("written");
    path
}

fn json_of(order: &Received) -> Value {
    serde_json::from_slice(&order.body).expect("the body is JSON")
}

fn decoded(address: &str) -> Vec<u8> {
    let base64 = address.strip_prefix("data:image/png;base64,").expect("a data address");
    base64_simd::STANDARD.decode_to_vec(base64).expect("base64")
}
