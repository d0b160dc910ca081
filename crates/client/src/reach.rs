//! Whether a provider can be reached at all: its address, asked for without a key.

use std::sync::Arc;
use std::time::Duration;

use repaint_core::{Error, ErrorKind, Provider, Reply, Result};
use tokio::time::timeout;

use crate::client::Client;
use crate::exchange::{Order, Sent};

/// Who takes longer is not to be worked with.
const PATIENCE: Duration = Duration::from_secs(10);

impl Client {
    /// Asks for the address that all calls to a provider begin with: over the same proxy and with the
    /// same certificates as an order, but without a key, so that it costs nothing. An answer of any
    /// status shows that the provider can be reached.
    ///
    /// # Errors
    ///
    /// `Unavailable` if there is no answer, `InvalidRequest` if the provider has no address.
    pub async fn reach(&self, provider: &Provider) -> Result<Reply> {
        let Some(endpoint) = &provider.endpoint else {
            let message = format!("{} runs in this process: it has no address", provider.name);
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        };
        let order = Order {
            url: self.shared.keys.base(provider, endpoint)?,
            auth: None,
            body: None,
            sent: Sent::default(),
            undecoded: false,
            uploaded: Arc::new(|_| {}),
            received: Arc::new(|_| {}),
        };
        let unavailable = |why: &str| Error::new(ErrorKind::Unavailable, why);
        match timeout(PATIENCE, self.shared.exchange()?.send(order)).await {
            Ok(Ok(answer)) => Ok(answer.reply),
            Ok(Err(fault)) => Err(unavailable(&fault.message)),
            Err(_) => Err(unavailable(&format!("no answer in {} s", PATIENCE.as_secs()))),
        }
    }
}
