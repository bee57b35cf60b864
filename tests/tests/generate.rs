//! `tierproof generate` on the native build: the answers, and the JSON that is its interface.

use serde_json::Value;
use tierproof_tests::command::{Ended, root, tierproof};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const MODEL: &str = "scribe-low-Q8_0";

fn generate(backend: &str, more: &[&str], input: &str) -> Ended {
    let common = ["generate", "--browser", "native", "--model", MODEL, "--backend", backend];
    Ended::of(tierproof(COMMAND, &[&common[..], more].concat()), input)
}

fn answers(backend: &str, more: &[&str], input: &str) -> Vec<Value> {
    generate(backend, &[more, &["--json"]].concat(), input).with(0).json_lines()
}

fn answer(more: &[&str]) -> Value {
    let mut answers = answers("cpu", more, "");
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Held-out prompts whose answers were known before the model was made: four of each task that
/// has one right answer.
fn known() -> Vec<Value> {
    let path = root().join("fixtures/models/eval.jsonl");
    let text = fs_err::read_to_string(path).expect("the eval set");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect();
    let tasks = ["fix", "sentiment", "formal", "casual", "keywords"];
    let of_task = |task| lines.iter().filter(move |line| line["task"] == task).take(4).cloned();
    tasks.into_iter().flat_map(of_task).collect()
}

#[test]
fn both_backends_give_the_answers_that_are_known_to_be_right() {
    let known = known();
    assert_eq!(known.len(), 20);
    let lines: Vec<_> = known.iter().map(ToString::to_string).collect();
    for backend in ["cpu", "reference"] {
        let answers = answers(backend, &["--prompts", "-"], &lines.join("\n"));
        assert_eq!(answers.len(), known.len());
        for (answer, known) in answers.iter().zip(&known) {
            assert_eq!(answer["id"], known["id"]);
            assert_eq!(answer["text"], known["answer"], "{backend}: {}", known["prompt"]);
            assert_eq!(answer["finish_reason"], "stop");
        }
    }
}

#[test]
fn an_answer_has_the_documented_keys() {
    let answer = answer(&["--prompt", "Sentiment: I love this lamp."]);
    let keys: Vec<_> = answer.as_object().expect("an object").keys().cloned().collect();
    let expected = ["prompt_ids", "generated_ids", "text", "finish_reason", "timings", "proof"];
    assert_eq!(keys, expected);
    assert_eq!(answer["text"], "positive");
    assert_eq!(answer["proof"]["verified"], true);
    let execution = &answer["proof"]["execution"];
    assert_eq!((&execution["requested"], &execution["actual"]), (&"cpu".into(), &"cpu".into()));
    for key in ["prefill_ms", "prefill_tokens", "first_token_ms", "decode_ms", "decode_tokens"] {
        assert!(answer["timings"][key].is_number(), "{key}: {answer}");
    }
}

#[test]
fn text_goes_to_standard_output_alone() {
    let run = generate("cpu", &["--prompt", "Sentiment: I love this lamp."], "").with(0);
    assert_eq!(run.stdout, "positive\n");
    assert!(run.stderr.starts_with("prefill "), "{}", run.stderr);
}

#[test]
fn prompts_come_from_a_file_in_every_form() {
    let ids = answer(&["--prompt", "Sentiment: I love this lamp."])["prompt_ids"].clone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("prompts.jsonl");
    let lines = [
        serde_json::json!({"id": "text", "prompt": "Sentiment: I love this lamp."}),
        serde_json::json!({"id": 2, "messages":
            [{"role": "user", "content": "Sentiment: I love this lamp."}]}),
        serde_json::json!({"prompt_ids": ids, "max_tokens": 1}),
    ];
    fs_err::write(&path, lines.map(|line| line.to_string()).join("\n")).expect("a file");
    let answers = answers("cpu", &["--prompts", path.to_str().expect("UTF-8")], "");
    assert_eq!(answers.len(), 3);
    for answer in &answers {
        assert_eq!(answer["prompt_ids"], ids);
        assert_eq!(answer["text"], "positive");
    }
    assert_eq!(answers[0]["id"], "text");
    assert_eq!(answers[1]["id"], 2);
    assert_eq!(answers[2].get("id"), None);
    assert_eq!(answers[2]["finish_reason"], "length");
    assert_eq!(answers[2]["generated_ids"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_raw_prompt_goes_without_the_template() {
    let prompt = ["--prompt", "Keywords: On Tuesday"];
    let templated = answer(&prompt)["prompt_ids"].clone();
    let raw = answer(&[&prompt[..], &["--raw"]].concat())["prompt_ids"].clone();
    let (templated, raw) = (templated.as_array().expect("ids"), raw.as_array().expect("ids"));
    // The template wraps the text in tokens for the turn.
    assert!(raw.len() < templated.len(), "{raw:?} {templated:?}");
    let text = &raw[1..];
    assert!(templated.windows(text.len()).any(|window| window == text), "{raw:?} {templated:?}");
}

#[test]
fn a_stop_string_ends_the_text_before_itself() {
    let prompt = ["--prompt", "Fix the caption: please film teh tutorial beore Friday."];
    assert_eq!(answer(&prompt)["text"], "Please film the tutorial before Friday.");
    let stopped = answer(&[&prompt[..], &["--stop", " tutorial", "--stop", "zebra"]].concat());
    assert_eq!(stopped["text"], "Please film the");
    assert_eq!(stopped["finish_reason"], "stop-string");
}

#[test]
fn logits_are_rows_from_which_each_token_was_the_best() {
    let answer = answer(&["--prompt", "Keywords: On Tuesday", "--logits"]);
    let ids = answer["generated_ids"].as_array().expect("ids");
    let rows = answer["logits"].as_array().expect("rows");
    assert_eq!(rows.len(), ids.len());
    for (row, id) in rows.iter().zip(ids) {
        let row: Vec<_> = row.as_array().expect("a row").iter().filter_map(Value::as_f64).collect();
        assert_eq!(row.len(), 4096, "the vocabulary of the scribe models");
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
        assert_eq!(best, id.as_u64().map(|id| id as usize));
    }
    let without_json = generate("cpu", &["--prompt", "x", "--logits"], "").with(2);
    assert!(without_json.complaint().contains("--json"), "{}", without_json.stderr);
}

#[test]
fn a_seed_gives_the_same_text_again_and_another_seed_another() {
    let draw = |seed: &str| {
        let sampling = ["--temperature", "1.5", "--seed", seed, "--max-tokens", "24"];
        let prompt = ["--prompt", "Continue: The old library in the town"];
        answer(&[&prompt[..], &sampling].concat())["generated_ids"].clone()
    };
    let first = draw("7");
    assert_eq!(draw("7"), first);
    assert!(["8", "9", "10"].into_iter().any(|seed| draw(seed) != first), "the seed is ignored");
}

#[test]
fn errors_of_the_engine_have_their_kind_and_an_exit_code() {
    let overflow = generate("cpu", &["--prompt", "x", "--max-tokens", "9999"], "").with(2);
    let complaint = overflow.complaint();
    assert!(complaint.contains("engine error `context-overflow`"), "{complaint}");
    assert!(complaint.contains("expected at most 512"), "{complaint}");
    let backend = generate("webgpu", &["--prompt", "x"], "").with(2).complaint();
    assert!(backend.contains("engine error `backend-unavailable`"), "{backend}");
}

#[test]
fn a_seeded_fault_is_refused_by_a_build_without_faults() {
    let refused = generate("cpu", &["--prompt", "x", "--seeded-fault", "zeroed-layer"], "").with(2);
    assert!(refused.complaint().contains("carries no seeded faults"), "{}", refused.stderr);
}
