//! Colours as the eye orders them: OKLab (Björn Ottosson, 2020), to and from the bytes of sRGB.
//!
//! Only `+ - * /` and `sqrt`, roots by Newton's steps: the same bytes on every machine.

/// Lightness from 0 to 1, then green to red and blue to yellow, each about -0.4 to 0.4.
pub(crate) type Lab = [f32; 3];

/// The tables between bytes and light.
pub(crate) struct Eye {
    light: [f32; 256],
    /// The byte of a light, by its square root: dark steps are narrow.
    bytes: Vec<u8>,
}

impl Eye {
    pub(crate) fn new() -> Self {
        let light = std::array::from_fn(|it| light(it as f64) as f32);
        let mut bytes = Vec::with_capacity(STEPS + 1);
        let (mut byte, mut end) = (0_u8, light_between(0));
        for step in 0..=STEPS {
            let root = step as f64 / STEPS as f64;
            while byte < 255 && end < root * root {
                byte += 1;
                end = light_between(byte);
            }
            bytes.push(byte);
        }
        Self { light, bytes }
    }

    pub(crate) fn lab(&self, rgb: [u8; 3]) -> Lab {
        let [red, green, blue] = rgb.map(|it| self.light[usize::from(it)]);
        let long = root(0.412_221_46 * red + 0.536_332_55 * green + 0.051_445_995 * blue);
        let middle = root(0.211_903_5 * red + 0.680_699_5 * green + 0.107_396_96 * blue);
        let short = root(0.088_302_46 * red + 0.281_718_85 * green + 0.629_978_7 * blue);
        [
            0.210_454_26 * long + 0.793_617_8 * middle - 0.004_072_047 * short,
            1.977_998_5 * long - 2.428_592_2 * middle + 0.450_593_7 * short,
            0.025_904_037 * long + 0.782_771_77 * middle - 0.808_675_77 * short,
        ]
    }

    /// The bytes of a colour; what the screen cannot show gives way in colour, not in light or hue.
    pub(crate) fn rgb(&self, [light, a, b]: Lab) -> [u8; 3] {
        let light = light.clamp(0.0, 1.0);
        let mut lights = self::lights([light, a, b]);
        if !shown(&lights) {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..HALVINGS {
                let middle = 0.5 * (low + high);
                match shown(&self::lights([light, a * middle, b * middle])) {
                    true => low = middle,
                    false => high = middle,
                }
            }
            // The last bit of the way is straight enough to be mixed with grey.
            let inner = self::lights([light, a * low, b * low]);
            let outer = self::lights([light, a * high, b * high]);
            let room = |(inner, outer): (f32, f32)| match outer - inner {
                up if 1.0 < outer => (1.0 - inner) / up,
                down if outer < 0.0 => inner / -down,
                _ => 1.0,
            };
            let share = inner.into_iter().zip(outer).map(room).fold(1.0, f32::min).max(0.0);
            lights = std::array::from_fn(|i| inner[i] + (outer[i] - inner[i]) * share);
        }
        lights.map(|it| {
            let step = (it.clamp(0.0, 1.0).sqrt() * STEPS as f32 + 0.5) as usize;
            self.bytes[step.min(STEPS)]
        })
    }
}

/// The strength of a colour.
pub(crate) fn chroma([_, a, b]: Lab) -> f32 {
    (a * a + b * b).sqrt()
}

/// The hue of a colour in degrees, 0 to 360; good to a hundredth.
pub(crate) fn hue([_, a, b]: Lab) -> f32 {
    let (wide, high) = (a.abs(), b.abs());
    let (less, more) = if wide < high { (wide, high) } else { (high, wide) };
    let slope = if more > 0.0 { less / more } else { 0.0 };
    // Abramowitz and Stegun, 4.4.49.
    let s = slope * slope;
    let turn = slope
        * (0.999_866 + s * (-0.330_299_5 + s * (0.180_141 + s * (-0.085_133 + s * 0.020_835_1))));
    let turn = turn * (180.0 / std::f32::consts::PI);
    let turn = if wide < high { 90.0 - turn } else { turn };
    match (a < 0.0, b < 0.0) {
        (false, false) => turn,
        (true, false) => 180.0 - turn,
        (true, true) => 180.0 + turn,
        (false, true) => (360.0 - turn) % 360.0,
    }
}

/// How far hues are apart, -180 to 180: positive where `to` lies ahead of `from`.
pub(crate) fn turn(from: f32, to: f32) -> f32 {
    (to - from + 540.0) % 360.0 - 180.0
}

/// 0 below 0, 1 above 1, an S between.
pub(crate) fn smooth(value: f32) -> f32 {
    let value = value.clamp(0.0, 1.0);
    value * value * (3.0 - 2.0 * value)
}

fn lights([light, a, b]: Lab) -> [f32; 3] {
    let cube = |it: f32| it * it * it;
    let long = cube(light + 0.396_337_78 * a + 0.215_803_76 * b);
    let middle = cube(light - 0.105_561_346 * a - 0.063_854_17 * b);
    let short = cube(light - 0.089_484_18 * a - 1.291_485_5 * b);
    [
        4.076_741_7 * long - 3.307_711_6 * middle + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * middle - 0.341_319_4 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * middle + 1.707_614_7 * short,
    ]
}

fn shown(lights: &[f32; 3]) -> bool {
    // White and the primaries lie a rounding error outside.
    lights.iter().all(|it| (-0.000_5..=1.000_5).contains(it))
}

/// The light of a byte of sRGB, or of a place between two bytes.
fn light(byte: f64) -> f64 {
    let value = byte / 255.0;
    if value <= 0.040_45 {
        return value / 12.92;
    }
    let base = (value + 0.055) / 1.055;
    // base to the power of 2.4: its square, and the fifth root of that.
    let square = base * base;
    let mut fifth = 1.0;
    for _ in 0..20 {
        let fourth = fifth * fifth * fifth * fifth;
        fifth -= (fourth * fifth - square) / (5.0 * fourth);
    }
    square * fifth
}

/// Where a byte ends and the next begins.
fn light_between(byte: u8) -> f64 {
    light(f64::from(byte) + 0.5)
}

/// The cube root, by a guess from the exponent and Halley's steps.
fn root(value: f32) -> f32 {
    if value < 1e-9 {
        return 0.0;
    }
    let mut root = f32::from_bits(value.to_bits() / 3 + 0x2a51_37a0);
    for _ in 0..2 {
        let cube = root * root * root;
        root *= (cube + 2.0 * value) / (2.0 * cube + value);
    }
    root
}

const STEPS: usize = 4095;

/// How often the way out of what can be shown is halved.
const HALVINGS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_comes_back() {
        let eye = Eye::new();
        for at in (0..1 << 24).step_by(61) {
            let rgb = [(at >> 16) as u8, (at >> 8) as u8, at as u8];
            assert_eq!(eye.rgb(eye.lab(rgb)), rgb);
        }
    }

    #[test]
    fn the_primaries_have_the_published_values() {
        // ref: <https://bottosson.github.io/posts/oklab/> and CSS Color 4, 2026-11-24
        let eye = Eye::new();
        let near = |got: f32, wanted: f32, by: f32| assert!((got - wanted).abs() < by, "{got}");
        for (rgb, light, strength, angle) in [
            ([255, 0, 0], 0.628, 0.2577, 29.23),
            ([0, 255, 0], 0.8664, 0.2948, 142.5),
            ([0, 0, 255], 0.452, 0.3132, 264.05),
        ] {
            let lab = eye.lab(rgb);
            near(lab[0], light, 0.001);
            near(chroma(lab), strength, 0.001);
            near(hue(lab), angle, 0.1);
        }
        near(eye.lab([255; 3])[0], 1.0, 1e-4);
        near(chroma(eye.lab([128; 3])), 0.0, 1e-4);
    }

    /// The same bytes on every machine: if this fails on one of them only, a function whose result the
    /// machine may choose came in.
    #[test]
    fn the_bytes_are_those_of_every_machine() {
        let eye = Eye::new();
        let sum = (0..1_u32 << 24).step_by(1009).fold(0_u32, |sum, at| {
            let [light, a, b] = eye.lab([(at >> 16) as u8, (at >> 8) as u8, at as u8]);
            let [red, green, blue] = eye.rgb([light * 0.9, 1.7 * b, -1.3 * a]);
            let angle = (hue([light, a, b]) * 100.0) as u32;
            (sum ^ u32::from_be_bytes([0, red, green, blue]) ^ angle).wrapping_mul(0x9e37_79b1)
        });
        assert_eq!(sum, 1_300_217_100);
    }

    #[test]
    fn what_cannot_be_shown_keeps_its_hue() {
        let eye = Eye::new();
        let strong = [0.6, 0.3, 0.2];
        let shown = eye.lab(eye.rgb(strong));
        assert!(turn(hue(strong), hue(shown)).abs() < 3.0);
        assert!((shown[0] - 0.6).abs() < 0.02 && chroma(shown) < chroma(strong));
    }
}
