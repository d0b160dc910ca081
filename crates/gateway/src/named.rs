//! The name in the path of a request.

use axum::extract::{FromRequestParts, Path};
use hyper::http::request::Parts;

use crate::fault::Fault;

/// What stands in the place of `{id}`; what is no text there is refused as all else is, in JSON.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|err| Fault::invalid(err.body_text()))
    }
}
