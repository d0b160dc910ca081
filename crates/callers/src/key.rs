//! A key and its hash.

use std::fmt;
use std::str::FromStr;

use repaint_core::{Error, ErrorKind, Result, quotable};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

/// Keys begin so, for people and for programs that look for secrets where none should be.
const PREFIX: &str = "repaint_";
/// 256 random bits, in base64 for addresses without padding.
const RANDOM: usize = 32;
const LENGTH: usize = PREFIX.len() + 43;
const HASH: &str = "sha256:";

/// A key that was just made. The key itself is kept by nobody here: show it once.
#[derive(Debug)]
pub struct NewKey {
    /// What the caller sends.
    pub key: SecretString,
    /// What stands in the file.
    pub hash: Hash,
}

/// The hash of a key: SHA-256 of its text, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Hash([u8; 32]);

impl NewKey {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// `Unexpected` if the system has no random numbers.
    pub fn make() -> Result<Self> {
        let mut random = [0; RANDOM];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| Error::new(ErrorKind::Unexpected, "the system gives no random numbers"))?;
        let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(random);
        let key = SecretString::from(format!("{PREFIX}{text}"));
        let hash = Hash::of(key.expose_secret());
        Ok(Self { key, hash })
    }

    /// The lines for the file of callers, for a caller of this name.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is no name of a caller.
    pub fn entry(&self, name: &str) -> Result<String> {
        if !is_name(name) {
            let message = format!("`{}` is no name of a caller: {NAMES}", quotable(name));
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        Ok(format!("[[caller]]\nname = \"{name}\"\nhashes = [\"{}\"]\n", self.hash))
    }
}

/// What a name of a caller is.
pub(crate) const NAMES: &str = "one has 1 to 64 letters, digits, `.`, `_` and `-`";

/// Whether a text can be the name of a caller.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(plain)
}

/// Whether a text has the form of a key.
pub(crate) fn is_key(text: &str) -> bool {
    let random = text.strip_prefix(PREFIX).filter(|_| text.len() == LENGTH);
    random.is_some_and(|it| base64_simd::URL_SAFE_NO_PAD.check(it.as_bytes()).is_ok())
}

/// A text with every key in it taken out, and what looks like one.
pub(crate) fn without_keys(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(PREFIX) {
        let tail = &rest[at + PREFIX.len()..];
        let random = |it: char| !it.is_ascii_alphanumeric() && it != '-' && it != '_';
        let end = tail.find(random).unwrap_or(tail.len());
        shown.push_str(&rest[..at]);
        shown.push_str(if end < RANDOM { &rest[at..at + PREFIX.len() + end] } else { "(a key)" });
        rest = &tail[end..];
    }
    shown + rest
}

impl Hash {
    /// The hash of a key.
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 32];
        let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
        hash.copy_from_slice(digest.as_ref());
        Self(hash)
    }
}

impl ConstantTimeEq for Hash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// The error does not repeat the text, which may be a key.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |message: &str| Error::new(ErrorKind::InvalidRequest, message);
        if is_key(text) {
            return Err(wrong(
                "a key stands where its hash belongs; make another, since this one is written down",
            ));
        }
        let digits = text.strip_prefix(HASH).filter(|it| it.len() == 64 && it.is_ascii());
        let digits = digits.ok_or_else(|| wrong("a hash is `sha256:` and 64 hex digits"))?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let digit = |it: u8| char::from(it).to_digit(16);
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(wrong("a hash is `sha256:` and 64 hex digits"));
            };
            *byte = u8::try_from(high << 4 | low).unwrap_or_default();
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HASH)?;
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_sha256sum_says() {
        let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of("abc").to_string(), hash);
        assert_eq!(hash.parse(), Ok(Hash::of("abc")));
    }

    #[test]
    fn a_new_key_is_never_shown_by_chance() {
        let new = NewKey::make().expect("random numbers");
        let key = new.key.expose_secret();
        assert!(is_key(key), "{key}");
        let shown = format!(
            "{new:?} {} {}",
            new.entry("web").expect("a name"),
            without_keys(&format!("`{key}`, {key}"))
        );
        assert!(!shown.contains(key) && shown.ends_with("`(a key)`, (a key)"), "{shown}");
        assert_eq!(without_keys("repaint_web and repaint_"), "repaint_web and repaint_");
    }

    #[test]
    fn what_was_not_made_here_is_no_key() {
        for text in
            ["", "repaint_", "sk-1234", "repaint_password", &format!("repaint_{}", "=".repeat(43))]
        {
            assert!(!is_key(text), "{text}");
        }
    }
}
