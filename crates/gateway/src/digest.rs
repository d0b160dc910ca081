//! A keyed hash, by which equal requests of a caller are known at all gateways with one store.

use twox_hash::XxHash3_128;

use crate::calls::Print;

/// A keyed hash of parts.
pub(crate) struct Digest(XxHash3_128);

impl Digest {
    /// Nothing yet; the secret is that of the store.
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        let seed = secret.iter().take(8).fold(0, |sum: u64, it| sum << 8 | u64::from(*it));
        Self(XxHash3_128::with_seed(seed))
    }

    /// The next part; where it ends matters, too.
    pub(crate) fn part(&mut self, part: &[u8]) {
        self.0.write(part);
        self.0.write(&(part.len() as u64).to_le_bytes());
    }

    pub(crate) fn done(&self) -> Print {
        self.0.finish_128()
    }
}
