//! `repaint doctor`: keys, proxies, the way to each provider, the clock, and who would be chosen.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant, SystemTime};

use repaint::{
    Call, Candidate, Client, Conditions, Date, ImageInput, ImageRequest, Job, Phase, Provider,
    Result,
};
use repaint_schema::printed::{Chosen, ConfigSource, Doctor as Printed, ReachedProvider};
use tokio::task::JoinSet;

use crate::args::Doctor;
use crate::settings::Settings;
use crate::show::BOLD;
use crate::{ask, config, show};

/// A clock that is further off breaks certificates and signed addresses.
const SKEW: i64 = 60;
/// What the HTTP client reads, in the order in which it looks.
const PROXIES: &[&str] = &[
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];
/// A megapixel, as far as anybody looks who only plans: head and end of a PNG.
const PHOTO: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0\0\0\x04\0\x08\x02\0\0\0\xf0\x7f\xbc\xd4\
                       \0\0\0\0IEND\xaeB`\x82";
/// Who speaks TLS for the client, which says so with its features of reqwest and rustls.
const TLS: &str = "TLS by rustls with the certificates of the system";
/// What everybody understands.
const PROMPT: &str = "Transform this into a watercolor painting";

/// What was found out of one provider.
struct Found {
    provider: &'static Provider,
    key: bool,
    address: Result<String>,
    way: Way,
}

/// How far a provider is.
enum Way {
    /// It was not asked.
    Unasked,
    /// It answered.
    Reached { status: u16, took: Duration, skew: Option<i64> },
    /// It did not, and why.
    Unreached(String),
}

pub(crate) async fn run(args: &Doctor, settings: &Settings) -> Result<()> {
    let registry = ask::registry(args.capabilities.as_deref())?;
    let client = settings.client(&registry)?;
    let mut hosted: BTreeMap<&str, &'static Provider> = BTreeMap::new();
    for model in registry.models().filter(|it| it.provider().endpoint.is_some()) {
        hosted.insert(model.provider().id, model.provider());
    }
    let mut asked = JoinSet::new();
    for provider in hosted.into_values() {
        let (client, offline) = (client.clone(), args.offline);
        asked.spawn(async move { found(&client, provider, offline).await });
    }
    let mut found = asked.join_all().await;
    found.sort_by_key(|it| it.provider.id);

    let photo = ImageInput::bytes(PHOTO)?;
    let job = Job::new(ImageRequest { images: vec![photo], ..ImageRequest::new(PROMPT) });
    let plan =
        repaint::plan(&registry, &job, &Conditions::new(&|it| client.has_key(it), Date::today()))?;
    let chosen = plan.candidates.first();
    if args.json {
        let chosen = chosen.map(|it| Chosen { offer: it.offer.clone(), estimate: it.estimate });
        show::json(&Printed {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schemas: repaint_schema::VERSION.to_owned(),
            tls: TLS.to_owned(),
            os: env::consts::OS.to_owned(),
            arch: env::consts::ARCH.to_owned(),
            config: settings.source.clone(),
            providers: found.iter().map(shown).collect(),
            proxy: proxies().map(|(name, value)| (name.to_owned(), value)).collect(),
            chosen,
        });
    } else {
        show::result(&text(&found, chosen, &settings.source));
    }
    Ok(())
}

async fn found(client: &Client, provider: &'static Provider, offline: bool) -> Found {
    let base = provider.endpoint.as_ref().map_or("", |it| it.base).to_owned();
    let call = Call { url: base, auth: None, body: None, phase: Phase::Connect };
    let address = client.addressed(provider, call).map(|it| it.url);
    let key = client.has_key(provider);
    let began = Instant::now();
    let way = match &address {
        Err(_) => Way::Unasked,
        Ok(_) if offline => Way::Unasked,
        Ok(_) => match client.reach(provider).await {
            Ok(reply) => {
                let skew = reply.date().map(skew);
                Way::Reached { status: reply.status, took: began.elapsed(), skew }
            }
            Err(err) => Way::Unreached(err.message().to_owned()),
        },
    };
    Found { provider, key, address, way }
}

/// How many seconds our clock is ahead of theirs.
fn skew(theirs: SystemTime) -> i64 {
    let seconds = |it: Duration| i64::try_from(it.as_secs()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(theirs) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    }
}

/// The proxies that are set, without their passwords.
fn proxies() -> impl Iterator<Item = (&'static str, String)> {
    PROXIES.iter().filter_map(|name| {
        let value = env::var(name).ok().filter(|it| !it.is_empty())?;
        Some((*name, unlocked(&value)))
    })
}

/// An address without who may use it.
pub(crate) fn unlocked(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(it, rest)| (it, rest));
    let host = rest.rsplit_once('@').map_or(rest, |it| it.1);
    let secret = if host == rest { "" } else { "…@" };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{secret}{host}").chars().filter(|it| !it.is_control()).collect()
}

fn shown(found: &Found) -> ReachedProvider {
    let Found { provider, key, address, way } = found;
    let mut shown = ReachedProvider {
        provider: provider.id.to_owned(),
        key_env: provider.endpoint.as_ref().map(|it| it.auth.env.to_owned()),
        has_key: *key,
        address: address.as_ref().ok().cloned(),
        reached: None,
        status: None,
        milliseconds: None,
        clock_ahead_seconds: None,
        error: None,
    };
    match (address, way) {
        (Err(err), _) => shown.error = Some(err.message().to_owned()),
        (_, Way::Unasked) => {}
        (_, Way::Reached { status, took, skew }) => {
            shown.reached = Some(true);
            shown.status = Some(*status);
            shown.milliseconds = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            shown.clock_ahead_seconds = *skew;
        }
        (_, Way::Unreached(why)) => {
            shown.reached = Some(false);
            shown.error = Some(why.clone());
        }
    }
    shown
}

fn text(found: &[Found], chosen: Option<&Candidate>, config: &ConfigSource) -> String {
    let (os, arch) = (env::consts::OS, env::consts::ARCH);
    let mut text =
        format!("{BOLD}repaint {}{BOLD:#} on {os} {arch}\n\n", env!("CARGO_PKG_VERSION"));
    let versions = format!("schemas {}, {TLS}", repaint_schema::VERSION);
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    text.push_str(&show::table(&rows, &["provider", "key", "reached"]));
    let mut lines = vec![versions, config::told(config)];
    for (name, value) in proxies() {
        lines.push(format!("{name} is {value}"));
    }
    if proxies().next().is_none() {
        lines.push("no proxy is set".to_owned());
    }
    lines.push(clock(found));
    if !found.is_empty() && found.iter().all(|it| matches!(it.way, Way::Unreached(_))) {
        lines.push(
            "no provider can be reached: this machine may be offline, or need a proxy \
             (HTTPS_PROXY); local offers work all the same"
                .to_owned(),
        );
    }
    lines.push(match chosen {
        Some(it) => format!("\"{PROMPT}\" would go to {}, {}", it.offer, it.estimate),
        None => format!("\"{PROMPT}\" would be taken by nobody"),
    });
    text.push('\n');
    for line in lines {
        text.push_str(&format!("{}\n", show::wrapped(&line, show::line_width()).join("\n")));
    }
    text
}

fn row(found: &Found) -> Vec<String> {
    let Found { provider, key, address, way } = found;
    let env = provider.endpoint.as_ref().map_or("", |it| it.auth.env);
    let key = if *key { format!("{env} found") } else { format!("set {env}") };
    let reached = match (address, way) {
        (Err(err), _) => err.message().to_owned(),
        (Ok(address), Way::Unasked) => format!("not asked: {address}"),
        (Ok(address), Way::Reached { took, .. }) => {
            format!("yes, in {} ms: {address}", took.as_millis())
        }
        (Ok(address), Way::Unreached(why)) => format!("no: {address}: {why}"),
    };
    vec![provider.id.to_owned(), key, reached]
}

fn clock(found: &[Found]) -> String {
    let skews = found.iter().filter_map(|it| match it.way {
        Way::Reached { skew, .. } => skew,
        Way::Unasked | Way::Unreached(_) => None,
    });
    // Two that agree are right; the least is what their network has not added.
    match skews.min_by_key(|it| it.abs()) {
        None => "the clock was compared with nobody's".to_owned(),
        Some(skew) if skew.abs() <= SKEW => "the clock is right".to_owned(),
        Some(skew) if skew < 0 => format!("the clock is {} s behind: set it", -skew),
        Some(skew) => format!("the clock is {skew} s ahead: set it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        assert_eq!(unlocked("http://me:secret@proxy:8080"), "http://…@proxy:8080");
        assert_eq!(unlocked("me:secret@proxy:8080"), "…@proxy:8080");
        assert_eq!(unlocked("localhost,.example.com"), "localhost,.example.com");
    }
}
