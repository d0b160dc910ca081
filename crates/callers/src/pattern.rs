//! Patterns of names, in which `*` stands for anything.

use std::fmt;
use std::str::FromStr;

use repaint_core::{Error, ErrorKind, Result};

/// A pattern of names, in which `*` stands for any characters, or none.
///
/// ```
/// use repaint_callers::Pattern;
///
/// let pattern: Pattern = "flux2-*".parse()?;
/// assert!(pattern.takes("flux2-pro") && !pattern.takes("FLUX2-pro") && !pattern.takes("my-flux2-pro"));
/// # Ok::<(), repaint_core::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern(String);

impl Pattern {
    /// Whether the name is of this pattern: all of it, letter by letter.
    pub fn takes(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        // Each part as early as it can be leaves the most to those after it.
        for part in middle.split('*') {
            match name.find(part) {
                Some(at) => name = &name[at + part.len()..],
                None => return false,
            }
        }
        name.ends_with(last)
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() || !text.bytes().all(|it| it.is_ascii_graphic()) {
            let message =
                "a pattern is a name such as flux2-pro or together/flux2-pro, or has `*` in it";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by trying everything.
    fn slowly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', rest @ ..] => (0..=name.len()).any(|it| slowly(rest, &name[it..])),
            [first, rest @ ..] => name.first() == Some(first) && slowly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_takes_what_trying_everything_takes(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            let read: Pattern = pattern.parse().expect("a pattern");
            prop_assert_eq!(read.takes(&name), slowly(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
