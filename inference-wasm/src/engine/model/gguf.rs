//! Opens a GGUF v3 file: header, metadata, and the table of tensors with their byte ranges.
//!
//! Zero-copy: only names and offsets are copied. An existing [`Gguf`] is consistent: every tensor
//! is inside the file, aligned, apart from the others, and has as many bytes as its shape and type
//! need. [`Weights`](super::Weights) interprets the tensors.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cursor::Cursor;
use super::{Metadata, ModelError};
use crate::engine::quant::Format;

const MAGIC: &[u8] = b"GGUF";
const VERSION: u32 = 3;
/// The alignment in bytes, if `general.alignment` is absent.
const DEFAULT_ALIGNMENT: u32 = 32;
/// ggml's limit.
const MAX_DIMENSIONS: u32 = 4;
/// The smallest entry of a tensor: length of the name, number of dimensions, one dimension, type,
/// offset.
const MIN_TENSOR_BYTES: usize = 8 + 4 + 8 + 4 + 8;

/// An open GGUF file.
#[derive(Debug)]
pub struct Gguf<'a> {
    /// The key-value pairs.
    pub metadata: Metadata<'a>,
    /// The tensors, by name.
    pub tensors: BTreeMap<&'a str, TensorInfo>,
}

/// A tensor's place in the file, its shape and its format.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// The number of weights along each dimension, the fastest first: `[columns, rows]` for a
    /// matrix.
    pub dimensions: Vec<usize>,
    /// The format of its weights.
    pub format: &'static Format,
    /// Its bytes, as a range of the file.
    pub bytes: Range<usize>,
    /// The offset of its entry in the table of tensors, in bytes.
    pub entry_offset: u64,
}

impl TensorInfo {
    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.dimensions.iter().product()
    }

    /// Weights in a row: the fastest dimension.
    pub fn columns(&self) -> usize {
        self.dimensions.first().copied().unwrap_or(1)
    }

    /// Rows: all other dimensions together.
    pub fn rows(&self) -> usize {
        self.dimensions.iter().skip(1).product()
    }
}

impl<'a> Gguf<'a> {
    /// Reads everything but the weights, and checks all of it.
    pub fn open(file: &'a [u8]) -> Result<Self, ModelError> {
        let mut cursor = Cursor::new(file);
        check_magic(&mut cursor)?;
        check_version(&mut cursor)?;
        let tensor_count = cursor.count(MIN_TENSOR_BYTES, "the number of tensors")?;
        let key_count = Metadata::read_count(&mut cursor)?;
        let metadata = Metadata::read(&mut cursor, key_count)?;
        let alignment = alignment(&metadata)?;

        let mut entries = Vec::new();
        for index in 0..tensor_count {
            let what = format!("the name of tensor {index} of {tensor_count}");
            entries.push(Entry::read(&mut cursor, &what, alignment)?);
        }
        let data_start = cursor.offset().next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for entry in entries {
            let name = entry.name;
            let tensor = entry.place(data_start, file.len())?;
            let offset = tensor.entry_offset;
            if tensors.insert(name, tensor).is_some() {
                let what = format!("tensor `{name}`");
                return Err(ModelError::broken(what, offset, "each tensor once", "it twice"));
            }
        }
        check_overlap(tensors.values())?;
        Ok(Self { metadata, tensors })
    }
}

fn check_magic(cursor: &mut Cursor<'_>) -> Result<(), ModelError> {
    let found = cursor.take(MAGIC.len(), "the magic")?;
    if found == MAGIC {
        return Ok(());
    }
    let found = format!("`{}`", found.escape_ascii());
    Err(ModelError::broken("the magic", 0, "`GGUF`", found))
}

fn check_version(cursor: &mut Cursor<'_>) -> Result<(), ModelError> {
    let offset = cursor.offset();
    let found = cursor.u32("the version")?;
    if found == VERSION {
        return Ok(());
    }
    let found = if found.swap_bytes() == VERSION {
        "3 in big-endian order".to_string()
    } else {
        found.to_string()
    };
    Err(ModelError::unsupported("the version", offset, "3", found))
}

fn alignment(metadata: &Metadata<'_>) -> Result<u64, ModelError> {
    const KEY: &str = "general.alignment";
    let alignment: u32 = metadata.get_or(KEY, DEFAULT_ALIGNMENT)?;
    // The format requires a multiple of 8; every known writer also uses powers of two.
    if alignment.is_power_of_two() && alignment >= 8 {
        return Ok(alignment.into());
    }
    Err(ModelError::broken(
        format!("key `{KEY}`"),
        metadata.offset(KEY),
        "a power of two of at least 8",
        alignment.to_string(),
    ))
}

/// A tensor's entry in the table, before its place in the file is known.
struct Entry<'a> {
    name: &'a str,
    dimensions: Vec<usize>,
    format: &'static Format,
    /// From the start of the data, in bytes.
    data_offset: u64,
    data_bytes: u64,
    table_offset: u64,
}

impl<'a> Entry<'a> {
    fn read(cursor: &mut Cursor<'a>, name_of: &str, alignment: u64) -> Result<Self, ModelError> {
        let entry_offset = cursor.offset();
        let name = cursor.string(name_of)?;
        let what = format!("tensor `{name}`");
        let dimensions = Self::read_dimensions(cursor, &what)?;

        let offset = cursor.offset();
        let id = cursor.u32(&what)?;
        let format = Format::of(id).ok_or_else(|| {
            let expected = format!("one of {}", Format::names());
            ModelError::unsupported(
                format!("the type of {what}"),
                offset,
                expected,
                Format::describe(id),
            )
        })?;
        let row = dimensions.first().copied().unwrap_or(1);
        if row % format.block_weights != 0 {
            let expected = format!(
                "rows of a multiple of {} weights, the block of {}",
                format.block_weights, format.name
            );
            return Err(ModelError::broken(what, entry_offset, expected, row.to_string()));
        }
        let weights: u64 = dimensions.iter().map(|&n| n as u64).product();
        let data_bytes = (weights / format.block_weights as u64)
            .checked_mul(format.block_bytes as u64)
            .ok_or_else(|| too_large(&what, entry_offset, &dimensions))?;

        let offset = cursor.offset();
        let data_offset = cursor.u64(&what)?;
        if data_offset % alignment != 0 {
            let expected = format!("an offset that is a multiple of {alignment}");
            return Err(ModelError::broken(what, offset, expected, data_offset.to_string()));
        }
        Ok(Self { name, dimensions, format, data_offset, data_bytes, table_offset: entry_offset })
    }

    fn read_dimensions(cursor: &mut Cursor<'a>, what: &str) -> Result<Vec<usize>, ModelError> {
        let offset = cursor.offset();
        let count = cursor.u32(what)?;
        if !(1..=MAX_DIMENSIONS).contains(&count) {
            let expected = format!("1 to {MAX_DIMENSIONS} dimensions");
            return Err(ModelError::broken(what, offset, expected, count.to_string()));
        }
        let mut dimensions = Vec::new();
        let mut weights = 1_u64;
        for _ in 0..count {
            let offset = cursor.offset();
            let size = cursor.u64(what)?;
            if size == 0 {
                return Err(ModelError::broken(what, offset, "a dimension of 1 or more", "0"));
            }
            let product = weights.checked_mul(size);
            let (Some(product), Ok(size)) = (product, usize::try_from(size)) else {
                dimensions.push(usize::MAX);
                return Err(too_large(what, offset, &dimensions));
            };
            weights = product;
            dimensions.push(size);
        }
        // From here on all products of dimensions fit `usize`, on 32-bit targets too.
        if usize::try_from(weights).is_err() {
            return Err(too_large(what, offset, &dimensions));
        }
        Ok(dimensions)
    }

    /// Finds the tensor's bytes in the file.
    fn place(self, data_start: u64, file_bytes: usize) -> Result<TensorInfo, ModelError> {
        let start = data_start.checked_add(self.data_offset);
        let end = start.and_then(|start| start.checked_add(self.data_bytes));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_bytes as u64 => Ok(TensorInfo {
                name: self.name.to_string(),
                dimensions: self.dimensions,
                format: self.format,
                bytes: start as usize..end as usize,
                entry_offset: self.table_offset,
            }),
            _ => Err(ModelError::broken(
                format!("the data of tensor `{}`", self.name),
                start,
                format!("{} bytes", self.data_bytes),
                format!("a file of {file_bytes} bytes"),
            )),
        }
    }
}

fn too_large(what: &str, offset: u64, dimensions: &[usize]) -> ModelError {
    let found = format!("dimensions {dimensions:?}");
    ModelError::broken(what, offset, "a size that a file can have", found)
}

fn check_overlap<'t>(tensors: impl Iterator<Item = &'t TensorInfo>) -> Result<(), ModelError> {
    let mut by_start: Vec<_> = tensors.collect();
    by_start.sort_by_key(|tensor| (tensor.bytes.start, tensor.bytes.end));
    for pair in by_start.windows(2) {
        let [before, after] = pair else { continue };
        if after.bytes.start < before.bytes.end {
            return Err(ModelError::broken(
                format!("the data of tensor `{}`", after.name),
                after.bytes.start as u64,
                format!("it after byte {}, the end of `{}`", before.bytes.end, before.name),
                "both on the same bytes",
            ));
        }
    }
    Ok(())
}
