//! The `repaint` program.

fn main() {}
