//! What fuzzers are started from, and what they have found, goes through once more: every file in
//! `fuzz/corpus/` and `fuzz/findings/`, in the folder of its target.

#[path = "../../fuzz/src/command.rs"]
#[expect(unreachable_pub, reason = "the fuzzers' crate exports it")]
mod command;
#[path = "../../fuzz/src/engine.rs"]
#[expect(unreachable_pub, reason = "the fuzzers' crate exports it")]
mod engine;

use std::panic::catch_unwind;

use tierproof_tests::command::root;

/// Feeds a target its files. Each has to come back, and a seed has to come through to the end, lest
/// the fuzzer be left to find out what a right input looks like.
fn replay(target: &str, feed: fn(&[u8]) -> bool) {
    let mut accepted = 0;
    for folder in ["corpus", "findings"] {
        let folder = root().join("fuzz").join(folder).join(target);
        for entry in fs_err::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            let input = fs_err::read(&path).expect("a readable file");
            let Ok(is_accepted) = catch_unwind(|| feed(&input)) else {
                panic!("`{target}` fails on {}", path.display());
            };
            accepted += usize::from(is_accepted);
        }
    }
    assert!(accepted > 0, "no seed of `{target}` is accepted by all that it goes through");
}

#[test]
fn gguf_files() {
    replay("gguf", engine::gguf);
}

#[test]
fn matrices_and_scenarios() {
    replay("matrix", command::matrix);
}

#[test]
fn messages() {
    replay("protocol", engine::protocol);
}

#[test]
fn chat_templates() {
    replay("template", engine::template);
}

#[test]
fn vocabularies() {
    replay("tokenizer", engine::tokenizer);
}
