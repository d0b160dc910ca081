//! Stops a run from elsewhere, as soon as it paints; what was bought would be reported, not lost.
//! `cargo run --release -p repaint --example cancel -- examples/cat.png`.

use std::sync::Arc;

use repaint::{Client, ErrorKind, ImageInput, ImageRequest, Job, Progress, Router};
use tokio::sync::Notify;

#[tokio::main]
async fn main() -> repaint::Result<()> {
    let image = std::env::args().nth(1).unwrap_or_else(|| "examples/cat.png".to_owned());
    let request = ImageRequest {
        images: vec![ImageInput::file(image)],
        ..ImageRequest::new("Transform this into a watercolor painting")
    };
    let job = Job { select: vec!["local/watercolor".into()], ..Job::new(request) };

    let painting = Arc::new(Notify::new());
    let seen = Arc::clone(&painting);
    let task = Router::new(repaint::registry()?, Client::new()?).watched(job, move |progress| {
        if progress == Progress::Working {
            seen.notify_one();
        }
    });
    // Whoever holds a canceller can stop the run: a button, a signal, a connection that was closed.
    let canceller = task.canceller();
    tokio::spawn(async move {
        painting.notified().await;
        canceller.cancel();
    });

    match task.run().await {
        Err(err) if err.kind() == ErrorKind::Unavailable => println!("stopped: {err}"),
        // After an order was taken, what is left is its handle: the provider works on, and charges.
        Err(err) if err.kind() == ErrorKind::OutcomeUnknown => {
            println!("stopped too late: {err}; pick it up with {:?}", err.data().resume);
        }
        Err(err) => return Err(err),
        Ok(outcome) => println!("{} was faster", outcome.receipt.offer),
    }
    Ok(())
}
