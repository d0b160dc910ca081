//! Chores that cargo cannot express.

use repaint_adapters as _;

fn main() {}
