//! Keys and values of a layer, in the order in which attention reads them.
//!
//! Keys are stored four positions together, so that a vector holds the same float of four keys;
//! values are stored position by position. Both are either `f32` or half precision, which halves
//! the memory and is widened when it is read.

use crate::engine::lanes::F32x4;
use crate::engine::memory::zeros;
use crate::protocol::{CacheType, EngineError};

/// Positions that attention reads together; capacity is a multiple of them.
pub(crate) const POSITIONS: usize = 8;

/// A stored number of the cache.
pub(super) trait Stored: Copy + Default {
    /// Widens four of them.
    fn widen(four: &[Self; 4]) -> F32x4;
    /// Rounds a float to the nearest.
    fn of(value: f32) -> Self;
}

impl Stored for f32 {
    #[inline(always)]
    fn widen(four: &[Self; 4]) -> F32x4 {
        F32x4::load(four)
    }

    fn of(value: f32) -> Self {
        value
    }
}

/// Half precision, by its bits.
impl Stored for u16 {
    #[inline(always)]
    fn widen(four: &[Self; 4]) -> F32x4 {
        F32x4::from_f16(bytemuck::cast_ref(four))
    }

    fn of(value: f32) -> Self {
        half::f16::from_f32(value).to_bits()
    }
}

/// Keys and values of a layer.
#[derive(Debug)]
pub struct Cache(pub(super) Layout);

/// The number type.
#[derive(Debug)]
pub(super) enum Layout {
    F32(Rows<f32>),
    F16(Rows<u16>),
}

/// Keys and values of a layer, stored as `T`.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// Floats of a position's keys, and of its values.
    pub(crate) width: usize,
    /// `[positions / 4 × width × 4]`.
    pub(crate) keys: Vec<T>,
    /// `[positions × width]`.
    pub(crate) values: Vec<T>,
}

impl Cache {
    pub(crate) fn new(
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Self, EngineError> {
        let count =
            positions.checked_next_multiple_of(POSITIONS).and_then(|n| n.checked_mul(width));
        Ok(Self(match cache_type {
            CacheType::F32 => Layout::F32(Rows::new(count, width)?),
            CacheType::F16 => Layout::F16(Rows::new(count, width)?),
        }))
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Layout::F32(rows) => size_of_val(&*rows.keys) + size_of_val(&*rows.values),
            Layout::F16(rows) => size_of_val(&*rows.keys) + size_of_val(&*rows.values),
        }
    }

    /// Writes `[rows × width]` keys and values at positions `first` and up.
    pub(crate) fn append(&mut self, keys: &[f32], values: &[f32], first: usize) {
        match &mut self.0 {
            Layout::F32(rows) => rows.append(keys, values, first),
            Layout::F16(rows) => rows.append(keys, values, first),
        }
    }
}

impl<T: Stored + bytemuck::Zeroable> Rows<T> {
    fn new(count: Option<usize>, width: usize) -> Result<Self, EngineError> {
        let what = "the key-value cache";
        let keys = zeros(count, what)?;
        Ok(Self { width, keys, values: zeros(count, what)? })
    }

    fn append(&mut self, keys: &[f32], values: &[f32], first: usize) {
        for (position, keys) in (first..).zip(keys.chunks_exact(self.width)) {
            let four = self.keys[position / 4 * 4 * self.width..].as_chunks_mut::<4>().0;
            for (stored, key) in four.iter_mut().zip(keys) {
                stored[position % 4] = T::of(*key);
            }
        }
        for (stored, value) in self.values[first * self.width..].iter_mut().zip(values) {
            *stored = T::of(*value);
        }
    }
}
