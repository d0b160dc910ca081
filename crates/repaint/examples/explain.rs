//! Who would take a request, what exactly would be sent, and why all others would not: sends nothing, needs no
//! key. `cargo run -p repaint --example explain`.

use repaint::{Adapt, Client, Date, Error, ImageInput, ImageRequest, Job, Router, Terms};

#[tokio::main(flavor = "current_thread")]
async fn main() -> repaint::Result<()> {
    let registry = repaint::registry()?;
    // A plan sends nothing, so any key will do; without it, Together's offers would be refused for want of one.
    let client = Client::builder().without_environment().key("together", "a key").build()?;

    let request = ImageRequest {
        images: vec![
            ImageInput::url("https://example.com/person.jpg")?,
            ImageInput::url("https://example.com/cat.jpg")?,
        ],
        ..ImageRequest::new("The person from image 1 is petting the cat from image 2")
    };
    let router = Router::new(registry.clone(), client);
    let plan = router.plan(&mut Job::new(request.clone())).await?;

    let first = plan.first()?;
    println!("{} takes it, for {}", first.offer, first.estimate);
    if let Some(model) = registry.get(&first.offer) {
        // Only the offer that admitted a request can encode it.
        let terms = Terms { adapt: &Adapt::NONE, today: Date::today() };
        let admitted =
            model.admit(&request, terms).map_err(|it| Error::refused(&first.offer, it))?;
        println!("it would be sent {:#}", admitted.encode()?.shown());
    }

    for refused in &plan.refusals {
        for reason in &refused.reasons {
            println!("{} {}; instead: {}", refused.offer, reason.message, reason.fix);
        }
    }
    Ok(())
}
