//! What the engine reads: model files, vocabularies, chat templates, messages of the protocol.

use std::collections::BTreeSet;

use futures::executor::block_on;
use inference_wasm::engine::backend::Cpu;
use inference_wasm::engine::model::Gguf;
use inference_wasm::engine::session::{LoadOptions, Session};
use inference_wasm::engine::tokenizer::{Tokenizer, Vocabulary};
use inference_wasm::protocol::{Command, Message, PageEvent, Prompt, Role};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A model file: opened, every tensor dequantized, its tokenizer built, and if it is a model after
/// all, loaded and fed two tokens.
pub fn gguf(input: &[u8]) -> bool {
    let Ok(gguf) = Gguf::open(input) else { return false };
    for tensor in gguf.tensors.values() {
        let mut weights = vec![0.0; tensor.weights()];
        (tensor.format.dequantize)(&input[tensor.bytes.clone()], &mut weights);
    }
    if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata) {
        round_trip(&tokenizer, "Hello, World 123\n");
    }
    let mut options = LoadOptions::default();
    let _ = options.positions.insert(2);
    let Ok(mut session) = Session::load(Cpu::default(), input.to_vec(), options) else {
        return false;
    };
    let last = session.hyper().vocabulary as u32 - 1;
    session.begin(&[0, last], 0).expect("two tokens fit two positions");
    assert_eq!(session.feed(&[0, last]), 2);
    let mut logits = Vec::new();
    block_on(session.logits(0..2, &mut logits)).expect("the CPU's logits are there");
    assert_eq!(logits.len(), 2 * session.hyper().vocabulary);
    true
}

/// A vocabulary and a text: what is encoded comes back.
///
/// Parts: a digit of four bits (which pre-tokenizer, beginning and end of a sequence, whether the
/// vocabulary has every byte); added tokens, a line each, with their type in front; merges, a line
/// each; the text.
pub fn tokenizer(input: &[u8]) -> bool {
    let input = String::from_utf8_lossy(input);
    let mut parts = input.splitn(4, '\x0c');
    let mut part = || parts.next().unwrap_or_default();
    let bits = part().trim().parse().unwrap_or(0_u8);
    let vocabulary = vocabulary(bits, part(), part());
    let Ok(tokenizer) = Tokenizer::from_vocabulary(&vocabulary) else { return false };
    let text = part();
    let decoded = round_trip(&tokenizer, text);
    if bits & 8 == 0 {
        assert_eq!(decoded, text, "every byte has a token, so nothing is lost");
    }
    let raw = tokenizer.prompt_ids(&Prompt::Raw(text.to_owned()));
    let ids: Vec<u32> = text.chars().map(u32::from).collect();
    tokenizer.decode(&ids);
    _ = tokenizer.prompt_ids(&Prompt::Ids(ids));
    raw.is_ok()
}

/// Encodes a text, both ways, and gives it back as it comes out without special tokens.
fn round_trip(tokenizer: &Tokenizer, text: &str) -> String {
    let [decoded, _] = [false, true].map(|special| {
        let ids = tokenizer.encode(text, special);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocabulary()), "{ids:?}");
        tokenizer.decode(&ids)
    });
    decoded
}

/// Ways to cut text, one for each number of four bits.
const PRE_TOKENIZERS: [&str; 16] = [
    "gpt-2",
    "smollm",
    "llama-bpe",
    "qwen2",
    "tekken",
    "gpt-4o",
    "deepseek-llm",
    "deepseek-coder",
    "falcon",
    "starcoder",
    "refact",
    "command-r",
    "mpt",
    "default",
    "qwen2",
    "gpt-2",
];

/// A byte-level vocabulary: all bytes but the last if `bits` say so, added tokens, and whatever the
/// merges make.
fn vocabulary(bits: u8, added: &str, merges: &str) -> Vocabulary {
    // Printable bytes stand for themselves, the others for the characters from U+0100 on.
    let mut above = 0x100_u32..;
    let alphabet = (0..=255_u32).filter_map(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from_u32(byte),
        _ => above.next().and_then(char::from_u32),
    });
    let bytes = if bits & 8 == 0 { 256 } else { 255 };
    let mut tokens: Vec<String> = alphabet.take(bytes).map(String::from).collect();
    let merges: Vec<String> = merges.lines().map(str::to_owned).collect();
    let mut known: BTreeSet<String> = tokens.iter().cloned().collect();
    for made in merges.iter().map(|merge| merge.replacen(' ', "", 1)) {
        if known.insert(made.clone()) {
            tokens.push(made);
        }
    }
    let mut types = vec![1; tokens.len()];
    for line in added.lines() {
        let kind = line.chars().next().and_then(|kind| kind.to_digit(10)).unwrap_or(3);
        tokens.push(line.chars().skip(1).collect());
        types.push(if kind == 4 { 4 } else { 3 });
    }
    let last = tokens.len() as u32 - 1;
    Vocabulary {
        model: "gpt2".into(),
        pre: PRE_TOKENIZERS[usize::from(bits & 1 | bits >> 3 & 0x0e)].into(),
        tokens,
        types,
        merges,
        bos: Some(last),
        eos: Some(last),
        add_bos: Some(bits & 2 != 0),
        add_eos: Some(bits & 4 != 0),
        ..Vocabulary::default()
    }
}

/// A chat template and a conversation. Parts: the source; messages, each with the first letter of
/// its role in front.
pub fn template(input: &[u8]) -> bool {
    let input = String::from_utf8_lossy(input);
    let mut parts = input.split('\x0c');
    let source = parts.next().unwrap_or_default();
    let messages: Vec<Message> = parts
        .map(|part| {
            let role = match part.chars().next() {
                Some('s') => Role::System,
                Some('a') => Role::Assistant,
                _ => Role::User,
            };
            Message { role, content: part.chars().skip(1).collect() }
        })
        .collect();
    let vocabulary =
        Vocabulary { chat_template: Some(source.to_owned()), ..vocabulary(0, "3<s>", "") };
    let Ok(tokenizer) = Tokenizer::from_vocabulary(&vocabulary) else { return false };
    let rendered = [true, false].map(|prompt| tokenizer.render_chat(&messages, prompt));
    rendered.iter().all(Result::is_ok)
}

/// A message of the protocol, either way: what was understood is written and understood alike.
pub fn protocol(input: &[u8]) -> bool {
    let command = comes_back::<Command>(input);
    comes_back::<PageEvent>(input) || command
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(input: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<T>(input) else { return false };
    let text = serde_json::to_string(&message).expect("a message can be written");
    match serde_json::from_str::<T>(&text) {
        Ok(again) => assert_eq!(again, message, "{text}"),
        Err(error) => panic!("{error}: {text}"),
    }
    true
}
