//! The layout of a tensor's floats in a texture, mirrored in `shaders/common.glsl`.
//!
//! A tensor is `[rows × columns]` of `f32` in an `RGBA32F` texture, four columns to a texel. The
//! last texel of a row may have padding, whose value is unspecified.
//!
//! ```text
//! width = 2^shift texels          a row of `texels` is folded into `lines` lines of `width`
//! ┌─────────────┬─────────────┐
//! │ row 0 line 0│ row R line 0│   R rows lie under each other in a band; `R = 2^band_shift`
//! │       line 1│       line 1│
//! │ row 1 line 0│ …           │   bands stand side by side, where a texture is not high enough
//! │ …           │             │
//! └─────────────┴─────────────┘
//! ```
//!
//! So some rows of a band are a rectangle, and a pass draws a viewport. Rows that are long enough
//! are folded into four lines: GPUs draw squares of 2 × 2 pixels and software adapters of up to 4 ×
//! 4, so with a single line most of them would idle when there is one row, as in decoding. Widths
//! are powers of two, so that a shader finds a texel without dividing.

#![cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "shaders and passes, which only a browser has, use the rest")
)]

use std::ops::Range;

use crate::protocol::EngineError;

/// Lines that a row is folded into, if it has that many texels.
const LINES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// The layout of a tensor in its texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Floats of a row.
    pub(super) columns: usize,
    /// Rows of capacity.
    pub(super) rows: usize,
    /// Log2 of the texels in a line.
    shift: u32,
    /// Lines of a row.
    lines: usize,
    /// Log2 of the rows in a band.
    band_shift: u32,
}

impl Shape {
    /// A shape for textures of at most `most` texels in each direction; fails with
    /// `out-of-memory` if none is large enough.
    pub(super) fn new(rows: usize, columns: usize, most: usize) -> Result<Self, EngineError> {
        let texels = columns.div_ceil(4).max(1);
        let widest = 1 << most.max(1).ilog2();
        let mut width = texels.div_ceil(LINES).next_power_of_two().min(widest);
        let mut lines = texels.div_ceil(width);
        // Tall tensors, such as caches, get lines up to the length of a row before they get bands.
        while rows.saturating_mul(lines) > most && width < texels && width < widest {
            width *= 2;
            lines = texels.div_ceil(width);
        }
        let band_rows = if rows.saturating_mul(lines) <= most {
            rows.max(1).next_power_of_two()
        } else {
            (most / lines).checked_ilog2().map_or(0, |log| 1 << log)
        };
        if band_rows == 0 || rows.div_ceil(band_rows).saturating_mul(width) > most {
            return Err(too_large(rows, columns, most));
        }
        Ok(Self { columns, rows, shift: width.ilog2(), lines, band_shift: band_rows.ilog2() })
    }

    /// Texels of a row that hold columns.
    pub(super) fn texels(self) -> usize {
        self.columns.div_ceil(4).max(1)
    }

    fn width(self) -> usize {
        1 << self.shift
    }

    fn band_rows(self) -> usize {
        1 << self.band_shift
    }

    /// Texels of the whole texture, across and down.
    pub(super) fn size(self) -> (usize, usize) {
        let bands = self.rows.div_ceil(self.band_rows()).max(1);
        (bands * self.width(), self.rows.clamp(1, self.band_rows()) * self.lines)
    }

    /// In the form that shaders take: see `row_start` in `common.glsl`.
    pub(super) fn uniform(self) -> [i32; 3] {
        [self.shift as i32, self.lines as i32, self.band_shift as i32]
    }

    /// The rectangles of some rows: one for each band.
    pub(super) fn rectangles(self, rows: Range<usize>) -> impl Iterator<Item = Rectangle> {
        let per = self.band_rows();
        let bands = rows.start / per..rows.end.div_ceil(per);
        bands.map(move |band| {
            let start = rows.start.max(band * per) - band * per;
            let end = rows.end.min((band + 1) * per) - band * per;
            Rectangle {
                x: (band * self.width()) as i32,
                y: (start * self.lines) as i32,
                width: self.width() as i32,
                height: ((end - start) * self.lines) as i32,
            }
        })
    }

    /// The number of rows of a rectangle.
    pub(super) fn rows_of(self, rectangle: Rectangle) -> usize {
        rectangle.height as usize / self.lines
    }

    /// The same texture for rows of fewer columns: shorter lines, and at most as many.
    pub(super) fn with_columns(self, columns: usize) -> Self {
        let columns = columns.min(self.columns);
        let texels = columns.div_ceil(4).max(1);
        let width = texels.div_ceil(self.lines).next_power_of_two().min(self.width());
        Self { columns, shift: width.ilog2(), lines: texels.div_ceil(width), ..self }
    }

    /// The floats of row `row` from a rectangle that begins with its band's row `first`, as WebGL
    /// reads them: line after line, four floats per texel.
    pub(super) fn row(self, rectangle: &[f32], row: usize) -> &[f32] {
        let floats = 4 * self.width() * self.lines;
        let start = row * floats;
        rectangle.get(start..start + self.columns).unwrap_or_default()
    }

    /// The places of row `row` in an image of the whole texture (line after line, four floats per
    /// texel, bands side by side), as pairs of a range of columns and the index of its first float.
    pub(super) fn places(self, row: usize) -> impl Iterator<Item = (Range<usize>, usize)> {
        let (width, _) = self.size();
        let (band, in_band) = (row / self.band_rows(), row % self.band_rows());
        let line_columns = 4 * self.width();
        (0..self.lines).map(move |line| {
            let start = line * line_columns;
            let end = (start + line_columns).min(self.columns);
            let texel = (in_band * self.lines + line) * width + band * self.width();
            (start.min(end)..end, 4 * texel)
        })
    }
}

fn too_large(rows: usize, columns: usize, most: usize) -> EngineError {
    EngineError::out_of_memory(format!(
        "{rows} rows of {columns} numbers don't fit into a texture, expected at most {most} × \
             {most} texels of four numbers"
    ))
    .with_hint("ask for a smaller context with `context_tokens`")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::EngineErrorKind;

    /// `row_start` and `texel_of` of `common.glsl`.
    fn shader_place([shift, lines, band_shift]: [i32; 3], row: i32, texel: i32) -> (i32, i32) {
        let band = row >> band_shift;
        let line = texel >> shift;
        let start = (band << shift, (row - (band << band_shift)) * lines);
        (start.0 + texel - (line << shift), start.1 + line)
    }

    #[test]
    fn rows_are_folded_into_four_lines_and_vocabularies_into_more() {
        let size = |rows, columns, most| Shape::new(rows, columns, most).unwrap().size();
        assert_eq!(size(1, 128, 8192), (8, 4));
        assert_eq!(size(32, 576, 8192), (64, 96));
        assert_eq!(size(1, 49_152, 8192), (4096, 3));
        assert_eq!(size(1, 262_144, 8192), (8192, 8));
        assert_eq!(size(1, 1, 8192), (1, 1));
    }

    #[test]
    fn caches_have_longer_lines_and_then_bands() {
        let size = |rows, columns, most| Shape::new(rows, columns, most).unwrap().size();
        assert_eq!(size(2048, 64, 8192), (4, 8192));
        assert_eq!(size(4096, 64, 8192), (8, 8192));
        assert_eq!(size(131_072, 64, 8192), (16 * 16, 8192));
    }

    #[test]
    fn a_tensor_that_does_not_fit_is_reported_with_its_sizes() {
        let error = Shape::new(1 << 20, 4096, 4096).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::OutOfMemory);
        assert!(error.message.contains("1048576 rows of 4096 numbers"), "{}", error.message);
        assert!(error.message.contains("4096 × 4096 texels"), "{}", error.message);
    }

    #[test]
    fn fewer_columns_are_closer_together_in_the_same_texture() {
        let shape = Shape::new(288, 8192, 8192).unwrap();
        assert_eq!(shape.size(), (512, 288 * 4));
        let near = shape.with_columns(64);
        assert_eq!(near.size(), (4, 288 * 4));
        assert_eq!(shape.with_columns(8192), shape);
        assert_eq!(shape.with_columns(3).size(), (1, 288));
    }

    proptest! {
        #[test]
        fn no_two_texels_share_a_place_and_all_are_in_the_texture(
            rows in 1_usize..200, columns in 1_usize..300, log in 4_u32..9,
        ) {
            let most = 1 << log;
            let Ok(shape) = Shape::new(rows, columns, most) else { return Ok(()) };
            let (width, height) = shape.size();
            prop_assert!(width <= most && height <= most);
            let mut seen = HashSet::new();
            for row in 0..rows {
                let rectangle = shape.rectangles(row..row + 1).next().unwrap();
                for texel in 0..shape.texels() {
                    let (x, y) = shader_place(shape.uniform(), row as i32, texel as i32);
                    prop_assert!((0..width as i32).contains(&x) && (0..height as i32).contains(&y));
                    prop_assert!((rectangle.x..rectangle.x + rectangle.width).contains(&x));
                    prop_assert!((rectangle.y..rectangle.y + rectangle.height).contains(&y));
                    prop_assert!(seen.insert((x, y)));
                    let float = 4 * (y as usize * width + x as usize);
                    let column = 4 * texel;
                    let is_placed = shape.places(row).any(|(columns, place)| {
                        columns.contains(&column) && place + column - columns.start == float
                    });
                    prop_assert!(is_placed);
                }
            }
        }
    }
}
