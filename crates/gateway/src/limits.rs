//! How much a gateway takes at a time, and for how long.

use std::time::Duration;

/// How much a gateway takes at a time, and for how long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most bytes of one request's body; 64 MiB by default.
    pub body: u64,
    /// The most bytes of the bodies of all requests together in memory, 64 MiB by default; the files of a form count as
    /// base64. For one that has no room there is [`files`](Self::files).
    pub memory: u64,
    /// The most bytes of bodies and of kept answers that go into files without a name when memory has no room;
    /// only beyond that bodies wait for their turn, first come first served. 4 GiB by default.
    pub files: u64,
    /// The bytes of pictures that come in answers of providers, in memory, together; 16 MiB by default. Whoever makes
    /// the client gives it this ([`answers_room`](repaint_client::Builder::answers_room)).
    pub answers: u64,
    /// The most bytes of pictures that are kept in memory for callers who ask again; 8 MiB by default.
    pub kept: u64,
    /// How many connections may be open; 1,024 by default.
    pub connections: usize,
    /// How many calls may be at work; 512 by default.
    pub calls: usize,
    /// How long the head of a request may take.
    pub head: Duration,
    /// How long the body of a request may take, from the first byte to the last; and how long whoever is answered may read
    /// nothing.
    pub body_time: Duration,
    /// How long a request waits for room before it is told to come back.
    pub wait: Duration,
    /// How long an answer that nobody has taken is kept for the caller who asks again.
    pub replay: Duration,
    /// How long calls may go on when the gateway stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 << 20,
            memory: 64 << 20,
            files: 4 << 30,
            answers: 16 << 20,
            kept: 8 << 20,
            connections: 1024,
            calls: 512,
            head: Duration::from_secs(15),
            body_time: Duration::from_secs(120),
            wait: Duration::from_secs(30),
            replay: Duration::from_secs(600),
            drain: Duration::from_secs(30),
        }
    }
}
