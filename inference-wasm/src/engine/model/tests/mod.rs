//! Broken files, one by one and at random, and the smallest valid model.

mod architectures;

use proptest::prelude::*;

use super::*;
use crate::engine::quant::{FORMATS, Format};

/// Writes valid and broken GGUF files.
#[derive(Clone)]
struct Writer {
    version: u32,
    keys: Vec<(String, u32, Vec<u8>)>,
    tensors: Vec<Tensor>,
}

#[derive(Clone)]
struct Tensor {
    name: String,
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
    bytes: usize,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl Writer {
    /// A model of one layer: width 4, 2 heads of 2, 1 key-value head, ffn 6, 3 tokens.
    fn tiny() -> Self {
        let mut writer = Self { version: 3, keys: Vec::new(), tensors: Vec::new() };
        writer.key("general.architecture", 8, string("llama"));
        for (key, value) in [
            ("context_length", 16_u32),
            ("embedding_length", 4),
            ("block_count", 1),
            ("feed_forward_length", 6),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 1),
        ] {
            writer.key(&format!("llama.{key}"), 4, value.to_le_bytes().to_vec());
        }
        let epsilon = 1e-5_f32.to_le_bytes().to_vec();
        writer.key("llama.attention.layer_norm_rms_epsilon", 6, epsilon);
        let names = [string("a"), string("b"), string("c")].concat();
        writer.key("tokenizer.ggml.tokens", 9, [array(8, 3), names].concat());
        for (name, dimensions) in [
            ("token_embd", &[4, 3][..]),
            ("blk.0.attn_norm", &[4]),
            ("blk.0.attn_q", &[4, 4]),
            ("blk.0.attn_k", &[4, 2]),
            ("blk.0.attn_v", &[4, 2]),
            ("blk.0.attn_output", &[4, 4]),
            ("blk.0.ffn_norm", &[4]),
            ("blk.0.ffn_gate", &[4, 6]),
            ("blk.0.ffn_up", &[4, 6]),
            ("blk.0.ffn_down", &[6, 4]),
            ("output_norm", &[4]),
        ] {
            writer.tensor(&format!("{name}.weight"), dimensions);
        }
        writer
    }

    fn key(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.keys.retain(|(other, ..)| other != key);
        self.keys.push((key.into(), kind, value));
    }

    fn number(mut self, key: &str, value: u32) -> Self {
        self.key(key, 4, value.to_le_bytes().to_vec());
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(other, ..)| other != key);
        self
    }

    /// Adds a tensor of `F32` after the others.
    fn tensor(&mut self, name: &str, dimensions: &[u64]) {
        let offset = self.data_bytes().next_multiple_of(32) as u64;
        let bytes = 4 * dimensions.iter().product::<u64>() as usize;
        let (name, dimensions) = (name.into(), dimensions.to_vec());
        self.tensors.push(Tensor { name, dimensions, kind: 0, offset, bytes });
    }

    fn change(mut self, name: &str, change: impl FnOnce(&mut Tensor)) -> Self {
        change(self.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap());
        self
    }

    /// Bytes of all tensors, without broken ones that claim to be far away.
    fn data_bytes(&self) -> usize {
        let end = |tensor: &Tensor| (tensor.offset as usize).saturating_add(tensor.bytes);
        self.tensors.iter().map(end).filter(|&end| end < 1 << 16).max().unwrap_or(0)
    }

    fn head(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.keys.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.keys {
            file.extend([string(key), kind.to_le_bytes().to_vec(), value.clone()].concat());
        }
        for tensor in &self.tensors {
            file.extend(string(&tensor.name));
            file.extend((tensor.dimensions.len() as u32).to_le_bytes());
            for size in &tensor.dimensions {
                file.extend(size.to_le_bytes());
            }
            file.extend(tensor.kind.to_le_bytes());
            file.extend(tensor.offset.to_le_bytes());
        }
        file
    }

    fn file(&self) -> Vec<u8> {
        let mut file = self.head();
        file.resize(file.len().next_multiple_of(32) + self.data_bytes(), 0);
        file
    }
}

/// The beginning of an array: the type of its elements and their number.
fn array(kind: u32, count: u64) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat()
}

fn read(file: &[u8]) -> Result<(HyperParameters, Weights<TensorInfo>), ModelError> {
    let gguf = Gguf::open(file)?;
    let hyper = HyperParameters::read(&gguf)?;
    let weights = Weights::find(&gguf, &hyper)?;
    Ok((hyper, weights))
}

/// Overwrites bytes of a file.
fn patch(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn the_tiny_model_is_valid() {
    let writer = Writer::tiny();
    let (hyper, weights) = read(&writer.file()).unwrap();
    assert_eq!((hyper.head_size, hyper.query_width(), hyper.kv_width()), (2, 4, 2));
    assert_eq!((hyper.vocabulary, hyper.rope.base), (3, 10_000.0));
    assert_eq!(weights.layers[0].down.dimensions, [6, 4]);
    assert_eq!(weights.token_embedding.bytes.start, writer.head().len().next_multiple_of(32));
    assert!(weights.output.is_none());

    let mut untied = writer;
    untied.tensor("output.weight", &[4, 3]);
    assert!(read(&untied.file()).unwrap().1.output.is_some());
}

/// Rows of whole blocks of every format take exactly their bytes.
#[test]
fn tensors_of_every_format_are_placed() {
    for format in FORMATS {
        let (columns, rows) = (2 * format.block_weights, 3);
        let bytes = 2 * format.block_bytes * rows;
        let mut writer = Writer { version: 3, keys: Vec::new(), tensors: Vec::new() };
        let dimensions = vec![columns as u64, rows as u64];
        writer.tensors.push(Tensor {
            name: "w".into(),
            dimensions,
            kind: format.id,
            offset: 0,
            bytes,
        });
        let file = writer.file();
        let gguf = Gguf::open(&file).unwrap();
        let tensor = &gguf.tensors["w"];
        assert_eq!((tensor.columns(), tensor.rows(), tensor.format), (columns, rows, format));
        assert_eq!(tensor.bytes.len(), bytes, "{format:?}");

        let error = Gguf::open(&file[..file.len() - 1]).unwrap_err().to_string();
        assert!(error.contains("the data of tensor `w`"), "{format:?}: {error}");
    }
}

#[test]
fn metadata_comes_back_as_it_was_written() {
    let mut writer = Writer::tiny();
    writer.key("i8", 1, vec![0xff]);
    writer.key("u64", 10, u64::MAX.to_le_bytes().to_vec());
    writer.key("flag", 7, vec![1]);
    writer.key("types", 9, [array(5, 2), vec![3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]].concat());
    let file = writer.file();
    let metadata = Gguf::open(&file).unwrap().metadata;
    assert_eq!(metadata.get::<i64>("i8"), Ok(Some(-1)));
    assert_eq!(metadata.get::<u64>("u64"), Ok(Some(u64::MAX)));
    assert_eq!(metadata.get::<bool>("flag"), Ok(Some(true)));
    assert_eq!(metadata.get::<Vec<i32>>("types"), Ok(Some(vec![3, -1])));
    assert_eq!(metadata.require::<Vec<&str>>("tokenizer.ggml.tokens"), Ok(vec!["a", "b", "c"]));
    assert_eq!(metadata.get::<u32>("nothing"), Ok(None));
    for key in ["i8", "u64", "flag", "types"] {
        assert!(metadata.get::<u32>(key).is_err(), "{key}");
    }
}

/// Every broken file, with a part of its error message.
#[expect(clippy::too_many_lines, reason = "a table")]
fn broken_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let tiny = Writer::tiny;
    let file = tiny().file();
    let with = |key: &str, kind: u32, value: Vec<u8>| {
        let mut writer = tiny();
        writer.key(key, kind, value);
        writer.file()
    };
    let tensor = |change: fn(&mut Tensor)| tiny().change("blk.0.attn_q.weight", change).file();
    let twice = |name: &str| {
        let mut writer = tiny();
        writer.tensor(name, &[4]);
        writer.file()
    };
    let key_twice = {
        let mut writer = tiny();
        writer.keys.push(writer.keys[1].clone());
        writer.file()
    };
    let data_cut = file[..file.len() - 1].to_vec();
    let head_cut = file[..tiny().head().len() - 3].to_vec();
    let huge = u64::MAX.to_le_bytes();
    let name_at = 24 + 8;
    vec![
        ("empty", Vec::new(), "the magic at byte 0: expected 4 bytes, found 0 bytes"),
        ("html", b"<!doctype html><html>".to_vec(), "found `<!do`"),
        ("safetensors", patch(file.clone(), 0, &[64, 0, 0, 0]), "expected `GGUF`"),
        (
            "version 2",
            patch(file.clone(), 4, &[2, 0, 0, 0]),
            "the version at byte 4: expected 3, found 2",
        ),
        ("big-endian", patch(file.clone(), 4, &[0, 0, 0, 3]), "big-endian"),
        ("no counts", file[..12].to_vec(), "the number of tensors at byte 8"),
        ("absurd tensor count", patch(file.clone(), 8, &huge), "found 18446744073709551615"),
        (
            "absurd key count",
            patch(file.clone(), 16, &huge),
            "the number of metadata keys at byte 16",
        ),
        ("absurd key length", patch(file.clone(), 24, &huge), "key 0 of 9 at byte 24"),
        ("key not UTF-8", patch(file.clone(), name_at, &[0xff]), "expected UTF-8, found byte 0xff"),
        ("fewer keys than counted", patch(file.clone(), 16, &[10]), "the name of tensor 0 of 11"),
        ("fewer tensors than counted", patch(file.clone(), 8, &[12]), "tensor"),
        ("key twice", key_twice, "each key once"),
        ("unknown value type", with("x", 13, vec![0; 8]), "the type of key `x`"),
        (
            "array of arrays",
            with("x", 9, [array(9, 1), vec![0; 12]].concat()),
            "no array in an array",
        ),
        ("array of unknown", with("x", 9, array(99, 1)), "found 99"),
        (
            "absurd array",
            with("x", 9, array(4, u64::MAX / 4)),
            "the length of the array of key `x`",
        ),
        ("bool of 2", with("x", 7, vec![2]), "expected a bool, 0 or 1, found 2"),
        (
            "alignment 0",
            tiny().number("general.alignment", 0).file(),
            "a power of two of at least 8",
        ),
        ("alignment 24", tiny().number("general.alignment", 24).file(), "found 24"),
        ("alignment text", with("general.alignment", 8, string("32")), "found the string `32`"),
        ("no dimensions", tensor(|t| t.dimensions.clear()), "expected 1 to 4 dimensions, found 0"),
        ("five dimensions", tensor(|t| t.dimensions = vec![1; 5]), "found 5"),
        ("dimension 0", tensor(|t| t.dimensions[1] = 0), "a dimension of 1 or more"),
        (
            "dimensions overflow",
            tensor(|t| t.dimensions = vec![1 << 33; 2]),
            "a size that a file can have",
        ),
        (
            "bytes overflow",
            tensor(|t| t.dimensions = vec![1 << 62]),
            "tensor `blk.0.attn_q.weight`",
        ),
        (
            "unknown type",
            tensor(|t| t.kind = 23),
            "one of F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, \
             BF16, found 23 (IQ4_XS)",
        ),
        ("type without a name", tensor(|t| t.kind = 4), "BF16, found 4"),
        (
            "rows cut blocks",
            tensor(|t| t.kind = 8),
            "multiple of 32 weights, the block of Q8_0, found 4",
        ),
        (
            "rows cut superblocks",
            tensor(|t| (t.kind, t.dimensions) = (14, vec![128, 2])),
            "multiple of 256 weights, the block of Q6_K, found 128",
        ),
        ("crooked offset", tensor(|t| t.offset += 4), "an offset that is a multiple of 32"),
        (
            "offset beyond the end",
            tensor(|t| t.offset = 1 << 40),
            "the data of tensor `blk.0.attn_q.weight`",
        ),
        ("offset overflow", tensor(|t| t.offset = u64::MAX - 31), "the data of tensor"),
        ("overlap", tensor(|t| t.offset = 0), "both on the same bytes"),
        ("tensor twice", twice("output_norm.weight"), "each tensor once"),
        ("cut in the head", head_cut, "bytes before the end of the file"),
        ("cut in the data", data_cut, "the data of tensor `output_norm.weight`"),
        ("no architecture", tiny().without("general.architecture").file(), "found no such key"),
        (
            "other architecture",
            with("general.architecture", 8, string("qwen2moe")),
            "one of `llama`, `qwen2`, `qwen3`, `phi3`, `gemma`, `gemma2`, `gemma3`, `smollm3`, found `qwen2moe`",
        ),
        (
            "no heads",
            tiny().number("llama.attention.head_count", 0).file(),
            "expected 1 or more, found 0",
        ),
        (
            "heads do not divide",
            tiny().number("llama.attention.head_count", 3).file(),
            "a divisor of the width, 4",
        ),
        (
            "kv heads do not divide",
            tiny().number("llama.attention.head_count_kv", 3).file(),
            "a divisor of 2 heads",
        ),
        (
            "odd head size",
            tiny().number("llama.attention.key_length", 3).file(),
            "an even head size",
        ),
        (
            "values of another size",
            tiny().number("llama.attention.value_length", 4).file(),
            "2, the head size",
        ),
        (
            "partial rotation",
            tiny().number("llama.rope.dimension_count", 1).file(),
            "llama.rope.dimension_count",
        ),
        ("no context", tiny().without("llama.context_length").file(), "key `llama.context_length`"),
        (
            "epsilon is NaN",
            with("llama.attention.layer_norm_rms_epsilon", 6, f32::NAN.to_le_bytes().to_vec()),
            "a number above 0, found NaN",
        ),
        (
            "other vocabulary",
            tiny().number("llama.vocab_size", 4).file(),
            "3, the rows of `token_embd.weight`",
        ),
        (
            "scaled rotation",
            with("llama.rope.scaling.type", 8, string("dynamic")),
            "expected `none`, `linear`, `yarn` or `longrope`, found the string `dynamic`",
        ),
        (
            "experts",
            tiny().number("llama.expert_count", 8).file(),
            "expected 0, found the integer 8",
        ),
        (
            "key of a later engine",
            tiny().number("llama.attention.sliding_window", 8).file(),
            "this engine would not follow it",
        ),
        ("bias", twice("blk.0.attn_q.bias"), "tensor `blk.0.attn_q.bias`"),
        (
            "rotary factors for other heads",
            twice("rope_freqs.weight"),
            "tensor `rope_freqs.weight` at byte 1066: expected dimensions [1], found [4]",
        ),
        (
            "missing tensor",
            tiny().number("llama.block_count", 2).file(),
            "tensor `blk.1.attn_norm.weight`: expected dimensions [4], found no such tensor",
        ),
        (
            "absurd layers",
            tiny().number("llama.block_count", u32::MAX).file(),
            "tensor `blk.1.attn_norm.weight`",
        ),
        (
            "other width",
            tiny().number("llama.feed_forward_length", 5).file(),
            "expected dimensions [4, 5], found [4, 6]",
        ),
    ]
}

#[test]
fn every_broken_file_is_an_error_that_names_what_is_wrong() {
    for (name, file, expected) in broken_files() {
        let error = read(&file).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: expected `{expected}` in `{error}`");
    }
}

#[test]
fn errors_say_whether_the_file_or_the_engine_is_to_blame() {
    let reason = |name| {
        let (_, file, _) = broken_files().into_iter().find(|case| case.0 == name).unwrap();
        read(&file).unwrap_err().reason
    };
    for name in ["unknown type", "other architecture", "scaled rotation", "bias", "version 2"] {
        assert_eq!(reason(name), Reason::Unsupported, "{name}");
    }
    for name in ["html", "overlap", "cut in the data", "missing tensor", "kv heads do not divide"] {
        assert_eq!(reason(name), Reason::Broken, "{name}");
    }
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let file = Writer::tiny().file();
    for length in 0..file.len() {
        assert!(read(&file[..length]).is_err(), "{length} of {} bytes", file.len());
    }
}

#[test]
fn no_two_formats_share_a_number() {
    for id in 0..64 {
        if let Some(format) = Format::of(id) {
            assert_eq!(format.id, id);
        }
    }
}

proptest! {
    #[test]
    fn no_mutation_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut file = Writer::tiny().head();
        let head = file.len();
        for (at, byte) in changes {
            file[at.index(head)] = byte;
        }
        file.resize(head.next_multiple_of(32) + Writer::tiny().data_bytes(), 0);
        if is_cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok((_, weights)) = read(&file) {
            // What is accepted is inside the file.
            weights.each(&mut |tensor| assert!(file.get(tensor.bytes.clone()).is_some()));
        }
    }

    #[test]
    fn no_garbage_panics(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        let file = [b"GGUF\x03\0\0\0".to_vec(), garbage].concat();
        let _ = read(&file);
    }
}
