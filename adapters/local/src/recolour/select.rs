//! Which pixels are to change: those of one colour, with soft edges.

use super::words::Dye;
use crate::oklab::{Eye, Lab, chroma, hue, smooth, turn};

/// The pixels that are to change.
#[derive(Debug, PartialEq)]
pub(crate) enum Selection {
    /// All: a mask says which.
    All,
    /// Those of no colour, and of about this light.
    Grey { light: f32 },
    /// Those of about this hue, if their colour is strong enough.
    Hue {
        /// In degrees.
        middle: f32,
        /// How far it reaches, in degrees.
        reach: f32,
        /// The light at which the strength is meant: a shadow on the same paint is as much duller as it
        /// is darker.
        light: f32,
        /// The strength below which nothing is selected, and from which all is.
        strength: [f32; 2],
    },
}

impl Selection {
    /// What to change of a picture with such colours.
    pub(crate) fn of(
        samples: &[(Lab, f32)],
        from: Option<&'static Dye>,
        masked: bool,
        eye: &Eye,
    ) -> Result<Self, String> {
        match from {
            None if masked => Ok(Self::All),
            Some(dye) => {
                let lab = eye.lab(dye.rgb);
                let selection = match chroma(lab) < GREYS {
                    true => Self::Grey { light: lab[0] },
                    false => Self::hue(samples, Some(hue(lab))),
                };
                let found = selection.part(samples);
                if found < LEAST {
                    let other = Self::hue(samples, None);
                    let instead = match other.part(samples) < LEAST {
                        true => "it has hardly any colour",
                        false => &format!("most of its colour is {}", other.name(samples)),
                    };
                    return Err(format!("has no {} that could be replaced: {instead}", dye.name));
                }
                Ok(selection)
            }
            None => {
                let selection = Self::hue(samples, None);
                if selection.part(samples) < LEAST {
                    return Err(
                        "has hardly any colour that could be selected: give a mask, or name \
                                white, grey or black as the colour to replace"
                            .to_owned(),
                    );
                }
                Ok(selection)
            }
        }
    }

    /// How much of a pixel is selected, 0 to 1.
    pub(crate) fn share(&self, lab: Lab) -> f32 {
        match self {
            Self::All => 1.0,
            Self::Grey { light } => {
                let near = 1.0 - smooth(((lab[0] - light).abs() - 0.12) / 0.12);
                // Black is black also where it is blacker, and white where it is whiter.
                let beyond =
                    (*light < 0.3 && lab[0] < *light) || (0.85 < *light && *light < lab[0]);
                let near = if beyond { 1.0 } else { near };
                near * (1.0 - smooth((chroma(lab) - 0.035) / 0.03))
            }
            Self::Hue { middle, reach, light, strength: [low, high] } => {
                let lit = chroma(lab) * (light / lab[0].max(0.05)).clamp(1.0, 1.8);
                let strong = smooth((lit - low) / (high - low));
                if strong == 0.0 {
                    return 0.0;
                }
                let away = turn(*middle, hue(lab)).abs();
                strong * (1.0 - smooth((away - reach) / FALL))
            }
        }
    }

    /// The hue that the picture has most of, or most of near a wanted one.
    fn hue(samples: &[(Lab, f32)], wanted: Option<f32>) -> Self {
        let mut counts = [0.0_f64; HUES];
        for (lab, weight) in samples {
            let strength = chroma(*lab);
            if WEAK < strength {
                let at = (hue(*lab) / STEP) as usize % HUES;
                counts[at] += f64::from(strength * strength * weight);
            }
        }
        let around = |at: usize, steps: usize| (at + HUES + steps - 3) % HUES;
        // A hue counts with its neighbours, so that a broad hill beats a narrow spike.
        let hills: [f64; HUES] = std::array::from_fn(|at| {
            let weights = [1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0];
            weights.iter().enumerate().map(|(i, it)| it * counts[around(at, i)]).sum()
        });
        let degrees = |at: usize| (at as f32 + 0.5) * STEP;
        let allowed = |at: &usize| wanted.is_none_or(|it| turn(it, degrees(*at)).abs() <= NEAR);
        let top = (0..HUES).filter(allowed).max_by(|a, b| hills[*a].total_cmp(&hills[*b]));
        let top = top.unwrap_or(0);
        let down = |sign: usize| {
            let steps = (1..=MOST)
                .take_while(|it| hills[(top + HUES + sign * it) % HUES] > FOOT * hills[top]);
            steps.count()
        };
        let (after, before) = (down(1), down(HUES - 1));
        let middle = degrees(top) + STEP * 0.5 * (after as f32 - before as f32);
        let reach = STEP * (0.5 * (after + before) as f32 + 1.0);
        let middle = (middle + 360.0) % 360.0;
        // The typical strength in there: duller parts of the same hue are something else.
        let (mut sum, mut lights, mut squares) = (0.0, 0.0, 1e-9);
        for (lab, weight) in samples {
            let strength = f64::from(chroma(*lab));
            if f64::from(WEAK) < strength && turn(middle, hue(*lab)).abs() <= reach {
                let squared = strength * strength * f64::from(*weight);
                sum += strength * squared;
                lights += f64::from(lab[0]) * squared;
                squares += squared;
            }
        }
        let typical = ((sum / squares) as f32).max(2.0 * WEAK);
        let light = (lights / squares) as f32;
        Self::Hue { middle, reach, light, strength: [0.3 * typical, 0.6 * typical] }
    }

    /// How much of the samples is selected, 0 to 1.
    fn part(&self, samples: &[(Lab, f32)]) -> f32 {
        let (mut part, mut all) = (0.0_f64, 0.0_f64);
        for (lab, weight) in samples {
            part += f64::from(weight * self.share(*lab));
            all += f64::from(*weight);
        }
        if all > 0.0 { (part / all) as f32 } else { 0.0 }
    }

    /// What the selected colour is called.
    fn name(&self, samples: &[(Lab, f32)]) -> &'static str {
        let (mut sum, mut weights) = ([0.0_f64; 3], 1e-9);
        for (lab, weight) in samples {
            let share = f64::from(weight * self.share(*lab));
            (0..3).for_each(|i| sum[i] += share * f64::from(lab[i]));
            weights += share;
        }
        named(sum.map(|it| (it / weights) as f32))
    }
}

/// What a colour is called, by hue rather than by light: a shadow on red paint is red.
pub(crate) fn named(lab: Lab) -> &'static str {
    if chroma(lab) < 0.035 {
        return match lab[0] {
            ..0.35 => "black",
            0.85.. => "white",
            _ => "grey",
        };
    }
    let angle = hue(lab);
    // Each name reaches from where the last one ends.
    let name = NAMES.iter().find(|(end, _)| angle < *end).map_or("red", |(_, name)| name);
    match name {
        "orange" if lab[0] < 0.55 => "brown",
        name => name,
    }
}

/// Where on the circle of hues each name ends, in degrees.
const NAMES: &[(f32, &str)] = &[
    (10.0, "pink"),
    (40.0, "red"),
    (80.0, "orange"),
    (118.0, "yellow"),
    (168.0, "green"),
    (222.0, "teal"),
    (285.0, "blue"),
    (335.0, "purple"),
    (360.0, "pink"),
];

const HUES: usize = 72;
/// Degrees between hues.
const STEP: f32 = 5.0;
/// How far a hue may be from the one that is wanted, in degrees.
const NEAR: f32 = 25.0;
/// How many steps a hill may reach down on either side, and how low.
const MOST: usize = 6;
const FOOT: f64 = 0.15;
/// Beyond its reach, a selection falls to nothing in so many degrees.
const FALL: f32 = 14.0;
/// Below this strength a hue is noise.
const WEAK: f32 = 0.03;
/// Named colours below this strength are greys.
const GREYS: f32 = 0.02;
/// A selection of less than this part of the picture is none.
const LEAST: f32 = 0.000_2;
