//! Who calls: the seam to callers' keys, and what holds where there are none.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use async_trait::async_trait;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::fault::Fault;

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// On whose account orders are written down, where callers have keys.
    pub(crate) account: Option<String>,
    /// What tells callers apart who have no account: a hash of what they say who they are.
    pub(crate) word: u64,
}

/// Lets callers in.
#[async_trait]
pub(crate) trait Keys: Debug + Send + Sync {
    /// Who calls, or why they may not.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Fault>;

    /// Whether strangers are kept out, so that the gateway may be reached from other machines.
    fn keep_out(&self) -> bool;
}

/// Everybody is let in, so only this machine may call.
#[derive(Debug)]
pub(crate) struct NoKeys;

#[async_trait]
impl Keys for NoKeys {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Fault> {
        // Libraries send some key, which opens nothing here; it still tells one program from another.
        let mut hasher = std::hash::DefaultHasher::new();
        headers.get(AUTHORIZATION).map(|it| it.as_bytes()).hash(&mut hasher);
        Ok(Caller { account: None, word: hasher.finish() })
    }

    fn keep_out(&self) -> bool {
        false
    }
}
