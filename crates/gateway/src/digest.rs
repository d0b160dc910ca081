//! A keyed hash, by which equal requests of a caller are known at all gateways with one store.

use twox_hash::XxHash3_128;

use crate::calls::Print;

/// A keyed hash of parts, each of which may come in pieces.
pub(crate) struct Digest {
    hasher: XxHash3_128,
    /// Of the part that has not ended.
    length: u64,
}

impl Digest {
    /// Nothing yet; the secret is that of the store.
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        let seed = secret.iter().take(8).fold(0, |sum: u64, it| sum << 8 | u64::from(*it));
        Self { hasher: XxHash3_128::with_seed(seed), length: 0 }
    }

    /// A piece of a part.
    pub(crate) fn piece(&mut self, piece: &[u8]) {
        self.hasher.write(piece);
        self.length += piece.len() as u64;
    }

    /// A part ends: where one does and the next begins matters, too.
    pub(crate) fn ends(&mut self) {
        self.hasher.write(&std::mem::take(&mut self.length).to_le_bytes());
    }

    /// A whole part.
    pub(crate) fn part(&mut self, part: &[u8]) {
        self.piece(part);
        self.ends();
    }

    pub(crate) fn done(&self) -> Print {
        self.hasher.finish_128()
    }
}
