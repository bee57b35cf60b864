//! Holds what a backend left against what the reference says, within bounds.
//!
//! What is no number comes first: a NaN compares with nothing. Then the value that is furthest
//! beyond its bound decides, and the first and the count of them are told. Pure: numbers in, a
//! distance or a sentence out.

use super::guard::{POISON, Seen};

/// How near a case came to its bounds: the value that came nearest.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Distance {
    /// How far it was off.
    pub(super) error: f64,
    /// How far it may be off.
    pub(super) allowed: f64,
    /// The one by the other.
    pub(super) ratio: f64,
    /// `Σ (found − expected)² / Σ expected²`; 0 where nothing is off.
    pub(super) nmse: f64,
}

/// The distance, or what is wrong, in a sentence that goes on after the case's name. `allowed`
/// holds a bound for each value of `expected`, which are `columns` to a row.
pub(super) fn hold(
    expected: &[f32],
    allowed: &[f64],
    found: &Seen,
    columns: usize,
) -> Result<Distance, String> {
    let place = |at: usize| format!("row {}, column {}", at / columns, at % columns);
    let values = &found.values;
    if values.len() != expected.len() {
        return Err(format!("expected {} floats, found {}", expected.len(), values.len()));
    }
    same_if_no_number(expected, values, place)?;
    let distance = within_bounds(expected, allowed, values, place)?;
    let written = found.beyond.iter().position(|value| value.to_bits() != POISON.to_bits());
    if let Some(at) = written {
        return Err(format!(
            "wrote behind its {} rows: at {} nothing was to be written, found {:e}",
            values.len() / columns,
            place(values.len() + at),
            found.beyond[at],
        ));
    }
    Ok(distance)
}

/// NaN and infinity have to be the same on both sides.
#[expect(clippy::float_cmp, reason = "infinities are the same or not")]
fn same_if_no_number(
    expected: &[f32],
    found: &[f32],
    place: impl Fn(usize) -> String,
) -> Result<(), String> {
    let differs = |(_, (expected, found)): &(usize, (&f32, &f32))| {
        let are_numbers = expected.is_finite() && found.is_finite();
        let are_same = expected.is_nan() && found.is_nan() || expected == found;
        !are_numbers && !are_same
    };
    let mut differing = expected.iter().zip(found).enumerate().filter(differs);
    let Some((at, (first, instead))) = differing.next() else { return Ok(()) };
    let (place, all) = (place(at), expected.len());
    let count = 1 + differing.count();
    Err(format!(
        "{place}: expected {first:e}, found {instead}; {count} of {all} values are no numbers"
    ))
}

fn within_bounds(
    expected: &[f32],
    allowed: &[f64],
    found: &[f32],
    place: impl Fn(usize) -> String,
) -> Result<Distance, String> {
    let mut worst = Distance::default();
    let (mut worst_at, mut first_at, mut off) = (0, None, 0_usize);
    let (mut square_error, mut square) = (0.0, 0.0);
    for (at, ((&expected, &found), &allowed)) in expected.iter().zip(found).zip(allowed).enumerate()
    {
        if !expected.is_finite() {
            continue;
        }
        let error = (f64::from(found) - f64::from(expected)).abs();
        square_error += error * error;
        square += f64::from(expected) * f64::from(expected);
        // What may not be off at all is off by any number of bounds.
        let ratio = if error == 0.0 { 0.0 } else { error / allowed };
        if error > allowed {
            off += 1;
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
    let Distance { error, allowed, ratio, nmse } = worst;
    let unwritten = found.iter().filter(|value| value.to_bits() == POISON.to_bits()).count();
    let unwritten = match unwritten {
        0 => String::new(),
        count => format!("; {count} were never written"),
    };
    Err(format!(
        "{}: expected {:e}, found {:e}: off by {error:.3e}, allowed {allowed:.3e} ({ratio:.1} times); \
         {off} of {} values are off, the first at {}{unwritten}; NMSE {nmse:.1e}",
        place(worst_at),
        expected[worst_at],
        found[worst_at],
        expected.len(),
        place(first_at),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(expected: &[f32], found: &[f32], beyond: &[f32]) -> Result<Distance, String> {
        let found = Seen { values: found.to_vec(), beyond: beyond.to_vec() };
        hold(expected, &vec![0.25; expected.len()], &found, 2)
    }

    #[test]
    fn what_is_no_number_comes_first() {
        let message = held(&[1.0, 2.0, 3.0, 4.0], &[9.0, 2.0, f32::NAN, f32::INFINITY], &[]);
        assert_eq!(
            message.unwrap_err(),
            "row 1, column 0: expected 3e0, found NaN; 2 of 4 values are no numbers"
        );
        assert!(held(&[f32::NAN, 1.0], &[f32::NAN, 1.0], &[]).is_ok());
        assert!(held(&[f32::INFINITY, 1.0], &[f32::NEG_INFINITY, 1.0], &[]).is_err());
    }

    #[test]
    fn the_value_furthest_off_is_told_with_the_first_and_the_count() {
        let message = held(&[1.0, 2.0, 3.0, 4.0], &[1.25, 2.5, 3.0, 5.0], &[]);
        assert_eq!(
            message.unwrap_err(),
            "row 1, column 1: expected 4e0, found 5e0: off by 1.000e0, allowed 2.500e-1 (4.0 times); \
             2 of 4 values are off, the first at row 0, column 1; NMSE 4.4e-2"
        );
        let distance = held(&[1.0, 2.0], &[1.125, 2.0], &[POISON]).unwrap();
        assert_eq!((distance.error, distance.ratio), (0.125, 0.5));
        assert_eq!(held(&[1.0], &[1.0, 2.0], &[]).unwrap_err(), "expected 1 floats, found 2");
    }

    #[test]
    fn a_write_behind_the_rows_and_a_value_never_written_are_told() {
        assert_eq!(
            held(&[1.0, 2.0], &[1.0, 2.0], &[POISON, 3.0]).unwrap_err(),
            "wrote behind its 1 rows: at row 1, column 1 nothing was to be written, found 3e0"
        );
        assert!(
            held(&[1.0, 2.0], &[1.0, POISON], &[]).unwrap_err().contains("1 were never written")
        );
    }
}
