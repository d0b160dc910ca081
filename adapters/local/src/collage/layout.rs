//! Where each picture lies on the sheet: rows of one height, as even as they can be, in reading order.

use super::words::{Rows, Style};

/// A sheet with a place for each picture.
#[derive(Debug, PartialEq)]
pub(crate) struct Sheet {
    /// The width of a disc with a number.
    pub(crate) badge: f32,
    pub(crate) cells: Vec<Cell>,
    pub(crate) height: u32,
    pub(crate) width: u32,
}

/// The place of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) height: u32,
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
}

impl Sheet {
    /// The sheet for pictures of these sizes.
    pub(crate) fn new(sizes: &[(u32, u32)], style: &Style) -> Self {
        // A very long picture has a place of a bearable shape, and lies in the middle of it.
        let shapes: Vec<f32> = sizes
            .iter()
            .map(|(width, height)| (*width as f32 / *height as f32).clamp(SLIM, 1.0 / SLIM))
            .collect();
        let breaks = match style.rows {
            Rows::One => 0,
            Rows::Each => (1 << (shapes.len() - 1)) - 1,
            Rows::Many => best(&shapes, style.gap),
        };
        let rows = rows(&shapes, breaks);
        // In parts of the sheet's width, until the height is known.
        let heights: Vec<f32> = rows.iter().map(|it| height(it, style.gap)).collect();
        let tall = style.gap + heights.iter().map(|it| it + style.gap).sum::<f32>();
        let width = WIDTH.min(TALLEST / tall);
        let gap = style.gap * width;
        let (mut cells, mut top, mut sizes) = (Vec::new(), gap, sizes.iter());
        let mut lowest = f32::MAX;
        for (row, height) in rows.iter().zip(&heights) {
            let high = (height * width).max(1.0);
            let mut left = gap;
            for (shape, (own_width, own_height)) in row.iter().zip(&mut sizes) {
                let wide = high * shape;
                lowest = lowest.min(high.min(wide));
                let scale = (wide / *own_width as f32).min(high / *own_height as f32);
                let side = |own: u32| (own as f32 * scale + 0.5).max(1.0) as u32;
                let (cell_width, cell_height) = (side(*own_width), side(*own_height));
                let inset = |room: f32, side: u32| ((room - side as f32) * 0.5).max(0.0);
                cells.push(Cell {
                    height: cell_height,
                    left: (left + inset(wide, cell_width) + 0.5) as u32,
                    top: (top + inset(high, cell_height) + 0.5) as u32,
                    width: cell_width,
                });
                left += wide + gap;
            }
            top += high + gap;
        }
        // Rounding must not push a picture over the edge.
        let far =
            |it: u32, edge: fn(&Cell) -> u32| cells.iter().map(edge).max().unwrap_or(1).max(it);
        let width = far((width + 0.5) as u32, |it| it.left + it.width);
        let height = far((top + 0.5) as u32, |it| it.top + it.height);
        Self { badge: (lowest * 0.24).clamp(16.0, 76.0), cells, height, width }
    }
}

/// The shapes of each row; bit `i` of `breaks` ends a row after picture `i`.
fn rows(shapes: &[f32], breaks: u32) -> Vec<Vec<f32>> {
    let mut rows = vec![Vec::new()];
    for (at, shape) in shapes.iter().enumerate() {
        if let Some(row) = rows.last_mut() {
            row.push(*shape);
        }
        if breaks >> at & 1 == 1 && at + 1 < shapes.len() {
            rows.push(Vec::new());
        }
    }
    rows
}

/// The height of a row that is as wide as the sheet, in parts of that.
fn height(row: &[f32], gap: f32) -> f32 {
    let gaps = gap * (row.len() + 1) as f32;
    (1.0 - gaps).max(0.05) / row.iter().sum::<f32>()
}

/// Where rows end, so that they are like each other and the sheet is a little wider than high.
fn best(shapes: &[f32], gap: f32) -> u32 {
    let fault = |breaks: u32| {
        let heights: Vec<f32> = rows(shapes, breaks).iter().map(|it| height(it, gap)).collect();
        let tall: f32 = heights.iter().sum();
        let mean = tall / heights.len() as f32;
        let uneven: f32 = heights.iter().map(|it| (it / mean - 1.0) * (it / mean - 1.0)).sum();
        let shape = if tall < GOOD { GOOD / tall } else { tall / GOOD };
        uneven / heights.len() as f32 + (shape - 1.0) * (shape - 1.0)
    };
    let all = 0..1_u32 << (shapes.len() - 1);
    all.min_by(|a, b| fault(*a).total_cmp(&fault(*b))).unwrap_or(0)
}

/// The width of a sheet and its greatest height, in pixels.
const WIDTH: f32 = 1600.0;
const TALLEST: f32 = 2400.0;

/// A good height, in parts of the width.
const GOOD: f32 = 0.66;

/// The slimmest place, as width by height.
const SLIM: f32 = 0.3;

#[cfg(test)]
mod tests {
    use super::*;

    fn style(rows: Rows) -> Style {
        Style { gap: 0.012, ground: [255; 3], rows }
    }

    #[test]
    fn places_lie_on_the_sheet_in_reading_order_and_apart() {
        let odd =
            [(400, 300), (300, 400), (1, 1), (5000, 3), (3, 5000), (640, 427), (9, 7), (2, 3)];
        for count in 2..=8 {
            for rows in [Rows::One, Rows::Each, Rows::Many] {
                let Sheet { cells, width, height, .. } = Sheet::new(&odd[..count], &style(rows));
                assert_eq!(cells.len(), count);
                assert!(width <= 1700 && height <= 2500, "{width}x{height}");
                for it in &cells {
                    assert!(it.left + it.width <= width && it.top + it.height <= height);
                }
                for (one, next) in cells.iter().zip(&cells[1..]) {
                    let beside = one.left + one.width <= next.left;
                    let below = one.top + one.height <= next.top;
                    assert!(beside || below, "{one:?} {next:?}");
                }
            }
        }
    }

    #[test]
    fn four_like_pictures_lie_two_by_two() {
        let cells = Sheet::new(&[(300, 200); 4], &style(Rows::Many)).cells;
        assert_eq!(cells[0].top, cells[1].top);
        assert_eq!(cells[0].left, cells[2].left);
    }

    #[test]
    fn a_picture_keeps_its_shape() {
        for Cell { width, height, .. } in Sheet::new(&[(300, 200); 5], &style(Rows::Many)).cells {
            assert!((width as f32 / height as f32 - 1.5).abs() < 0.02);
        }
    }
}
