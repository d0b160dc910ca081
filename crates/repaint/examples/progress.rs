//! A hook that is told where a run stands, from start to picture, without a key.
//! `cargo run --release -p repaint --example progress -- examples/cat.png`.

use repaint::{Client, ImageInput, ImageRequest, Job, Progress, Router};

#[tokio::main]
async fn main() -> repaint::Result<()> {
    let image = std::env::args().nth(1).unwrap_or_else(|| "examples/cat.png".to_owned());
    let request = ImageRequest {
        images: vec![ImageInput::file(image)],
        ..ImageRequest::new("Transform this into a watercolor painting")
    };
    let job = Job { select: vec!["local/watercolor".into()], ..Job::new(request) };

    // It is called from where the work is done, so it should be quick: print, or send into a channel.
    let task =
        Router::new(repaint::registry()?, Client::new()?).watched(job, |progress| match progress {
            Progress::Started { offer } => println!("{offer} has taken the job"),
            Progress::Working => println!("painting"),
            Progress::Sent { bytes, total } => println!("sent {bytes} of {total} bytes"),
            // From here on the picture is paid: keep the handle.
            Progress::Accepted { handle } => println!("the provider calls it {}", handle.id),
            Progress::Again { after, why, .. } => println!("{why}; again in {after:?}"),
            other => println!("{other:?}"),
        });
    let outcome = task.run().await?;

    println!("{} picture, for {}", outcome.images.len(), outcome.receipt.estimate);
    for warning in &outcome.receipt.warnings {
        println!("note: {}", warning.message);
    }
    Ok(())
}
