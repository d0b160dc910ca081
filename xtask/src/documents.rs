//! Examples of the documents that we write and read, made by the code that makes or reads them: jobs run by the
//! router against the emulator, in paused time, so that they are the same on every machine.

use std::time::{Duration, SystemTime};

use repaint_client::Client;
use repaint_core::{
    Date, Error, ErrorKind, ImageInput, ImageRequest, Job, Outcome, Overlay, Provider, Registry,
};
use repaint_emulator::{Emulator, Fault, InProcess, Settings, Stage};
use repaint_router::{Conditions, Router, plan};
use repaint_schema::{Callers, Config};
use repaint_testkit::real_png;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The day of the examples, so that an offer's end changes none of them.
const TODAY: Date = Date::new(2026, 11, 26);
/// The same in seconds since 1970.
const NOON: u64 = 1_795_694_400;

/// Examples by the file of their schema and their own name.
pub(crate) fn examples(registry: &Registry) -> Result<Vec<(&'static str, String, Value)>, String> {
    let mut made: Vec<(&'static str, String, Value)> = Vec::new();
    let mut add = |schema, name: &str, value| made.push((schema, name.to_owned(), value));
    let cat = "https://example.com/cat.jpg";
    let person = "https://example.com/person.jpg";

    let edit = json!({ "prompt": "make it night", "images": [cat], "size": "1024x768", "seed": 7 });
    add("image-request", "valid/edit", read::<ImageRequest>(edit.clone())?);
    let draw = json!({ "prompt": "a red fox in snow", "count": 2 });
    add("image-request", "valid/draw", read::<ImageRequest>(draw)?);
    for (name, wrong) in [
        ("invalid/empty-prompt", json!({ "images": [cat] })),
        ("invalid/unknown-image_url", json!({ "prompt": "make it night", "image_url": cat })),
        ("invalid/invalid-path", json!({ "prompt": "make it night", "images": ["cat.jpg"] })),
    ] {
        add("image-request", name, wrong);
    }

    let both =
        json!({ "request": { "prompt": "The person pets the cat", "images": [person, cat] } });
    let both: Job = from(both)?;
    let has_key = |_: &Provider| true;
    let planned = plan(registry, &both, &Conditions::new(&has_key, TODAY)).map_err(text)?;
    let refused = planned.refusals.iter().find(|it| it.offer == "together/kontext-pro");
    let reason = refused.and_then(|it| it.reasons.first()).ok_or("Kontext takes two images")?;
    add("refusal", "valid/too_many", json!(reason));
    add("plan", "valid/two-images", json!(planned));

    let one = |offer: &str| -> Result<Job, String> {
        let mut job: Job = from(json!({ "select": [offer], "request": edit }))?;
        // A picture that is there is counted, an address is not.
        job.request.images = vec![ImageInput::bytes(real_png(1024, 768, 1)).map_err(text)?];
        Ok(job)
    };
    let outcome = ran(registry, one("bfl/flux2-pro")?, |_| None).map_err(text)?;
    let handle = outcome.receipt.handle.clone().ok_or("a receipt of BFL has a handle")?;
    add("handle", "valid/poll", json!(handle));
    add("receipt", "valid/edit", json!(outcome.receipt));
    let mut several = one("together/flux2-pro")?;
    several.select.push("bfl/flux2-pro".to_owned());
    let no_credit = |stage| (stage == Stage::Order).then_some(Fault::NoCredit);
    let fallen = ran(registry, several, first(no_credit)).map_err(text)?;
    add("receipt", "valid/next-offer", json!(fallen.receipt));

    let refused = Job { select: vec!["together/kontext-pro".to_owned()], ..both };
    add("error", "valid/refused", told(ran(registry, refused, |_| None))?);
    let cut = |stage| (stage == Stage::Order).then_some(Fault::ResetAfterBody);
    let unknown = ran(registry, one("together/flux2-pro")?, cut);
    add("error", "valid/outcome_unknown", told(unknown)?);
    let moderated = |stage| (stage == Stage::Order).then_some(Fault::ModeratedInput);
    add("error", "valid/moderated", told(ran(registry, one("bfl/flux2-pro")?, moderated))?);

    let kontext = registry.get("bfl/kontext-pro").ok_or("Kontext is linked")?;
    let body = json!({ "prompt": "make it night", "aspect_ratio": "1:4", "output_format": "png" });
    let wrong = kontext.validate(&body);
    add("violation", "valid/ratio", json!(wrong.first().ok_or("1:4 is taken")?));
    add("capabilities", "valid/bfl-kontext-pro", json!(kontext.capabilities()));

    let better = json!({ "offers": { "together/flux2-pro": { "accepts": { "images": {
        "value": { "min": 0, "max": 6 },
        "sure": "observed", "source": "our own probe", "date": "2026-11-20",
    } } } } });
    add("overlay", "valid/images", read::<Overlay>(better)?);
    add("overlay", "invalid/unknown-accepts", json!({ "together/flux2-pro": { "accepts": {} } }));
    let hash = format!("sha256:{}", "9f86d081884c7d65".repeat(4));
    let callers = json!({ "caller": [{
        "name": "web", "hashes": [hash], "models": ["flux2-*"], "providers": ["together"],
        "budget": { "day": 5.0, "month": 80.0 }, "rate": 60, "own_keys": true,
    }] });
    from::<Callers>(callers.clone())?;
    add("callers", "valid/all", callers);
    add("callers", "valid/least", json!({ "caller": [{ "name": "web", "hashes": [hash] }] }));
    add("callers", "invalid/nobody", json!({ "caller": [] }));
    add(
        "callers",
        "invalid/key",
        json!({ "caller": [{ "name": "web", "key": "a hash belongs here" }] }),
    );
    let config = json!({
        "model": ["flux2-pro", "kontext"], "max_cost": 0.25, "timeout": 120,
        "adapt": { "size": "nearest" }, "folder": "pictures", "show": "never",
        "providers": { "together": { "base_url": "http://127.0.0.1:8080" } },
    });
    from::<Config>(config.clone())?;
    add("config", "valid/all", config);
    add("config", "invalid/unknown-key", json!({ "api_key": "none stands in a configuration" }));
    Ok(made)
}

/// What comes of a job, where this befalls its calls.
fn ran(
    registry: &Registry,
    job: Job,
    befalls: impl Fn(Stage) -> Option<Fault> + Send + Sync + 'static,
) -> Result<Outcome, Error> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().map_err(|err| {
        Error::new(ErrorKind::Unexpected, format!("no runtime could be made: {err}"))
    })?;
    runtime.block_on(async {
        let settings = Settings { latency: Duration::from_secs(1), ..Settings::default() };
        let exchange = InProcess::new(Emulator::new(registry, settings));
        let client = Client::builder()
            .without_environment()
            .key("together", "key")
            .key("bfl", "key")
            .clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOON))
            .exchange(exchange.choosing(move |stage, _| befalls(stage)))
            .build()?;
        Router::new(registry.clone(), client).run(job).await
    })
}

/// The same for the first call only.
fn first(befalls: impl Fn(Stage) -> Option<Fault>) -> impl Fn(Stage) -> Option<Fault> {
    let fresh = std::sync::atomic::AtomicBool::new(true);
    move |stage| befalls(stage).filter(|_| fresh.swap(false, std::sync::atomic::Ordering::Relaxed))
}

fn told(result: Result<Outcome, Error>) -> Result<Value, String> {
    let err = result.err().ok_or("a job that was to fail did not")?;
    Ok(json!(err.data()))
}

fn from<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|err| err.to_string())
}

/// As it is after it was read and written.
fn read<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, String> {
    from::<T>(value).map(|it| json!(it))
}

fn text(err: Error) -> String {
    err.to_string()
}
