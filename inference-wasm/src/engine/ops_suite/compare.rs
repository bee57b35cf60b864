//! Compares a backend's output with the reference's, within bounds.
//!
//! Values that are not finite come first, since NaN compares with nothing. Then the value that is
//! furthest beyond its bound decides, and the first such value and their count are reported. Pure:
//! numbers in, a distance or a mismatch out.

use super::guard::{Output, POISON};

/// How near a case came to its bounds: the value that came nearest.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Distance {
    /// Its error.
    pub(super) error: f64,
    /// Its bound.
    pub(super) allowed: f64,
    /// The error divided by the bound.
    pub(super) ratio: f64,
    /// `Σ (found − expected)² / Σ expected²`; 0 if nothing is off.
    pub(super) nmse: f64,
}

/// Why a result is wrong. Displayed as the end of a sentence that begins with the case's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("expected {expected} floats, found {found}")]
    Count { expected: usize, found: usize },
    /// NaN or an infinity on one side only.
    #[error(
        "{place}: expected {expected:e}, found {found}; {count} of {all} values are not finite"
    )]
    NotFinite { place: Place, expected: f32, found: f32, count: usize, all: usize },
    #[error("{0}")]
    OutOfBounds(Box<OutOfBounds>),
    #[error(
        "wrote beyond its {rows} rows: at {place} nothing should have been written, found {found:e}"
    )]
    WroteBeyond { rows: usize, place: Place, found: f32 },
}

/// Values that are further from the expected ones than allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{place}: expected {expected:e}, found {found:e}: off by {:.3e}, allowed {:.3e} ({:.1} times); \
     {count} of {all} values are off, the first at {first}{}; NMSE {:.1e}",
    .worst.error, .worst.allowed, .worst.ratio, never_written(*.unwritten), .worst.nmse
)]
pub(super) struct OutOfBounds {
    /// Of the value that is furthest beyond its bound.
    place: Place,
    expected: f32,
    found: f32,
    worst: Distance,
    first: Place,
    count: usize,
    all: usize,
    /// Values that still hold the poison.
    unwritten: usize,
}

fn never_written(count: usize) -> String {
    if count == 0 { String::new() } else { format!("; {count} were never written") }
}

/// Where a value is in its tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    row: usize,
    column: usize,
}

impl Place {
    fn of(at: usize, columns: usize) -> Self {
        Self { row: at / columns, column: at % columns }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}, column {}", self.row, self.column)
    }
}

/// Compares an output with the `expected` values, which are `columns` to a row. `allowed` holds a
/// bound for each of them.
pub(super) fn compare(
    expected: &[f32],
    allowed: &[f64],
    found: &Output,
    columns: usize,
) -> Result<Distance, Mismatch> {
    let values = &found.values;
    if values.len() != expected.len() {
        return Err(Mismatch::Count { expected: expected.len(), found: values.len() });
    }
    compare_non_finite(expected, values, columns)?;
    let distance = within_bounds(expected, allowed, values, columns)?;
    let written = found.beyond.iter().position(|value| value.to_bits() != POISON.to_bits());
    if let Some(at) = written {
        let (rows, place) = (values.len() / columns, Place::of(values.len() + at, columns));
        return Err(Mismatch::WroteBeyond { rows, place, found: found.beyond[at] });
    }
    Ok(distance)
}

/// NaN and infinity have to be the same on both sides.
#[expect(clippy::float_cmp, reason = "infinities are the same or not")]
fn compare_non_finite(expected: &[f32], found: &[f32], columns: usize) -> Result<(), Mismatch> {
    let differs = |(_, (expected, found)): &(usize, (&f32, &f32))| {
        let are_finite = expected.is_finite() && found.is_finite();
        let are_same = expected.is_nan() && found.is_nan() || expected == found;
        !are_finite && !are_same
    };
    let mut differing = expected.iter().zip(found).enumerate().filter(differs);
    let Some((at, (&first, &instead))) = differing.next() else { return Ok(()) };
    Err(Mismatch::NotFinite {
        place: Place::of(at, columns),
        expected: first,
        found: instead,
        count: 1 + differing.count(),
        all: expected.len(),
    })
}

fn within_bounds(
    expected: &[f32],
    allowed: &[f64],
    found: &[f32],
    columns: usize,
) -> Result<Distance, Mismatch> {
    let mut worst = Distance::default();
    let (mut worst_at, mut first_at, mut count) = (0, None, 0_usize);
    let (mut square_error, mut square) = (0.0, 0.0);
    for (at, ((&expected, &found), &allowed)) in expected.iter().zip(found).zip(allowed).enumerate()
    {
        if !expected.is_finite() {
            continue;
        }
        let error = (f64::from(found) - f64::from(expected)).abs();
        square_error += error * error;
        square += f64::from(expected) * f64::from(expected);
        // An error where none is allowed has an infinite ratio.
        let ratio = if error == 0.0 { 0.0 } else { error / allowed };
        if error > allowed {
            count += 1;
            first_at.get_or_insert(at);
        }
        if ratio > worst.ratio {
            worst_at = at;
            worst = Distance { error, allowed, ratio, nmse: 0.0 };
        }
    }
    worst.nmse =
        if square_error == 0.0 { 0.0 } else { square_error / square.max(f64::MIN_POSITIVE) };
    let Some(first_at) = first_at else { return Ok(worst) };
    Err(Mismatch::OutOfBounds(Box::new(OutOfBounds {
        place: Place::of(worst_at, columns),
        expected: expected[worst_at],
        found: found[worst_at],
        worst,
        first: Place::of(first_at, columns),
        count,
        all: expected.len(),
        unwritten: found.iter().filter(|value| value.to_bits() == POISON.to_bits()).count(),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(expected: &[f32], found: &[f32], beyond: &[f32]) -> Result<Distance, String> {
        let found = Output { values: found.to_vec(), beyond: beyond.to_vec() };
        let allowed = vec![0.25; expected.len()];
        compare(expected, &allowed, &found, 2).map_err(|mismatch| mismatch.to_string())
    }

    #[test]
    fn non_finite_values_are_reported_first() {
        let message = compared(&[1.0, 2.0, 3.0, 4.0], &[9.0, 2.0, f32::NAN, f32::INFINITY], &[]);
        assert_eq!(
            message.unwrap_err(),
            "row 1, column 0: expected 3e0, found NaN; 2 of 4 values are not finite"
        );
        assert!(compared(&[f32::NAN, 1.0], &[f32::NAN, 1.0], &[]).is_ok());
        assert!(compared(&[f32::INFINITY, 1.0], &[f32::NEG_INFINITY, 1.0], &[]).is_err());
    }

    #[test]
    fn the_value_furthest_off_is_reported_with_the_first_and_the_count() {
        let message = compared(&[1.0, 2.0, 3.0, 4.0], &[1.25, 2.5, 3.0, 5.0], &[]);
        assert_eq!(
            message.unwrap_err(),
            "row 1, column 1: expected 4e0, found 5e0: off by 1.000e0, allowed 2.500e-1 (4.0 times); \
             2 of 4 values are off, the first at row 0, column 1; NMSE 4.4e-2"
        );
        let distance = compared(&[1.0, 2.0], &[1.125, 2.0], &[POISON]).unwrap();
        assert_eq!((distance.error, distance.ratio), (0.125, 0.5));
        assert_eq!(compared(&[1.0], &[1.0, 2.0], &[]).unwrap_err(), "expected 1 floats, found 2");
    }

    #[test]
    fn a_write_beyond_the_rows_and_a_value_never_written_are_reported() {
        assert_eq!(
            compared(&[1.0, 2.0], &[1.0, 2.0], &[POISON, 3.0]).unwrap_err(),
            "wrote beyond its 1 rows: at row 1, column 1 nothing should have been written, found 3e0"
        );
        assert!(
            compared(&[1.0, 2.0], &[1.0, POISON], &[])
                .unwrap_err()
                .contains("1 were never written")
        );
    }
}
