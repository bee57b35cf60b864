//! Ids on real vocabularies, compared with llama.cpp and Hugging Face's `tokenizers`, over a few
//! hundred texts: scripts, emoji, code, digits, spaces. `data/token_ids.py` documents how the file
//! is made.

use std::collections::BTreeMap;
use std::path::Path;

use inference_wasm::engine::model::Gguf;
use inference_wasm::engine::tokenizer::{TextStream, Tokenizer, Vocabulary};
use inference_wasm::protocol::{Message, Prompt, Role};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    scribe: Vec<(String, Vec<u32>)>,
    smollm2: Vec<(String, Vec<u32>)>,
    smollm2_vocabulary: Cut,
}

/// The part of a vocabulary that the texts can use.
#[derive(Deserialize)]
struct Cut {
    size: u32,
    control: Vec<String>,
    tokens: BTreeMap<u32, String>,
    merges: Vec<String>,
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("data/token_ids.json")).unwrap()
}

fn scribe() -> Tokenizer {
    let path = "../fixtures/models/scribe-low-Q8_0.gguf";
    let file = fs_err::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    Tokenizer::from_gguf(&Gguf::open(&file).unwrap().metadata).unwrap()
}

fn smollm2(cut: &Cut, pre: &str) -> Tokenizer {
    // Unused tokens, under names that no text contains.
    let missing = |id: u32| format!("\u{0}{id}");
    let tokens: Vec<String> = (0..cut.size)
        .map(|id| cut.tokens.get(&id).cloned().unwrap_or_else(|| missing(id)))
        .collect();
    let types = tokens.iter().map(|token| if cut.control.contains(token) { 3 } else { 1 });
    Tokenizer::from_vocabulary(&Vocabulary {
        model: "gpt2".into(),
        pre: pre.into(),
        types: types.collect(),
        tokens,
        merges: cut.merges.clone(),
        ..Vocabulary::default()
    })
    .unwrap()
}

/// Checks the ids, and that they decode to the text without control tokens.
fn check(tokenizer: &Tokenizer, cases: &[(String, Vec<u32>)], control: &[&str]) {
    assert!(cases.len() > 250, "{} cases", cases.len());
    for (text, ids) in cases {
        assert_eq!(&tokenizer.encode(text, true), ids, "{text:?}");
        let mut stream = TextStream::new(tokenizer, &[]).unwrap();
        let mut back: String = ids.iter().map(|id| stream.push(*id)).collect();
        back.push_str(&stream.finish());
        let shown = control.iter().fold(text.clone(), |text, token| text.replace(token, ""));
        assert_eq!(back, shown, "{text:?}");
    }
}

#[test]
fn scribe_ids_are_those_of_other_implementations() {
    let control = ["<|pad|>", "<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>"];
    check(&scribe(), &expected().scribe, &control);
}

#[test]
fn smollm2_ids_are_those_of_other_implementations() {
    let expected = expected();
    let cut = &expected.smollm2_vocabulary;
    let control: Vec<&str> = cut.control.iter().map(String::as_str).collect();
    check(&smollm2(cut, "smollm"), &expected.smollm2, &control);
}

/// Splitting digits wrongly changes ids: the check above can fail.
#[test]
fn smollm2_split_as_gpt2_gives_other_ids() {
    let expected = expected();
    let wrong = smollm2(&expected.smollm2_vocabulary, "gpt-2");
    for (text, ids) in &expected.smollm2 {
        // Only numbers with several digits, or after a space, are split differently.
        let is_plain = !text.contains(char::is_numeric);
        assert!(!is_plain || &wrong.encode(text, true) == ids, "{text:?}");
    }
    let differ = expected.smollm2.iter().filter(|(text, ids)| &wrong.encode(text, true) != ids);
    assert!(differ.count() > 0, "the split does not matter on these texts");
}

/// A prompt is `bos user <text> assistant`, as the models' README says.
#[test]
fn scribe_prompts_have_one_bos() {
    let tokenizer = scribe();
    let (bos, user, assistant) = (1, 3, 4);
    let text = tokenizer.encode("Sentiment: I love it.", true);
    let right = [&[bos, user], text.as_slice(), &[assistant]].concat();
    let message = |content: &str| Message { role: Role::User, content: content.into() };
    for prompt in [
        Prompt::Text("Sentiment: I love it.".into()),
        Prompt::Messages(vec![message("Sentiment: I love it.")]),
        Prompt::Raw("<|user|>Sentiment: I love it.<|assistant|>".into()),
        Prompt::Raw("<|bos|><|user|>Sentiment: I love it.<|assistant|>".into()),
    ] {
        assert_eq!(tokenizer.prompt_ids(&prompt).unwrap(), right, "{prompt:?}");
    }
    assert_eq!(tokenizer.vocabulary(), 4096);
    assert!(tokenizer.is_stop(2) && !tokenizer.is_stop(bos));
}
