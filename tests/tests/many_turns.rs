//! Fifty turns of one conversation on a real model, in a context of 2,048 positions: memory stays
//! where it is.
//!
//! Built only when asked for, as it takes minutes and a fetched model:
//! `tierproof models fetch smollm2-135m`, then
//! `cargo test -p tierproof-tests --features real-model --test many_turns -- --nocapture
//! --test-threads=1`.

#![expect(clippy::print_stdout, reason = "the figures are worth seeing")]

use serde_json::{Value, json};
use tierproof_tests::command::{Ended, tierproof};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const TURNS: usize = 50;
const POSITIONS: usize = 2_048;
/// Turns that fit the context with an answer; when there are as many, the older half is dropped.
const MOST_TURNS: usize = 24;
/// The model's file.
const FILE_BYTES: f64 = 98_362_432.0;
/// Two numbers of four bytes for each layer, key width and position.
const CACHE_BYTES: f64 = (2 * 4 * 30 * 192 * POSITIONS) as f64;

/// What the user says: about eighty tokens that no other turn has.
fn question(turn: usize) -> String {
    format!(
        "Note {turn}: the lamp of room {turn} is blue, its door stands open, the cat sleeps on \
         chair {turn}, and somebody has left a book about rivers, two cups and a letter from \
         Lisbon beside the window of that room. Is the lamp of room {turn} blue? Answer in one \
         word."
    )
}

/// The conversation at each turn, a line each: all that was said before, as far as it fits.
fn conversations() -> String {
    let mut said: Vec<[Value; 2]> = Vec::new();
    let mut lines = String::new();
    for turn in 1..=TURNS {
        if said.len() == MOST_TURNS {
            said.drain(..MOST_TURNS / 2);
        }
        let user = json!({ "role": "user", "content": question(turn) });
        let messages: Vec<&Value> = said.iter().flatten().chain([&user]).collect();
        lines += &json!({ "id": turn, "messages": messages }).to_string();
        lines.push('\n');
        said.push([user, json!({ "role": "assistant", "content": "Blue." })]);
    }
    lines
}

fn memory_stays(browser: &str) {
    let context = POSITIONS.to_string();
    let arguments = [
        "generate",
        "--browser",
        browser,
        "--model",
        "smollm2-135m",
        "--backend",
        "wasm",
        "--context",
        &context,
        "--max-tokens",
        "8",
        "--prompts",
        "-",
        "--json",
    ];
    let answers = Ended::of(tierproof(COMMAND, &arguments), &conversations()).with(0).json_lines();
    assert_eq!(answers.len(), TURNS);

    let memory = |answer: &Value| answer["proof"]["execution"]["memory_bytes"].as_u64();
    let memory: Vec<u64> = answers.iter().map(|answer| memory(answer).expect("bytes")).collect();
    let length = |answer: &Value| answer["prompt_ids"].as_array().map_or(0, Vec::len);
    let longest = answers.iter().map(length).max().unwrap_or_default();
    println!("{browser}: prompts of up to {longest} tokens; memory by turn: {memory:?}");

    assert!((1_900..POSITIONS).contains(&longest), "{longest}");
    for answer in &answers {
        assert_eq!(answer["proof"]["verified"], true, "turn {}", answer["id"]);
    }
    // The model and its cache, and little else.
    let beside_cache = memory[0] as f64 - CACHE_BYTES;
    assert!(beside_cache <= 1.15 * FILE_BYTES, "{} times the file", beside_cache / FILE_BYTES);
    // The first two turns may still take room to work in.
    assert!(memory[1..].iter().all(|bytes| *bytes == memory[1]), "{memory:?}");
}

#[test]
fn chrome_does_not_grow_from_turn_to_turn() {
    memory_stays("chrome");
}

#[test]
fn firefox_does_not_grow_from_turn_to_turn() {
    memory_stays("firefox");
}

#[test]
fn webkit_does_not_grow_from_turn_to_turn() {
    memory_stays("webkit");
}
