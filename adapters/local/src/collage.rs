//! The input images on one sheet, each with its number: which is image 1, and which image 2.

mod digits;
mod layout;
mod words;

use serde_json::{Map, Value};

use crate::filter::{Files, Filter, Note, Painted, Task};
use crate::oklab::smooth;
use crate::picture::Picture;
use digits::Digit;
use layout::{Cell, Sheet};
use words::Style;
pub(crate) use words::VOCABULARY;

pub(crate) const FILTER: Filter = Filter { show, make };

fn show(task: &Task, shown: &mut Map<String, Value>) {
    shown.insert("layout".to_owned(), Style::read(task).rows.name().into());
}

fn make(task: &Task, files: Files) -> Result<Painted, String> {
    let style = Style::read(task);
    let mut notes = Vec::new();
    let mut pictures = Vec::new();
    for (index, file) in files.images.iter().enumerate() {
        let (picture, said) = task.decode(index, file, WORKED_ON)?;
        // That it is made to fit its place goes without saying.
        notes.extend(said.into_iter().filter(|it| !it.message.contains("scaled from")));
        pictures.push(picture);
    }
    if pictures.iter().any(|it| it.profile.is_some()) {
        notes.push(Note::new("images", "colour profiles are dropped: one sheet has one for all"));
    }
    let sizes: Vec<(u32, u32)> = pictures.iter().map(|it| (it.width, it.height)).collect();
    let sheet = Sheet::new(&sizes, &style);
    let mut canvas = Picture {
        alpha: None,
        height: sheet.height,
        pixels: vec![style.ground; sheet.width as usize * sheet.height as usize],
        profile: None,
        width: sheet.width,
    };
    for (number, (picture, cell)) in (1..).zip(pictures.into_iter().zip(&sheet.cells)) {
        place(&mut canvas, &picture.sized(cell.width, cell.height), cell);
        stamp(&mut canvas, cell, sheet.badge, number);
    }
    Ok(Painted { notes, picture: canvas })
}

/// An input image is scaled to no more than this before it is fitted into its place.
const WORKED_ON: u64 = 2_000_000;

/// Lays the picture into its place, over the ground.
fn place(canvas: &mut Picture, picture: &Picture, cell: &Cell) {
    for y in 0..cell.height as usize {
        let from = y * picture.width as usize;
        let to = (cell.top as usize + y) * canvas.width as usize + cell.left as usize;
        for x in 0..cell.width as usize {
            let share = picture.alpha.as_ref().map_or(1.0, |it| f32::from(it[from + x]) / 255.0);
            blend(&mut canvas.pixels[to + x], picture.pixels[from + x], share);
        }
    }
}

/// Puts the number on a disc into the corner of its place.
fn stamp(canvas: &mut Picture, cell: &Cell, badge: f32, number: usize) {
    let radius = badge * 0.5;
    let digit = Digit::of(number);
    let (middle_x, middle_y) =
        (cell.left as f32 + badge * 0.35 + radius, cell.top as f32 + badge * 0.35 + radius);
    let reach = radius + 3.0;
    let within = |middle: f32, side: u32| {
        let first = (middle - reach).max(0.0) as usize;
        first..((middle + reach) as usize + 1).min(side as usize)
    };
    let width = canvas.width as usize;
    for y in within(middle_y, canvas.height) {
        for x in within(middle_x, canvas.width) {
            let (dx, dy) = (x as f32 + 0.5 - middle_x, y as f32 + 0.5 - middle_y);
            let away = (dx * dx + dy * dy).sqrt();
            let pixel = &mut canvas.pixels[y * width + x];
            // The rim keeps the disc apart from a dark picture, and the disc the number from any.
            blend(pixel, WHITE, 0.9 * smooth(radius + 0.5 - away));
            blend(pixel, INK, smooth(radius * 0.92 + 0.5 - away));
            let stroke = digit.away(dx / badge, dy / badge) * badge;
            blend(pixel, WHITE, smooth(0.5 - stroke));
        }
    }
}

fn blend(pixel: &mut [u8; 3], colour: [u8; 3], share: f32) {
    for (under, over) in pixel.iter_mut().zip(colour) {
        let (below, above) = (f32::from(*under), f32::from(over));
        *under = (below + (above - below) * share + 0.5) as u8;
    }
}

const WHITE: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [28, 30, 36];
