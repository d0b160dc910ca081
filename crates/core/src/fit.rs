//! The size that an offer makes which is closest to the one that was asked for.

use crate::size::{distance, gcd};
use crate::{Bounds, Dimensions, Pixels, Ratio, Ratios};

/// A picture without a size of its own has about so many pixels: 1024 by 1024.
pub(crate) const MEGAPIXEL: u64 = 1 << 20;

/// Pixels of exactly this shape: of all that can be asked for the most that are no more than a
/// megapixel, since more cost more, and else the fewest.
pub(crate) fn exact(ratio: Ratio, pixels: &Pixels) -> Option<Dimensions> {
    match pixels {
        Pixels::None => None,
        Pixels::Listed(sizes) => {
            let same = sizes.iter().filter(|it| it.is(ratio));
            same.copied().min_by_key(about_a_megapixel)
        }
        Pixels::Range { side, step, .. } => {
            let (width, height) = (u32::from(ratio.width), u32::from(ratio.height));
            let divisor = gcd(width, height);
            let (width, height) = (width / divisor, height / divisor);
            // Both sides must be multiples of the step.
            let (a, b) = (step / gcd(*step, width), step / gcd(*step, height));
            let unit = a / gcd(a, b) * b;
            let most = side.max / unit.checked_mul(width.max(height))?;
            let sizes = (1..=most)
                .map(|it| Dimensions { width: width * unit * it, height: height * unit * it });
            sizes.filter(|it| pixels.contains(*it)).min_by_key(about_a_megapixel)
        }
    }
}

fn about_a_megapixel(size: &Dimensions) -> (bool, u64) {
    (MEGAPIXEL < size.area(), size.area().abs_diff(MEGAPIXEL))
}

/// The closest in shape, and among those in area.
pub(crate) fn nearest_pixels(quotient: f64, area: u64, pixels: &Pixels) -> Option<Dimensions> {
    match pixels {
        Pixels::None => None,
        Pixels::Listed(sizes) => sizes.iter().copied().min_by(|a, b| {
            let far = |it: &Dimensions| distance(it.quotient(), quotient);
            let off = |it: &Dimensions| distance(it.area() as f64, area as f64);
            far(a).total_cmp(&far(b)).then(off(a).total_cmp(&off(b)))
        }),
        Pixels::Range { side, step, area: areas } => {
            let area = (area.clamp(areas.min.max(1), areas.max)) as f64;
            let (width, height) = ((area * quotient).sqrt(), (area / quotient).sqrt());
            // A side beyond the range is cut down with the other, so that the shape stays.
            let down = (f64::from(side.max) / width.max(height)).min(1.0);
            let up = (f64::from(side.min) / width.min(height)).max(1.0);
            let fit = |length: f64| {
                let steps = (length * down * up / f64::from(*step)).round() as u32;
                snap(steps.saturating_mul(*step), *side, *step)
            };
            let (mut width, mut height) = (fit(width), fit(height));
            // Rounding up may have gone beyond the area.
            while areas.max < u64::from(width) * u64::from(height)
                && side.min + step <= width.max(height)
            {
                if width < height { height -= step } else { width -= step }
            }
            Some(Dimensions { width, height }).filter(|it| pixels.contains(*it))
        }
    }
}

fn snap(length: u32, side: Bounds<u32>, step: u32) -> u32 {
    let least = side.min.div_ceil(step) * step;
    let most = side.max / step * step;
    length.clamp(least, most.max(least))
}

/// The closest shape that can be asked for.
pub(crate) fn nearest_ratio(quotient: f64, ratios: &Ratios) -> Option<Ratio> {
    let closest = |ratios: &[Ratio]| {
        let far = |it: &Ratio| distance(it.quotient(), quotient);
        ratios.iter().copied().min_by(|a, b| far(a).total_cmp(&far(b)))
    };
    match ratios {
        Ratios::None => None,
        Ratios::Listed(listed) => closest(listed),
        Ratios::Between { .. } => {
            let usual: Vec<Ratio> =
                USUAL.iter().copied().filter(|it| ratios.contains(*it)).collect();
            closest(&usual)
        }
    }
}

/// Shapes that people ask for by name.
const USUAL: &[Ratio] = &[
    Ratio::new(21, 9),
    Ratio::new(2, 1),
    Ratio::new(16, 9),
    Ratio::new(3, 2),
    Ratio::new(4, 3),
    Ratio::new(5, 4),
    Ratio::new(1, 1),
    Ratio::new(4, 5),
    Ratio::new(3, 4),
    Ratio::new(2, 3),
    Ratio::new(9, 16),
    Ratio::new(1, 2),
    Ratio::new(9, 21),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{List, between};

    const RANGE: Pixels =
        Pixels::Range { side: between(256, 1920), step: 16, area: between(1, 4 << 20) };

    #[test]
    fn a_ratio_has_exact_pixels_where_the_step_allows() {
        let size = |w, h| exact(Ratio::new(w, h), &RANGE).map(|it| it.to_string());
        assert_eq!(size(16, 9).as_deref(), Some("1280x720"));
        assert_eq!(size(4, 3).as_deref(), Some("1152x864"));
        assert_eq!(size(1, 1).as_deref(), Some("1024x1024"));
        assert_eq!(size(121, 119), None);
    }

    #[test]
    fn the_nearest_is_never_inverted() {
        let ratios = Ratios::Listed(List(USUAL));
        for (width, height, wanted) in
            [(1024, 768, "4:3"), (1920, 1080, "16:9"), (1080, 1920, "9:16")]
        {
            let quotient = f64::from(width) / f64::from(height);
            assert_eq!(
                nearest_ratio(quotient, &ratios).map(|it| it.to_string()),
                Some(wanted.into())
            );
        }
    }
}
