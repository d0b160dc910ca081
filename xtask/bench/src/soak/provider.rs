//! A provider that fails in all ways, by dice; it notes which orders it took.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repaint_core::Registry;
use repaint_emulator::{Emulator, Fault, Server, Serving, Settings};

use crate::Result;

/// So many requests in a hundred meet a fault.
const FAULTS: u64 = 12;
/// Requests that are scripted; no soak makes more.
const SCRIPTED: usize = 2_000_000;

pub(super) struct Provider {
    server: Server,
    orders: Arc<Mutex<BTreeMap<String, u64>>>,
    faults: Arc<AtomicU64>,
}

impl Provider {
    pub(super) async fn start(seed: u64) -> Result<Self> {
        let registry = Registry::linked()?;
        let (mut dice, all) = (Dice(seed), Fault::all().collect::<Vec<_>>());
        let mut fault = || {
            let falls = dice.below(100) < FAULTS;
            falls.then(|| all[dice.below(all.len() as u64) as usize])
        };
        let script = (0..SCRIPTED).map(|_| fault()).collect();
        let latency = Duration::from_millis(200);
        let settings = Settings { latency, seed, script, ..Settings::default() };
        let (orders, faults) = (Arc::<Mutex<BTreeMap<String, u64>>>::default(), Arc::default());
        let (noted, counted) = (Arc::clone(&orders), Arc::<AtomicU64>::clone(&faults));
        let watch = move |seen: &repaint_emulator::Seen| {
            counted.fetch_add(u64::from(seen.fault.is_some()), Ordering::Relaxed);
            if let Some(prompt) = seen.prompt.as_ref().filter(|_| seen.taken) {
                let mut orders = noted.lock().unwrap_or_else(PoisonError::into_inner);
                *orders.entry(prompt.clone()).or_default() += 1;
            }
        };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let serving = Serving { listen, fetch: false, watch: Box::new(watch) };
        let server = Server::bind(Emulator::new(&registry, settings), serving).await?;
        Ok(Self { server, orders, faults })
    }

    pub(super) fn url(&self) -> String {
        self.server.url().to_string()
    }

    /// How many orders were taken for each prompt.
    pub(super) fn orders(&self) -> BTreeMap<String, u64> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// Numbers by chance, the same for the same seed (SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % limit.max(1)
    }
}
