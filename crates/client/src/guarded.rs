//! Downloads that go to public addresses only.

use repaint_core::{Error, ErrorKind};
use repaint_fetch::{Answer, Fetcher};
use url::Url;

use crate::exchange::{Fault, Fetched, Watch};

/// Fetches a picture, or what there is in its place, if it is where the fetcher may go.
pub(crate) async fn fetch(
    guard: &Fetcher,
    url: &Url,
    limit: u64,
    seen: &Watch,
) -> Result<Fetched, Fault> {
    let told = |bytes| seen(bytes);
    let fetched = guard.get(url, limit, told).await;
    let Answer { status, location, bytes } = fetched.map_err(|err| fault(&err))?;
    Ok(Fetched { status, location, bytes })
}

fn fault(err: &Error) -> Fault {
    let message = format!("the picture at {}", err.message());
    match err.kind() {
        ErrorKind::Unavailable => Fault::transient(message),
        _ => Fault::lasting(message),
    }
}
