//! One call, no key: `cargo run --release -p repaint --example edit -- examples/cat.png watercolor.png`.

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let image = args.next().unwrap_or_else(|| "examples/cat.png".to_owned());
    let output = args.next().unwrap_or_else(|| "watercolor.png".to_owned());
    let outcome = repaint::edit(image, "Transform this into a watercolor painting")
        .model("local/watercolor")
        .run()
        .await?;
    std::fs::write(&output, &outcome.images[0].bytes)?;
    println!("{output}, made by {} for {}", outcome.receipt.offer, outcome.receipt.estimate);
    Ok(())
}
