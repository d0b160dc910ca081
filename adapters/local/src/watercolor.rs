//! The watercolour: a picture repainted as washes of pigment on paper, by arithmetic alone.
//!
//! Four steps. An anisotropic Kuwahara filter (Kyprianidis, Kang and Döllner, 2009 and 2010) turns
//! the picture into flat patches that follow its lines; their tones are gathered into a few washes;
//! pigment is thickened and thinned over them (Bousseau and others, 2006); paper shows through.
//! Only `+ - * /` and `sqrt` on floats: the same seed gives the same bytes on every machine.

mod words;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::filter::{Files, Filter, Painted, Task};
use crate::oklab::smooth;
use crate::picture::Picture;
pub(crate) use words::VOCABULARY;

pub(crate) const FILTER: Filter = Filter { show, make };

fn show(_: &Task, _: &mut Map<String, Value>) {}

fn make(task: &Task, files: Files) -> Result<Painted, String> {
    let file = files.images.first().ok_or("there is no image to paint")?;
    let (picture, notes) = task.decode(0, file, WORKING_PIXELS)?;
    Ok(Painted { notes, picture: paint(&picture, &words::brush(&task.words, task.seed)) })
}

/// The most pixels that are worked on: beyond, memory and patience run out before the eye gains.
const WORKING_PIXELS: u64 = 4_000_000;

/// How the picture is painted. Lengths follow the picture's size, so a thumbnail and a large print
/// of one picture look alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Brush {
    /// Width of unpainted paper around the picture, in hundredths of its shorter side; 0 for none.
    pub(crate) border: f32,
    /// Strength of the pigment, 0.5 (pale) to 1.5 (dark).
    pub(crate) depth: f32,
    /// How much pigment gathers at the borders of washes, 0 to 2.
    pub(crate) edges: f32,
    /// How much pigment settles in the valleys of the paper, 0 to 2.
    pub(crate) granulation: f32,
    /// Height of the paper's grain, 0 (hot pressed) to 2 (rough).
    pub(crate) roughness: f32,
    pub(crate) seed: u64,
    /// Radius of a stroke, in hundredths of the picture's middle side (`sqrt(width * height)`).
    pub(crate) stroke: f32,
    /// Saturation, 1 for the picture's own.
    pub(crate) vividness: f32,
    /// How evenly tones gather into washes, 0 (as in the picture) to 1 (a few flat washes).
    pub(crate) washes: f32,
    /// How far water carries the pigment: unsteady borders, clouds and blooms, 0 to 2.
    pub(crate) wetness: f32,
    /// How readily highlights are left as bare paper, 0 to 1.
    pub(crate) whites: f32,
}

impl Default for Brush {
    fn default() -> Self {
        Self {
            border: 0.0,
            depth: 1.0,
            edges: 1.0,
            granulation: 1.0,
            roughness: 1.0,
            seed: 0,
            stroke: 0.9,
            vividness: 1.25,
            washes: 0.6,
            wetness: 1.0,
            whites: 0.5,
        }
    }
}

/// Paints `picture`; its size, transparency and colour profile stay.
pub(crate) fn paint(picture: &Picture, brush: &Brush) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    if width == 0 || height == 0 {
        return picture.clone();
    }
    let sheet = Sheet { width, height, unit: (width as f32 * height as f32).sqrt() / 100.0 };
    let picture = &sheet.mounted(picture, brush);
    let radius = (brush.stroke * sheet.unit).max(1.4);
    let source = sheet.wobbled(&opaque(picture), radius, brush);
    let patches = sheet.patches(&source, radius, brush);
    let washes = sheet.washes(&patches, brush);
    let density = sheet.density(&washes, radius, brush);
    let paper = sheet.paper(brush);
    let pixels = sheet.finish(&washes, &density, &paper, brush);
    Picture {
        alpha: picture.alpha.clone(),
        height: picture.height,
        pixels,
        profile: picture.profile.clone(),
        width: picture.width,
    }
}

/// Red, green, blue and brightness, each 0 to 1 and encoded as in the file.
type Colour = [f32; 4];

/// The size of the picture at work, and its unit of length.
struct Sheet {
    width: usize,
    height: usize,
    /// A hundredth of the middle side, in pixels.
    unit: f32,
}

impl Sheet {
    /// The picture on a sheet of its own size with a margin: what lies at its edge is not painted over,
    /// but moves in.
    fn mounted<'a>(&self, picture: &'a Picture, brush: &Brush) -> Cow<'a, Picture> {
        // The ragged edge of the brush takes a little more than the margin.
        let margin = (1.2 * self.margin(brush)) as usize;
        if margin == 0 || self.width.min(self.height) < 2 * margin + 2 {
            return Cow::Borrowed(picture);
        }
        let (wide, high) = (self.width - 2 * margin, self.height - 2 * margin);
        let small = picture.sized(wide as u32, high as u32);
        // Beyond its edge it is mirrored, for the brush to run into.
        let at = |x: usize, y: usize| {
            let inside = |at: usize, side: usize| {
                let far = (at.abs_diff(margin)).min(2 * (side - 1));
                far.min(2 * (side - 1) - far)
            };
            inside(y, high) * wide + inside(x, wide)
        };
        let places = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let alpha = small.alpha.as_ref().map(|alpha| {
            let free = |at: usize, side: usize| at < margin || side - margin <= at;
            let seen = |(x, y): (usize, usize)| {
                if free(x, self.width) || free(y, self.height) { 255 } else { alpha[at(x, y)] }
            };
            places.clone().map(seen).collect()
        });
        let pixels = places.map(|(x, y)| small.pixels[at(x, y)]).collect();
        Cow::Owned(Picture { alpha, pixels, profile: small.profile, ..*picture })
    }

    /// The width of unpainted paper, in pixels.
    fn margin(&self, brush: &Brush) -> f32 {
        brush.border * self.width.min(self.height) as f32 / 100.0
    }

    /// The picture as an unsteady hand sees it: every line is bent a little.
    fn wobbled(&self, source: &[Colour], radius: f32, brush: &Brush) -> Vec<Colour> {
        let reach = radius * 0.3 * brush.wetness.sqrt();
        let (coarse, fine) = (1.0 / (radius * 7.0), 1.0 / (radius * 2.0).max(3.0));
        let seed = seed(brush, 1);
        self.each(|x, y| {
            let (fx, fy) = (x as f32, y as f32);
            let bend = |seed| {
                noise(fx * coarse, fy * coarse, seed) * 1.6
                    + noise(fx * fine, fy * fine, seed ^ 9) * 0.4
            };
            self.between(source, fx + reach * bend(seed), fy + reach * bend(seed ^ 77))
        })
    }

    /// Flat patches that follow the lines of the picture.
    fn patches(&self, source: &[Colour], radius: f32, brush: &Brush) -> Vec<Colour> {
        // One sample stands for a small square, so that the squares are averaged beforehand.
        let spacing = radius * FINE / LATTICE;
        let blurred = self.blur(source, (spacing * 0.5) as usize);
        let flow = self.flow(&blurred, radius);
        let stencil = Stencil::new();
        let brushed = |plane: &[Colour], radius| {
            self.each(|x, y| stencil.patch(self, plane, x, y, radius, &flow[y * self.width + x]))
        };
        // A painter lays the broad strokes first and returns with smaller brushes where they miss.
        let (fine, small) = ((radius * FINE).max(1.2), (radius * FINE * FINE).max(1.2));
        let sharp = self.blur(source, (radius * TIP) as usize);
        let (finely, sharply) = (brushed(&blurred, fine), brushed(&sharp, small));
        let broadly = brushed(&finely, radius);
        // Who wants broad strokes forgoes more of what they miss.
        let broadness = brush.stroke / 0.9;
        let painted = self.returned(&broadly, &finely, radius, [0.05 * broadness, 0.0, 6.0]);
        let painted = self.returned(&painted, &sharply, fine, [0.05 * broadness, 0.5, 6.0]);
        // What even the smallest brush drowns, such as letters, is drawn with the point of it.
        self.each(|x, y| {
            let at = y * self.width + x;
            let (painted, sharp) = (&painted[at], &sharp[at]);
            let point = smooth((apart(painted, sharp) - POINT * broadness) * 2.5);
            std::array::from_fn(|i| painted[i] + (sharp[i] - painted[i]) * point)
        })
    }

    /// What is painted, with a smaller brush over it where it missed more than a limit, and more than
    /// all around it: an eye is wanted, and of gravel not each stone.
    fn returned(
        &self,
        painted: &[Colour],
        smaller: &[Colour],
        radius: f32,
        [limit, texture, steepness]: [f32; 3],
    ) -> Vec<Colour> {
        let missed = self.each(|x, y| {
            let at = y * self.width + x;
            [apart(&painted[at], &smaller[at])]
        });
        let missed = self.blur(&missed, (radius * 0.4).max(1.0) as usize);
        let around = self.blur(&missed, (radius * 6.0) as usize);
        self.each(|x, y| {
            let at = y * self.width + x;
            let (under, over) = (&painted[at], &smaller[at]);
            let share = smooth((missed[at][0] - limit - texture * around[at][0]) * steepness);
            std::array::from_fn(|i| under[i] + (over[i] - under[i]) * share)
        })
    }

    /// The smoothed structure tensor, as `[xx, xy, yy]`.
    fn flow(&self, source: &[Colour], radius: f32) -> Vec<[f32; 3]> {
        let gradients = self.each(|x, y| {
            let across = self.slope(source, x, y, 1, 0);
            let down = self.slope(source, x, y, 0, 1);
            let dot = |a: &Colour, b: &Colour| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
            [dot(&across, &across), dot(&across, &down), dot(&down, &down)]
        });
        let reach = (radius * 0.45 + 0.5) as usize;
        self.blur(&self.blur(&gradients, reach), reach)
    }

    /// Tones gathered into washes: lighter than the photograph, fresh, and few.
    fn washes(&self, patches: &[Colour], brush: &Brush) -> Vec<Colour> {
        let seed = seed(brush, 2);
        let key = Key::of(patches);
        let scale = 1.0 / (self.unit * 6.0);
        self.each(|x, y| {
            let patch = patches[y * self.width + x];
            let tone = patch[3].max(0.004);
            // The borders between washes wander, as water does.
            let drift = brush.wetness * clouds(x as f32 * scale, y as f32 * scale, seed, 3);
            // Paper is left bare for light, never for colour.
            let rgb = [patch[0], patch[1], patch[2]];
            let range = rgb.into_iter().fold(0.0, f32::max) - rgb.into_iter().fold(1.0, f32::min);
            let light = key.lightened(tone, brush.whites * (1.0 - 3.0 * range).max(0.0));
            let wash = stepped(light + 0.02 * drift, 7.0);
            // Steps in the dark would be rings around nothing.
            let steps = brush.washes * (0.25 + 0.75 * smooth((light - 0.12) * 4.0));
            let target = light + (wash - light) * steps;
            let ratio = target / tone;
            // Pale and dark tones hold less colour than middle ones; they are pushed less.
            let middle = (4.0 * target * (1.0 - target)).clamp(0.0, 1.0);
            let push = 1.0 + (brush.vividness - 1.0) * middle * (1.0 - skin(rgb));
            // No two pigments flow alike: the mixture is warmer here and cooler there.
            let warmth = [1.0, 0.0, -1.0].map(|it| it * 0.025 * drift * middle);
            // Halfway between scaling and shifting: scaling alone turns pale greys colourful.
            // Shadows are raised in tone and not in colour, or faces would burn.
            let grown = ratio.min(1.1);
            let tint: [f32; 3] = std::array::from_fn(|i| {
                let scaled = (patch[i] - tone) * grown;
                let shifted = patch[i] - tone;
                (scaled * 0.6 + shifted * 0.4) * push + warmth[i]
            });
            let [red, green, blue] = fitting(target, tint);
            let mut colour = [red, green, blue, 0.0];
            colour[3] = brightness(&colour);
            colour
        })
    }

    /// How thick the pigment lies, 1 for as the wash says, and how much of it is in grains.
    fn density(&self, washes: &[Colour], radius: f32, brush: &Brush) -> Vec<[f32; 2]> {
        let tones: Vec<[f32; 1]> = washes.iter().map(|it| [it[3]]).collect();
        let reach = (radius * 0.5).max(1.0) as usize;
        let around = self.blur(&self.blur(&tones, reach), reach);
        let fine = self.blur(&tones, (radius * 0.12) as usize);
        let seed = seed(brush, 3);
        let (broad, small) = (1.0 / (self.unit * 14.0), 1.0 / (self.unit * 2.2).max(3.0));
        self.each(|x, y| {
            let at = y * self.width + x;
            // Pigment is carried to the border of the darker wash, never of the lighter one.
            let rim = (around[at][0] - tones[at][0]).max(0.0);
            let dx = self.slope(&fine, x, y, 1, 0)[0];
            let dy = self.slope(&fine, x, y, 0, 1)[0];
            let line = (dx * dx + dy * dy).sqrt() * radius.min(4.0);
            let edge = (rim * 3.2).min(0.7) + (line * 0.7).min(0.5);
            let (fx, fy) = (x as f32, y as f32);
            let cloud = clouds(fx * broad, fy * broad, seed, 3);
            let stir = clouds(fx * small, fy * small, seed ^ 5, 2);
            // A bloom: water runs back into a drying wash and pushes the pigment to a rim.
            let pool = clouds(fx * broad * 0.5, fy * broad * 0.5, seed ^ 11, 2) + 0.08 * cloud;
            let inside = (pool - 0.28) * 8.0;
            let rim = smooth(inside + 1.0) * (1.0 - smooth(inside * 0.45));
            let bloom = (0.75 * rim - smooth(inside)) * (brush.wetness - 0.7).max(0.0);
            let flow = 0.32 * cloud + 0.12 * stir + 0.14 * bloom;
            let thick = brush.depth + brush.edges * edge + brush.wetness * flow;
            [thick, brush.granulation * (0.75 + 0.5 * stir).max(0.2)]
        })
    }

    /// The height of the paper, about -1 to 1.
    fn paper(&self, brush: &Brush) -> Vec<f32> {
        let seed = seed(brush, 4);
        let scale = 1.0 / self.grain();
        self.each(|x, y| {
            let (fx, fy) = (x as f32 * scale, y as f32 * scale);
            let grain = noise(fx, fy, seed) * 0.9 + noise(fx * 0.31, fy * 0.31, seed ^ 6) * 0.3;
            // Grain finer than the pixels would only be noise.
            let fine = if scale < 0.2 { noise(fx * 4.1, fy * 4.1, seed ^ 12) * 0.35 } else { 0.0 };
            grain + noise(fx * 2.03, fy * 2.03, seed ^ 3) * 0.5 + fine
        })
    }

    /// The width of the paper's grain in pixels; small pictures have a coarser one, to be seen.
    fn grain(&self) -> f32 {
        (self.unit * 0.55).max(2.7)
    }

    /// Pigment on paper, under a lamp at the upper left.
    fn finish(
        &self,
        washes: &[Colour],
        density: &[[f32; 2]],
        paper: &[f32],
        brush: &Brush,
    ) -> Vec<[u8; 3]> {
        let margin = self.margin(brush);
        let seed = seed(brush, 5);
        let step = (self.grain() * 0.35).max(1.0) as usize;
        self.each(|x, y| {
            let at = y * self.width + x;
            let height = paper[at];
            let next =
                (y + step).min(self.height - 1) * self.width + (x + step).min(self.width - 1);
            let slope = paper[next] - height;
            let light = 1.0 + (0.035 * brush.roughness * slope).clamp(-0.07, 0.07);
            let wash = &washes[at];
            let [thick, grain] = density[at];
            let thick = thick - grain * height.min(0.6) * 0.22 * (0.4 + 0.6 * brush.roughness);
            let reached = if margin > 0.0 { self.reached(x, y, margin, seed) } else { 1.0 };
            // A dry brush slides over the peaks of rough paper.
            let bare = (brush.roughness - 1.0).max(0.0) * smooth((height - 0.55) * 2.5) * wash[3];
            let covered = reached * (1.0 - 0.7 * bare.min(1.0));
            let mut pixel = [0; 3];
            for i in 0..3 {
                // Even the darkest wash is thinner here and there.
                let ink = INK[i] * (2.0 - thick).clamp(0.5, 1.8);
                let thin = ink + (1.0 - ink) * wash[i];
                let pigment = thin - (thin - thin * thin) * (thick - 1.0);
                let shown = 1.0 + (pigment.clamp(0.0, 1.0) - 1.0) * covered;
                pixel[i] = (shown * PAPER[i] * light * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
            }
            pixel
        })
    }

    /// How much of the pixel the brush has reached: 0 in the margin, 1 inside.
    fn reached(&self, x: usize, y: usize, margin: f32, seed: u32) -> f32 {
        let from = |at: usize, side: usize| at.min(side - 1 - at) as f32;
        let scale = 1.0 / margin;
        let ragged = clouds(x as f32 * scale * 0.4, y as f32 * scale * 0.4, seed, 3) * margin * 0.4;
        let inside = from(x, self.width).min(from(y, self.height)) + ragged - margin;
        smooth(inside / (margin * 0.12).max(1.0) + 0.5)
    }

    /// A plane computed pixel by pixel, by two threads; which thread does a row changes nothing.
    fn each<T: Copy + Default + Send>(&self, at: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
        let mut plane = vec![T::default(); self.width * self.height];
        let half = self.height.div_ceil(2);
        let fill = |rows: &mut [T], first: usize| {
            for (y, row) in rows.chunks_mut(self.width).enumerate() {
                for (x, pixel) in row.iter_mut().enumerate() {
                    *pixel = at(x, first + y);
                }
            }
        };
        let (upper, lower) = plane.split_at_mut(half * self.width);
        std::thread::scope(|scope| {
            scope.spawn(|| fill(lower, half));
            fill(upper, 0);
        });
        plane
    }

    /// The mean over a square of `2 * reach + 1` pixels; the outermost pixels are repeated.
    fn blur<const N: usize>(&self, plane: &[[f32; N]], reach: usize) -> Vec<[f32; N]> {
        if reach == 0 {
            return plane.to_vec();
        }
        let (width, height) = (self.width, self.height);
        let share = 1.0 / (2 * reach + 1) as f32;
        let mut across = vec![[0.0; N]; plane.len()];
        for (from, to) in plane.chunks(width).zip(across.chunks_mut(width)) {
            let mut sum = [0.0; N];
            for step in 0..=2 * reach {
                add(&mut sum, &from[step.saturating_sub(reach).min(width - 1)], 1.0);
            }
            for x in 0..width {
                to[x] = sum.map(|it| it * share);
                add(&mut sum, &from[(x + reach + 1).min(width - 1)], 1.0);
                add(&mut sum, &from[x.saturating_sub(reach)], -1.0);
            }
        }
        let row = |y: usize| &across[y.min(height - 1) * width..][..width];
        let mut sums = vec![[0.0; N]; width];
        let pour = |sums: &mut [[f32; N]], from: &[[f32; N]], sign: f32| {
            sums.iter_mut().zip(from).for_each(|(sum, it)| add(sum, it, sign));
        };
        for step in 0..=2 * reach {
            pour(&mut sums, row(step.saturating_sub(reach)), 1.0);
        }
        let mut blurred = vec![[0.0; N]; plane.len()];
        for (y, to) in blurred.chunks_mut(width).enumerate() {
            to.iter_mut().zip(&sums).for_each(|(it, sum)| *it = sum.map(|it| it * share));
            pour(&mut sums, row(y + reach + 1), 1.0);
            pour(&mut sums, row(y.saturating_sub(reach)), -1.0);
        }
        blurred
    }

    /// Half the difference of the two neighbours in one direction.
    fn slope<const N: usize>(
        &self,
        plane: &[[f32; N]],
        x: usize,
        y: usize,
        right: usize,
        down: usize,
    ) -> [f32; N] {
        let after = (y + down).min(self.height - 1) * self.width + (x + right).min(self.width - 1);
        let before = y.saturating_sub(down) * self.width + x.saturating_sub(right);
        std::array::from_fn(|i| 0.5 * (plane[after][i] - plane[before][i]))
    }

    /// The colour at a place between pixels.
    fn between(&self, plane: &[Colour], x: f32, y: f32) -> Colour {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (dx, dy) = (x - left as f32, y - top as f32);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let at = |x: usize, y: usize| &plane[y * self.width + x];
        let (a, b, c, d) = (at(left, top), at(right, top), at(left, bottom), at(right, bottom));
        std::array::from_fn(|i| {
            let upper = a[i] + (b[i] - a[i]) * dx;
            let lower = c[i] + (d[i] - c[i]) * dx;
            upper + (lower - upper) * dy
        })
    }
}

/// How the picture's tones are raised: watercolour is painted light, whatever the exposure was.
struct Key {
    /// How far middle tones are raised, 0 to 1.
    lift: f32,
    /// The tone that becomes paper.
    white: f32,
}

impl Key {
    fn of(patches: &[Colour]) -> Self {
        let mut counts = [0_usize; 256];
        patches.iter().for_each(|it| counts[(it[3] * 255.0).clamp(0.0, 255.0) as usize] += 1);
        let below = |share: f32| {
            let wanted = (patches.len() as f32 * share) as usize;
            let mut seen = 0;
            let passed = |count: &usize| {
                seen += count;
                seen > wanted
            };
            counts.iter().position(passed).unwrap_or(255) as f32 / 255.0
        };
        // Dark pictures are raised more, but night stays night.
        let lift = (0.35 + 0.9 * (0.55 - below(0.5))).clamp(0.2, 0.7);
        Self { lift, white: below(0.985).clamp(0.75, 1.0) }
    }

    fn lightened(&self, tone: f32, whites: f32) -> f32 {
        let tone = (tone / self.white).min(1.0);
        let raised = tone + self.lift * tone * (1.0 - tone);
        raised + (1.0 - raised) * whites * smooth((tone - 0.72) / 0.26)
    }
}

/// The samples of the Kuwahara filter in the unit disc, and their weights in its eight sectors.
struct Stencil {
    points: Vec<[f32; 2]>,
    /// For each sector, the samples in it and their weights, which sum to 1.
    sectors: Vec<Vec<(usize, f32)>>,
}

impl Stencil {
    fn new() -> Self {
        let reach = LATTICE as i32;
        let points: Vec<[f32; 2]> = (-reach..=reach)
            .flat_map(|y| (-reach..=reach).map(move |x| [x as f32 / LATTICE, y as f32 / LATTICE]))
            .filter(|[x, y]| x * x + y * y <= 1.06)
            .collect();
        let sectors = TURNS.iter().map(|turn| sector(&points, turn)).collect();
        Self { points, sectors }
    }

    /// The mean colour of the sectors around a pixel; even sectors count most.
    fn patch(
        &self,
        sheet: &Sheet,
        plane: &[Colour],
        x: usize,
        y: usize,
        radius: f32,
        flow: &[f32; 3],
    ) -> Colour {
        let [xx, xy, yy] = *flow;
        let spread = ((xx - yy) * (xx - yy) + 4.0 * xy * xy).sqrt();
        let energy = xx + yy;
        let leaning = if energy > 1e-7 { spread / energy } else { 0.0 };
        // The half angle of the tensor's direction, from square roots alone; along the line is
        // at a right angle to the steepest slope.
        let double = if spread > 1e-9 { (xx - yy) / spread } else { 1.0 };
        let cos = ((1.0 + double) * 0.5).max(0.0).sqrt();
        let sin = ((1.0 - double) * 0.5).max(0.0).sqrt() * if xy < 0.0 { -1.0 } else { 1.0 };
        // Fine strokes where there is much to see, broad ones in empty places.
        let busy = smooth(energy * radius * radius * 0.35);
        let radius = radius * (1.25 - 0.55 * busy);
        let (along, beside) = (radius * (1.0 + leaning), radius / (1.0 + leaning));
        let (ax, ay) = (-sin * along, cos * along);
        let (bx, by) = (cos * beside, sin * beside);
        let (right, bottom) = ((sheet.width - 1) as f32, (sheet.height - 1) as f32);
        let (fx, fy) = (x as f32 + 0.5, y as f32 + 0.5);
        let mut seen = [[0.0; 4]; POINTS];
        for (seen, [u, v]) in seen.iter_mut().zip(&self.points) {
            let px = (fx + u * ax + v * bx).clamp(0.0, right) as usize;
            let py = (fy + u * ay + v * by).clamp(0.0, bottom) as usize;
            *seen = plane[py * sheet.width + px];
        }
        let mut total = [0.0; 4];
        let mut weights = 0.0;
        for sector in &self.sectors {
            let mut mean = [0.0; 4];
            let mut square = [0.0; 4];
            for &(point, weight) in sector {
                let colour = &seen[point];
                for i in 0..4 {
                    let part = colour[i] * weight;
                    mean[i] += part;
                    square[i] += part * colour[i];
                }
            }
            let mut variance = 0.0;
            for i in 0..3 {
                variance += (square[i] - mean[i] * mean[i]).max(0.0);
            }
            let uneven = variance * SHARPNESS;
            let uneven = uneven * uneven;
            let weight = 1.0 / (1.0 + uneven * uneven);
            add(&mut total, &mean, weight);
            weights += weight;
        }
        total.map(|it| it / weights)
    }
}

/// A sector's weights: a polynomial that is largest in its direction and 0 outside its wedge.
fn sector(points: &[[f32; 2]], [cos, sin]: &[f32; 2]) -> Vec<(usize, f32)> {
    // The wedge reaches 3/8 of a half turn to either side, so that neighbours overlap.
    const BLEND: f32 = 0.33;
    const CURVE: f32 = (BLEND + 0.382_683_43) / (0.923_879_5 * 0.923_879_5);
    let weigh = |[x, y]: &[f32; 2]| {
        let (u, v) = (x * cos + y * sin, y * cos - x * sin);
        let inside = (u + BLEND - CURVE * v * v).max(0.0);
        let near = 1.0 - 0.75 * (x * x + y * y).min(1.0);
        inside * inside * near
    };
    let sum: f32 = points.iter().map(weigh).sum();
    points
        .iter()
        .enumerate()
        .map(|(at, it)| (at, weigh(it) / sum))
        .filter(|(_, weight)| *weight > 0.002)
        .collect()
}

/// The picture's colours as floats; what is transparent is bare paper.
fn opaque(picture: &Picture) -> Vec<Colour> {
    let shown = |at: usize| match &picture.alpha {
        Some(alpha) => (f32::from(alpha[at]) / 127.5).min(1.0),
        None => 1.0,
    };
    let colour = |(at, pixel): (usize, &[u8; 3])| {
        let [red, green, blue] = pixel.map(|it| 1.0 + (f32::from(it) / 255.0 - 1.0) * shown(at));
        let colour = [red, green, blue, 0.0];
        [red, green, blue, brightness(&colour)]
    };
    picture.pixels.iter().enumerate().map(colour).collect()
}

/// How much a colour is like that of skin, light or dark, 0 to 1; more colour makes a face look burnt.
fn skin([red, green, blue]: [f32; 3]) -> f32 {
    let range = red - blue;
    if range < 0.02 || green < blue || red < green {
        return 0.0;
    }
    // From red to yellow, and from grey to pure.
    let (hue, strength) = ((green - blue) / range, range / red);
    let hill =
        |at: f32, middle: f32, wide: f32| 1.0 - smooth((at - middle).abs() / wide * 2.0 - 1.0);
    hill(hue, 0.42, 0.35) * hill(strength, 0.42, 0.45)
}

/// How far two colours are apart, over all channels.
fn apart(one: &Colour, other: &Colour) -> f32 {
    (0..3).map(|i| (one[i] - other[i]).abs()).sum()
}

fn brightness(colour: &Colour) -> f32 {
    0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
}

fn add<const N: usize>(sum: &mut [f32; N], part: &[f32; N], weight: f32) {
    for i in 0..N {
        sum[i] += part[i] * weight;
    }
}

/// A tone moved towards the nearest of `steps` tones, with soft steps between.
fn stepped(tone: f32, steps: f32) -> f32 {
    let scaled = (tone * steps).max(0.0);
    let whole = scaled as u32 as f32;
    let rest = scaled - whole;
    (whole + smooth((rest - 0.5) * 1.9 + 0.5)) / steps
}

/// A tone and its tint as a colour; where both do not fit, the tone gives way more than the tint,
/// and the hue stays.
fn fitting(tone: f32, tint: [f32; 3]) -> [f32; 3] {
    let high = tint.into_iter().fold(0.0, f32::max);
    let low = tint.into_iter().fold(0.0, f32::min);
    let tone = tone.min(1.0 - 0.8 * high);
    let room = |tint: f32, room: f32| if tint > room { room.max(0.0) / tint } else { 1.0 };
    let share = room(high, 1.0 - tone).min(room(-low, tone));
    tint.map(|it| (tone + it * share).clamp(0.0, 1.0))
}

/// Noise summed over octaves, about -1 to 1.
fn clouds(x: f32, y: f32, seed: u32, octaves: u32) -> f32 {
    let (mut sum, mut share, mut scale) = (0.0, 1.0, 1.0);
    for octave in 0..octaves {
        sum += share * noise(x * scale, y * scale, seed.wrapping_add(octave * 101));
        share *= 0.5;
        scale *= 2.07;
    }
    sum
}

/// Gradient noise with lattice 1, about -1 to 1; the place is not negative.
fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let (column, row) = (x as i32, y as i32);
    let (dx, dy) = (x - column as f32, y - row as f32);
    let corner = |right: i32, down: i32| {
        let hash = hashed(column.wrapping_add(right), row.wrapping_add(down), seed);
        let [gx, gy] = GRADIENTS[(hash >> 29) as usize];
        gx * (dx - right as f32) + gy * (dy - down as f32)
    };
    let ease = |it: f32| it * it * it * (it * (it * 6.0 - 15.0) + 10.0);
    let (ex, ey) = (ease(dx), ease(dy));
    let (a, b, c, d) = (corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
    let (upper, lower) = (a + (b - a) * ex, c + (d - c) * ex);
    1.5 * (upper + (lower - upper) * ey)
}

fn hashed(x: i32, y: i32, seed: u32) -> u32 {
    let mut hash =
        seed ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    hash = (hash ^ (hash >> 12)).wrapping_mul(0x297A_2D39);
    hash ^ (hash >> 15)
}

/// A seed of its own for each use, so that no two layers share a pattern.
fn seed(brush: &Brush, layer: i32) -> u32 {
    hashed(layer, (brush.seed >> 32) as i32, brush.seed as u32)
}

/// Samples from the middle of the disc to its rim.
const LATTICE: f32 = 3.5;
const POINTS: usize = 37;

/// Radius of each smaller brush, as a part of that of the one before.
const FINE: f32 = 0.5;

/// How far the point of the brush reaches, as a part of the radius of the broad one: what is smaller is
/// dust.
const TIP: f32 = 0.1;

/// How far a line must stand out, over all channels, to be drawn with the point of the brush.
const POINT: f32 = 0.45;

/// How strongly uneven sectors are left out.
const SHARPNESS: f32 = 160.0;

/// Warm white, as paper is under daylight.
const PAPER: [f32; 3] = [0.992, 0.984, 0.965];

/// The darkest a wash gets: pigment is never black, and shadows are painted cool.
const INK: [f32; 3] = [0.10, 0.105, 0.16];

const DIAGONAL: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Eight directions, as cosine and sine.
const TURNS: [[f32; 2]; 8] = [
    [1.0, 0.0],
    [DIAGONAL, DIAGONAL],
    [0.0, 1.0],
    [-DIAGONAL, DIAGONAL],
    [-1.0, 0.0],
    [-DIAGONAL, -DIAGONAL],
    [0.0, -1.0],
    [DIAGONAL, -DIAGONAL],
];

/// Sixteenth turns apart from [`TURNS`], so that the noise has no axis in common with the pixels.
const GRADIENTS: [[f32; 2]; 8] = [
    [0.923_879_5, 0.382_683_43],
    [0.382_683_43, 0.923_879_5],
    [-0.382_683_43, 0.923_879_5],
    [-0.923_879_5, 0.382_683_43],
    [-0.923_879_5, -0.382_683_43],
    [-0.382_683_43, -0.923_879_5],
    [0.382_683_43, -0.923_879_5],
    [0.923_879_5, -0.382_683_43],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A small picture with a dark disc, a slope of tones and a colour or two.
    fn picture(width: u32, height: u32) -> Picture {
        let pixel = |at: u32| {
            let (x, y) = (at % width, at / width);
            let (dx, dy) = (x.abs_diff(width / 2), y.abs_diff(height / 2));
            match dx * dx + dy * dy < width * width / 16 {
                true => [60, 30, 120],
                false => [(x * 255 / width) as u8, 140, (y * 255 / height) as u8],
            }
        };
        let pixels = (0..width * height).map(pixel).collect();
        Picture { alpha: None, height, pixels, profile: None, width }
    }

    fn difference(a: &Picture, b: &Picture) -> u32 {
        let pairs = a.pixels.as_flattened().iter().zip(b.pixels.as_flattened());
        pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() / (a.width * a.height)
    }

    #[test]
    fn same_seed_same_picture() {
        let (picture, brush) = (picture(64, 48), Brush::default());
        assert_eq!(paint(&picture, &brush), paint(&picture, &brush));
    }

    #[test]
    fn another_seed_is_another_painting_of_the_same_picture() {
        let picture = picture(64, 48);
        let one = paint(&picture, &Brush { seed: 1, ..Brush::default() });
        let other = paint(&picture, &Brush { seed: 1 << 40, ..Brush::default() });
        let between = difference(&one, &other);
        assert!((1..40).contains(&between), "{between}");
    }

    /// The same bytes on every machine: if this fails on one of them only, a function whose
    /// result the machine may choose (`sin`, `exp`, `powf`, fused arithmetic) came in.
    #[test]
    fn the_bytes_are_those_of_every_machine() {
        let painted = paint(&picture(40, 30), &Brush { border: 3.0, seed: 7, ..Brush::default() });
        let bytes = painted.pixels.as_flattened();
        let sum = bytes.iter().fold(0, |sum, it| hashed(sum as i32, i32::from(*it), 1));
        assert_eq!(sum, 903_025_301);
    }

    #[test]
    fn a_border_paints_over_nothing() {
        // Red all around the edge; under a border it must still be seen.
        let edge = |at: usize| {
            let (x, y) = (at % 200, at / 200);
            let outer = x.min(199 - x).min(y.min(149 - y)) < 6;
            if outer { [200, 20, 20] } else { [20, 60, 160] }
        };
        let pixels = (0..200 * 150).map(edge).collect();
        let picture = Picture { pixels, ..picture(200, 150) };
        let painted = paint(&picture, &Brush { border: 7.0, ..Brush::default() });
        let red = painted.pixels.iter().filter(|it| it[0] > 150 && it[2] < 120).count();
        assert!(red > 1500, "{red}");
        assert!(painted.pixels[0].iter().all(|it| *it > 220), "the margin is paper");
    }

    #[test]
    fn small_print_is_not_drowned() {
        // Crosses of 5 pixels, as small as the strokes of letters, where the brush is 8 wide.
        let cross = |at: usize| {
            let (x, y) = (at % 500 % 14, at / 500 % 14);
            (x == 7 && y.abs_diff(7) < 3) || (y == 7 && x.abs_diff(7) < 3)
        };
        let pixels = (0..500 * 400).map(|at| if cross(at) { [20; 3] } else { [250; 3] }).collect();
        let picture = Picture { pixels, ..picture(500, 400) };
        let still = Brush { wetness: 0.0, ..Brush::default() };
        let painted = paint(&picture, &still);
        let ink: Vec<u64> = (0..500 * 400)
            .filter(|at| cross(*at))
            .map(|at| u64::from(painted.pixels[at][1]))
            .collect();
        let mean = ink.iter().sum::<u64>() / ink.len() as u64;
        assert!(mean < 130, "{mean}");
    }

    #[test]
    fn an_eye_is_kept_and_dust_is_not() {
        // A large even face with one brown eye, and specks of a pixel each.
        let (width, height) = (1600, 1200);
        let eye = |x: usize, y: usize| {
            let (dx, dy) = (x.abs_diff(800), y.abs_diff(600));
            dx * dx + dy * dy < 36
        };
        let speck = |x: usize, y: usize| x % 97 == 50 && y % 89 == 50;
        let pixel = |at: usize| {
            let (x, y) = (at % width, at / width);
            match (eye(x, y), speck(x, y)) {
                (true, _) => [120, 80, 60],
                (false, true) => [10; 3],
                (false, false) => [214, 170, 146],
            }
        };
        let pixels = (0..width * height).map(pixel).collect();
        let picture = Picture { pixels, ..picture(width as u32, height as u32) };
        let still = Brush { granulation: 0.0, roughness: 0.1, wetness: 0.0, ..Brush::default() };
        let painted = paint(&picture, &still).pixels;
        let tone = |x: usize, y: usize| painted[y * width + x][1];
        let face = tone(830, 600);
        assert!(tone(800, 600) + 40 < face, "{} in {face}", tone(800, 600));
        let specks = (0..width * height).filter(|at| speck(at % width, at / width));
        let darkest = specks.map(|at| painted[at][1]).min().unwrap();
        assert!(face < darkest + 12, "{darkest} in {face}");
    }

    #[test]
    fn skin_is_not_burnt_and_paint_is_fresh() {
        let even = |colour: [u8; 3]| {
            let picture = Picture { pixels: vec![colour; 60 * 60], ..picture(60, 60) };
            let [red, green, blue] = paint(&picture, &Brush::default()).pixels[30 * 60 + 30];
            let most = red.max(green).max(blue);
            u32::from(most - red.min(green).min(blue)) * 100 / u32::from(most)
        };
        // In hundredths of pure colour: of a face, and of as strong a green.
        let (face, leaf) = (even([196, 146, 118]), even([146, 196, 118]));
        assert!(face + 3 < leaf, "{face} and {leaf}");
    }

    #[test]
    fn each_sector_of_the_filter_weighs_as_much_as_another() {
        let stencil = Stencil::new();
        assert_eq!(stencil.points.len(), POINTS);
        for sector in stencil.sectors {
            let sum: f32 = sector.iter().map(|(_, weight)| weight).sum();
            assert!((sum - 1.0).abs() < 0.02, "{sum}");
        }
    }

    #[test]
    fn size_and_profile_stay() {
        let picture = Picture { profile: Some(vec![1, 2]), ..picture(31, 17) };
        let painted = paint(&picture, &Brush::default());
        assert_eq!((painted.width, painted.height, painted.profile), (31, 17, Some(vec![1, 2])));
    }

    #[test]
    fn alpha_survives() {
        let alpha: Vec<u8> = (0..32 * 32).map(|it| (it % 256) as u8).collect();
        let picture = Picture { alpha: Some(alpha.clone()), ..picture(32, 32) };
        assert_eq!(paint(&picture, &Brush::default()).alpha, Some(alpha));
    }

    #[test]
    fn what_is_transparent_lends_no_colour() {
        let hidden = |colour: [u8; 3]| {
            let mut picture = picture(32, 32);
            picture.alpha = Some((0..32 * 32).map(|at| if at < 512 { 0 } else { 255 }).collect());
            picture.pixels[..512].fill(colour);
            paint(&picture, &Brush::default())
        };
        assert_eq!(hidden([0, 0, 0]), hidden([255, 0, 0]));
    }

    #[test]
    fn white_stays_paper() {
        let blank = Picture { pixels: vec![[255; 3]; 40 * 40], ..picture(40, 40) };
        let painted = paint(&blank, &Brush::default());
        assert!(painted.pixels.as_flattened().iter().all(|it| *it > 220));
    }

    #[test]
    fn noise_in_the_photograph_becomes_an_even_wash() {
        let speckled = |at: usize| [120 + (hashed(at as i32, 0, 3) >> 26) as u8, 130, 140];
        let picture = Picture { pixels: (0..64 * 64).map(speckled).collect(), ..picture(64, 64) };
        let still = Brush { granulation: 0.0, roughness: 0.0, wetness: 0.0, ..Brush::default() };
        let roughness = |it: &Picture| -> u32 {
            it.pixels.windows(2).map(|it| u32::from(it[0][0].abs_diff(it[1][0]))).sum()
        };
        assert!(roughness(&paint(&picture, &still)) * 4 < roughness(&picture));
    }

    #[test]
    fn the_smallest_and_the_narrowest_pictures_are_painted() {
        for (width, height) in [(1, 1), (1, 50), (50, 1), (2, 3), (3, 2)] {
            let brush = Brush { border: 5.0, ..Brush::default() };
            assert_eq!(paint(&picture(width, height), &brush).width, width);
        }
    }
}
