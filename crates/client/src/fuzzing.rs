//! The reader of answers, as `tests/fuzz` tries it; for nobody else, and no part of the API.

use bytes::Bytes;

use crate::lift::Lift;

/// Reads an answer that comes in pieces of this size, with pictures of no more than so many bytes.
///
/// # Errors
///
/// Says in words why it cannot be read.
pub fn lift(answer: &[u8], size: usize, limit: u64) -> Result<(Vec<u8>, Vec<Bytes>), String> {
    let mut lift = Lift::new(limit, None);
    answer.chunks(size).try_for_each(|piece| lift.feed(piece))?;
    lift.finish()
}
