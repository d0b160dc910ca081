//! A model of one's own beside those of the library: it turns a picture in this process, and is planned, refused
//! and run like any other. `cargo run -p repaint --example own_registry`.
//!
//! A hosted model is less work: it is a wire struct and a row, as in `examples/out-of-tree`.

use std::sync::Arc;

use async_trait::async_trait;
use repaint::{
    Capabilities, Client, Date, Error, ErrorKind, Image, ImageInput, ImageModel, ImageRequest,
    Instructions, Job, List, Made, MediaType, Narrowed, Offer, Preview, Price, Provider,
    RefusalCode, Registry, Result, Router, Slot, Source, Text, Transport, Transports, Vocabulary,
    Witness, between, documented,
};
use serde_json::json;

/// Who hosts it: nobody, so it has no address and needs no key.
static HERE: Provider = Provider { id: "acme", name: "Acme, in this process", endpoint: None };

/// Where its facts come from.
const OURS: Source = Source::new("our own code", Date::new(2026, 11, 24));

/// What it takes. What is not named here is refused.
const TURNS: Capabilities = Capabilities {
    images: documented(between(1, 1), OURS),
    transports: documented(Transports { url: false, bytes: true }, OURS),
    media_types: documented(List(&[MediaType::Bmp]), OURS),
    instructions: documented(
        Instructions::Closed(Vocabulary {
            slots: List(&[Slot {
                name: Text("how"),
                required: true,
                words: List(&[Text("negative"), Text("invert")]),
            }]),
            examples: List(&[Text("negative")]),
        }),
        OURS,
    ),
    ..Capabilities::NONE
};

/// Makes the negative of a picture.
#[derive(Debug)]
struct Negative(Offer);

#[async_trait]
impl ImageModel for Negative {
    fn id(&self) -> &str {
        "acme/negative"
    }

    fn family(&self) -> &str {
        "negative"
    }

    fn provider(&self) -> &'static Provider {
        &HERE
    }

    fn offer(&self) -> &Offer {
        &self.0
    }

    fn wire(&self) -> Option<&Narrowed> {
        None
    }

    fn encode(&self, _: Witness<'_>) -> Result<Preview> {
        Ok(Preview::Local(json!({ "negative": 1 })))
    }

    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made> {
        // Admission has seen to it that there is one image, and that the prompt asks for what is done here.
        let [image] = witness.request().images.as_slice() else {
            return Err(Error::new(ErrorKind::Unexpected, "one image was admitted"));
        };
        let mut bytes = via.read(image).await?.to_vec();
        // Away from the threads that wait for the network.
        via.compute(Box::new(move || {
            for byte in bytes.iter_mut().skip(PIXELS) {
                *byte = !*byte;
            }
            Ok(Made { images: vec![Image::new(bytes.into())], ..Made::default() })
        }))
        .await
    }
}

/// Where the pixels of the bitmap below begin.
const PIXELS: usize = 54;

/// A black bitmap of 2 by 2 pixels.
fn bitmap() -> Vec<u8> {
    let words: [u32; 13] = [70, 0, 54, 40, 2, 2, 1 | 24 << 16, 0, 16, 2835, 2835, 0, 0];
    let head = words.iter().flat_map(|it| it.to_le_bytes());
    b"BM".iter().copied().chain(head).chain([0; 16]).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let offer = Offer {
        generative: false,
        ..Offer::new("negative", "negative", TURNS, documented(Price::Free, OURS))
    };
    let registry = Registry::new([Arc::new(Negative(offer)) as Arc<dyn ImageModel>])?;
    let router = Router::new(registry, Client::builder().without_environment().build()?);

    let request = ImageRequest {
        images: vec![ImageInput::bytes(bitmap())?],
        ..ImageRequest::new("negative")
    };
    let outcome = router.run(Job::new(request.clone())).await?;
    assert_eq!(outcome.images[0].bytes[PIXELS], 255, "black has become white");
    println!("{} made {} bytes", outcome.receipt.offer, outcome.images[0].bytes.len());

    // What it does not take is refused by the same facts, without a line of code here.
    let job = Job::new(ImageRequest { seed: Some(7), ..request });
    let err = router.run(job).await.expect_err("it takes no seed");
    assert_eq!(err.data().refusals[0].code, RefusalCode::Unsupported);
    println!("{err}");
    Ok(())
}
