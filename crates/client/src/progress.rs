//! What a running job tells whoever watches.

use std::time::Duration;

use repaint_core::{Handle, Phase, Rate};

/// Where a running job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// An offer takes the job.
    Started {
        /// The offer.
        offer: String,
    },
    /// A call begins.
    Calling {
        /// What for.
        phase: Phase,
    },
    /// So much of the body is on its way.
    Sent {
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The order is taken, and paid.
    Accepted {
        /// How to pick the job up.
        handle: Handle,
    },
    /// Every order of the job is taken, and none will be sent again: its input images are not needed any more. Told by
    /// a router, and only where a provider takes an order before the pictures are made.
    Delivered,
    /// The provider's word for where the job stands.
    Status {
        /// Such as `Pending`.
        status: String,
    },
    /// The provider says how many calls are left.
    Rate {
        /// What it says.
        rate: Rate,
    },
    /// A call failed and is made again after a pause.
    Again {
        /// What for.
        phase: Phase,
        /// The pause.
        after: Duration,
        /// What went wrong.
        why: String,
    },
    /// So much of the answer or of a picture has come.
    Received {
        /// Bytes so far.
        bytes: u64,
    },
    /// This process works on the picture.
    Working,
}
