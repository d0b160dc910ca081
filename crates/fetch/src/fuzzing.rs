//! The reader of addresses, as `tests/fuzz` tries it; for nobody else, and no part of the API.

use std::sync::Arc;

use url::Url;

use crate::guard::{Guard, read};
use crate::{Allow, System};

/// An address that would be gone to if its name, where it has one, leads where it may. Nothing is looked up.
///
/// # Errors
///
/// Says in words why not.
pub fn check(address: &str, allow: &[Allow]) -> Result<Url, String> {
    let guard = Guard::new(allow.to_vec(), Arc::new(System));
    let url = read(address).map_err(|why| why.words)?;
    guard.check(&url).map_err(|why| why.words)?;
    Ok(url)
}
