//! What the emulator takes from a registry: limits and prices. How a body is read, it knows by itself.

use repaint_core::{Offer, Pixels, Price, Registry, Usd};

/// The offers of the emulated providers, with their limits and prices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers(Vec<(&'static str, String, Offer)>);

/// What a bill depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// Pixels of one picture.
    pub(crate) area: u64,
    /// Pixels of all input images, as far as they are known.
    pub(crate) inputs: u64,
    pub(crate) count: u32,
    pub(crate) steps: Option<u64>,
}

const MEGAPIXEL: u64 = 1_000_000;

impl Offers {
    pub(crate) fn of(registry: &Registry) -> Self {
        let hosted = registry.models().filter(|it| it.provider().endpoint.is_some());
        Self(hosted.map(|it| (it.provider().id, it.id().to_owned(), *it.offer())).collect())
    }

    /// The offer that a provider calls by this name, with its id.
    pub(crate) fn named(&self, provider: &str, name: &str) -> Option<(&str, &Offer)> {
        let is = |offer: &Offer| offer.name == name || offer.aliases.contains(&name);
        let mut all = self.0.iter();
        let (_, id, offer) = all.find(|(at, _, offer)| *at == provider && is(offer))?;
        Some((id, offer))
    }
}

/// What an order costs by the price of its offer: worked out here anew, not by the program's estimate.
pub(crate) fn bill(price: &Price, order: Order) -> Usd {
    let Order { area, inputs, count, steps } = order;
    let share = |each: Usd, pixels: u64| {
        u64::try_from(u128::from(each.0) * u128::from(pixels) / u128::from(MEGAPIXEL))
            .unwrap_or(u64::MAX)
    };
    let each = match price {
        Price::Free => 0,
        Price::Each(each) => each.0,
        Price::BySize(rows) => {
            let row = rows.iter().find(|it| area <= it.area).or(rows.last());
            row.map_or(0, |it| it.each.0)
        }
        Price::Megapixel { each, steps: usual } => {
            let cost = share(*each, area);
            match (usual, steps) {
                (Some(usual), Some(asked)) if u64::from(*usual) < asked => {
                    cost.saturating_mul(asked) / u64::from(*usual).max(1)
                }
                _ => cost,
            }
        }
        Price::FirstMegapixel { first, further, input } => {
            let beyond = share(*further, area.saturating_sub(MEGAPIXEL));
            first.0.saturating_add(beyond).saturating_add(share(*input, inputs))
        }
    };
    Usd(each.saturating_mul(u64::from(count)))
}

/// The sizes in the words of a refusal.
pub(crate) fn sizes(pixels: &Pixels) -> String {
    match pixels {
        Pixels::Listed(sizes) => {
            let sizes = sizes.iter().map(|it| format!("'{}x{}'", it.width, it.height));
            sizes.collect::<Vec<_>>().join(", ")
        }
        Pixels::None | Pixels::Range { .. } => pixels.to_string(),
    }
}
