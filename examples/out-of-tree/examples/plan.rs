//! Who would take an edit of two images, of the models of repaint and of Acme: `cargo run --example plan`.

// Acme's models are there because they are named here; those of repaint come with it.
use acme_images as _;
use repaint::{Client, ImageInput, ImageRequest, Job, Router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> repaint::Result<()> {
    // Keys would come from the environment; a plan sends nothing, so any will do.
    let client = Client::builder().key("acme", "a key").key("together", "a key").build()?;
    let images =
        ["https://example.com/person.jpg", "https://example.com/cat.jpg"].map(ImageInput::url);
    let request = ImageRequest {
        images: images.into_iter().collect::<repaint::Result<_>>()?,
        ..ImageRequest::new("The person from image 1 is petting the cat from image 2")
    };
    let plan = Router::new(repaint::registry()?, client).plan(&mut Job::new(request)).await?;
    for candidate in &plan.candidates {
        println!("{} takes it, for {}", candidate.offer, candidate.estimate);
    }
    for refused in &plan.refusals {
        println!("{} does not: it {}", refused.offer, refused.reasons[0]);
    }
    Ok(())
}
