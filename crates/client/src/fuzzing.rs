//! The reader of answers, as `tests/fuzz` tries it; for nobody else, and no part of the API.

use crate::exchange::Lifted;
use crate::lift::Lift;

/// Reads an answer that comes in pieces of this size, with pictures of no more than so many bytes; texts of
/// base64 may be left as they are.
///
/// # Errors
///
/// Says in words why it cannot be read.
pub fn lift(
    answer: &[u8],
    size: usize,
    limit: u64,
    undecoded: bool,
) -> Result<(Vec<u8>, Vec<Lifted>), String> {
    let mut lift = Lift::new(limit, undecoded, Vec::new());
    answer.chunks(size).try_for_each(|piece| lift.feed(piece))?;
    lift.finish()
}
