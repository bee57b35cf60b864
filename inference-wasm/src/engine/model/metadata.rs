//! The key-value part of a GGUF file, with typed access.
//!
//! ```text
//! Metadata<'a>                                        borrows from the file's bytes, cheap to keep
//!   .get::<T>(key)     -> Result<Option<T>, ModelError>   None: no such key; Err: another type
//!   .require::<T>(key) -> Result<T, ModelError>           Err: no such key, or another type
//!   .get_or::<T>(key, default) -> Result<T, ModelError>
//!   .contains(key) -> bool
//!   .keys() -> impl Iterator<Item = &'a str>              sorted
//!   T: &'a str | bool | u32 | u64 | i64 | f32 | Vec<&'a str> | Vec<bool> | Vec<i32> | Vec<u32> | Vec<f32>
//! ModelError: Into<EngineError>
//! ```
//!
//! Integers convert between GGUF's widths if the value fits, since writers disagree on widths.
//! Nothing else converts. The meaning of keys is not known here.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::collections::BTreeMap;

use super::ModelError;
use super::cursor::Cursor;

/// The smallest entry: length of the key, type, one byte of value.
const MIN_ENTRY_BYTES: usize = 8 + 4 + 1;

/// The key-value pairs of a file. See the [module](self) for an overview of its methods.
#[derive(Debug, Clone)]
pub struct Metadata<'a> {
    entries: BTreeMap<&'a str, Entry<'a>>,
}

/// A value and its offset.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    offset: u64,
    value: Value<'a>,
}

/// A value as stored in the file; arrays stay encoded until they are read.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Any of the eight integer types.
    Integer(i128),
    /// `f32` or `f64`.
    Float(f64),
    /// One byte, 0 or 1.
    Bool(bool),
    /// UTF-8.
    String(&'a str),
    /// Elements of one type, checked when the file was opened.
    Array(Array<'a>),
}

/// An encoded array. Every element has been read once, so reading it again can't fail.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    element: u32,
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut cursor = Cursor::new(self.bytes);
        (0..self.count).map_while(move |_| scalar(&mut cursor, self.element, "array").ok())
    }
}

impl<'a> Metadata<'a> {
    /// Reads `count` entries. Fails on a duplicate key, an unknown type, or a short file.
    pub(crate) fn read(cursor: &mut Cursor<'a>, count: usize) -> Result<Self, ModelError> {
        let mut entries = BTreeMap::new();
        for index in 0..count {
            let at = cursor.offset();
            let key = cursor.string(&format!("key {index} of {count}"))?;
            let what = format!("key `{key}`");
            let kind = cursor.u32(&what)?;
            let offset = cursor.offset();
            let value = value(cursor, kind, &what)?;
            if entries.insert(key, Entry { offset, value }).is_some() {
                return Err(ModelError::broken(what, at, "each key once", "it twice"));
            }
        }
        Ok(Self { entries })
    }

    /// Reads the number of entries, for which the rest of the file must have room.
    pub(crate) fn read_count(cursor: &mut Cursor<'a>) -> Result<usize, ModelError> {
        cursor.count(MIN_ENTRY_BYTES, "the number of metadata keys")
    }

    /// The value of a key; `None` if it is absent, an error if it has another type.
    pub fn get<T: FromValue<'a>>(&self, key: &str) -> Result<Option<T>, ModelError> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(None);
        };
        T::from_value(entry.value).map(Some).ok_or_else(|| {
            ModelError::broken(
                format!("key `{key}`"),
                entry.offset,
                T::EXPECTED,
                describe(entry.value),
            )
        })
    }

    /// The value of a key, or `default` if it is absent.
    pub fn get_or<T: FromValue<'a>>(&self, key: &str, default: T) -> Result<T, ModelError> {
        self.get(key).map(|value| value.unwrap_or(default))
    }

    /// The value of a required key.
    pub fn require<T: FromValue<'a>>(&self, key: &str) -> Result<T, ModelError> {
        self.get(key)?.ok_or_else(|| {
            ModelError::broken(format!("key `{key}`"), None, T::EXPECTED, "no such key")
        })
    }

    /// Whether the key is present, of any type.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Every key, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// The value of a key, for an error message.
    pub(crate) fn describe(&self, key: &str) -> String {
        self.entries.get(key).map_or("no such key".into(), |entry| describe(entry.value))
    }

    /// The offset of a key's value, in bytes from the start of the file.
    pub(crate) fn offset(&self, key: &str) -> Option<u64> {
        self.entries.get(key).map(|entry| entry.offset)
    }
}

/// A Rust type that a metadata value can convert to.
pub trait FromValue<'a>: Sized {
    /// The expectation, for error messages.
    const EXPECTED: &'static str;
    /// The value, or `None` if it has another type or does not fit.
    fn from_value(value: Value<'a>) -> Option<Self>;
}

macro_rules! scalar_from_value {
    ($($type:ty: $expected:literal, $pattern:pat => $result:expr;)+) => {$(
        impl<'a> FromValue<'a> for $type {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: Value<'a>) -> Option<Self> {
                match value {
                    $pattern => $result,
                    _ => None,
                }
            }
        }
    )+};
}

scalar_from_value!(
    u32: "an integer of 32 bits, not negative", Value::Integer(value) => value.try_into().ok();
    u64: "an integer of 64 bits, not negative", Value::Integer(value) => value.try_into().ok();
    i32: "an integer of 32 bits", Value::Integer(value) => value.try_into().ok();
    i64: "an integer of 64 bits", Value::Integer(value) => value.try_into().ok();
    f32: "a float", Value::Float(value) => Some(value as f32);
    bool: "a bool", Value::Bool(value) => Some(value);
    &'a str: "a string", Value::String(value) => Some(value);
);

macro_rules! array_from_value {
    ($($type:ty: $expected:literal),+) => {$(
        impl<'a> FromValue<'a> for Vec<$type> {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: Value<'a>) -> Option<Self> {
                match value {
                    Value::Array(array) => array.values().map(<$type>::from_value).collect(),
                    _ => None,
                }
            }
        }
    )+};
}

array_from_value!(
    &'a str: "an array of strings",
    bool: "an array of bools",
    i32: "an array of integers of 32 bits",
    u32: "an array of integers of 32 bits, not negative",
    f32: "an array of floats"
);

/// GGUF's numbers for strings and arrays; the other types are in [`scalar`].
const STRING: u32 = 8;
const ARRAY: u32 = 9;

fn value<'a>(cursor: &mut Cursor<'a>, kind: u32, what: &str) -> Result<Value<'a>, ModelError> {
    if kind != ARRAY {
        return scalar(cursor, kind, what);
    }
    let offset = cursor.offset();
    let element = cursor.u32(what)?;
    let Some(min_bytes) = min_bytes(element) else {
        return Err(unknown_type(what, offset, element));
    };
    let count = cursor.count(min_bytes, &format!("the length of the array of {what}"))?;
    let start = cursor.offset();
    for _ in 0..count {
        scalar(cursor, element, what)?;
    }
    Ok(Value::Array(Array { element, count, bytes: cursor.since(start) }))
}

/// The smallest element of an array, in bytes; `None` for a type that can't be an element.
fn min_bytes(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        8 | 10..=12 => Some(8),
        _ => None,
    }
}

fn scalar<'a>(cursor: &mut Cursor<'a>, kind: u32, what: &str) -> Result<Value<'a>, ModelError> {
    let offset = cursor.offset();
    Ok(match kind {
        0 => Value::Integer(cursor.u8(what)?.into()),
        1 => Value::Integer((cursor.u8(what)? as i8).into()),
        2 => Value::Integer(cursor.u16(what)?.into()),
        3 => Value::Integer((cursor.u16(what)? as i16).into()),
        4 => Value::Integer(cursor.u32(what)?.into()),
        5 => Value::Integer((cursor.u32(what)? as i32).into()),
        6 => Value::Float(f32::from_bits(cursor.u32(what)?).into()),
        7 => match cursor.u8(what)? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => {
                return Err(ModelError::broken(what, offset, "a bool, 0 or 1", other.to_string()));
            }
        },
        STRING => Value::String(cursor.string(what)?),
        10 => Value::Integer(cursor.u64(what)?.into()),
        11 => Value::Integer((cursor.u64(what)? as i64).into()),
        12 => Value::Float(f64::from_bits(cursor.u64(what)?)),
        other => return Err(unknown_type(what, offset, other)),
    })
}

fn unknown_type(what: &str, offset: u64, found: u32) -> ModelError {
    let expected = "a value type from 0 to 12 (and no array in an array)";
    ModelError::broken(format!("the type of {what}"), offset, expected, found.to_string())
}

fn describe(value: Value<'_>) -> String {
    match value {
        Value::Integer(value) => format!("the integer {value}"),
        Value::Float(value) => format!("the float {value}"),
        Value::Bool(value) => format!("the bool {value}"),
        Value::String(value) => format!("the string `{}`", value.escape_debug()),
        Value::Array(array) => {
            format!("an array of {} values of type {}", array.count, array.element)
        }
    }
}
