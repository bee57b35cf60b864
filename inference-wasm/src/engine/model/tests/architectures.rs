//! Each row of the table on the smallest valid model, and what breaks it.

use super::*;

impl Writer {
    /// The tiny model, as a file of another architecture.
    fn of(row: &Architecture) -> Self {
        let mut writer = Self::tiny();
        writer.key("general.architecture", 8, string(row.name));
        for (key, ..) in &mut writer.keys {
            if let Some(rest) = key.strip_prefix("llama.") {
                *key = format!("{}.{rest}", row.name);
            }
        }
        if row.has_fused_gate {
            writer.tensors.retain(|tensor| !tensor.name.contains("ffn_gate"));
            writer.tensors.retain(|tensor| !tensor.name.contains("ffn_up"));
            writer.tensor("blk.0.ffn_up.weight", &[4, 12]);
        }
        let optional = [
            (row.has_qkv_bias, "attn_q.bias", 4),
            (row.has_qkv_bias, "attn_k.bias", 2),
            (row.has_qkv_bias, "attn_v.bias", 2),
            (row.has_head_norms, "attn_q_norm.weight", 2),
            (row.has_head_norms, "attn_k_norm.weight", 2),
            (row.has_post_norms, "post_attention_norm.weight", 4),
            (row.has_post_norms, "post_ffw_norm.weight", 4),
        ];
        for (_, name, size) in optional.into_iter().filter(|(is_present, ..)| *is_present) {
            writer.tensor(&format!("blk.0.{name}"), &[size]);
        }
        writer
    }

    fn named(name: &str) -> Self {
        Self::of(Architecture::of(name).unwrap())
    }

    fn float(mut self, key: &str, value: f32) -> Self {
        self.key(key, 6, value.to_le_bytes().to_vec());
        self
    }

    fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key, 8, string(value));
        self
    }

    fn flags(mut self, key: &str, flags: &[bool]) -> Self {
        let bytes = flags.iter().map(|&flag| u8::from(flag)).collect();
        self.key(key, 9, [array(7, flags.len() as u64), bytes].concat());
        self
    }

    fn with_tensor(mut self, name: &str, dimensions: &[u64]) -> Self {
        self.tensor(name, dimensions);
        self
    }

    fn without_tensor(mut self, name: &str) -> Self {
        self.tensors.retain(|tensor| tensor.name != name);
        self
    }
}

fn hyper(writer: &Writer) -> HyperParameters {
    let file = writer.file();
    HyperParameters::read(&Gguf::open(&file).unwrap()).unwrap()
}

#[test]
fn every_row_reads_its_own_tensors_and_no_others() {
    for row in &ARCHITECTURES {
        let writer = Writer::of(row);
        let (_, weights) = read(&writer.file()).unwrap_or_else(|e| panic!("{}: {e}", row.name));
        let layer = &weights.layers[0];
        assert_eq!(layer.query_bias.is_some(), row.has_qkv_bias, "{}", row.name);
        assert_eq!(layer.key_norm.is_some(), row.has_head_norms, "{}", row.name);
        assert_eq!(layer.ffn_post_norm.is_some(), row.has_post_norms, "{}", row.name);
        for tensor in &writer.tensors {
            assert!(read(&writer.clone().without_tensor(&tensor.name).file()).is_err());
        }
        let more = writer.with_tensor("blk.0.attn_sinks.weight", &[2]);
        let error = read(&more.file()).unwrap_err().to_string();
        assert!(error.contains("tensor `blk.0.attn_sinks.weight`"), "{error}");
    }
}

#[test]
fn fused_matrices_are_ranges_of_the_same_bytes() {
    let writer = Writer::named("phi3")
        .without_tensor("blk.0.attn_q.weight")
        .without_tensor("blk.0.attn_k.weight")
        .without_tensor("blk.0.attn_v.weight")
        .with_tensor("blk.0.attn_qkv.weight", &[4, 8]);
    let file = writer.file();
    let gguf = Gguf::open(&file).unwrap();
    let (_, weights) = read(&file).unwrap();
    let layer = &weights.layers[0];
    let start = gguf.tensors["blk.0.attn_qkv.weight"].bytes.start;
    assert_eq!(layer.query.bytes, start..start + 4 * 4 * 4);
    assert_eq!(layer.key.bytes, start + 64..start + 96);
    assert_eq!(layer.value.bytes, start + 96..start + 128);
    assert_eq!((layer.value.columns(), layer.value.rows()), (4, 2));
    assert_eq!((layer.gate.rows(), layer.up.rows()), (6, 6));
    assert_eq!(layer.gate.bytes.end, layer.up.bytes.start);
}

#[test]
fn layers_see_windows_by_the_pattern() {
    let seen = |writer: &Writer| -> Vec<Option<usize>> {
        let hyper = hyper(writer);
        (0..7).map(|layer| hyper.window(layer)).collect()
    };
    let (all, local) = (None, Some(3));
    let gemma3 = Writer::named("gemma3").number("gemma3.block_count", 7);
    let windowed = gemma3.clone().number("gemma3.attention.sliding_window", 3);
    assert_eq!(seen(&gemma3), [all; 7]);
    assert_eq!(seen(&windowed), [local, local, local, local, local, all, local]);
    let every_third = windowed.clone().number("gemma3.attention.sliding_window_pattern", 3);
    assert_eq!(seen(&every_third), [local, local, all, local, local, all, local]);
    let flags = [true, false, false, true, false, false, true];
    let listed = windowed.flags("gemma3.attention.sliding_window_pattern", &flags);
    assert_eq!(seen(&listed), [local, all, all, local, all, all, local]);
    let phi3 = Writer::named("phi3").number("phi3.attention.sliding_window", 3);
    assert_eq!(seen(&phi3), [local; 7]);
    // As the converter writes it for models without windows.
    assert_eq!(seen(&Writer::named("phi3").number("phi3.attention.sliding_window", 0)), [all; 7]);
    let gemma2 = seen(&Writer::named("gemma2"));
    assert_eq!(gemma2[..4], [Some(4096), all, Some(4096), all]);

    let smollm3 = hyper(&Writer::named("smollm3"));
    let ropes: Vec<_> = (0..5).map(|layer| smollm3.rope_of(layer)).collect();
    assert_eq!(ropes, [Some(0), Some(0), Some(0), None, Some(0)]);

    let gemma3 = hyper(&listed);
    let ropes: Vec<_> = (0..7).map(|layer| gemma3.rope_of(layer)).collect();
    assert_eq!(ropes, [1, 0, 0, 1, 0, 0, 1].map(Some));
}

#[test]
fn rows_give_the_defaults_of_keys() {
    let gemma2 = hyper(&Writer::named("gemma2"));
    assert_eq!((gemma2.score_cap, gemma2.logit_cap), (Some(50.0), Some(30.0)));
    assert_eq!((gemma2.embedding_scale, gemma2.local_rope), (Some(2.0), None));
    let set = Writer::named("gemma2")
        .float("gemma2.attn_logit_softcapping", 0.0)
        .float("gemma2.final_logit_softcapping", 7.0);
    assert_eq!((hyper(&set).score_cap, hyper(&set).logit_cap), (None, Some(7.0)));

    // The size with 46 layers scales by width / heads, here 2 like the head size: a head of 4 shows
    // them apart.
    let large = Writer::named("gemma2")
        .number("gemma2.block_count", 46)
        .number("gemma2.attention.key_length", 4);
    assert!((hyper(&large).score_scale - 0.5_f32.sqrt()).abs() < 1e-7);
    let other = hyper(&large.number("gemma2.block_count", 45));
    assert!((other.score_scale - 0.5).abs() < 1e-7);

    let scaled = Writer::named("gemma3")
        .text("gemma3.rope.scaling.type", "linear")
        .float("gemma3.rope.scaling.factor", 8.0)
        .float("gemma3.rope.freq_base", 1e6);
    let scaled = hyper(&scaled);
    assert_eq!((scaled.rope.base, scaled.rope.scaling), (1e6, Scaling::Linear(8.0)));
    let local = scaled.local_rope.unwrap();
    assert_eq!((local.base, local.scaling), (1e4, Scaling::Linear(1.0)));
}

/// Files that an architecture can't be read from, with a part of the error message.
fn refused() -> Vec<(Writer, &'static str)> {
    let of = Writer::named;
    vec![
        (
            of("qwen2").without_tensor("blk.0.attn_k.bias"),
            "tensor `blk.0.attn_k.bias`: expected dimensions [2], found no such tensor",
        ),
        (of("qwen3").with_tensor("blk.0.attn_q.bias", &[4]), "tensor `blk.0.attn_q.bias`"),
        (of("llama").with_tensor("blk.0.attn_q_norm.weight", &[2]), "`blk.0.attn_q_norm.weight`"),
        (of("phi3").with_tensor("blk.0.ffn_gate.weight", &[4, 6]), "`blk.0.ffn_gate.weight`"),
        (of("qwen2").with_tensor("rope_freqs.weight", &[1]), "tensor `rope_freqs.weight`"),
        (of("qwen3").number("qwen3.expert_count", 8), "`qwen3.expert_count`"),
        (of("qwen2").number("qwen2.pooling_type", 1), "expected 0, found the integer 1"),
        (of("llama").float("llama.attn_logit_softcapping", 5.0), "would not follow it"),
        (of("gemma3").float("gemma3.attn_logit_softcapping", 5.0), "would not follow it"),
        (of("qwen2").number("qwen2.attention.sliding_window", 8), "would not follow it"),
        (
            of("gemma2").float("gemma2.final_logit_softcapping", -1.0),
            "`gemma2.final_logit_softcapping` at byte",
        ),
        (
            of("gemma3").flags("gemma3.attention.sliding_window_pattern", &[true, false]),
            "expected 1 flags, one for each layer, found 2",
        ),
        (
            of("gemma3").text("gemma3.attention.sliding_window_pattern", "6"),
            "expected an integer of 32 bits, not negative, found the string `6`",
        ),
        (
            of("phi3").number("phi3.rope.dimension_count", 4),
            "expected an even number up to 2, the head size, found 4",
        ),
        (
            of("llama").text("llama.rope.scaling.type", "longrope"),
            "tensor `rope_factors_short.weight`: expected dimensions [1], found no such tensor",
        ),
        (
            of("phi3").with_tensor("rope_factors_long.weight", &[1]),
            "tensor `rope_factors_short.weight`",
        ),
        (
            of("qwen2").text("qwen2.rope.scaling.type", "longrope"),
            "expected `none`, `linear` or `yarn`, found the string `longrope`",
        ),
        (
            of("llama")
                .text("llama.rope.scaling.type", "none")
                .float("llama.rope.scaling.factor", 2.0),
            "expected 1, which goes with that type of scaling, found the float 2",
        ),
        (
            of("qwen2").float("qwen2.rope.scaling.factor", 0.0),
            "`qwen2.rope.scaling.factor` at byte",
        ),
        (
            of("qwen2")
                .text("qwen2.rope.scaling.type", "yarn")
                .float("qwen2.rope.scaling.yarn_beta_fast", 0.0),
            "expected a number above 0, found 0",
        ),
        (
            of("llama").float("llama.rope.scaling.yarn_ext_factor", 0.5),
            "expected 1, found the float 0.5",
        ),
        (
            of("qwen2").text("qwen2.rope.scaling.type", "yarn").float("qwen2.rope.freq_base", 1.0),
            "more than 1, which `yarn` needs",
        ),
    ]
}

#[test]
fn files_that_an_architecture_does_not_support_are_refused() {
    for (writer, expected) in refused() {
        let error = read(&writer.file()).expect_err(expected).to_string();
        assert!(error.contains(expected), "expected `{expected}` in `{error}`");
    }
}
