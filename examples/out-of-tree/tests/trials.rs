//! The trials of our models: `cargo test`, or `cargo test --test trials -- seed`.

repaint_testkit::main!(acme_images);
