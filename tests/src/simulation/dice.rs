//! Dice that fall the same way for the same seed.

/// A row of numbers that follows from a seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Equal seeds give equal rows.
    pub fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }

    /// Less than `most`, which is not zero.
    pub fn below(&mut self, most: u64) -> u64 {
        self.bits() % most
    }

    /// Whether something happens that happens so often in a hundred.
    pub fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// The seed of the `index`th of many.
pub fn seed_of(seed: u64, index: u64) -> u64 {
    mixed(seed ^ mixed(index))
}

/// Splitmix64.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(GOLDEN);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
