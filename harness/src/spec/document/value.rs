//! From a TOML value to a Rust one, with what to report when it does not fit.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use strum::VariantNames;
use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problem;
use crate::spec::naming::{did_you_mean, names};

/// A type that a TOML value can be read as.
pub(crate) trait FromValue: Sized {
    /// What is expected, with its article: `a string`.
    const EXPECTED: &'static str;
    /// The same, as the noun of a list: `string`.
    const NOUN: &'static str = "value";

    /// Reads the value.
    ///
    /// # Errors
    /// [`Unfit`] describes the values that would have fitted.
    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit>;
}

/// A type that documents write as one of its names.
pub(crate) trait Named: FromStr + VariantNames {
    /// See [`FromValue::EXPECTED`].
    const EXPECTED: &'static str;
    /// See [`FromValue::NOUN`].
    const NOUN: &'static str = "value";
}

impl<T: Named> FromValue for T {
    const EXPECTED: &'static str = <T as Named>::EXPECTED;
    const NOUN: &'static str = <T as Named>::NOUN;

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let text = value.as_str().ok_or_else(unfit::<Self>)?;
        text.parse().map_err(|_| Unfit::none_of(text, T::VARIANTS))
    }
}

/// Reads one of these values by the name beside it.
pub(crate) fn one_of<T: FromValue + Copy>(
    value: &DeValue<'_>,
    all: &[(T, &'static str)],
) -> Result<T, Unfit> {
    let text = value.as_str().ok_or_else(unfit::<T>)?;
    let found = all.iter().find(|(_, name)| *name == text);
    found
        .map(|(item, _)| *item)
        .ok_or_else(|| Unfit::none_of(text, &all.iter().map(|(_, name)| *name).collect::<Vec<_>>()))
}

/// The values that would have fitted.
#[derive(Debug)]
pub(crate) struct Unfit {
    expected: String,
    hint: Option<String>,
}

impl Unfit {
    pub(crate) fn new(expected: String) -> Self {
        Self { expected, hint: None }
    }

    /// The value is not one of these names.
    pub(crate) fn none_of<S: AsRef<str>>(found: &str, known: &[S]) -> Self {
        Self {
            expected: format!("one of {}", names(known.iter().map(AsRef::as_ref))),
            hint: did_you_mean(found, known),
        }
    }

    pub(super) fn into_problem(self, key: &str, value: &Spanned<DeValue<'_>>) -> Problem {
        let found = match value.get_ref() {
            DeValue::String(text) => format!("`{text}`"),
            DeValue::Integer(number) => format!("`{}`", number.as_str()),
            DeValue::Float(number) => format!("`{}`", number.as_str()),
            DeValue::Boolean(flag) => format!("`{flag}`"),
            DeValue::Datetime(time) => format!("`{time}`"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        let message = format!("`{key}`: expected {}, found {found}", self.expected);
        Problem::at(value.span(), message, "this").hint_if(self.hint)
    }
}

fn unfit<T: FromValue>() -> Unfit {
    Unfit::new(T::EXPECTED.to_owned())
}

impl FromValue for String {
    const EXPECTED: &'static str = "a string";
    const NOUN: &'static str = "string";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        match value.as_str() {
            Some(text) if text.trim().is_empty() => {
                Err(Unfit::new("a string that is not empty".to_owned()))
            }
            Some(text) => Ok(text.to_owned()),
            None => Err(unfit::<Self>()),
        }
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        value.as_bool().ok_or_else(unfit::<Self>)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {
        $(impl FromValue for $number {
            const EXPECTED: &'static str = "a whole number";

            fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
                let integer = value.as_integer().ok_or_else(unfit::<Self>)?;
                Self::from_str_radix(integer.as_str(), integer.radix())
                    .map_err(|_| Unfit::new(format!("a whole number from 0 to {}", Self::MAX)))
            }
        })+
    };
}

whole_numbers!(u32, u64);

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let text = match value {
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
            _ => return Err(unfit::<Self>()),
        };
        let number = Self::from_str(&text).map_err(|_| unfit::<Self>())?;
        if number.is_finite() && number >= 0.0 {
            Ok(number)
        } else {
            Err(Unfit::new("a number that is finite and not negative".to_owned()))
        }
    }
}

impl FromValue for Date {
    const EXPECTED: &'static str = "a date such as `2027-01-31`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let time = value.as_datetime().ok_or_else(unfit::<Self>)?;
        if time.time.is_some() {
            return Err(unfit::<Self>());
        }
        time.to_string().parse().map_err(|_| unfit::<Self>())
    }
}

impl FromValue for Duration {
    const EXPECTED: &'static str = "a duration such as `\"30s\"` or `\"2m 30s\"`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let text = value.as_str().ok_or_else(unfit::<Self>)?;
        let signed: SignedDuration = text.parse().map_err(|_| unfit::<Self>())?;
        match Self::try_from(signed) {
            Ok(duration) if !duration.is_zero() => Ok(duration),
            _ => Err(Unfit::new("a duration longer than zero".to_owned())),
        }
    }
}
