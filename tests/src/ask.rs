//! Jobs and clients as a caller would make them, with a key that opens nothing.

use bytes::Bytes;
use repaint_adapters as _;
use repaint_client::Client;
use repaint_core::{ImageInput, ImageRequest, Job, MediaType, Registry};
use repaint_testkit::{picture, png};

/// Every model that is linked.
pub fn linked() -> Registry {
    Registry::linked().expect("adapters are linked")
}

/// A client that knows one provider, at an address of ours, and nothing of the environment.
pub fn client(provider: &str, base: &str) -> Client {
    let base = base.parse().expect("the base is an address");
    let builder = Client::builder().without_environment();
    builder.key(provider, "test-key").base(provider, base).build().expect("a client")
}

/// A job for one offer.
pub fn job(offer: &str, request: ImageRequest) -> Job {
    Job { select: vec![offer.to_owned()], ..Job::new(request) }
}

/// An edit of one image.
pub fn edit() -> ImageRequest {
    edits(1)
}

/// An edit of so many images, each unlike the others.
pub fn edits(count: usize) -> ImageRequest {
    let images = (1..=count).map(|index| picture("data", index, 512, MediaType::Png)).collect();
    ImageRequest { images, ..ImageRequest::new("Make it a watercolor") }
}

/// An image of about so many bytes: more than the buffers between a client and a server hold.
pub fn heavy(bytes: usize) -> ImageInput {
    let mut heavy = png(512, 512, 1);
    let end = heavy.split_off(heavy.len() - 12);
    heavy.extend((bytes as u32).to_be_bytes());
    heavy.extend(b"tEXt");
    heavy.extend((0..bytes).map(|it| (it % 251) as u8));
    heavy.extend([0; 4]);
    heavy.extend(end);
    ImageInput::bytes(Bytes::from(heavy)).expect("a picture")
}
