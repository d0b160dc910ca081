//! The colours of one picture on another: what is common in the one becomes what is common in the other.
//!
//! In OKLab, the colours of the first picture are moved onto those of the second with the least moving
//! in all (sliced optimal transport: Rabin, Peyré, Delon and Bernot, 2011). The way of each colour is
//! then smoothed over its neighbours, so that even areas stay even.

mod words;

use serde_json::{Map, Value};

use crate::filter::{Files, Filter, Painted, Task, in_two};
use crate::oklab::{Eye, Lab};
use crate::picture::Picture;
pub(crate) use words::VOCABULARY;

pub(crate) const FILTER: Filter = Filter { show, make };

/// The most pixels of a picture: the first keeps its size.
pub(crate) const PIXELS: u64 = 50_000_000;

/// The second picture only lends its colours; no more of it is looked at.
const LOOKED_AT: u64 = 1_000_000;

fn show(task: &Task, shown: &mut Map<String, Value>) {
    shown.insert("strength".to_owned(), words::strength(task).into());
}

fn make(task: &Task, files: Files) -> Result<Painted, String> {
    let [first, second] = files.images.as_slice() else {
        return Err("two images are needed: a picture, and one with the colours for it".to_owned());
    };
    let (mut picture, notes) = task.decode(0, first, PIXELS)?;
    // That it is scaled down changes nothing that anybody sees.
    let (colours, _) = task.decode(1, second, LOOKED_AT)?;
    let eye = Eye::new();
    let found = |index: usize, picture: &Picture| {
        let found = sampled(picture, &eye);
        let name = task.images.get(index).map_or("the image", String::as_str);
        if found.is_empty() { Err(format!("{name} is transparent all over")) } else { Ok(found) }
    };
    let (from, to) = (found(0, &picture)?, found(1, &colours)?);
    drop(colours);
    let ways = Ways::new(&from, &moved(&from, &to));
    let strength = words::strength(task) as f32;
    in_two(&mut picture.pixels, |_, pixels| {
        for pixel in pixels {
            let lab = eye.lab(*pixel);
            let way = ways.of(lab);
            // Light tells what things are; it follows less than colour does.
            let parts = [0.65 * strength, strength, strength];
            *pixel = eye.rgb(std::array::from_fn(|i| lab[i] + parts[i] * way[i]));
        }
    });
    Ok(Painted { notes, picture })
}

/// [`SAMPLES`] colours of what can be seen of the picture, from all over it; none if nothing can.
fn sampled(picture: &Picture, eye: &Eye) -> Vec<Lab> {
    let seen = |at: &usize| picture.alpha.as_ref().is_none_or(|it| it[*at] > 127);
    // Looked through in steps that share no factor with the width, or a column would stand for all.
    let count = picture.pixels.len();
    let step = (count / (4 * SAMPLES)) | 1;
    let places: Vec<usize> = (0..count).step_by(step).filter(seen).collect();
    if places.is_empty() {
        return (0..count)
            .find(seen)
            .map(|at| vec![eye.lab(picture.pixels[at]); SAMPLES])
            .unwrap_or_default();
    }
    (0..SAMPLES).map(|it| eye.lab(picture.pixels[places[it * places.len() / SAMPLES]])).collect()
}

/// The colours `from`, moved until they lie as `to` do.
fn moved(from: &[Lab], to: &[Lab]) -> Vec<Lab> {
    let mut moved = from.to_vec();
    let mut order: Vec<(f32, usize)> = Vec::with_capacity(from.len());
    let mut goals: Vec<f32> = Vec::with_capacity(to.len());
    for round in 0..ROUNDS {
        for axis in axes(round) {
            let along = |it: &Lab| it[0] * axis[0] + it[1] * axis[1] + it[2] * axis[2];
            order.clear();
            order.extend(moved.iter().map(along).zip(0..));
            order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            goals.clear();
            goals.extend(to.iter().map(along));
            goals.sort_unstable_by(f32::total_cmp);
            for ((place, at), goal) in order.iter().zip(&goals) {
                let step = goal - place;
                (0..3).for_each(|i| moved[*at][i] += step * axis[i]);
            }
        }
    }
    moved
}

/// Three directions at right angles, others in each round.
fn axes(round: usize) -> [Lab; 3] {
    // A turn by a unit quaternion; the golden ratio and its kin spread them evenly.
    let part = |by: f64| ((round as f64 * by).fract() * 2.0 - 1.0) as f32;
    let [w, x, y, z] = [1.0, part(0.754_877_67), part(0.569_840_29), part(0.324_717_96)];
    let length = w * w + x * x + y * y + z * z;
    let turned = [
        [w * w + x * x - y * y - z * z, 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), w * w - x * x + y * y - z * z, 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ];
    turned.map(|it| it.map(|it| it / length))
}

/// The way of each colour, smooth over a grid of all colours.
struct Ways {
    cells: Vec<Lab>,
}

impl Ways {
    fn new(from: &[Lab], to: &[Lab]) -> Self {
        // The sum of ways in each cell, and how many they are.
        let mut sums = vec![[0.0_f32; 4]; SIDE * SIDE * SIDE];
        for (from, to) in from.iter().zip(to) {
            for (cell, share) in corners(*from) {
                let sum = &mut sums[cell];
                (0..3).for_each(|i| sum[i] += share * (to[i] - from[i]));
                sum[3] += share;
            }
        }
        for _ in 0..SMOOTHING {
            sums = spread(&sums);
        }
        let way = |[light, a, b, count]: &[f32; 4]| {
            (FEW < *count).then(|| [light / count, a / count, b / count])
        };
        let mut cells: Vec<Option<Lab>> = sums.iter().map(way).collect();
        // Where there are no such colours, the way is that of the neighbours, and of theirs.
        while cells.contains(&None) && cells.iter().any(Option::is_some) {
            let before = cells.clone();
            for (at, cell) in cells.iter_mut().enumerate().filter(|(_, it)| it.is_none()) {
                let ways: Vec<Lab> = beside(at).filter_map(|it| before[it]).collect();
                let mean = |i: usize| ways.iter().map(|it| it[i]).sum::<f32>() / ways.len() as f32;
                *cell = (!ways.is_empty()).then(|| std::array::from_fn(mean));
            }
        }
        Self { cells: cells.into_iter().map(Option::unwrap_or_default).collect() }
    }

    fn of(&self, lab: Lab) -> Lab {
        let mut way = [0.0; 3];
        for (cell, share) in corners(lab) {
            (0..3).for_each(|i| way[i] += share * self.cells[cell][i]);
        }
        way
    }
}

/// The eight cells around a colour, and the share of each.
fn corners([light, a, b]: Lab) -> [(usize, f32); 8] {
    let last = (SIDE - 1) as f32;
    let places = [light, a / WIDTH + 0.5, b / WIDTH + 0.5].map(|it| it.clamp(0.0, 1.0) * last);
    let lower = places.map(|it| (it as usize).min(SIDE - 2));
    let rest: [f32; 3] = std::array::from_fn(|i| places[i] - lower[i] as f32);
    std::array::from_fn(|corner| {
        let up = [corner & 1, corner >> 1 & 1, corner >> 2];
        let at: [usize; 3] = std::array::from_fn(|i| lower[i] + up[i]);
        let share = |i: usize| if up[i] == 1 { rest[i] } else { 1.0 - rest[i] };
        ((at[0] * SIDE + at[1]) * SIDE + at[2], share(0) * share(1) * share(2))
    })
}

/// The cells on the six sides of a cell.
fn beside(at: usize) -> impl Iterator<Item = usize> {
    [1, SIDE, SIDE * SIDE].into_iter().flat_map(move |stride| {
        let place = at / stride % SIDE;
        let back = (place > 0).then(|| at - stride);
        let ahead = (place + 1 < SIDE).then(|| at + stride);
        back.into_iter().chain(ahead)
    })
}

/// Each cell given to its neighbours in all.
fn spread(cells: &[[f32; 4]]) -> Vec<[f32; 4]> {
    let give = |at: usize| {
        let mut sum = cells[at].map(|it| it * 2.0);
        for other in beside(at) {
            (0..4).for_each(|i| sum[i] += cells[other][i]);
        }
        sum.map(|it| it * 0.125)
    };
    (0..cells.len()).map(give).collect()
}

/// So many colours of each picture are moved, so many times along three axes.
const SAMPLES: usize = 8_000;
const ROUNDS: usize = 24;

/// The grid of colours: cells along a side, and what the sides of green to red and of blue to yellow
/// span.
const SIDE: usize = 24;
const WIDTH: f32 = 0.68;

/// How often ways are spread before any is believed, and how many colours make one.
const SMOOTHING: usize = 2;
const FEW: f32 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    fn even(rgb: [u8; 3]) -> Picture {
        Picture { alpha: None, height: 30, pixels: vec![rgb; 900], profile: None, width: 30 }
    }

    #[test]
    fn axes_stand_at_right_angles() {
        for round in 0..ROUNDS {
            let axes = axes(round);
            for (i, a) in axes.iter().enumerate() {
                for (j, b) in axes.iter().enumerate() {
                    let dot: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn colours_come_to_lie_as_those_of_the_other_picture() {
        let eye = Eye::new();
        let (red, mut two) = (even([200, 40, 30]), even([20, 90, 40]));
        two.pixels[450..].fill([240, 220, 90]);
        let to = sampled(&two, &eye);
        let moved = moved(&sampled(&red, &eye), &to);
        let near = |colour: [u8; 3]| {
            let lab = eye.lab(colour);
            let away = |it: &&Lab| (0..3).map(|i| (it[i] - lab[i]).abs()).sum::<f32>() < 0.02;
            moved.iter().filter(away).count()
        };
        assert!(near([20, 90, 40]) > SAMPLES * 4 / 10 && near([240, 220, 90]) > SAMPLES * 4 / 10);
    }

    #[test]
    fn a_colour_goes_the_way_of_its_neighbours() {
        let from = vec![[0.5, 0.1, 0.0]; 100];
        let to = vec![[0.6, 0.0, 0.1]; 100];
        let ways = Ways::new(&from, &to);
        for lab in [[0.5, 0.1, 0.0], [0.52, 0.08, 0.01], [0.1, -0.3, 0.3]] {
            let way = ways.of(lab);
            assert!((way[0] - 0.1).abs() < 0.01 && (way[1] + 0.1).abs() < 0.01, "{way:?}");
        }
    }
}
