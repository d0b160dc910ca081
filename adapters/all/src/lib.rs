//! Links adapters into a program, one feature for each.
//!
//! An adapter registers itself, but only once the linker has it, and the linker has it only if the
//! program names it. Write `use repaint_adapters as _;` in a binary to have them all.

// An adapter that is a dependency and missing here is a warning, and its fix is in the help text.
#![warn(unused_crate_dependencies)]

#[cfg(feature = "flux2")]
use repaint_flux2 as _;
#[cfg(feature = "gemini")]
use repaint_gemini as _;
#[cfg(feature = "kontext")]
use repaint_kontext as _;
#[cfg(feature = "local")]
use repaint_local as _;
#[cfg(feature = "qwen")]
use repaint_qwen as _;
#[cfg(feature = "seedream")]
use repaint_seedream as _;
