//! A text of base64 that is read as it comes: checked and hashed while each piece is at hand, so that nobody
//! has to look at all of it again.

use std::fmt;
use std::hash::Hasher;

use base64_simd::STANDARD;

use crate::fingerprint::Fingerprint;
use crate::{ImageFacts, MediaType};

/// Reads a text of standard base64 with padding, piece by piece.
#[derive(Clone)]
pub struct Base64Reader {
    secret: [u8; 16],
    hash: Fingerprint,
    length: u64,
    /// Up to three characters that wait for their group of four.
    carry: [u8; 4],
    carried: usize,
    padded: bool,
    wrong: bool,
}

/// What was found in a text that was read to its end; for [`ImageInput::kept`](crate::ImageInput::kept).
#[derive(Clone, Copy)]
pub struct Base64Read {
    secret: [u8; 16],
    hash: [u64; 2],
    length: u64,
    is_base64: bool,
}

impl Base64Reader {
    /// Nothing yet. The secret is that of the store in which orders with the image are written down
    /// ([`Store::secret`](crate::Store::secret)); under another one, the image is hashed again.
    pub fn new(secret: &[u8; 16]) -> Self {
        let (hash, secret) = (Fingerprint::new(secret), *secret);
        Self { secret, hash, length: 0, carry: [0; 4], carried: 0, padded: false, wrong: false }
    }

    /// The next piece of the text, of any length.
    pub fn piece(&mut self, piece: &[u8]) {
        self.hash.write(piece);
        self.length += piece.len() as u64;
        let mut rest = piece;
        if self.carried != 0 {
            let (head, tail) = rest.split_at(rest.len().min(4 - self.carried));
            self.carry[self.carried..][..head.len()].copy_from_slice(head);
            (self.carried, rest) = (self.carried + head.len(), tail);
            if self.carried < 4 {
                return;
            }
            let group = self.carry;
            self.groups(&group);
        }
        let (groups, tail) = rest.split_at(rest.len() / 4 * 4);
        self.groups(groups);
        self.carry[..tail.len()].copy_from_slice(tail);
        self.carried = tail.len();
    }

    /// What was found, now that all has come.
    pub fn finish(self) -> Base64Read {
        let Self { secret, hash, length, carried, wrong, .. } = self;
        Base64Read { secret, hash: hash.ended(), length, is_base64: !wrong && carried == 0 }
    }

    fn groups(&mut self, groups: &[u8]) {
        // Only the last group may be padded.
        self.wrong |= !groups.is_empty() && (self.padded || STANDARD.check(groups).is_err());
        self.padded |= groups.last() == Some(&b'=');
    }
}

impl Base64Read {
    /// Of a text that is at hand whole.
    pub(crate) fn of(text: &[u8], secret: &[u8; 16]) -> Self {
        let mut reader = Base64Reader::new(secret);
        reader.piece(text);
        reader.finish()
    }

    /// A hash that is keyed with the secret. Texts that are no base64 have one, too.
    pub fn hash(&self) -> [u64; 2] {
        self.hash
    }

    /// How many characters were read.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn is_base64(&self) -> bool {
        self.is_base64
    }

    /// Whether its hash is one under this secret.
    pub(crate) fn is_under(&self, secret: &[u8; 16]) -> bool {
        self.secret == *secret
    }
}

/// So much of the end of a text shows whether the picture in it has one; a multiple of 4.
pub(crate) const TAIL: usize = 64 * 1024;

/// The facts of a picture of which the text has this length and this end. Only as much is decoded as its head
/// needs, and its end. The error is in words.
pub(crate) fn facts<H: AsRef<[u8]>>(
    length: usize,
    tail: &[u8],
    head: impl Fn(usize) -> Result<H, String>,
) -> Result<ImageFacts, String> {
    let padding = tail.iter().rev().take(2).filter(|it| **it == b'=').count();
    let bytes = (length / 4 * 3).saturating_sub(padding) as u64;
    for most in [64 * 1024, 1024 * 1024, usize::MAX] {
        let head = head(most.min(length))?;
        let head = head.as_ref();
        let decoded = STANDARD.decode_to_vec(head).map_err(|_| NO_BASE64.to_owned())?;
        if head.len() == length || MediaType::of(&decoded).is_none() {
            return ImageFacts::of(&decoded);
        }
        if let Some(facts) = ImageFacts::of_head(&decoded, bytes)
            && facts.media_type.ends(tail)
        {
            return Ok(facts);
        }
    }
    Err("is damaged".to_owned())
}

/// What is wrong with a text, in words.
pub(crate) const NO_BASE64: &str = "is not standard base64 with padding";

impl fmt::Debug for Base64Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64Reader({} characters)", self.length)
    }
}

impl fmt::Debug for Base64Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64Read({} characters)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_checked_and_hashed_however_it_comes() {
        let bytes: Vec<u8> = (0..3_000_u32).map(|it| (it * 31 % 251) as u8).collect();
        let whole = STANDARD.encode_to_string(&bytes[..2_999]);
        assert!(whole.ends_with('='));
        let early = format!("{whole}{whole}");
        for (text, is_base64) in [
            (whole.as_str(), true),
            ("", true),
            (&whole[..whole.len() - 1], false),
            (&whole[1..], false),
            (&early, false),
            (&format!("{whole}===="), false),
            (&whole.replacen('A', "-", 1), false),
            (&whole.replacen('A', "\"", 1), false),
        ] {
            let at_once = Base64Read::of(text.as_bytes(), &[7; 16]);
            assert_eq!(
                at_once.is_base64(),
                is_base64,
                "{} {}",
                text.len(),
                &text[..text.len().min(9)]
            );
            assert_eq!(is_base64, STANDARD.check(text.as_bytes()).is_ok());
            assert!(at_once.is_under(&[7; 16]) && !at_once.is_under(&[8; 16]));
            for step in [1, 2, 3, 4, 5, 1023, 1025] {
                let mut reader = Base64Reader::new(&[7; 16]);
                text.as_bytes().chunks(step).for_each(|it| reader.piece(it));
                let read = reader.finish();
                assert_eq!((read.hash(), read.is_base64()), (at_once.hash(), is_base64), "{step}");
            }
        }
        let other = Base64Read::of(whole.as_bytes(), &[8; 16]);
        assert_ne!(other.hash(), Base64Read::of(whole.as_bytes(), &[7; 16]).hash());
    }
}
