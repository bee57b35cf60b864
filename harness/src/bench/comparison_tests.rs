use super::*;
use crate::bench::fixture;
use crate::bench::statistics::Verdict;

#[test]
fn pairs_are_those_of_one_round() {
    let record = fixture::record();
    let series = &record.series[0];
    let all = comparisons(&series.engines);
    let pairs: Vec<_> = all.iter().map(|one| (one.metric.as_str(), one.context)).collect();
    let pair = [("prefill", 32), ("decode", 32)];
    assert_eq!(pairs, [pair, pair].concat());
    // The warm-up of the fixture is ten times slower and does not count.
    for (comparison, expected) in all.iter().zip([4.0, 2.0, 5.0, 5.0]) {
        assert_eq!(comparison.ratios.len(), 7);
        assert!((comparison.estimate.median - expected).abs() < 1e-9, "{comparison:?}");
        assert_eq!(comparison.estimate.verdict(), Verdict::Faster);
    }
}

#[test]
fn ours_is_compared_with_peers_on_its_own_backend_too() {
    let mut record = fixture::record();
    let series = &mut record.series[0];
    series.engines[2].samples = (0..=7).map(|round| fixture::sample(32, round, 15.0)).collect();
    series.engines[3].name = "tierproof@webgpu".to_owned();
    series.engines[3].backend = "webgpu".to_owned();
    let pairs: std::collections::BTreeSet<_> =
        comparisons(&series.engines).into_iter().map(|one| (one.subject, one.peer)).collect();
    let expected = [
        ("tierproof@wasm", "tierproof@webgpu"),
        ("tierproof@wasm", "transformers-js@webgpu"),
        ("tierproof@wasm", "wllama@wasm"),
        ("tierproof@webgpu", "transformers-js@webgpu"),
    ];
    let expected = expected.map(|(subject, peer)| (subject.to_owned(), peer.to_owned()));
    assert_eq!(pairs, expected.into());
}

#[test]
fn a_round_that_only_one_has_run_makes_no_pair() {
    let mut record = fixture::record();
    record.series[0].engines[1].samples.truncate(3);
    assert_eq!(comparisons(&record.series[0].engines)[0].ratios.len(), 2);
    for peer in &mut record.series[0].engines[1..] {
        peer.samples.clear();
    }
    assert_eq!(comparisons(&record.series[0].engines), []);
}

#[test]
fn a_baseline_is_matched_by_browser_model_and_engine() {
    let old = fixture::record();
    let mut new = fixture::record();
    for sample in &mut new.series[0].engines[0].samples {
        sample.decode_ms *= 2.0;
    }
    let found: Vec<_> = changes(&new, &old)
        .iter()
        .map(|change| {
            let (metric, verdict) = (change.metric.as_str(), change.estimate.verdict());
            format!("{} {metric} {}", change.what, verdict.as_str())
        })
        .collect();
    assert_eq!(
        found,
        [
            "chrome tiny tierproof@wasm prefill undecided",
            "chrome tiny tierproof@wasm decode slower",
            "chrome tiny wllama@wasm prefill undecided",
            "chrome tiny wllama@wasm decode undecided",
            "chrome tiny tierproof@webgl prefill undecided",
            "chrome tiny tierproof@webgl decode undecided",
        ]
    );
    new.series[0].model.sha256 = "another".to_owned();
    assert_eq!(changes(&new, &old), []);
}

#[test]
fn a_baseline_of_another_machine_is_reported() {
    let new = fixture::record();
    let mut old = fixture::record();
    assert_eq!(differences(&new, &old), [""; 0]);
    old.machine.cpu = "Abacus".to_owned();
    old.series[0].browser_version = "1".to_owned();
    old.series[0].engines[3].adapter = Some("Example GPU".to_owned());
    old.machine.was_busy = true;
    assert_eq!(
        differences(&new, &old),
        [
            "processor: `Example 9000` now, `Abacus` in the baseline",
            "chrome: `156.0` now, `1` in the baseline",
            "chrome tierproof@webgl: `Example Rasterizer` now, `Example GPU` in the baseline",
            "the baseline was measured on a busy machine",
        ]
    );
}

#[test]
fn the_first_difference_of_answers_is_reported() {
    let sample = |ids: &[u32], text: &str| Sample {
        ids: ids.to_vec(),
        text: text.to_owned(),
        ..fixture::sample(32, 1, 1.0)
    };
    for (ours, theirs, expected) in [
        (sample(&[1, 2], "ab"), sample(&[1, 2], "ab"), None),
        (
            sample(&[1, 2], "ab"),
            sample(&[1, 3], "ac"),
            Some("alike for 1 tokens, then id 2 here and 3 there"),
        ),
        (
            sample(&[1, 2], "ab"),
            sample(&[1], "a"),
            Some("alike for 1 tokens, then id 2 here and none there"),
        ),
        (sample(&[1, 2], "ab"), sample(&[], "ab"), None),
        (
            sample(&[1, 2], "né!"),
            sample(&[], "né?"),
            Some("alike for 2 characters, then \"!\" here and \"?\" there"),
        ),
    ] {
        assert_eq!(difference(&ours, &theirs).as_deref(), expected);
    }
}

#[test]
fn agreement_counts_every_answer_that_both_gave() {
    let mut record = fixture::record();
    let engines = &mut record.series[0].engines;
    engines[1].samples[2].text = "nonsense".to_owned();
    let found = agreement(&engines[0], &engines[1]);
    assert_eq!((found.same, found.answers), (7, 8));
    assert!(found.difference.unwrap().starts_with("prompt of 32, round 2: alike for 0"));
}
