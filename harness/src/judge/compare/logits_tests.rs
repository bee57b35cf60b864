//! Values computed by hand, and properties that hold for all rows.

use super::*;
use crate::judge::golden::format::tests::case;

const LN_3: f32 = 1.098_612_3;

fn class(mean_kld: f64, max_kld: f64, max_abs: f64, flip_margin: f64) -> ToleranceClass {
    ToleranceClass { name: "t".to_owned(), mean_kld, max_kld, max_abs, flip_margin }
}

fn lenient() -> ToleranceClass {
    class(f64::MAX, f64::MAX, f64::MAX, f64::MAX)
}

fn compare(
    reference: &[f32],
    measured: &[f32],
    class: &ToleranceClass,
) -> Result<LogitsComparison, Box<Mismatch>> {
    let [reference, measured] = [reference, measured].map(|rows| Rows::new(rows, 2).unwrap());
    compare_logits(&case(), reference, measured, class, "step 2 (score), case c")
}

#[test]
fn divergences_match_those_computed_by_hand() {
    // P = (1/2, 1/2), Q = (3/4, 1/4): KL = (ln(2/3) + ln 2) / 2 = ln(4/3) / 2.
    // P = (3/4, 1/4), Q = (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2).
    let (uneven, even) = ((4.0_f64 / 3.0).ln() / 2.0, 0.75 * 1.5_f64.ln() - 0.25 * 2.0_f64.ln());
    for (p, q, expected) in [
        ([0.0, 0.0], [LN_3, 0.0], uneven),
        ([LN_3, 0.0], [0.0, 0.0], even),
        ([LN_3, 0.0], [LN_3, 0.0], 0.0),
        // 2 nats apart one way, and one outcome next to certain: KL = log(1 + e^-80) ≈ 0.
        ([80.0, 0.0], [82.0, 0.0], 0.0),
    ] {
        assert!((kl_divergence(&p, &q) - expected).abs() < 1e-7, "{p:?} {q:?}");
    }
}

#[test]
fn the_worst_row_and_id_are_named() {
    let reference = [0.0, 0.0, LN_3, 0.0, 5.0, 1.0];
    let measured = [0.0, 0.0, LN_3, 0.0, 5.0, 2.0];
    let comparison = compare(&reference, &measured, &lenient()).unwrap();
    assert_eq!((comparison.rows, comparison.top1_agreement), (3, 3));
    assert_eq!((comparison.max_kld_row, comparison.max_abs_row), (2, 2));
    // Half of the difference is a shift of the row.
    assert!((comparison.max_abs - 0.5).abs() < 1e-12);
    assert!((comparison.mean_kld - comparison.max_kld / 3.0).abs() < 1e-15);
}

#[test]
fn each_metric_fails_on_its_own_and_names_its_row() {
    let (reference, measured) = ([0.0, 0.0, 5.0, 0.0], [0.0, 0.0, 5.0, 1.0]);
    let big = f64::MAX;
    for (class, metric) in [
        (class(1e-9, big, big, big), "mean KLD"),
        (class(big, 1e-9, big, big), "max KLD"),
        (class(big, big, 0.1, big), "max |Δ|"),
    ] {
        let mismatch = compare(&reference, &measured, &class).unwrap_err();
        assert_eq!(mismatch.metric, metric);
        assert!(mismatch.detail.contains("row 1"), "{}", mismatch.detail);
    }
    insta::assert_snapshot!(
        compare(&reference, &measured, &class(big, big, 0.1, big)).unwrap_err().to_string(),
        @r#"
    step 2 (score), case c: max |Δ|: measured 5.000e-1, allowed 1.000e-1 by class `t`
    row 1: the reference chooses 3 "<|eos|>", token id 0
    2 rows: mean KLD 2.371e-3, max KLD 4.742e-3 at row 1, max |Δ| 5.000e-1 at row 1 id 0, top-1 2/2
    "#);
}

#[test]
fn a_flip_is_explained_by_the_margin_of_the_reference_alone() {
    let (reference, measured) = ([1.0, 0.75], [0.0, 9.0]);
    let comparison = compare(&reference, &measured, &lenient()).unwrap();
    assert_eq!(comparison.top1_agreement, 0);
    let flip = &comparison.flips[0];
    assert_eq!((flip.row, flip.margin, flip.is_explained), (0, 0.25, true));
    let mismatch = compare(&reference, &measured, &class(f64::MAX, f64::MAX, f64::MAX, 0.2));
    insta::assert_snapshot!(mismatch.unwrap_err().to_string(), @r#"
    step 2 (score), case c: top-1 at row 0: measured 1 "b", allowed 0 "a"
    reference prefers 0 "a": reference logit 1.000000, measured logit 0.000000
    measured prefers 1 "b": reference logit 0.750000, measured logit 9.000000
    margin 0.250000, class `t` allows 0.2
    1 rows: mean KLD 4.374e0, max KLD 4.374e0 at row 0, max |Δ| 4.625e0 at row 0 id 0, top-1 0/1
    "#);
}

#[test]
fn a_non_finite_logit_fails_before_every_metric() {
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mismatch = compare(&[0.0, 0.0, 0.0, 0.0], &[9.0, 0.0, 0.0, value], &lenient());
        let mismatch = mismatch.unwrap_err();
        assert_eq!(
            (mismatch.metric.as_str(), mismatch.measured.as_str(), mismatch.detail.as_str()),
            ("finite logits", text, "row 1, token id 1")
        );
    }
}

#[test]
fn a_missing_row_or_another_vocabulary_is_a_mismatch() {
    let mismatch = compare(&[0.0, 0.0, 0.0, 0.0], &[0.0, 0.0], &lenient()).unwrap_err();
    assert_eq!(
        mismatch.to_string().lines().next().unwrap(),
        "step 2 (score), case c: shape of logits: measured [1, 2], allowed [2, 2]"
    );
    let values = [0.0; 4];
    let [reference, measured] = [2, 4].map(|columns| Rows::new(&values, columns).unwrap());
    let mismatch = compare_logits(&case(), reference, measured, &lenient(), "p").unwrap_err();
    assert_eq!((mismatch.measured.as_str(), mismatch.allowed.as_str()), ("[1, 4]", "[2, 2]"));
}

#[test]
fn a_nan_tolerance_allows_nothing() {
    let broken = class(f64::NAN, 1.0, 1.0, 1.0);
    assert_eq!(compare(&[0.0, 0.0], &[0.0, 0.0], &broken).unwrap_err().metric, "mean KLD");
}

fn rows() -> impl proptest::strategy::Strategy<Value = Vec<(f32, f32)>> {
    // Halves, so that shifting a row is exact in f32.
    let logit =
        || proptest::strategy::Strategy::prop_map(-60_i16..60, |half| f32::from(half) / 2.0);
    proptest::collection::vec((logit(), logit()), 1..40)
}

proptest::proptest! {
    #[test]
    fn equal_rows_differ_by_nothing(row in rows()) {
        let p: Vec<f32> = row.iter().map(|pair| pair.0).collect();
        let rows = Rows::new(&p, p.len()).unwrap();
        let exact = class(0.0, 0.0, 0.0, 0.0);
        let comparison = compare_logits(&case(), rows, rows, &exact, "p").unwrap();
        proptest::prop_assert_eq!(comparison.top1_agreement, 1);
    }

    #[test]
    fn a_shift_of_a_row_changes_nothing(row in rows(), shift in -40_i16..40) {
        let p: Vec<f32> = row.iter().map(|pair| pair.0).collect();
        let q: Vec<f32> = p.iter().map(|logit| logit + f32::from(shift)).collect();
        let [p, q] = [&p, &q].map(|row| Rows::new(row, row.len()).unwrap());
        let comparison = compare_logits(&case(), p, q, &class(1e-12, 1e-12, 1e-9, 0.0), "p").unwrap();
        proptest::prop_assert_eq!(comparison.top1_agreement, 1);
    }

    #[test]
    fn divergence_is_never_negative_and_keeps_under_permutation(row in rows()) {
        let split = |row: &[(f32, f32)]| -> (Vec<f32>, Vec<f32>) { row.iter().copied().unzip() };
        let (p, q) = split(&row);
        let reversed: Vec<_> = row.into_iter().rev().collect();
        let (reversed_p, reversed_q) = split(&reversed);
        let kld = kl_divergence(&p, &q);
        proptest::prop_assert!(kld >= 0.0);
        let bound = 1e-9 * kld.max(1.0);
        proptest::prop_assert!((kld - kl_divergence(&reversed_p, &reversed_q)).abs() <= bound);
    }
}
