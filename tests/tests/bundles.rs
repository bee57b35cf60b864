//! Bundles in real browsers: all of them give the same bits, and none replaces another unnoticed.
//!
//! Ignored unless asked for: `cargo test -p tierproof-tests --test bundles -- --ignored`.

#![expect(clippy::print_stdout, reason = "what was left out is worth seeing")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tierproof_tests::command::{Ended, tierproof};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const PROMPT: &str = "Fix the caption: please film teh tutorial beore Friday.";

/// Each with its number of threads. The last two need a standard library of their own.
const BUNDLES: [(&str, u64); 5] =
    [("base", 1), ("relaxed", 1), ("scalar", 1), ("threads", 1), ("threads", 2)];

fn command(arguments: &[&str]) -> Ended {
    Ended::of(tierproof(COMMAND, arguments), "")
}

/// The folder with these bundles, built if need be; `None` where nothing can compile threads.
fn folder(bundles: &[&str]) -> Option<PathBuf> {
    let built = command(&[&["bundle"], bundles].concat());
    if built.code == Some(4) && built.stderr.contains("tierproof setup --for threads") {
        println!("left out: {}", built.complaint());
        return None;
    }
    let built = built.with(0);
    Some(built.stdout.lines().next().expect("the folder").into())
}

/// One prompt in a browser.
fn generate(browser: &str, model: &str, bundle: &str, more: &[&str]) -> Ended {
    let common = ["generate", "--browser", browser, "--model", model, "--bundle", bundle];
    let prompt = ["--prompt", PROMPT, "--json", "--max-tokens", "8"];
    command(&[&common[..], &prompt, more].concat())
}

/// Every bundle answers with the same logits, to the last bit, and the proof names it.
fn the_same_bits(browser: &str, models: &[&str]) {
    let has_threads = folder(&["threads"]).is_some();
    for model in models {
        let mut expected: Option<(Value, String)> = None;
        for (bundle, threads) in BUNDLES {
            if bundle == "threads" && !has_threads {
                continue;
            }
            let number = threads.to_string();
            let ended = generate(browser, model, bundle, &["--logits", "--threads", &number]);
            let answer = ended.with(0).json_lines().remove(0);
            let execution = &answer["proof"]["execution"];
            assert_eq!(answer["proof"]["verified"], true);
            assert_eq!(execution["bundle"], bundle);
            assert_eq!(execution["bundle_reason"], "asked for by name");
            let effective = execution["effective_threads"].as_u64().expect("a number");
            assert!((1..=threads).contains(&effective), "{effective} of {threads} threads");
            // A float's shortest text has all of its bits, the sign of a zero included.
            let logits = answer["logits"].to_string();
            assert!(logits.len() > 8 * 4096, "rows over the vocabulary");
            let found = (answer["generated_ids"].clone(), logits);
            match &expected {
                None => expected = Some(found),
                Some(expected) => {
                    assert_eq!(found.0, expected.0, "{browser}, {model}, {bundle}");
                    assert!(found.1 == expected.1, "{browser}, {model}, {bundle}: other logits");
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_every_bundle_gives_the_same_bits() {
    the_same_bits("chrome", &["scribe-low-Q4_0", "scribe-low-Q8_0", "scribe-low-F16"]);
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_firefox`"]
fn browser_firefox_every_bundle_gives_the_same_bits() {
    the_same_bits("firefox", &["scribe-low-Q4_0"]);
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_two_threads_do_work() {
    if folder(&["threads"]).is_none() {
        return;
    }
    // The largest of the fixtures: with less to do, one thread may be through before the other is
    // awake.
    let ended = generate("chrome", "scribe-flagship-Q8_0", "threads", &["--threads", "2"]);
    let answer = ended.with(0).json_lines().remove(0);
    assert_eq!(answer["proof"]["execution"]["effective_threads"], 2);
}

/// WebKitGTK had no relaxed SIMD when this was written: then it says so. It is never built unasked.
#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_webkit`"]
fn browser_webkit_a_missing_feature_is_refused_by_name() {
    let model = "scribe-low-Q4_0";
    let chosen = generate("webkit", model, "auto", &[]).with(0).json_lines().remove(0);
    let execution = &chosen["proof"]["execution"];
    assert_eq!(execution["bundle"], "base");
    assert_eq!(execution["bundle_reason"], "the best that runs here");
    let demanded = generate("webkit", model, "relaxed", &[]);
    if demanded.code == Some(0) {
        let answer = demanded.json_lines().remove(0);
        assert_eq!(answer["proof"]["execution"]["bundle"], "relaxed");
    } else {
        let refused = demanded.with(2).complaint();
        assert!(refused.contains("engine error `backend-unavailable`"), "{refused}");
        let why = "bundle `relaxed` can't run: its WebAssembly has no relaxed SIMD";
        assert!(refused.contains(why), "{refused}");
    }
}

/// A copy of the folder with `base` and `relaxed`, to be spoiled.
fn copy() -> tempfile::TempDir {
    let source = folder(&["base", "relaxed"]).expect("neither has threads");
    let copy = tempfile::tempdir().expect("a temporary folder");
    for path in ["", "base", "relaxed"] {
        let (from, to) = (source.join(path), copy.path().join(path));
        fs_err::create_dir_all(&to).expect("a folder");
        for entry in fs_err::read_dir(from).expect("the folder").flatten() {
            if entry.path().is_file() {
                fs_err::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
            }
        }
    }
    copy
}

fn in_folder(folder: &Path, bundle: &str) -> Ended {
    let folder = folder.to_str().expect("UTF-8");
    generate("chrome", "scribe-low-Q4_0", bundle, &["--bundle-dir", folder])
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_a_bundle_that_can_not_run_is_refused() {
    let folder = copy();
    let refused = in_folder(folder.path(), "scalar").with(2).complaint();
    let expected = "bundle `scalar` is not here, expected one of base, relaxed";
    assert!(refused.contains("engine error `backend-unavailable`"), "{refused}");
    assert!(refused.contains(expected), "{refused}");

    // A file that is not a module: the browser reports its own error.
    let module = folder.path().join("relaxed/inference_wasm_bg.wasm");
    fs_err::write(module, b"\0asm\x01\0\0\0\xff").expect("a file");
    let refused = in_folder(folder.path(), "relaxed").with(2).complaint();
    assert!(refused.contains("engine error `backend-unavailable`"), "{refused}");
    assert!(refused.contains("bundle `relaxed` can't run: CompileError: "), "{refused}");
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_another_bundle_in_its_place_is_not_a_proof() {
    let folder = copy();
    for file in ["inference_wasm.js", "inference_wasm_bg.wasm"] {
        let (base, relaxed) = (folder.path().join("base"), folder.path().join("relaxed"));
        fs_err::copy(base.join(file), relaxed.join(file)).expect("a copy");
    }
    let ended = in_folder(folder.path(), "relaxed").with(1);
    let answer = ended.json_lines().remove(0);
    assert_eq!(answer["proof"]["verified"], false);
    let missing = answer["proof"]["missing"].to_string();
    assert!(missing.contains("bundle `relaxed` expected, `base` ran"), "{missing}");
}
