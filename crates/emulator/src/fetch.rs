//! Fetches input images from their addresses, where that was asked for: to be shown, not to be trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;

/// A client with bounds.
pub(crate) struct Fetcher(Client);

const PATIENCE: Duration = Duration::from_secs(15);
/// More bytes than the providers take are not read.
const MOST: usize = 32 << 20;

impl Fetcher {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // An error means that the program has chosen a provider of its own, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(PATIENCE).user_agent("repaint-emulator");
        Ok(Self(client.build()?))
    }

    /// Each address with its bytes, or with why there are none.
    pub(crate) async fn fetch(
        &self,
        addresses: Vec<String>,
    ) -> BTreeMap<String, Result<Bytes, String>> {
        let each: BTreeSet<String> = addresses.into_iter().collect();
        let mut all = BTreeMap::new();
        for address in each {
            let bytes = self.one(&address).await;
            all.insert(address, bytes);
        }
        all
    }

    async fn one(&self, address: &str) -> Result<Bytes, String> {
        let unreachable = |_: reqwest::Error| "could not be fetched".to_owned();
        let mut response = self.0.get(address).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(format!("its host answers {}", response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if MOST < bytes.len() {
                return Err(format!("has more than {MOST} bytes"));
            }
        }
        Ok(bytes.into())
    }
}
