//! Images at callers' addresses, for models that take only bytes: the seam to whatever fetches them.

use std::fmt::Debug;

use async_trait::async_trait;
use repaint_core::{ImageInput, ImageSource, Job, Registry};

/// Fetches an image at a caller's address.
#[async_trait]
pub(crate) trait Fetcher: Debug + Send + Sync {
    /// The image in memory; nothing if none is fetched, so that the model refuses the address.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the address, if it may not or cannot be fetched, or is no image.
    async fn fetch(&self, address: &str) -> repaint_core::Result<Option<ImageInput>>;
}

/// Fetches none: the addresses of strangers are not called.
#[derive(Debug)]
pub(crate) struct NoFetcher;

#[async_trait]
impl Fetcher for NoFetcher {
    async fn fetch(&self, _: &str) -> repaint_core::Result<Option<ImageInput>> {
        Ok(None)
    }
}

/// Puts images in the place of addresses, if none of the models that may take the job takes addresses.
pub(crate) async fn fetched(
    fetcher: &dyn Fetcher,
    registry: &Registry,
    job: &mut Job,
) -> repaint_core::Result<()> {
    let takes = |name: &String| {
        let models = registry.resolve(name).unwrap_or_default();
        models.iter().any(|it| it.capabilities().transports.value.url)
    };
    // Any model: there are always some that take addresses.
    if job.select.is_empty() || job.select.iter().any(takes) {
        return Ok(());
    }
    let request = &mut job.request;
    for image in request.images.iter_mut().chain(&mut request.mask) {
        let ImageSource::Url(address) = image.source() else { continue };
        if let Some(fetched) = fetcher.fetch(address).await? {
            *image = fetched;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use repaint_adapters as _;
    use repaint_core::ImageRequest;

    use super::*;

    #[derive(Debug)]
    struct Fixed;

    #[async_trait]
    impl Fetcher for Fixed {
        async fn fetch(&self, _: &str) -> repaint_core::Result<Option<ImageInput>> {
            ImageInput::bytes(repaint_testkit::png(512, 512, 1)).map(Some)
        }
    }

    #[tokio::test]
    async fn only_what_takes_no_address_has_images_fetched() {
        let registry = Registry::linked().expect("adapters are linked");
        for (model, fetches) in [("local/watercolor", true), ("flux2-pro", false)] {
            let mut job = Job::new(ImageRequest::new("watercolor"));
            job.select = vec![model.to_owned()];
            job.request.images = vec![ImageInput::url("https://a.example/1.png").expect("a url")];
            fetched(&NoFetcher, &registry, &mut job).await.expect("nothing is fetched");
            assert!(matches!(job.request.images[0].source(), ImageSource::Url(_)));
            fetched(&Fixed, &registry, &mut job).await.expect("an image");
            let in_memory = matches!(job.request.images[0].source(), ImageSource::Bytes(_));
            assert_eq!(in_memory, fetches, "{model}");
        }
    }
}
