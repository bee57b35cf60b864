//! `tierproof bench` on the native build: what a record holds, and what the command says no to.
//! No test here knows how fast anything is.

use serde_json::Value;
use tierproof_tests::command::{Ended, root, tierproof};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

/// Two pairs of few tokens on the native engine, whatever else this machine is doing.
fn bench(more: &[&str]) -> (Ended, tempfile::TempDir) {
    let out = tempfile::tempdir().expect("a folder");
    let path = out.path().to_str().expect("a path in UTF-8").to_owned();
    let common = ["bench", "--engine", "tierproof-native", "--model", "scribe-low-Q8_0"];
    let few = ["--context", "8,24,4096", "--tokens", "3", "--pairs", "2", "--allow-busy", "--out"];
    let arguments = [&common[..], &few, &[&path], more].concat();
    (Ended::of(tierproof(COMMAND, &arguments), ""), out)
}

#[test]
fn a_record_has_every_sample_and_says_what_it_was_measured_on() {
    let (ended, out) = bench(&["--json"]);
    let ended = ended.with(0);
    let record: Value = serde_json::from_str(&ended.stdout).expect("JSON on standard output");
    let file = fs_err::read_to_string(out.path().join("bench.json")).expect("bench.json");
    assert_eq!(serde_json::from_str::<Value>(&file).expect("JSON in the file"), record);
    assert_eq!(record["format"], 2);
    assert!(record["machine"]["cores"].as_u64().is_some_and(|cores| cores > 0), "{record}");

    let series = &record["series"][0];
    assert_eq!(
        (&series["browser"], &series["model"]["name"]),
        (&"native".into(), &"scribe-low-Q8_0".into())
    );
    // The model was made for 512 positions.
    assert_eq!(series["left_out"].as_array().map(Vec::len), Some(1));
    let engine = &series["engines"][0];
    assert_eq!(engine["unsupported"], Value::Null);
    assert_eq!((&engine["name"], &engine["backend"]), (&"tierproof-native".into(), &"cpu".into()));
    assert_eq!(engine["adapter"], Value::Null);
    for load in ["cold_ms", "warm_ms"] {
        assert!(engine["load"][load].as_f64().is_some_and(|ms| ms > 0.0), "{engine}");
    }
    let samples = engine["samples"].as_array().expect("samples");
    let rounds: Vec<_> = samples
        .iter()
        .map(|sample| (sample["context"].as_u64(), sample["round"].as_u64()))
        .collect();
    let expected = [(8, 0), (8, 1), (8, 2), (24, 0), (24, 1), (24, 2)];
    assert_eq!(rounds, expected.map(|(context, round)| (Some(context), Some(round))));
    for sample in samples {
        assert_eq!(sample["new_tokens"], 3, "{sample}");
        assert_eq!(sample["ids"].as_array().map(Vec::len), Some(3), "{sample}");
        for time in ["first_token_ms", "decode_ms"] {
            assert!(sample[time].as_f64().is_some_and(|ms| ms > 0.0), "{sample}");
        }
    }
    let page = fs_err::read_to_string(out.path().join("index.html")).expect("index.html");
    assert!(page.contains("<svg"), "the page has no chart");

    // Its own baseline: everything is found again, and two pairs decide nothing.
    let baseline = out.path().join("bench.json");
    let (ended, _) = bench(&["--baseline", baseline.to_str().expect("a path in UTF-8")]);
    let output = ended.with(0).stdout;
    assert!(output.contains("compared with the baseline"), "{output}");
    assert_eq!(output.matches("[too few runs] (undecided)").count(), 4, "{output}");
}

#[test]
fn contradictory_arguments_are_refused_before_anything_runs() {
    for (arguments, message) in [
        (&["--engine", "tierproof-native,wlama"][..], "unknown engine `wlama`"),
        (&["--require", "wllama:speed=2"], "expected prefill or decode, found `speed`"),
        (&["--require", "llama.cpp:decode=2"], "`llama.cpp` is not measured"),
        (&["--require", "webgl/wasm:decode=2"], "`webgl` is not measured"),
        (&["--engine", "wllama@webgpu"], "`wllama` can't be measured on `webgpu`"),
        (&["--engine", "wllama", "--backend", "webgl"], "`--backend webgl` has none of these"),
        (&["--bandwidth=-1"], "expected gigabytes a second above 0"),
        (&["--engine", "tierproof-native,tierproof-native"], "is listed twice"),
        (&["--browser", "native"], "`native` is not a browser"),
        (&["--baseline", "nowhere.json"], "nowhere.json"),
        (&["--pairs", "0"], "0 is not in"),
        (&["--requantize", "Q9_9"], "Q9_9"),
    ] {
        let common = ["bench", "--model", "scribe-low-Q8_0"];
        let ended = Ended::of(tierproof(COMMAND, &[&common[..], arguments].concat()), "").with(2);
        // Lines of a message may be broken anywhere.
        let output = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let output = output.replace("│ ", "");
        assert!(output.contains(message), "{arguments:?}: {output}");
    }
}

#[test]
fn an_export_that_transformers_js_takes_is_in_the_repository() {
    let folder = root().join("fixtures/models/onnx/scribe-low");
    for file in ["config.json", "generation_config.json", "onnx/model.onnx"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
}
