//! Digits as strokes of a round pen: no font is needed for the numbers 1 to 8.

/// A digit, around its middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digit(&'static [&'static [[f32; 2]]]);

impl Digit {
    /// The last digit of a number; nobody is given more than eight pictures to number.
    pub(crate) fn of(number: usize) -> Self {
        Self(DIGITS[(number.max(1) - 1) % DIGITS.len()])
    }

    /// How far a place is from the ink, in parts of the disc's width; negative inside.
    pub(crate) fn away(self, x: f32, y: f32) -> f32 {
        let (x, y) = (x / HEIGHT + 0.3, y / HEIGHT + 0.5);
        let mut nearest = f32::MAX;
        for pair in self.0.iter().flat_map(|stroke| stroke.windows(2)) {
            let ([ax, ay], [bx, by]) = (pair[0], pair[1]);
            let (dx, dy) = (bx - ax, by - ay);
            let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy);
            let along = along.clamp(0.0, 1.0);
            let (ox, oy) = (x - ax - along * dx, y - ay - along * dy);
            nearest = nearest.min(ox * ox + oy * oy);
        }
        (nearest.sqrt() - PEN) * HEIGHT
    }
}

/// The height of a digit, in parts of the disc's width, and half the width of the pen in parts of that.
const HEIGHT: f32 = 0.56;
const PEN: f32 = 0.075;

/// In a box 0.6 wide and 1 high, from the top left.
const DIGITS: [&[&[[f32; 2]]]; 8] = [
    &[&[[0.14, 0.22], [0.35, 0.06], [0.35, 0.94]]],
    &[&[
        [0.07, 0.27],
        [0.11, 0.16],
        [0.19, 0.09],
        [0.31, 0.06],
        [0.43, 0.09],
        [0.51, 0.17],
        [0.54, 0.28],
        [0.51, 0.4],
        [0.44, 0.51],
        [0.07, 0.94],
        [0.55, 0.94],
    ]],
    &[&[
        [0.08, 0.2],
        [0.16, 0.1],
        [0.28, 0.06],
        [0.41, 0.08],
        [0.49, 0.16],
        [0.51, 0.27],
        [0.47, 0.38],
        [0.39, 0.44],
        [0.26, 0.46],
        [0.4, 0.48],
        [0.5, 0.55],
        [0.54, 0.67],
        [0.52, 0.79],
        [0.44, 0.89],
        [0.31, 0.94],
        [0.17, 0.91],
        [0.07, 0.81],
    ]],
    &[&[[0.43, 0.94], [0.43, 0.06], [0.04, 0.68], [0.57, 0.68]]],
    &[&[
        [0.5, 0.06],
        [0.15, 0.06],
        [0.1, 0.46],
        [0.2, 0.39],
        [0.33, 0.38],
        [0.46, 0.44],
        [0.53, 0.55],
        [0.54, 0.69],
        [0.49, 0.82],
        [0.4, 0.91],
        [0.28, 0.94],
        [0.16, 0.91],
        [0.06, 0.82],
    ]],
    &[&[
        [0.45, 0.06],
        [0.26, 0.25],
        [0.13, 0.44],
        [0.07, 0.6],
        [0.07, 0.74],
        [0.12, 0.85],
        [0.2, 0.92],
        [0.31, 0.94],
        [0.42, 0.91],
        [0.5, 0.83],
        [0.54, 0.7],
        [0.51, 0.57],
        [0.44, 0.48],
        [0.32, 0.43],
        [0.2, 0.46],
        [0.11, 0.54],
        [0.07, 0.66],
    ]],
    &[&[[0.06, 0.06], [0.56, 0.06], [0.22, 0.94]]],
    &[&[
        [0.3, 0.46],
        [0.18, 0.42],
        [0.11, 0.34],
        [0.1, 0.22],
        [0.15, 0.12],
        [0.23, 0.07],
        [0.3, 0.06],
        [0.37, 0.07],
        [0.45, 0.12],
        [0.5, 0.22],
        [0.49, 0.34],
        [0.42, 0.42],
        [0.3, 0.46],
        [0.16, 0.51],
        [0.08, 0.6],
        [0.06, 0.71],
        [0.1, 0.83],
        [0.19, 0.91],
        [0.3, 0.94],
        [0.41, 0.91],
        [0.5, 0.83],
        [0.54, 0.71],
        [0.52, 0.6],
        [0.44, 0.51],
        [0.3, 0.46],
    ]],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digit_has_ink_and_fits_its_disc() {
        for number in 1..=8 {
            let digit = Digit::of(number);
            let at = |it: i32| it as f32 / 100.0;
            let ink = (-50..=50).flat_map(|y| (-50..=50).map(move |x| (at(x), at(y))));
            let ink: Vec<_> = ink.filter(|(x, y)| digit.away(*x, *y) < 0.0).collect();
            assert!(ink.len() > 100, "{number}");
            assert!(ink.iter().all(|(x, y)| x * x + y * y < 0.2), "{number}");
        }
    }
}
