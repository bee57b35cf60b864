//! The command line without a browser: what it prints, and how it ends.

use std::path::Path;
use std::process::Stdio;

use tierproof_tests::command::{Ended, root, tierproof};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const SUBCOMMANDS: [&str; 11] = [
    "run",
    "plan",
    "generate",
    "probe",
    "report",
    "models",
    "doctor",
    "setup",
    "bundle",
    "schema",
    "completions",
];

fn ended(arguments: &[&str]) -> Ended {
    Ended::of(tierproof(COMMAND, arguments), "")
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have names in UTF-8")
}

/// As on a machine without any browser.
fn without_browsers(arguments: &[&str]) -> Ended {
    let mut command = tierproof(COMMAND, arguments);
    command.env("PATH", "");
    for name in ["CHROMEDRIVER", "GECKODRIVER", "WEBKIT_WEBDRIVER", "SAFARIDRIVER"] {
        command.env(name, "/nonexistent/driver");
    }
    Ended::of(command, "")
}

#[test]
fn the_help_names_every_subcommand_and_exit_code() {
    let help = ended(&["--help"]).with(0);
    insta::assert_snapshot!("help", help.stdout);
    for name in SUBCOMMANDS {
        assert!(help.stdout.contains(&format!("\n  {name} ")), "no `{name}` in the help");
        let own = ended(&[name, "--help"]).with(0).stdout;
        assert!(own.contains(&format!("Usage: tierproof {name}")), "{own}");
    }
}

#[test]
fn wrong_arguments_are_usage_errors_that_name_the_expected_ones() {
    let native = ["generate", "--browser", "native", "--model"];
    let with = |more: &[&'static str]| [&native[..], more].concat();
    for (arguments, complaint) in [
        (vec![], "Usage: tierproof"),
        (vec!["walk"], "unrecognized subcommand 'walk'"),
        (vec!["run", "--nonsense"], "unexpected argument '--nonsense' found"),
        (vec!["run", "--jobs", "0"], "0 is not in 1..=64"),
        (
            vec!["run", "--browser", "netscape"],
            "unknown browser `netscape`, expected one of `chrome`, `firefox`, `webkit`, `safari`, \
             `native`",
        ),
        (vec!["run", "--backend", "webgpuu"], "unknown backend `webgpuu`"),
        (vec!["run", "--seeded-fault", "rust"], "unknown fault `rust`, expected one of"),
        (
            vec!["run", "--bundle", "fast"],
            "unknown bundle `fast`, expected one of `auto`, `scalar`, `base`, `relaxed`, `threads`",
        ),
        (vec!["run", "--threads", "0"], "0 is not in 1..=64"),
        (
            vec!["run", "--bundle", "relaxed", "--threads", "2"],
            "bundle `relaxed` has one thread, found 2, expected bundle `threads` or `auto`",
        ),
        (vec!["wasm-test", "--bundle", "threads"], "tests of wasm-bindgen can't run with threads"),
        (vec!["plan", "--driver", "chrome"], "expected `NAME=PATH`, found `chrome`"),
        (
            vec!["plan", "--filter", "colour=red"],
            "unknown axis `colour` ╭──── 1 colour=red ───┬── ╰── here ╰──── help: the axes are \
             `browser`, `backend`, `engine`, `model`, `scenario`",
        ),
        (vec!["plan", "--root", "/nonexistent"], "has no `fixtures/` and `matrices/`"),
        (
            with(&["scribe-lo-Q8_0", "--prompt", "x"]),
            "unknown model `scribe-lo-Q8_0`, expected a name in the catalogue or the path of a \
             `.gguf` file (hint: did you mean `scribe-low-Q8_0`?)",
        ),
        (with(&["scribe-low-Q8_0"]), "--prompt <PROMPT>|--prompts <FILE.jsonl>"),
        (with(&["scribe-low-Q8_0", "--prompt", "x", "--seed", "1"]), "--temperature <T>"),
        (with(&["scribe-low-Q8_0", "--prompts", "/nonexistent"]), "/nonexistent"),
        (vec!["models", "verify", "scribe-tall"], "unknown model `scribe-tall`"),
        (vec!["models", "fetch", "scribe-tall"], "unknown model `scribe-tall`"),
    ] {
        let ended = ended(&arguments).with(2);
        let found = ended.complaint();
        assert!(found.contains(complaint), "{arguments:?}: `{complaint}` is not in:\n{found}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn all_problems_of_a_matrix_are_reported_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("broken.toml");
    let matrix = r#"browsers = ["native", "netscape"]
backends = ["cpu"]
models = ["scribe-lo-Q8_0"]
scenarios = ["tokens/greedy"]
colour = "red"

[timeouts]
silence = "soon"
"#;
    fs_err::write(&path, matrix).expect("a file");
    for subcommand in ["plan", "run"] {
        let complaint = ended(&[subcommand, text(&path)]).with(2).complaint();
        for part in [
            "can't be used: 4 problems",
            "expected one of `chrome`, `firefox`, `webkit`, `safari`, `native`, found `netscape`",
            "broken.toml:1:23]",
            "unknown model `scribe-lo-Q8_0`",
            "help: did you mean `scribe-low-Q8_0`?",
            "unknown key `colour` at the top level",
            "expected a duration such as `\"30s\"` or `\"2m 30s\"`, found `soon`",
            "broken.toml:8:11]",
        ] {
            assert!(complaint.contains(part), "`{part}` is not in:\n{complaint}");
        }
    }
    let missing = ended(&["plan", "matrices/none.toml"]).with(2).complaint();
    assert!(missing.contains("matrices/none.toml"), "{missing}");
}

#[test]
fn each_bad_line_of_a_prompt_file_is_named() {
    let lines = "{\"prompt\":\"a\"}\n\nnot json\n{\"prompt\":\"a\",\"messages\":[]}\n{\"id\":4}\n";
    let arguments =
        ["generate", "--browser", "native", "--model", "scribe-low-Q8_0", "--prompts", "-"];
    let run = Ended::of(tierproof(COMMAND, &arguments), lines).with(2);
    let complaint = run.complaint();
    for part in [
        "-:3: expected a JSON object",
        "-:4: expected one of `prompt`, `messages` and `prompt_ids`, found 2",
        "-:5: expected one of `prompt`, `messages` and `prompt_ids`, found 0",
    ] {
        assert!(complaint.contains(part), "`{part}` is not in:\n{complaint}");
    }
    let empty = Ended::of(tierproof(COMMAND, &arguments), "\n").with(2).complaint();
    assert!(empty.contains("-:1: expected a prompt, found none"), "{empty}");
}

#[test]
fn a_run_of_nothing_is_not_green() {
    let filter = ["--filter", "browser=firefox"];
    for subcommand in ["plan", "run"] {
        let run = ended(&[&[subcommand, "matrices/native.toml"], &filter[..]].concat()).with(3);
        let complaint = run.complaint();
        assert!(complaint.contains("nothing to run"), "{complaint}");
        assert!(complaint.contains("leaves none of 93 cells"), "{complaint}");
    }
    // There are cells, but none can run.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = without_browsers(&["run", "--ci", "--out", text(folder.path())]).with(3);
    assert!(run.stdout.contains("0 ran"), "{}", run.stdout);
    assert!(run.stdout.contains("`tierproof setup`"), "{}", run.stdout);
}

#[test]
fn a_missing_browser_is_set_up_trouble() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = ["--bundle-dir", text(folder.path())];
    let generate = ["generate", "--model", "scribe-low-Q8_0", "--prompt", "x", "--browser"];
    for (browser, variable) in [("chrome", "CHROMEDRIVER"), ("firefox", "GECKODRIVER")] {
        let run = without_browsers(&[&generate[..], &[browser], &bundle].concat()).with(4);
        let complaint = run.complaint();
        let expected = format!(
            "the driver of `{browser}` was not found looked at: variable `{variable}`: \
             `/nonexistent/driver` is not an executable file hint: correct or unset the variable"
        );
        assert!(complaint.contains(&expected), "{complaint}");
    }
    let run = without_browsers(&["probe", "--bundle-dir", text(folder.path())]).with(4);
    assert!(run.complaint().contains("hint: `tierproof setup` installs some"), "{}", run.stderr);
}

#[test]
fn a_plan_is_shown_for_people_and_for_programs() {
    let filter = ["--filter", "backend=cpu scenario=tokens/*"];
    let arguments = [&["plan", "matrices/native.toml"], &filter[..]].concat();
    insta::assert_snapshot!(ended(&arguments).with(0).stdout, @"
    native
      cpu                                    6 cells  run

    6 cells: 6 run, 0 known failures, 0 unsupported, 0 unavailable
    narrowed by `--filter 'backend=cpu scenario=tokens/*'`
    ");
    let lines = ended(&[&arguments[..], &["--json"]].concat()).with(0).json_lines();
    assert_eq!(lines.len(), 6);
    for line in lines {
        let cell = line["cell"].as_str().expect("a cell's id");
        assert!(cell.starts_with("native/cpu/tierproof/scribe-"), "{cell}");
        assert!(cell.ends_with("/tokens/greedy"), "{cell}");
        assert_eq!(line["disposition"]["kind"], "run");
    }
    // The default matrix, on a machine without browsers: all is shown, nothing can run.
    let plan = without_browsers(&["plan", "--json"]).with(0).json_lines();
    assert_eq!(
        plan.len(),
        282,
        "what the first lines of the matrix multiply to, less its excludes"
    );
    let kinds = ["unavailable", "unsupported"];
    for line in plan {
        let kind = line["disposition"]["kind"].as_str().expect("a kind");
        assert!(kinds.contains(&kind), "{line}");
        assert_ne!(line["disposition"]["reason"], "", "{line}");
    }
}

#[test]
fn models_are_listed_and_verified() {
    let list = ended(&["models", "list"]).with(0).stdout;
    for model in ["scribe-low-F16", "scribe-mid-Q4_0", "scribe-flagship-Q8_0", "smollm2-135m"] {
        assert!(list.contains(model), "{list}");
    }
    let names = ["scribe-low-Q8_0", "scribe-mid-Q4_0"];
    let verified = ended(&[&["models", "verify"], &names[..]].concat()).with(0).stdout;
    assert_eq!(verified, "scribe-low-Q8_0: verified\nscribe-mid-Q4_0: verified\n");
}

#[test]
fn every_golden_exists_and_is_fresh_and_needed() {
    let checked = ended(&["golden", "check"]).with(0).stdout;
    assert!(checked.ends_with(" goldens, 0 problems\n"), "{checked}");
    let (count, _) = checked.split_once(' ').expect("a count");
    assert!(count.parse::<u32>().is_ok_and(|count| count >= 20), "{checked}");
}

#[test]
fn a_model_that_is_not_as_pinned_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = folder.path().join("fixtures/models");
    fs_err::create_dir_all(&models).expect("a folder");
    fs_err::create_dir_all(folder.path().join("matrices")).expect("a folder");
    let source = root().join("fixtures/models");
    fs_err::copy(source.join("catalogue.toml"), models.join("catalogue.toml")).expect("a copy");
    let mut weights = fs_err::read(source.join("scribe-low-Q8_0.gguf")).expect("the model");
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    let path = models.join("scribe-low-Q8_0.gguf");
    let verify = ["models", "verify", "scribe-low-Q8_0", "--root", text(folder.path())];
    for (bytes, what) in [(&weights[..], "SHA-256"), (&weights[..middle], "bytes")] {
        fs_err::write(&path, bytes).expect("a file");
        let run = ended(&verify).with(1);
        assert!(run.stderr.contains("scribe-low-Q8_0: "), "{}", run.stderr);
        assert!(run.stderr.contains(what), "`{what}` is not in: {}", run.stderr);
    }
}

#[test]
fn completions_and_the_schema_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ended(&["completions", shell]).with(0).stdout;
        assert!(script.contains("tierproof") && script.contains("seeded-fault"), "{script}");
        assert!(!script.contains(&format!("{COMMAND} ")), "{script}");
    }
    let schema = fs_err::read_to_string(root().join("matrices/schema.json")).expect("the schema");
    // Git may have given the file other line ends.
    let printed = ended(&["schema"]).with(0).stdout;
    assert!(printed.lines().eq(schema.lines()), "write it again with `tierproof schema`");
}

#[test]
fn a_replayed_log_makes_the_reports_of_its_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = text(folder.path());
    let narrow = ["--filter", "backend=cpu model=scribe-low-Q4_0", "--ci", "--out", out];
    let run = ended(&[&["run", "matrices/native.toml"], &narrow[..]].concat()).with(0);
    let read = |name: &str| fs_err::read_to_string(folder.path().join(name)).expect("a report");
    let (page, junit) = (read("index.html"), read("junit.xml"));

    let path = folder.path().join("run.jsonl");
    let again = ended(&["report", text(&path), "--out", out]).with(0);
    assert_eq!(again.stdout, run.stdout);
    assert_eq!(read("index.html"), page);
    assert_eq!(read("junit.xml"), junit);

    let log = read("run.jsonl");
    let (whole, _) = log.trim_end().rsplit_once('\n').expect("several lines");
    for cut in [&log[..whole.len() + 20], &log[..=whole.len()]] {
        fs_err::write(&path, cut).expect("a file");
        let report = ended(&["report", text(&path), "--out", out]).with(4);
        assert!(report.stdout.contains("The run did not finish"), "{}", report.stdout);
        assert!(report.stderr.contains("the log has no end"), "{}", report.stderr);
    }
    for (bad, complaint) in [
        (log.replace("\"log_version\":3,", "\"log_version\":99,"), "has log version 99"),
        (log.replacen("attempt-started", "attempt-stretched", 1), "line 2: not an event"),
        (log.replacen("\"seq\":1,", "\"seq\":7,", 1), "expected event 1, found event 7"),
        ("{}\n".to_owned(), "is not the log of a run"),
        (String::new(), "holds no event"),
    ] {
        fs_err::write(&path, bad).expect("a file");
        let report = ended(&["report", text(&path), "--out", out]).with(4);
        assert!(report.complaint().contains(complaint), "{complaint}: {}", report.stderr);
    }
}

/// `tierproof … | head -1`, where `head` is gone before the first byte.
#[test]
fn a_reader_that_closes_the_pipe_is_not_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = text(folder.path());
    let generate =
        ["generate", "--browser", "native", "--model", "scribe-low-Q8_0", "--prompt", "a"];
    for arguments in [
        &["--help"][..],
        &["plan", "--all"],
        &["schema"],
        &["completions", "bash"],
        &["models", "list"],
        &generate,
        &[&generate[..], &["--json"]].concat(),
        &["run", "matrices/native.toml", "--filter", "scenario=load/*", "--ci", "--out", out],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = tierproof(COMMAND, arguments);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}

/// Everything that is written fails, as on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_without_a_panic() {
    for arguments in [&["plan", "--all"][..], &["schema"], &["models", "list"]] {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").expect("it exists");
        let mut command = tierproof(COMMAND, arguments);
        let command = command.stdout(full.into_file()).stderr(Stdio::piped());
        let output = command.output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {errors}");
        assert!(errors.contains("can't write to standard output"), "{errors}");
    }
}
