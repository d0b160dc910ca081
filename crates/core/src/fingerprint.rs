//! A keyed hash by which equal orders can be told, and from which nothing can be read.

#![expect(
    deprecated,
    reason = "of std's hashers this one alone names its algorithm, SipHash 2-4, and takes a key: what \
              is written down must be the same in every release"
)]

use std::hash::{Hasher, SipHasher};

/// Two hashes of 64 bits under keys of one secret.
pub(crate) struct Fingerprint([SipHasher; 2]);

impl Fingerprint {
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        let [a, b] = [&secret[..8], &secret[8..]]
            .map(|half| half.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)));
        Self([SipHasher::new_with_keys(a, b), SipHasher::new_with_keys(!b, !a)])
    }

    /// 32 hex digits.
    pub(crate) fn shown(&self) -> String {
        let [a, b] = [&self.0[0], &self.0[1]].map(Hasher::finish);
        format!("{a:016x}{b:016x}")
    }
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|it| it.write(bytes));
    }

    fn finish(&self) -> u64 {
        self.0[0].finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in stores must mean the same in every release.
    #[test]
    fn a_fingerprint_is_what_it_always_was() {
        let mut print = Fingerprint::new(&[7; 16]);
        print.write(b"a cat");
        assert_eq!(print.shown(), "9e9303b43c38aca45cf470c4bb062541");
        let mut other = Fingerprint::new(&[8; 16]);
        other.write(b"a cat");
        assert_ne!(print.shown(), other.shown());
    }
}
