//! A count above what an offer makes in a call, as several calls that lose nothing.

use repaint_core::{Adaptation, Bounds, ImageRequest, Offer};
use serde_json::{Value, json};

/// More calls are a slip of the finger rather than a wish.
const MOST_CALLS: u32 = 100;

/// How the pictures of a request are spread over calls, as evenly as can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Split {
    /// How many calls.
    pub(crate) calls: u32,
    /// How many pictures the larger calls make; the others make one less.
    pub(crate) most: u32,
    /// How many calls are of the larger kind.
    pub(crate) larger: u32,
}

impl Split {
    /// How an offer makes so many pictures. What it would refuse anyway stays one call.
    pub(crate) fn of(count: u32, offer: &Offer) -> Self {
        let whole = Self { calls: 1, most: count, larger: 1 };
        let Bounds { min, max } = offer.accepts.count.value;
        // A filter makes the same picture each time.
        if count <= max || max == 0 || !offer.generative {
            return whole;
        }
        let calls = count.div_ceil(max);
        let (least, larger) = (count / calls, count % calls);
        match larger {
            _ if MOST_CALLS < calls || least < min => whole,
            0 => Self { calls, most: least, larger: calls },
            larger => Self { calls, most: least + 1, larger },
        }
    }

    /// How many pictures each call makes.
    pub(crate) fn counts(self) -> impl Iterator<Item = u32> {
        (0..self.calls).map(move |it| if it < self.larger { self.most } else { self.most - 1 })
    }

    /// The request of each call. Equal seeds would give equal pictures, so each has the next one.
    pub(crate) fn requests(self, request: &ImageRequest, offer: &Offer) -> Vec<ImageRequest> {
        let range = offer.accepts.seed.value;
        let part = |(index, count): (u32, u32)| {
            let seed = request.seed.map(|it| next(it, index, range));
            ImageRequest { count, seed, ..request.clone() }
        };
        (0..).zip(self.counts()).map(part).collect()
    }

    /// What is written down of it.
    pub(crate) fn adaptations(self, request: &ImageRequest, offer: &Offer) -> Vec<Adaptation> {
        if self.calls == 1 {
            return Vec::new();
        }
        let split = |field: &str, from: Value, to: Vec<Value>| {
            let (field, method) = (field.to_owned(), "split".to_owned());
            Adaptation { field, method, from, to: to.into() }
        };
        let counts = self.counts().map(Value::from).collect();
        let mut all = vec![split("count", request.count.into(), counts)];
        if let (Some(seed), Some(_)) = (request.seed, offer.accepts.seed.value) {
            let seeds = self.requests(request, offer);
            let seeds = seeds.iter().map(|it| json!(it.seed)).collect();
            all.push(split("seed", seed.into(), seeds));
        }
        all
    }
}

/// The seed of a later call; after the greatest comes the least.
fn next(seed: u64, index: u32, range: Option<Bounds<u64>>) -> u64 {
    let Some(Bounds { min, max }) = range.filter(|it| it.contains(&seed)) else { return seed };
    let (from, seeds) = (u128::from(seed - min), u128::from(max - min) + 1);
    let offset = (from + u128::from(index)) % seeds;
    min.saturating_add(u64::try_from(offset).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use repaint_core::{Capabilities, Price, between};
    use repaint_testkit::made_up;

    use super::*;

    fn offer(min: u32, max: u32) -> Offer {
        let accepts = Capabilities {
            count: made_up(between(min, max)),
            seed: made_up(Some(between(0, 9))),
            ..Capabilities::NONE
        };
        Offer::new("a", "a", accepts, made_up(Price::Free))
    }

    fn counts(count: u32, min: u32, max: u32) -> Vec<u32> {
        Split::of(count, &offer(min, max)).counts().collect()
    }

    #[test]
    fn pictures_are_spread_evenly_and_none_is_lost() {
        assert_eq!(counts(4, 1, 4), [4]);
        assert_eq!(counts(5, 1, 4), [3, 2]);
        assert_eq!(counts(3, 1, 1), [1, 1, 1]);
        assert_eq!(counts(10, 1, 4), [4, 3, 3]);
        for count in 1..=400 {
            let counts = counts(count, 1, 4);
            assert_eq!(counts.iter().sum::<u32>(), count);
            assert!(counts.iter().all(|it| (1..=4).contains(it)), "{count}: {counts:?}");
        }
    }

    #[test]
    fn what_cannot_be_spread_stays_whole() {
        assert_eq!(counts(401, 1, 4), [401]);
        assert_eq!(counts(5, 3, 4), [5]);
        assert_eq!(counts(u32::MAX, 1, 1), [u32::MAX]);
    }

    #[test]
    fn seeds_go_on_and_round() {
        let request = ImageRequest { count: 3, seed: Some(8), ..ImageRequest::new("x") };
        let offer = offer(1, 1);
        let split = Split::of(3, &offer);
        let seeds: Vec<_> =
            split.requests(&request, &offer).iter().filter_map(|it| it.seed).collect();
        assert_eq!(seeds, [8, 9, 0]);
        let said = split.adaptations(&request, &offer);
        assert_eq!(said[0].to, json!([1, 1, 1]));
        assert_eq!(said[1].to, json!([8, 9, 0]));
    }
}
