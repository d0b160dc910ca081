//! What can go wrong in a store in a database, whichever it is.

use repaint_core::{Error, ErrorKind};

/// Why a statement, or what belongs to it, did not work.
pub(crate) enum Trouble<E> {
    /// The database says so.
    Sql(E),
    /// We do.
    Said(Error),
}

impl<E> From<Error> for Trouble<E> {
    fn from(err: Error) -> Self {
        Self::Said(err)
    }
}

impl<E> From<serde_json::Error> for Trouble<E> {
    fn from(err: serde_json::Error) -> Self {
        // What was read was written by us, or by a newer version: it names no secret, but may quote one.
        let message = format!("it has a row that this version cannot read ({:?})", err.classify());
        Self::Said(Error::new(ErrorKind::Unavailable, message))
    }
}

/// A store whose tables this version does not know.
pub(crate) fn made_by_newer(place: &str, version: i64) -> Error {
    unavailable(format!(
        "the store at {place} was made by a newer repaint (its tables are of version {version}): update this \
         one, or name another store"
    ))
}

pub(crate) fn unavailable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}
