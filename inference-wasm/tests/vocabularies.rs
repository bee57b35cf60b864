//! Ids and chat templates of real model families, compared with llama.cpp and Jinja2.
//!
//! The vocabularies and templates are not part of the repository: `tierproof setup --for test`
//! fetches them. Without them these tests print so and pass, but fail where `CI` is set.
//! `fixtures/tokenizer/README.md` documents how the expected values are made.

#![expect(clippy::print_stdout, reason = "shows measurements with `--nocapture`")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inference_wasm::engine::model::Gguf;
use inference_wasm::engine::tokenizer::{Tokenizer, Vocabulary};
use inference_wasm::protocol::{EngineErrorKind, Message};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The release of the package that contains the files.
const VERSION: &str = "0.3.36";

/// The number of ids of a text whose last hex digit is given.
const GIVEN: usize = 16;

/// The first line of `fixtures/tokenizer/ids/*.txt`.
#[derive(Deserialize)]
struct Header {
    vocabulary: String,
    changed: BTreeMap<String, String>,
    add_bos: bool,
    stop: Vec<u32>,
}

/// One line of the corpus.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Bytes { hex: String },
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tokenizer")
}

/// The folder of the fetched files; `None` where they may be missing.
fn fetched() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("TIERPROOF_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("XDG_CACHE_HOME")?).join("tierproof")))
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache/tierproof")))?;
    let folder = cache.join("tokenizers").join(VERSION);
    if folder.join("complete").is_file() {
        return Some(folder);
    }
    let missing =
        format!("no vocabularies in `{}`: run `tierproof setup --for test`", folder.display());
    assert!(std::env::var("CI").is_err(), "{missing}");
    println!("skipped: {missing}");
    None
}

fn corpus() -> Vec<String> {
    let lines = fs_err::read_to_string(fixtures().join("corpus.jsonl")).unwrap();
    let text = |line: &str| match serde_json::from_str(line).unwrap() {
        Line::Text(text) => text,
        Line::Bytes { hex } => String::from_utf8_lossy(&hex::decode(hex).unwrap()).into_owned(),
    };
    lines.lines().map(text).collect()
}

fn vocabulary(path: &Path, changed: &BTreeMap<String, String>) -> Vocabulary {
    let mut file = fs_err::read(path).unwrap();
    // Some have version 2, whose little-endian layout is that of version 3.
    if let [_, _, _, _, version @ 2, ..] = &mut file[..] {
        *version = 3;
    }
    let mut vocabulary = Vocabulary::read(&Gguf::open(&file).unwrap().metadata).unwrap();
    for (key, value) in changed {
        match key.as_str() {
            "tokenizer.ggml.pre" => vocabulary.pre.clone_from(value),
            "tokenizer.ggml.model" => vocabulary.model.clone_from(value),
            key => panic!("`{key}` can't be changed"),
        }
    }
    vocabulary
}

fn short_hash(ids: &[u32]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    hex::encode(&Sha256::digest(bytes)[..4])
}

/// The difference in the ids of one text, if any.
fn difference(ids: &[u32], plain: &[u32], expected: &str) -> Option<String> {
    let (low, hashes) = expected.split_once(' ').unwrap();
    let (hash, plain_hash) = hashes.split_once(' ').unwrap_or((hashes, hashes));
    if short_hash(ids) != hash {
        let found: String = ids.iter().take(GIVEN).map(|id| format!("{:x}", id & 15)).collect();
        let same = found.bytes().zip(low.bytes()).take_while(|(one, other)| one == other).count();
        return Some(match low.get(same..=same) {
            None if same == GIVEN => format!("an id from {GIVEN} on differs; all: {ids:?}"),
            digit => format!(
                "id {same} is {:?}, expected one whose last hex digit is {digit:?}; all: {ids:?}",
                ids.get(same)
            ),
        });
    }
    (short_hash(plain) != plain_hash).then(|| format!("without special tokens: {plain:?}"))
}

#[test]
fn ids_are_those_of_llama_cpp() {
    let Some(folder) = fetched() else { return };
    let corpus = corpus();
    assert!(corpus.len() > 2000, "{} texts", corpus.len());
    let mut failures = Vec::new();
    let mut goldens: Vec<PathBuf> = fs_err::read_dir(fixtures().join("ids"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    goldens.sort();
    assert!(goldens.len() > 20, "{} vocabularies", goldens.len());
    for path in goldens {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let golden = fs_err::read_to_string(&path).unwrap();
        let mut lines = golden.lines();
        let header: Header = serde_json::from_str(lines.next().unwrap()).unwrap();
        let vocabulary = vocabulary(&folder.join(&header.vocabulary), &header.changed);
        let began = std::time::Instant::now();
        let tokenizer = Tokenizer::from_vocabulary(&vocabulary).unwrap();
        println!("{name}: {} tokens in {:?}", tokenizer.vocabulary(), began.elapsed());
        assert_eq!(tokenizer.adds_bos(), header.add_bos, "{name}");
        let stop: Vec<u32> =
            (0..tokenizer.vocabulary() as u32).filter(|id| tokenizer.is_stop(*id)).collect();
        if stop != header.stop {
            failures.push(format!("{name}: stop {stop:?}, expected {:?}", header.stop));
        }
        let expected: Vec<&str> = lines.collect();
        assert_eq!(expected.len(), corpus.len(), "{name}");
        for (number, (text, expected)) in corpus.iter().zip(expected).enumerate() {
            let (ids, plain) = (tokenizer.encode(text, true), tokenizer.encode(text, false));
            if let Some(what) = difference(&ids, &plain, expected) {
                failures.push(format!("{name}, line {}, {text:?}: {what}", number + 1));
            }
        }
    }
    let count = failures.len();
    let shown: Vec<String> =
        failures.iter().map(|line| line.chars().take(600).collect()).take(60).collect();
    assert!(failures.is_empty(), "{count} differ:\n{}", shown.join("\n"));
}

/// The pairs of texts and ids that are shipped with the vocabularies.
#[test]
fn ids_are_those_shipped_with_the_vocabularies() {
    let Some(folder) = fetched() else { return };
    let mut pairs = 0;
    for file in fs_err::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "inp") {
            continue;
        }
        let vocabulary = vocabulary(&path.with_extension(""), &BTreeMap::new());
        // WordPiece.
        if vocabulary.model == "bert" {
            continue;
        }
        let tokenizer = Tokenizer::from_vocabulary(&vocabulary).unwrap();
        let inputs = fs_err::read_to_string(&path).unwrap();
        let outputs = fs_err::read_to_string(path.with_extension("out")).unwrap();
        let inputs: Vec<&str> = inputs.split("\n__ggml_vocab_test__\n").collect();
        for (text, line) in inputs.iter().zip(outputs.lines()) {
            let expected: Vec<u32> =
                line.split_whitespace().map(|id| id.parse().unwrap()).collect();
            assert_eq!(tokenizer.encode(text, false), expected, "{}: {text:?}", path.display());
            pairs += 1;
        }
    }
    assert!(pairs > 500, "{pairs} pairs");
}

/// Unsupported algorithms are refused with the reason.
#[test]
fn other_algorithms_are_refused_with_the_reason() {
    let Some(folder) = fetched() else { return };
    for (file, reason) in [("bert-bge", "WordPiece"), ("nomic-bert-moe", "unigram")] {
        let path = folder.join(format!("ggml-vocab-{file}.gguf"));
        let error = Tokenizer::from_vocabulary(&vocabulary(&path, &BTreeMap::new())).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::UnsupportedModel);
        assert!(error.message.contains(reason), "{}", error.message);
        assert_eq!(error.hint.as_deref(), Some("expected one of: `gpt2`, `llama`, `gemma4`"));
    }
}

/// Every text takes about linear time; quadratic time would not end.
#[test]
fn long_texts_without_spaces_are_encoded() {
    let Some(folder) = fetched() else { return };
    for file in ["llama-spm", "qwen2", "gemma-4", "deepseek-llm"] {
        let path = folder.join(format!("ggml-vocab-{file}.gguf"));
        let tokenizer = Tokenizer::from_vocabulary(&vocabulary(&path, &BTreeMap::new())).unwrap();
        for unit in ["a", "ab1", "é", " ", "\n", "中文", "-"] {
            let text = unit.repeat(100_000 / unit.len());
            let ids = tokenizer.encode(&text, true);
            assert!(tokenizer.decode(&ids) == text, "{file} {unit:?}");
        }
    }
}

/// Templates for tools only, which Python refuses without tools since it can't iterate over `none`.
/// Here that is an empty iteration.
const WITHOUT_TOOLS: [&str; 3] = [
    "CohereForAI-c4ai-command-r-plus-tool_use.jinja",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja",
];

#[test]
fn chat_templates_render_as_in_python() {
    let Some(folder) = fetched() else { return };
    let conversations = fs_err::read_to_string(fixtures().join("conversations.json")).unwrap();
    let conversations: Vec<Vec<Message>> = serde_json::from_str(&conversations).unwrap();
    let expected = fs_err::read_to_string(fixtures().join("templates.txt")).unwrap();
    let mut failures = Vec::new();
    for line in expected.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [file, conversation, open, expected] = fields[..] else { panic!("{line}") };
        let source = fs_err::read_to_string(folder.join("templates").join(file)).unwrap();
        let conversation = &conversations[conversation.parse::<usize>().unwrap()];
        let outcome = tokenizer_with(source)
            .and_then(|tokenizer| tokenizer.render_chat(conversation, open == "open"));
        let (found, what) = match outcome {
            Ok(text) => (hex::encode(&Sha256::digest(&text)[..8]), text),
            Err(error) => {
                assert_eq!(error.kind, EngineErrorKind::ChatTemplate, "{line}");
                ("refused".to_owned(), error.message)
            }
        };
        let is_lenient = expected == "refused" && WITHOUT_TOOLS.contains(&file);
        if found != expected && !is_lenient {
            failures.push(format!("{line}: {}", what.chars().take(300).collect::<String>()));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// A tokenizer with a template and almost nothing else.
fn tokenizer_with(source: String) -> Result<Tokenizer, inference_wasm::protocol::EngineError> {
    Tokenizer::from_vocabulary(&Vocabulary {
        model: "gpt2".into(),
        pre: "gpt-2".into(),
        tokens: ["<s>", "</s>"].map(str::to_owned).to_vec(),
        types: vec![3, 3],
        bos: Some(0),
        eos: Some(1),
        chat_template: Some(source),
        ..Vocabulary::default()
    })
}
