//! The shipped scenarios and prompts are read, and broken ones are reported well.

use std::fmt::Write;
use std::path::Path;

use super::*;
use crate::spec::fault::ShardFault;
use crate::spec::matrix::tests::plain;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn fixtures() -> Fixtures {
    let (fixtures, invalid) = Fixtures::load(root());
    let reported: Vec<_> = invalid.iter().map(|error| plain(error)).collect();
    assert!(reported.is_empty(), "{}", reported.join("\n"));
    fixtures
}

#[test]
fn every_fault_is_followed_by_a_healthy_load_in_the_same_page() {
    let fixtures = fixtures();
    let mut faults = Vec::new();
    for scenario in fixtures.scenarios.values() {
        let mut waiting = None;
        for step in &scenario.steps {
            match step {
                Step::Load(LoadStep { server_fault: Some(fault), .. }) => {
                    faults.push(*fault);
                    waiting = Some(*fault);
                }
                Step::Generate(GenerateStep { expect: GenerateExpectation::Tokens, .. }) => {
                    waiting = None;
                }
                Step::Load(_)
                | Step::Generate(_)
                | Step::Score(_)
                | Step::Ops(_)
                | Step::Release => {}
            }
        }
        assert_eq!(waiting, None, "{}: nothing shows that the page recovers", scenario.name);
    }
    assert!(ShardFault::ALL.iter().all(|fault| faults.contains(fault)), "{faults:?}");
}

#[test]
fn scenarios_agree_with_their_names() {
    let fixtures = fixtures();
    for scenario in fixtures.scenarios.values() {
        let folder = scenario.name.split('/').next();
        assert_eq!(folder, Some(scenario.layer.as_str()), "{}", scenario.name);
        let of_client = scenario.client.iter().flat_map(|client| &client.steps).count();
        assert!(scenario.steps.len() + of_client > 0, "{}", scenario.name);
    }
    let cancel = &fixtures.scenarios["lifecycle/cancel"];
    assert_eq!(cancel.golden_key(), "tokens/greedy");
    assert_eq!(
        cancel.steps[1],
        Step::Generate(GenerateStep {
            cases: Cases::First,
            max_tokens: Some(400),
            ignore_stop: true,
            cancel_after_tokens: Some(3),
            reused_tokens_at_least: None,
            prompt_tokens: None,
            expect: GenerateExpectation::Cancelled,
        })
    );
    let keys: Vec<_> = fixtures.scenarios.values().map(Scenario::golden_key).collect();
    for set in fixtures.prompts.values() {
        for case in &set.cases {
            for key in &case.scenarios {
                assert!(keys.contains(&key.as_str()), "{}: no scenario uses `{key}`", case.id);
            }
        }
    }
}

#[test]
fn a_second_turn_begins_with_the_first() {
    let fixtures = fixtures();
    let mut cases = fixtures.prompts["scribe"].cases_of("lifecycle/second-turn");
    let (first, second) = (cases.next().unwrap(), cases.next().unwrap());
    assert_eq!(first.messages.len(), 1);
    assert_eq!(second.messages.len(), 3);
    assert!(second.messages.starts_with(&first.messages));
}

const SCENARIO: &str = r#"title = "t"
why = "w"
layer = "tokens"
[[steps]]
do = "load"
[[steps]]
do = "generate"
"#;

#[test]
fn broken_scenarios_are_reported() {
    read::scenario("s.toml", "s", SCENARIO).map_err(|error| plain(&error)).unwrap();
    let mut reports = String::new();
    for (name, from, to) in [
        ("missing keys", "why = \"w\"\nlayer = \"tokens\"\n", ""),
        ("unknown layer", "tokens", "token"),
        ("no steps", "[[steps]]\ndo = \"load\"\n[[steps]]\ndo = \"generate\"\n", ""),
        (
            "steps that are not tables",
            "[[steps]]\ndo = \"load\"\n[[steps]]\ndo = \"generate\"\n",
            "steps = [1]",
        ),
        ("nothing loaded", "do = \"load\"", "do = \"release\""),
        ("unknown step", "\"generate\"", "\"generat\""),
        ("step that does nothing", "do = \"generate\"", "expect = \"tokens\""),
        ("key of another step", "do = \"load\"", "do = \"load\"\ncases = \"all\""),
        ("fault that must succeed", "do = \"load\"", "do = \"load\"\nserver_fault = \"html\""),
        (
            "unknown fault and error",
            "do = \"load\"",
            "do = \"load\"\nserver_fault = \"htlm\"\nexpect = \"shard-lost\"",
        ),
        ("cancel without a moment", "\"generate\"", "\"generate\"\nexpect = \"cancelled\""),
        ("moment without a cancel", "\"generate\"", "\"generate\"\ncancel_after_tokens = 0"),
        ("tokens past the stop", "\"generate\"", "\"generate\"\nignore_stop = true"),
        ("tokens of no case", "\"generate\"", "\"generate\"\nprompt_tokens = 9\ncases = \"all\""),
        ("score of something else", "\"generate\"", "\"score\"\nexpect = \"tokens\""),
    ] {
        let error = read::scenario("s.toml", "s", &SCENARIO.replacen(from, to, 1)).expect_err(name);
        writeln!(reports, "==== {name}\n{}\n", plain(&error)).unwrap();
    }
    insta::assert_snapshot!(reports);
}

#[test]
fn broken_prompts_are_reported() {
    let mut reports = String::new();
    for (name, text) in [
        ("nothing", ""),
        ("empty case", "[[case]]"),
        (
            "both kinds",
            "[[case]]\nid = \"a\"\nscenarios = [\"s\"]\nmax_tokens = 0\nuser = \"u\"\nmessages = [{ role = \"user\", content = \"c\" }]",
        ),
        (
            "wrong roles",
            "[[case]]\nid = \"a\"\nscenarios = []\nmax_tokens = 1\nmessages = [{ role = \"users\", content = \"c\" }, { role = \"assistant\", content = \"c\" }]",
        ),
        (
            "same id twice",
            "[[case]]\nid = \"a\"\nscenarios = [\"s\"]\nmax_tokens = 1\nuser = \"u\"\n[[case]]\nid = \"a\"\nscenarios = [\"s\"]\nmax_tokens = 1\nuser = \"u\"",
        ),
    ] {
        let error = prompts::prompt_set("p.toml", "p", text).expect_err(name);
        writeln!(reports, "==== {name}\n{}\n", plain(&error)).unwrap();
    }
    insta::assert_snapshot!(reports);
}

/// Broken files are reported together, and files that name them do not report them as unknown.
#[test]
fn fixtures_are_read_as_far_as_they_go() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    write("fixtures/scenarios/tokens/good.toml", SCENARIO);
    write("fixtures/scenarios/tokens/broken.toml", "title = 1");
    write("fixtures/scenarios/load/leans.toml", &format!("golden = \"tokens/god\"\n{SCENARIO}"));
    write("fixtures/scenarios/README.md", "not a scenario");
    let (fixtures, invalid) = Fixtures::load(root.path());
    let names: Vec<_> = fixtures.scenarios.keys().collect();
    assert_eq!(names, ["load/leans", "tokens/good"]);
    let reported: Vec<_> = invalid.iter().map(ToString::to_string).collect();
    assert_eq!(
        reported,
        [
            "`fixtures/scenarios/tokens/broken.toml` can't be used: 4 problems",
            "`fixtures/prompts` can't be used: 1 problem",
            "`fixtures/scenarios/load/leans.toml` can't be used: 1 problem",
        ]
    );
}
