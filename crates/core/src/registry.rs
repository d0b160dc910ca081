//! The models that a program knows, as a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::listing::Overlaid;
use crate::{Error, ErrorKind, ImageModel, Listing, Overlay, Result};

/// The models that a program knows, by provider, then model. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    models: Arc<Vec<Arc<dyn ImageModel>>>,
}

impl Registry {
    /// Every model whose adapter is linked into the program.
    ///
    /// # Errors
    ///
    /// Fails if there is none: an adapter registers itself only where it is named, so a program says
    /// `use repaint_adapters as _;`.
    pub fn linked() -> Result<Self> {
        let models: Vec<_> =
            inventory::iter::<Listing>.into_iter().flat_map(Listing::models).collect();
        if models.is_empty() {
            let message = "no adapter is linked into this program; name the crate that links them: \
                           `use repaint_adapters as _;`";
            return Err(Error::new(ErrorKind::Unexpected, message));
        }
        Self::new(models)
    }

    /// These models.
    ///
    /// # Errors
    ///
    /// Fails if two of them have the same id.
    pub fn new(models: impl IntoIterator<Item = Arc<dyn ImageModel>>) -> Result<Self> {
        let mut models: Vec<_> = models.into_iter().collect();
        // The linker decides the order of registrations; it differs between debug and release.
        models.sort_by(|a, b| a.id().cmp(b.id()));
        let mut seen = BTreeSet::new();
        if let Some(twice) = models.iter().find(|it| !seen.insert(it.id().to_owned())) {
            return Err(Error::new(
                ErrorKind::Unexpected,
                format!("two models are {}", twice.id()),
            ));
        }
        Ok(Self { models: Arc::new(models) })
    }

    /// The same models with the facts of an overlay.
    ///
    /// # Errors
    ///
    /// Fails if the overlay names an offer or a fact that is not there, or a value that does not fit.
    pub fn with_overlay(mut self, overlay: &Overlay) -> Result<Self> {
        for (id, facts) in &overlay.offers {
            let models = Arc::make_mut(&mut self.models);
            let model = models.iter_mut().find(|it| it.id() == id).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidRequest,
                    format!("the overlay names {id}, which is not there"),
                )
            })?;
            let offer = facts.apply(id, model.offer())?;
            let narrowed = model.wire().map(|it| it.for_offer(&offer));
            if let Some(fact) = narrowed.as_ref().and_then(|it| it.unsendable(&offer.accepts)) {
                let message = format!(
                    "the overlay says that {id} takes `{fact}`, but its body has no field for that; it \
                     would be dropped"
                );
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            *model = Arc::new(Overlaid { inner: Arc::clone(model), offer, narrowed });
        }
        Ok(self)
    }

    /// All models.
    pub fn models(&self) -> impl Iterator<Item = &dyn ImageModel> {
        self.models.iter().map(AsRef::as_ref)
    }

    /// The model of this id, such as `bfl/kontext-pro`.
    pub fn get(&self, id: &str) -> Option<&dyn ImageModel> {
        let found = self.models.binary_search_by(|it| it.id().cmp(id)).ok()?;
        self.models.get(found).map(AsRef::as_ref)
    }

    /// The models that a name stands for: an offer, a model, a provider's own name or alias, or a
    /// family. Exact and case-sensitive, as the providers are.
    ///
    /// # Errors
    ///
    /// Fails for a name that stands for nothing, and lists the nearest.
    pub fn resolve(&self, name: &str) -> Result<Vec<&dyn ImageModel>> {
        let is = |it: &&dyn ImageModel| {
            let offer = it.offer();
            it.id() == name
                || offer.model == name
                || offer.name == name
                || offer.aliases.contains(&name)
        };
        let mut found: Vec<_> = self.models().filter(is).collect();
        if found.is_empty() {
            found = self.models().filter(|it| it.family() == name).collect();
        }
        if found.is_empty() {
            return Err(self.unknown(name));
        }
        Ok(found)
    }

    fn unknown(&self, name: &str) -> Error {
        let lower = name.to_lowercase();
        let names = self.models().flat_map(|it| [it.id(), it.offer().model, it.offer().name]);
        let mut near: Vec<(f64, &str)> = names
            .map(|it| (strsim::jaro_winkler(&it.to_lowercase(), &lower), it))
            .filter(|(likeness, _)| 0.75 < *likeness)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        near.dedup_by_key(|it| it.1);
        let near: Vec<&str> = near.into_iter().map(|it| it.1).take(4).collect();
        let hint = match near.as_slice() {
            [] => "`repaint models` lists all".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        Error::new(ErrorKind::InvalidRequest, format!("no model is called `{name}`; {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_adapters_is_told_how_to_link_them() {
        let err = Registry::linked().expect_err("nothing is linked here");
        assert!(err.message().contains("use repaint_adapters as _;"), "{err}");
    }
}
