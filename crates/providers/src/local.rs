//! This process: no address, no key, no network.

use repaint_core::Provider;

/// This process. Its offers are real but not generative.
pub static LOCAL: Provider = Provider { id: "local", name: "this machine", endpoint: None };
