//! Images at callers' addresses, for models that take only bytes.

use bytes::Bytes;
use repaint_core::{IMAGE_BYTES, ImageInput, ImageModel, ImageSource, Job};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::dialect::Names;
use crate::fault::Fault;
use crate::gateway::Gateway;

/// A fetched image with the room that it takes.
struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Puts images in the place of addresses, if none of the models that may take the job takes addresses.
pub(crate) async fn fetched(gateway: &Gateway, job: &mut Job, names: &Names) -> Result<(), Fault> {
    let Some(fetcher) = gateway.fetcher().filter(|_| needs_bytes(gateway, job)) else {
        return Ok(());
    };
    let inputs = job.request.images.iter_mut().chain(&mut job.request.mask);
    let mut addressed: Vec<&mut ImageInput> =
        inputs.filter(|it| matches!(it.source(), ImageSource::Url(_))).collect();
    // Room for all of them at once: who holds some and waits for more could wait for ever.
    let most = (addressed.len() as u64).saturating_mul(IMAGE_BYTES).min(gateway.fetches().total());
    let room = timeout(gateway.limits().wait, gateway.fetches().count(most)).await;
    let Ok(Some(mut room)) = room else {
        return Err(Fault::busy("too many images are being fetched at this moment"));
    };
    for image in &mut addressed {
        let ImageSource::Url(address) = image.source() else { continue };
        let fetched = fetcher.fetch(address).await.map_err(|err| Fault::of(&err, names))?;
        let weight = gateway.fetches().pieces(fetched.bytes.len() as u64);
        let Some(own) = room.split(weight) else {
            let message = format!("the images at addresses have more than {most} bytes together");
            return Err(Fault::invalid(message));
        };
        let bytes = Bytes::from_owner(Held { bytes: fetched.bytes, _room: own });
        **image = ImageInput::bytes(bytes).map_err(|err| Fault::of(&err, names))?;
    }
    Ok(())
}

/// Whether a job has addresses, and goes only to models that take none. More images than any of them takes are
/// refused, and so is a mask that none takes; for that nothing need be fetched.
fn needs_bytes(gateway: &Gateway, job: &Job) -> bool {
    let registry = gateway.router().registry();
    let named = job.select.iter().flat_map(|it| registry.resolve(it).unwrap_or_default());
    let models: Vec<&dyn ImageModel> = named.collect();
    let count = u32::try_from(job.request.images.len()).unwrap_or(u32::MAX);
    let may_take = |it: &&dyn ImageModel| {
        let capabilities = it.capabilities();
        count <= capabilities.images.value.max
            && (job.request.mask.is_none() || capabilities.mask.value)
    };
    let mut inputs = job.request.images.iter().chain(&job.request.mask);
    // Any model: there are always some that take addresses, and then none is named.
    models.iter().all(|it| !it.capabilities().transports.value.url)
        && models.iter().any(may_take)
        && inputs.any(|it| matches!(it.source(), ImageSource::Url(_)))
}
