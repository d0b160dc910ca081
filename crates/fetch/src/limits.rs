//! How much of a stranger's address is taken.

use std::time::Duration;

use repaint_core::IMAGE_BYTES;

/// How much is taken of one address; what goes beyond is an error that names the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most bytes of a picture; what the provider takes where it does not say what it takes, by default.
    pub bytes: u64,
    /// All the time that there is, with looking up names and all redirects; 20 seconds by default.
    pub time: Duration,
    /// The most pixels that a picture may say it has; 100 million by default, which is more than cameras make
    /// and less than what image libraries (Pillow: 179 million) refuse as an attack.
    pub pixels: u64,
    /// So many redirects are followed; 5 by default.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: IMAGE_BYTES,
            time: Duration::from_secs(20),
            pixels: 100_000_000,
            redirects: 5,
        }
    }
}
