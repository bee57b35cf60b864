//! Writes a small GGUF v3 file: what the converter needs and no more, which is a few kinds of
//! metadata and F32 tensors.
//!
//! The same calls give the same bytes. Reading GGUF is the engine's business.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::io::{self, Write};

/// Where each tensor's data begins is a multiple of this, counted from the end of the header.
const ALIGNMENT: usize = 32;
/// `GGML_TYPE_F32`.
const F32: u32 = 0;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(&'a str),
    Texts(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
}

impl Value<'_> {
    /// The type's number in a file, and that of the elements for an array.
    fn kind(&self) -> (u32, Option<u32>) {
        const ARRAY: u32 = 9;
        match self {
            Self::U32(_) => (4, None),
            Self::F32(_) => (6, None),
            Self::Bool(_) => (7, None),
            Self::Text(_) => (8, None),
            Self::Texts(_) => (ARRAY, Some(8)),
            Self::F32s(_) => (ARRAY, Some(6)),
            Self::I32s(_) => (ARRAY, Some(5)),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (kind, element) = self.kind();
        out.extend(kind.to_le_bytes());
        let mut begin = |length: usize| {
            out.extend(element.unwrap_or_default().to_le_bytes());
            out.extend((length as u64).to_le_bytes());
        };
        match self {
            Self::U32(value) => out.extend(value.to_le_bytes()),
            Self::F32(value) => out.extend(value.to_le_bytes()),
            Self::Bool(value) => out.push(u8::from(*value)),
            Self::Text(value) => text(out, value),
            Self::Texts(values) => {
                begin(values.len());
                for value in values {
                    text(out, value);
                }
            }
            Self::F32s(values) => {
                begin(values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::I32s(values) => {
                begin(values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
    }
}

/// A matrix or vector of F32, borrowed as the bytes that the file will have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    /// The fastest first: `[columns, rows]`.
    pub(super) dimensions: Vec<u64>,
    /// Little-endian floats, as many as the dimensions say.
    pub(super) bytes: &'a [u8],
}

/// Writes a whole file: header, metadata and tensors in the order that they are given.
pub(super) fn write(
    out: &mut impl Write,
    metadata: &[(&str, Value<'_>)],
    tensors: &[Tensor<'_>],
) -> io::Result<()> {
    let mut head = Vec::new();
    head.extend(b"GGUF");
    head.extend(3_u32.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        text(&mut head, key);
        value.write(&mut head);
    }
    let mut offset = 0_usize;
    for tensor in tensors {
        text(&mut head, &tensor.name);
        head.extend((tensor.dimensions.len() as u32).to_le_bytes());
        head.extend(tensor.dimensions.iter().flat_map(|size| size.to_le_bytes()));
        head.extend(F32.to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes.len().next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
    out.write_all(&head)?;
    for tensor in tensors {
        let padding = tensor.bytes.len().next_multiple_of(ALIGNMENT) - tensor.bytes.len();
        out.write_all(tensor.bytes)?;
        out.write_all(&[0; ALIGNMENT][..padding])?;
    }
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use inference_wasm::engine::model::Gguf;

    use super::*;

    #[test]
    fn the_engine_reads_what_was_written() {
        let metadata = [
            ("a.number", Value::U32(7)),
            ("a.float", Value::F32(0.5)),
            ("a.truth", Value::Bool(true)),
            ("a.text", Value::Text("té")),
            ("a.texts", Value::Texts(vec!["x".to_owned(), String::new()])),
            ("a.floats", Value::F32s(vec![-1.0, 2.0])),
            ("a.integers", Value::I32s(vec![-3, 4])),
        ];
        let data: Vec<u8> = (0..6).flat_map(|value| (value as f32).to_le_bytes()).collect();
        let tensor = |name: &str, dimensions: &[u64], bytes| Tensor {
            name: name.to_owned(),
            dimensions: dimensions.to_vec(),
            bytes,
        };
        let tensors = [tensor("m", &[3, 2], &data[..]), tensor("v", &[2], &data[..8])];
        let mut file = Vec::new();
        write(&mut file, &metadata, &tensors).unwrap();
        let gguf = Gguf::open(&file).unwrap();
        assert_eq!(gguf.metadata.require::<u32>("a.number").unwrap(), 7);
        assert!((gguf.metadata.require::<f32>("a.float").unwrap() - 0.5).abs() < f32::EPSILON);
        assert!(gguf.metadata.require::<bool>("a.truth").unwrap());
        assert_eq!(gguf.metadata.require::<&str>("a.text").unwrap(), "té");
        assert_eq!(gguf.metadata.require::<Vec<&str>>("a.texts").unwrap(), ["x", ""]);
        assert_eq!(gguf.metadata.require::<Vec<i32>>("a.integers").unwrap(), [-3, 4]);
        let (matrix, vector) = (&gguf.tensors["m"], &gguf.tensors["v"]);
        assert_eq!((matrix.columns(), matrix.rows()), (3, 2));
        assert_eq!(&file[matrix.bytes.clone()], &data[..]);
        assert_eq!(&file[vector.bytes.clone()], &data[..8]);
        assert_eq!(vector.bytes.start - matrix.bytes.start, 32);
    }
}
