//! A keyed hash by which equal orders can be told, and from which nothing can be read.

#![expect(
    deprecated,
    reason = "of std's hashers this one alone names its algorithm, SipHash 2-4, and takes a key: what \
              is written down must be the same in every release"
)]

use std::hash::{Hasher, SipHasher};

/// Two hashes of 64 bits under keys of one secret.
///
/// What is long is folded first, block by block, into keyed sums: the hashes alone would cost more than
/// all else that is done with an order of some megabytes.
#[derive(Clone)]
pub(crate) struct Fingerprint {
    hashers: [SipHasher; 2],
    /// What has come since the last whole block.
    waiting: Vec<u8>,
    /// Bytes that were folded.
    folded: u64,
    /// The keys of the sums, made for the first whole block.
    keys: Option<Box<[u64; KEYS]>>,
}

/// So many bytes are folded at once. What is shorter as a whole goes into the hashes as it is.
const BLOCK: usize = 1024;
/// Keys of a sum, one for each word of 64 bits.
const KEYS: usize = BLOCK / 8;

impl Fingerprint {
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        let [a, b] = [&secret[..8], &secret[8..]]
            .map(|half| half.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)));
        let hashers = [SipHasher::new_with_keys(a, b), SipHasher::new_with_keys(!b, !a)];
        Self { hashers, waiting: Vec::new(), folded: 0, keys: None }
    }

    /// 32 hex digits.
    pub(crate) fn shown(&self) -> String {
        let [a, b] = self.ended();
        format!("{a:016x}{b:016x}")
    }

    /// The two hashes.
    pub(crate) fn ended(&self) -> [u64; 2] {
        self.hashers.clone().map(|mut it| {
            it.write(&self.waiting);
            if self.folded != 0 {
                it.write(&self.folded.to_le_bytes());
            }
            it.finish()
        })
    }

    fn fold(&mut self, block: &[u8; BLOCK]) {
        // Before the first block nothing has gone into the hashes, so they are their keys alone.
        let keys = self.keys.get_or_insert_with(|| keys(&self.hashers));
        let sum = sum(block, keys).to_le_bytes();
        self.hashers.iter_mut().for_each(|it| it.write(&sum));
        self.folded += BLOCK as u64;
    }
}

impl Hasher for Fingerprint {
    fn write(&mut self, mut bytes: &[u8]) {
        if !self.waiting.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            bytes = rest;
            let waiting = std::mem::take(&mut self.waiting);
            match <&[u8; BLOCK]>::try_from(&waiting[..]) {
                Ok(block) => self.fold(block),
                Err(_) => self.waiting = waiting,
            }
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        blocks.iter().for_each(|it| self.fold(it));
        self.waiting.extend_from_slice(rest);
    }

    fn finish(&self) -> u64 {
        self.ended()[0]
    }
}

/// Keys for sums, out of hashes that have seen nothing but theirs.
fn keys(hashers: &[SipHasher; 2]) -> Box<[u64; KEYS]> {
    let mut keys = Box::new([0; KEYS]);
    for (at, key) in keys.iter_mut().enumerate() {
        let mut hasher = hashers[at % 2].clone();
        hasher.write(b"the key of a sum");
        hasher.write(&(at as u64).to_le_bytes());
        *key = hasher.finish();
    }
    keys
}

/// NH with words of 64 bits: two blocks have an equal sum with a chance of 2^-64.
///
/// ref: Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO 1999, section 4
fn sum(block: &[u8; BLOCK], keys: &[u64; KEYS]) -> u128 {
    let (words, _) = block.as_chunks::<8>();
    let pairs = words.as_chunks::<2>().0.iter().zip(keys.as_chunks::<2>().0);
    pairs.fold(0, |sum, (words, keys)| {
        let [a, b] = words.map(u64::from_le_bytes);
        let (a, b) = (a.wrapping_add(keys[0]), b.wrapping_add(keys[1]));
        sum.wrapping_add(u128::from(a) * u128::from(b))
    })
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

    #[test]
    fn what_is_long_counts_with_every_bit_and_however_it_comes() {
        let whole: Vec<u8> = (0..5_000_u32).map(|it| (it * 31 % 251) as u8).collect();
        let print = |bytes: &[u8], step: usize| {
            let mut print = Fingerprint::new(&[7; 16]);
            bytes.chunks(step).for_each(|it| print.write(it));
            print.shown()
        };
        let first = print(&whole, whole.len());
        // It stands in stores, too.
        assert_eq!(first, "d4d00897cdcc6b5b71145e5735e18e57");
        for step in [1, 7, 1023, 1024, 1025, 4096] {
            assert_eq!(print(&whole, step), first, "{step}");
        }
        for at in (0..whole.len()).step_by(13) {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert_ne!(print(&other, 5000), first, "{at}");
        }
        // Neither the order of blocks nor where it ends is lost.
        let mut turned = whole.clone();
        turned.rotate_left(BLOCK);
        assert_ne!(print(&turned, 5000), first);
        assert_ne!(print(&whole[..4_999], 5000), first);
        assert_ne!(print(&[0; 2 * BLOCK], 5000), print(&[0; 3 * BLOCK], 5000));
    }
}
