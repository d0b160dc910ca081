//! Another colour for a part of a picture: the masked part, or whatever has one colour.
//!
//! Light and shade stay. In OKLab, hue and strength are moved as a whole to those of the new colour;
//! tones are bent so that the middle one becomes that of the new colour, and black and white stay.

mod select;
mod words;

use serde_json::{Map, Value};

use crate::filter::{Files, Filter, Note, Painted, Task, in_two};
use crate::oklab::{Eye, Lab, chroma, smooth};
use crate::picture::Picture;
use select::{Selection, named};
use words::Order;
pub(crate) use words::VOCABULARY;

pub(crate) const FILTER: Filter = Filter { show, make };

/// The most pixels of a picture: it is changed in its own size, so that the rest of it stays.
pub(crate) const PIXELS: u64 = 50_000_000;

fn show(task: &Task, shown: &mut Map<String, Value>) {
    let order = Order::read(&task.words);
    let selects = match (&task.mask, order.from) {
        (Some(_), Some(from)) => format!("what is {} in the mask", from.name),
        (Some(_), None) => "the mask".to_owned(),
        (None, Some(from)) => format!("what is {}", from.name),
        (None, None) => "the strongest colour of the picture".to_owned(),
    };
    shown.insert("selects".to_owned(), selects.into());
    shown.insert("to".to_owned(), order.to.name.into());
}

fn make(task: &Task, files: Files) -> Result<Painted, String> {
    let order = Order::read(&task.words);
    let Files { images, mask } = files;
    let file = images.first().ok_or("there is no image to recolour")?;
    let (mut picture, mut notes) = task.decode(0, file, PIXELS)?;
    drop(images);
    let mask = match mask {
        Some(file) => Some(read_mask(task, &file, &picture, &mut notes)?),
        None => None,
    };
    notes.extend(recolour(&mut picture, mask.as_deref(), &order).map_err(|why| {
        let name = task.images.first().map_or("the picture", String::as_str);
        format!("{name} {why}")
    })?);
    if mask.is_some() && task.format == repaint_core::OutputFormat::Jpeg {
        let message =
            "JPEG changes every pixel a little, also beside the mask; PNG and WebP do not";
        notes.push(Note::new("output_format", message));
    }
    Ok(Painted { notes, picture })
}

/// How much of each pixel is to change: 255 where the mask is white, 0 where it is black or
/// transparent.
fn read_mask(
    task: &Task,
    file: &[u8],
    picture: &Picture,
    notes: &mut Vec<Note>,
) -> Result<Vec<u8>, String> {
    let name = task.mask.as_deref().unwrap_or("the mask");
    let (mask, _) = Picture::decode(file, PIXELS).map_err(|why| format!("{name}: {why}"))?;
    let (width, height) = (picture.width, picture.height);
    if (mask.width, mask.height) != (width, height) {
        return Err(format!(
            "{name} is {}x{}, and the picture {width}x{height}: give a mask of the picture's size",
            mask.width, mask.height
        ));
    }
    let share = |at: usize| {
        let [red, green, blue] = mask.pixels[at].map(u32::from);
        let bright = (red * 77 + green * 150 + blue * 29 + 128) >> 8;
        let seen = mask.alpha.as_ref().map_or(255, |it| u32::from(it[at]));
        ((bright * seen + 127) / 255) as u8
    };
    let shares: Vec<u8> = (0..mask.pixels.len()).map(share).collect();
    if shares.iter().all(|it| *it == 0) {
        return Err(format!("{name} is black all over: paint white what is to change"));
    }
    if mask.alpha.as_ref().is_some_and(|it| it.iter().any(|it| *it < 255)) {
        let message = "the mask is transparent in places; what is transparent stays as it is";
        notes.push(Note::new("mask", message));
    }
    Ok(shares)
}

/// Changes the colour; what is not selected keeps its very bytes.
fn recolour(
    picture: &mut Picture,
    mask: Option<&[u8]>,
    order: &Order,
) -> Result<Vec<Note>, String> {
    let eye = Eye::new();
    let samples = sampled(picture, mask, &eye);
    let selection = Selection::of(&samples, order.from, mask.is_some(), &eye)?;
    let middle = Middle::of(&samples, &selection);
    let change = Change::new(&middle, order, &eye);
    let at = |at: usize, pixel: &mut [u8; 3]| {
        let masked = mask.map_or(1.0, |it| f32::from(it[at]) / 255.0);
        if masked == 0.0 {
            return;
        }
        let lab = eye.lab(*pixel);
        let share = masked * selection.share(lab);
        if share > 0.0 {
            // As an editor lays a layer over another.
            let new = eye.rgb(change.of(lab));
            for (old, new) in pixel.iter_mut().zip(new) {
                let (below, above) = (f32::from(*old), f32::from(new));
                *old = (below + (above - below) * share + 0.5) as u8;
            }
        }
    };
    in_two(&mut picture.pixels, |first, pixels| {
        pixels.iter_mut().enumerate().for_each(|(index, pixel)| at(first + index, pixel));
    });
    Ok(told(order, mask.is_some(), &middle))
}

/// Every how-manieth pixel is looked at to know what there is: enough for any statistics.
const SAMPLES: usize = 200_000;

/// Colours of the picture, or of what is masked, and how much each counts.
fn sampled(picture: &Picture, mask: Option<&[u8]>, eye: &Eye) -> Vec<(Lab, f32)> {
    let weight = |at: usize| {
        let masked = mask.map_or(255, |it| it[at]);
        let seen = picture.alpha.as_ref().map_or(255, |it| it[at]);
        f32::from(masked.min(seen)) / 255.0
    };
    let count = match mask {
        Some(mask) => mask.iter().filter(|it| **it > 0).count(),
        None => picture.pixels.len(),
    };
    // An odd step, so that no stripe of the picture is always met or always missed.
    let step = (count / SAMPLES) | 1;
    let looked = (0..picture.pixels.len()).filter(|at| mask.is_none_or(|it| it[*at] > 0));
    let sample = |at: usize| (eye.lab(picture.pixels[at]), weight(at));
    looked.step_by(step).map(sample).filter(|(_, weight)| *weight > 0.0).collect()
}

/// The mean of what is selected.
struct Middle {
    /// The mean colour.
    colour: Lab,
    /// How much of what was looked at is selected, 0 to 1.
    share: f32,
    /// The mean strength of colour; above that of the mean where hues differ.
    strength: f32,
}

impl Middle {
    fn of(samples: &[(Lab, f32)], selection: &Selection) -> Self {
        let (mut sum, mut strength, mut weights, mut all) = ([0.0_f64; 3], 0.0, 0.0, 0.0);
        for (lab, weight) in samples {
            let share = f64::from(weight * selection.share(*lab));
            (0..3).for_each(|i| sum[i] += share * f64::from(lab[i]));
            strength += share * f64::from(chroma(*lab));
            weights += share;
            all += f64::from(*weight);
        }
        let mean = |it: f64| if weights > 0.0 { (it / weights) as f32 } else { 0.0 };
        let share = if all > 0.0 { (weights / all) as f32 } else { 0.0 };
        Self { colour: sum.map(mean), share, strength: mean(strength) }
    }
}

/// The way from the old colour to the new.
struct Change {
    /// How tones are bent: `light * bend / (1 + (bend - 1) * light)` leaves black and white.
    bend: f32,
    /// The directions of the old hue and of the new one.
    from: [f32; 2],
    to: [f32; 2],
    /// What strength of colour is multiplied with.
    gain: f32,
    /// How far what was grey is given the new colour too, 0 to 1.
    tint: f32,
    /// The strength of the new colour.
    strength: f32,
}

impl Change {
    fn new(middle: &Middle, order: &Order, eye: &Eye) -> Self {
        let [brighter, stronger] = order.shade;
        let new = eye.lab(order.to.rgb);
        let strength = chroma(new) * (1.0 + stronger).max(0.1);
        let goal = new[0] + brighter;
        let old = middle.colour[0].clamp(0.05, 0.95);
        // White and black are lights more than colours; of the others a picture's own light is kept.
        let follow = if strength < 0.04 || brighter != 0.0 { 0.92 } else { 0.75 };
        let goal = (old + (goal - old) * follow).clamp(0.06, 0.95);
        let bend = goal * (1.0 - old) / (old * (1.0 - goal));
        let direction = |[_, a, b]: Lab| {
            let length = (a * a + b * b).sqrt();
            if length > 1e-4 { [a / length, b / length] } else { [1.0, 0.0] }
        };
        let grey = 1.0 - smooth((middle.strength - 0.03) / 0.05);
        Self {
            bend,
            from: direction(middle.colour),
            to: direction(new),
            gain: (strength / middle.strength.max(0.02)).min(3.0),
            tint: grey,
            strength,
        }
    }

    fn of(&self, [light, a, b]: Lab) -> Lab {
        let bent = light * self.bend / (1.0 + (self.bend - 1.0) * light);
        let length = (a * a + b * b).sqrt();
        // Other hues in the selection come half as near to each other, and to the side of the new one.
        let beside = 0.5 * (b * self.from[0] - a * self.from[1]);
        let along = (length * length - beside * beside).max(0.0).sqrt();
        // Neither shadows nor highlights can be colourful.
        let room = (4.0 * bent * (1.0 - bent)).clamp(0.0, 1.0);
        let gain = self.gain * (1.0 - self.tint);
        let (along, beside) = (along * gain + self.strength * self.tint * room, beside * gain);
        [bent, along * self.to[0] - beside * self.to[1], along * self.to[1] + beside * self.to[0]]
    }
}

/// What a caller should know of the selection.
fn told(order: &Order, masked: bool, middle: &Middle) -> Vec<Note> {
    let thing = order.thing.as_deref();
    if masked {
        let note = |it| {
            let message = format!("`{it}` was not looked for: the mask alone says what is changed");
            Note::new("prompt", message)
        };
        return thing.map(note).into_iter().collect();
    }
    let colour = order.from.map_or_else(|| named(middle.colour), |it| it.name);
    let percent = middle.share * 100.0;
    let part = if percent < 1.0 { "less than 1".to_owned() } else { format!("{percent:.0}") };
    let object = match thing {
        Some(thing) => format!("; `{thing}` was not looked for"),
        None => String::new(),
    };
    let message = format!(
        "it selects a colour and not an object: whatever is {colour} was changed, {part} % of the \
         picture{object}; a mask says exactly what to change"
    );
    vec![Note::new("prompt", message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left a red slope, right a green one, below grey.
    fn picture() -> Picture {
        let pixel = |at: u32| {
            let (x, y) = (at % 40, at / 40);
            let slope = (60 + 4 * y) as u8;
            match (y < 20, x < 20) {
                (true, true) => [slope + 60, slope / 4, slope / 5],
                (true, false) => [slope / 4, slope, slope / 3],
                (false, _) => [slope - 30; 3],
            }
        };
        let pixels = (0..40 * 30).map(pixel).collect();
        Picture { alpha: None, height: 30, pixels, profile: None, width: 40 }
    }

    fn order(prompt: &str) -> Order {
        Order::read(&VOCABULARY.read(prompt).expect("understood"))
    }

    fn done(prompt: &str, mask: Option<&[u8]>) -> (Picture, Vec<Note>) {
        let mut picture = picture();
        let notes = recolour(&mut picture, mask, &order(prompt)).expect("recoloured");
        (picture, notes)
    }

    /// Which pixels changed.
    fn changed(after: &Picture) -> Vec<bool> {
        picture().pixels.iter().zip(&after.pixels).map(|(a, b)| a != b).collect()
    }

    #[test]
    fn a_named_colour_alone_is_replaced_and_its_shades_stay_in_order() {
        let (after, notes) = done("replace the red with blue", None);
        for (at, changed) in changed(&after).into_iter().enumerate() {
            assert_eq!(changed, at % 40 < 20 && at / 40 < 20, "{at}");
        }
        let lights: Vec<u32> =
            (0..20).map(|y| after.pixels[y * 40].into_iter().map(u32::from).sum()).collect();
        assert!(lights.is_sorted() && lights[0] < lights[19]);
        assert!(after.pixels[0][2] > after.pixels[0][0], "it is blue");
        assert!(notes[0].message.starts_with("it selects a colour and not an object"));
    }

    #[test]
    fn a_shadow_on_the_paint_changes_with_it_and_dull_things_of_its_hue_stay() {
        // Red paint, its shadow, and wood.
        let [paint, shadow, wood] = [[200, 30, 30], [70, 24, 22], [150, 110, 104]];
        let pixels = (0..1200).map(|at| [paint, shadow, wood][at / 400]).collect();
        let mut after = Picture { pixels, ..picture() };
        recolour(&mut after, None, &order("replace the red with blue")).expect("recoloured");
        let is_blue = |[red, _, blue]: [u8; 3]| blue > red;
        assert!(is_blue(after.pixels[0]) && is_blue(after.pixels[400]));
        assert_eq!(after.pixels[800], wood);
    }

    #[test]
    fn a_mask_is_kept_to_the_pixel_and_its_soft_edge_is_kept() {
        let share = |at: usize| match at % 40 {
            0..10 => 255,
            10..20 => (255 - (at % 40 - 9) * 25) as u8,
            _ => 0,
        };
        let mask: Vec<u8> = (0..1200).map(share).collect();
        let (after, notes) = done("Replace the color of the car to blue", Some(&mask));
        for (at, changed) in changed(&after).into_iter().enumerate() {
            assert!(!changed || mask[at] > 0, "{at} is beside the mask");
            assert!(changed || mask[at] < 255, "{at} is in the mask");
        }
        let blue: Vec<u8> = (9..20).map(|x| after.pixels[x][2]).collect();
        assert!(blue.iter().rev().is_sorted() && blue[0] > 2 * blue[10], "{blue:?}");
        assert_eq!(notes.len(), 1);
        assert!(notes[0].message.starts_with("`car` was not looked for"), "{notes:?}");
    }

    #[test]
    fn what_is_grey_in_a_mask_gets_the_colour_too() {
        let mask: Vec<u8> = (0..1200).map(|at| if at / 40 < 20 { 0 } else { 255 }).collect();
        let (after, _) = done("make it red", Some(&mask));
        let [red, green, blue] = after.pixels[25 * 40];
        assert!(red > 2 * green && red > 2 * blue);
    }

    #[test]
    fn a_colour_that_is_not_there_is_named() {
        let why = recolour(&mut picture(), None, &order("replace the purple with blue"));
        let why = why.expect_err("no purple");
        assert!(why.contains("no purple") && why.contains("is red"), "{why}");
        let mut grey = Picture { pixels: vec![[90; 3]; 1200], ..picture() };
        let why = recolour(&mut grey, None, &order("make it blue")).expect_err("no colour");
        assert!(why.contains("give a mask"), "{why}");
        recolour(&mut grey, None, &order("replace the grey with blue")).expect("grey is there");
        assert!(grey.pixels[0][2] > grey.pixels[0][0]);
    }

    #[test]
    fn every_colour_is_reached_from_every_other() {
        let eye = Eye::new();
        for from in words::DYES {
            for to in words::DYES {
                let mut even = Picture { pixels: vec![from.rgb; 1200], ..picture() };
                let order = order(&format!("make it {}", to.name));
                recolour(&mut even, Some(&[255; 1200]), &order).expect("recoloured");
                let (got, wanted) = (eye.lab(even.pixels[0]), eye.lab(to.rgb));
                let away = (0..3).map(|i| (got[i] - wanted[i]).abs()).sum::<f32>();
                assert!(away < 0.35, "{} to {}: {away}", from.name, to.name);
            }
        }
    }

    #[test]
    fn the_smallest_and_the_transparent_are_no_trouble() {
        for alpha in [None, Some(vec![0]), Some(vec![255])] {
            let one =
                Picture { alpha, height: 1, pixels: vec![[200, 10, 10]], profile: None, width: 1 };
            for mask in [None, Some(&[255][..]), Some(&[1][..])] {
                let _ = recolour(&mut one.clone(), mask, &order("make it blue"));
            }
        }
    }
}
