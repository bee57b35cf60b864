//! From a llama2.c checkpoint to GGUF, for models that were published in that form alone.
//!
//! The input is the two files of llama2.c, one behind the other, as its builds for the browser
//! package them: a checkpoint of version 0 (seven numbers, then F32 tensors) and a `tokenizer.bin`
//! (pieces with scores). Weights are copied as they are: both formats rotate neighbouring pairs,
//! so queries and keys need no reordering. The tables of the rotary embedding at the end of the
//! checkpoint are left out; every engine computes them.
//!
//! Formats: `export.py` (`legacy_export`) and `tokenizer.py` of
//! <https://github.com/karpathy/llama2.c>.

use std::io::{self, Write};

use super::gguf_writer::{self, Tensor, Value};

/// Why the input is no llama2.c model.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The bytes are not what they should be.
    #[error("llama2.c model: {what} at byte {offset}: expected {expected}, found {found}")]
    Invalid {
        /// What is wrong.
        what: String,
        /// Bytes that were read when it was seen.
        offset: usize,
        /// What should be there.
        expected: String,
        /// What is.
        found: String,
    },
    /// The output can't be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The numbers at the beginning of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: usize,
    ffn_width: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    vocabulary: usize,
    /// The output matrix is the embedding: the vocabulary's size is stored positive.
    is_tied: bool,
    context: usize,
}

/// Reads numbers and slices one after the other.
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], ConvertError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            let expected = format!("{count} bytes");
            return Err(self.invalid(what, expected, rest.len().to_string()));
        };
        self.offset += count;
        Ok(taken)
    }

    fn word(&mut self, what: &str) -> Result<[u8; 4], ConvertError> {
        let mut word = [0; 4];
        word.copy_from_slice(self.take(4, what)?);
        Ok(word)
    }

    fn positive(&mut self, what: &str) -> Result<usize, ConvertError> {
        let value = i32::from_le_bytes(self.word(what)?);
        let size = usize::try_from(value).ok().filter(|&size| size > 0);
        size.ok_or_else(|| self.invalid(what, "1 or more".into(), value.to_string()))
    }

    fn invalid(&self, what: &str, expected: String, found: String) -> ConvertError {
        ConvertError::Invalid { what: what.to_owned(), offset: self.offset, expected, found }
    }
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ConvertError> {
        let width = reader.positive("`dim`")?;
        let ffn_width = reader.positive("`hidden_dim`")?;
        let layers = reader.positive("`n_layers`")?;
        let heads = reader.positive("`n_heads`")?;
        let kv_heads = reader.positive("`n_kv_heads`")?;
        let vocabulary = i32::from_le_bytes(reader.word("`vocab_size`")?);
        let context = reader.positive("`max_seq_len`")?;
        let header = Self {
            width,
            ffn_width,
            layers,
            heads,
            kv_heads,
            vocabulary: vocabulary.unsigned_abs() as usize,
            is_tied: vocabulary > 0,
            context,
        };
        let is_even = width.is_multiple_of(heads) && (width / heads).is_multiple_of(2);
        if header.vocabulary == 0 || !is_even || !heads.is_multiple_of(kv_heads) {
            let expected = "a vocabulary, and heads that share an even width".to_owned();
            return Err(reader.invalid("the header", expected, format!("{header:?}")));
        }
        Ok(header)
    }

    fn head_size(&self) -> usize {
        self.width / self.heads
    }
}

/// Names and shapes of the tensors that every layer has, in the order of a checkpoint, which
/// stores each kind for all layers together: `(name, rows, columns)`, no rows for a vector.
fn kinds(header: &Header) -> [(&'static str, Option<usize>, usize); 9] {
    let (width, inner) = (header.width, header.ffn_width);
    let kv_width = header.kv_heads * header.head_size();
    [
        ("attn_norm", None, width),
        ("attn_q", Some(width), width),
        ("attn_k", Some(kv_width), width),
        ("attn_v", Some(kv_width), width),
        ("attn_output", Some(width), width),
        ("ffn_norm", None, width),
        ("ffn_gate", Some(inner), width),
        ("ffn_down", Some(width), inner),
        ("ffn_up", Some(inner), width),
    ]
}

/// Converts a checkpoint and the tokenizer behind it; `name` becomes `general.name`.
pub(super) fn convert(bytes: &[u8], name: &str, out: &mut impl Write) -> Result<(), ConvertError> {
    let mut reader = Reader { bytes, offset: 0 };
    let header = Header::read(&mut reader)?;
    let tensors = tensors(&header, &mut reader)?;
    let tokens = Tokens::read(header.vocabulary, &mut reader)?;
    if reader.offset != bytes.len() {
        let found = (bytes.len() - reader.offset).to_string();
        return Err(reader.invalid("the end", "no more bytes".into(), found));
    }
    Ok(gguf_writer::write(out, &metadata(name, &header, tokens), &tensors)?)
}

fn tensors<'a>(header: &Header, reader: &mut Reader<'a>) -> Result<Vec<Tensor<'a>>, ConvertError> {
    let mut tensors = Vec::new();
    let mut read = |name: String, rows: Option<usize>, columns: usize| {
        let floats = columns.checked_mul(rows.unwrap_or(1));
        let count = floats.and_then(|floats| floats.checked_mul(4)).unwrap_or(usize::MAX);
        let bytes = reader.take(count, &format!("tensor `{name}`"))?;
        let dimensions = [Some(columns), rows].into_iter().flatten().map(|size| size as u64);
        tensors.push(Tensor { name, dimensions: dimensions.collect(), bytes });
        Ok::<(), ConvertError>(())
    };
    read("token_embd.weight".to_owned(), Some(header.vocabulary), header.width)?;
    for (kind, rows, columns) in kinds(header) {
        for layer in 0..header.layers {
            read(format!("blk.{layer}.{kind}.weight"), rows, columns)?;
        }
    }
    read("output_norm.weight".to_owned(), None, header.width)?;
    // Cosines and sines of the rotary embedding, a half each.
    let table = header.context.checked_mul(header.head_size()).and_then(|n| n.checked_mul(4));
    reader.take(table.unwrap_or(usize::MAX), "the rotary tables")?;
    if !header.is_tied {
        let count = header.vocabulary.checked_mul(header.width).and_then(|n| n.checked_mul(4));
        let name = "output.weight".to_owned();
        let bytes = reader.take(count.unwrap_or(usize::MAX), "tensor `output.weight`")?;
        let dimensions = vec![header.width as u64, header.vocabulary as u64];
        tensors.push(Tensor { name, dimensions, bytes });
    }
    Ok(tensors)
}

/// The vocabulary as GGUF wants it.
struct Tokens {
    texts: Vec<String>,
    scores: Vec<f32>,
    /// `tokenizer.ggml.token_type`.
    types: Vec<i32>,
}

impl Tokens {
    /// Reads a `tokenizer.bin`. It writes the space of a piece as a space, GGUF as U+2581; and it
    /// decorates the three control tokens with line breaks, which stand for ids 0 to 2.
    fn read(vocabulary: usize, reader: &mut Reader<'_>) -> Result<Self, ConvertError> {
        const CONTROL: [(&str, i32); 3] = [("<unk>", 2), ("<s>", 3), ("</s>", 3)];
        const NORMAL: i32 = 1;
        const BYTE: i32 = 6;
        reader.positive("`max_token_length`")?;
        let mut tokens = Self { texts: Vec::new(), scores: Vec::new(), types: Vec::new() };
        for id in 0..vocabulary {
            let what = format!("token {id}");
            tokens.scores.push(f32::from_le_bytes(reader.word(&what)?));
            let length = reader.positive(&what)?;
            let piece = reader.take(length, &what)?;
            let Ok(piece) = std::str::from_utf8(piece) else {
                let found = format!("{piece:02x?}");
                return Err(reader.invalid(&what, "UTF-8".into(), found));
            };
            let (text, kind) = match CONTROL.get(id) {
                Some(&(text, kind)) if piece.trim() == text => (text.to_owned(), kind),
                Some((text, _)) => {
                    return Err(reader.invalid(&what, format!("`{text}`"), format!("`{piece}`")));
                }
                None if is_byte(id, piece) => (format!("<0x{:02X}>", id - CONTROL.len()), BYTE),
                None => (piece.replace(' ', "\u{2581}"), NORMAL),
            };
            tokens.texts.push(text);
            tokens.types.push(kind);
        }
        Ok(tokens)
    }
}

/// Ids 3 to 258 are the bytes, written as `<0x0A>` or, by older exports, as the character.
fn is_byte(id: usize, piece: &str) -> bool {
    let byte = id.checked_sub(3).and_then(|byte| u8::try_from(byte).ok());
    byte.is_some_and(|byte| {
        piece == format!("<0x{byte:02X}>") || piece.chars().eq([char::from(byte)])
    })
}

fn metadata<'a>(name: &'a str, header: &Header, tokens: Tokens) -> Vec<(&'static str, Value<'a>)> {
    let number = |value: usize| Value::U32(value as u32);
    vec![
        ("general.architecture", Value::Text("llama")),
        ("general.name", Value::Text(name)),
        // `LLAMA_FTYPE_ALL_F32`.
        ("general.file_type", Value::U32(0)),
        ("llama.context_length", number(header.context)),
        ("llama.embedding_length", number(header.width)),
        ("llama.block_count", number(header.layers)),
        ("llama.feed_forward_length", number(header.ffn_width)),
        ("llama.attention.head_count", number(header.heads)),
        ("llama.attention.head_count_kv", number(header.kv_heads)),
        ("llama.rope.dimension_count", number(header.head_size())),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.vocab_size", number(header.vocabulary)),
        ("tokenizer.ggml.model", Value::Text("llama")),
        ("tokenizer.ggml.tokens", Value::Texts(tokens.texts)),
        ("tokenizer.ggml.scores", Value::F32s(tokens.scores)),
        ("tokenizer.ggml.token_type", Value::I32s(tokens.types)),
        ("tokenizer.ggml.unknown_token_id", Value::U32(0)),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        // A new text begins where one ends: the models were trained with `<s>` between texts.
        ("tokenizer.ggml.eot_token_id", Value::U32(1)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(false)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(true)),
    ]
}

#[cfg(test)]
mod tests {
    use inference_wasm::engine::model::{Gguf, HyperParameters};

    use super::*;

    const HEADER: [i32; 7] = [8, 12, 2, 2, 1, 5, 3];

    /// A model whose floats count up from 0, so that each shows where it came from.
    fn checkpoint(vocabulary: i32) -> Vec<u8> {
        let mut header = HEADER;
        header[5] = vocabulary;
        let mut bytes: Vec<u8> = header.iter().flat_map(|value| value.to_le_bytes()).collect();
        // Embedding, per layer (norm, q, k, v, o, norm, gate, down, up), norm, rotary tables.
        let mut floats = 5 * 8 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 3 * 96) + 8 + 3 * 4;
        if vocabulary < 0 {
            floats += 5 * 8;
        }
        bytes.extend((0..floats).flat_map(|value| (value as f32).to_le_bytes()));
        bytes.extend(9_i32.to_le_bytes());
        for (score, piece) in
            [(0.0, "<unk>"), (0.0, "\n<s>\n"), (0.0, "\n</s>\n"), (0.0, "\0"), (-1.5, " a b")]
        {
            bytes.extend(f32::to_le_bytes(score));
            bytes.extend((piece.len() as i32).to_le_bytes());
            bytes.extend(piece.as_bytes());
        }
        bytes
    }

    fn first_float(file: &[u8], gguf: &Gguf<'_>, name: &str) -> f32 {
        let start = gguf.tensors[name].bytes.start;
        f32::from_le_bytes(file[start..start + 4].try_into().unwrap())
    }

    #[test]
    fn every_tensor_and_token_comes_from_its_place() {
        for (vocabulary, output) in [(5, None), (-5, Some(1052.0))] {
            let mut file = Vec::new();
            convert(&checkpoint(vocabulary), "m", &mut file).unwrap();
            let gguf = Gguf::open(&file).unwrap();
            let hyper = HyperParameters::read(&gguf).unwrap();
            assert_eq!((hyper.layers, hyper.heads, hyper.kv_heads, hyper.head_size), (2, 2, 1, 4));
            assert_eq!((hyper.context, hyper.vocabulary), (3, 5));
            // Offsets in floats, by hand from the order of the checkpoint.
            for (name, start) in [
                ("token_embd.weight", 0.0),
                ("blk.0.attn_norm.weight", 40.0),
                ("blk.1.attn_norm.weight", 48.0),
                ("blk.0.attn_q.weight", 56.0),
                ("blk.1.attn_k.weight", 216.0),
                ("blk.0.ffn_norm.weight", 440.0),
                ("blk.0.ffn_gate.weight", 456.0),
                ("blk.0.ffn_down.weight", 648.0),
                ("blk.1.ffn_up.weight", 936.0),
                ("output_norm.weight", 1032.0),
            ] {
                let found = first_float(&file, &gguf, name);
                assert!((found - start).abs() < 0.5, "{name}: expected {start}, found {found}");
            }
            assert_eq!(gguf.tensors.contains_key("output.weight"), output.is_some());
            if let Some(output) = output {
                assert!((first_float(&file, &gguf, "output.weight") - output).abs() < 0.5);
            }
            let texts: Vec<&str> = gguf.metadata.require("tokenizer.ggml.tokens").unwrap();
            assert_eq!(texts, ["<unk>", "<s>", "</s>", "<0x00>", "▁a▁b"]);
            let types: Vec<i32> = gguf.metadata.require("tokenizer.ggml.token_type").unwrap();
            assert_eq!(types, [2, 3, 3, 6, 1]);
        }
    }

    #[test]
    fn a_cut_or_wrong_file_is_refused_with_its_place() {
        let whole = checkpoint(5);
        for length in [0, 27, 28, 1000, whole.len() - 1] {
            assert!(convert(&whole[..length], "m", &mut Vec::new()).is_err(), "{length}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        let error = convert(&longer, "m", &mut Vec::new()).unwrap_err().to_string();
        assert!(error.ends_with("expected no more bytes, found 1"), "{error}");
        let mut wrong = whole;
        wrong[..4].copy_from_slice(&(-8_i32).to_le_bytes());
        let error = convert(&wrong, "m", &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error, "llama2.c model: `dim` at byte 4: expected 1 or more, found -8");
    }
}
