//! Tables over the golden of `golden::format::tests`: `b`, then the stop token.

use super::*;
use crate::judge::golden::format::tests::case;

fn class(flip_margin: f64) -> ToleranceClass {
    ToleranceClass { name: "t".to_owned(), mean_kld: 0.0, max_kld: 0.0, max_abs: 0.0, flip_margin }
}

fn answer<'a>(generated_ids: &'a [u32], text: &'a str) -> MeasuredTokens<'a> {
    MeasuredTokens {
        prompt_ids: &[0, 2],
        generated_ids,
        text,
        token_texts: &[],
        finish_reason: FinishReason::Stop,
        logits: None,
        extent: Extent::Whole,
    }
}

fn compare(answer: MeasuredTokens<'_>, flip_margin: f64) -> Result<TokensComparison, String> {
    compare_tokens(&case(), &answer, &class(flip_margin), "step 2 (generate), case c")
        .map_err(|mismatch| mismatch.to_string())
}

#[test]
fn an_equal_answer_has_no_divergence() {
    let comparison = compare(answer(&[1, 3], "b"), 0.0).unwrap();
    assert_eq!((comparison.reference_steps, comparison.matching_steps), (2, 2));
    assert_eq!(comparison.divergence, None);
}

#[test]
fn a_near_tie_is_explained_and_still_reported() {
    // The reference has `b` at 2.0 and `c` at 1.75.
    let comparison = compare(answer(&[2, 1, 1], "cbb"), 0.25).unwrap();
    let divergence = comparison.divergence.unwrap();
    assert_eq!(
        (divergence.step, divergence.margin, divergence.is_explained),
        (0, Some(0.25), true)
    );
    assert_eq!(divergence.measured.unwrap().text, "c");
    assert_eq!(divergence.text_diff, "- [b]\n+ [cbb]");
}

#[test]
fn the_same_flip_over_the_margin_is_a_mismatch() {
    let spoken = ["c".to_owned()];
    let logits = [1.5, 1.0, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let measured = MeasuredTokens {
        token_texts: &spoken,
        logits: Rows::new(&logits, 4),
        ..answer(&[2, 1, 1], "c b b")
    };
    insta::assert_snapshot!(compare(measured, 0.2).unwrap_err(), @r#"
    step 2 (generate), case c: token at step 0: measured 2 "c", allowed 1 "b"
    reference chose 1 "b": reference logit 2.000000, measured logit 1.000000
    measured chose 2 "c": reference logit 1.750000, measured logit 2.500000
    margin 0.250000, class `t` allows 0.2
    text, reference -, measured +:
    - b
    + [c b ]b
    "#);
}

#[test]
fn a_token_below_those_the_golden_keeps_has_no_margin() {
    let measured = answer(&[1, 2], "bc");
    let mismatch = compare_tokens(&case(), &measured, &class(9.0), "p").unwrap_err();
    assert!(mismatch.detail.contains("margin unknown: not among the reference's highest"));
}

#[test]
fn shorter_and_longer_outputs_diverge_where_one_ends() {
    for (ids, text, message) in [
        (&[1][..], "b", "p: token at step 1: measured end of output, allowed 3 \"<|eos|>\""),
        (&[1, 3, 2], "bc", "p: token at step 2: measured 2 \"\", allowed end of output"),
        (&[], "", "p: token at step 0: measured end of output, allowed 1 \"b\""),
    ] {
        let mismatch = compare_tokens(&case(), &answer(ids, text), &class(9.0), "p");
        let mismatch = mismatch.unwrap_err().to_string();
        assert_eq!(mismatch.lines().next().unwrap(), message);
    }
}

#[test]
fn prompt_ids_come_first_then_tokens_then_finish_reason_then_text() {
    let good = answer(&[1, 3], "b");
    for (measured, message) in [
        (
            MeasuredTokens { prompt_ids: &[0, 1], generated_ids: &[2], ..good },
            "p: prompt ids: measured 1 at position 1 of 2, allowed 2 at position 1 of 2",
        ),
        (
            MeasuredTokens { prompt_ids: &[0], ..good },
            "p: prompt ids: measured end at position 1, allowed 2 at position 1 of 2",
        ),
        (
            MeasuredTokens { finish_reason: FinishReason::Length, text: "x", ..good },
            "p: finish reason: measured `length`, allowed `stop`",
        ),
        (MeasuredTokens { text: "x", ..good }, "p: text: measured \"x\", allowed \"b\""),
    ] {
        let mismatch = compare_tokens(&case(), &measured, &class(9.0), "p").unwrap_err();
        assert_eq!(mismatch.to_string().lines().next().unwrap(), message);
    }
}

#[test]
fn a_prefix_goes_up_to_the_stop_token() {
    for (ids, matches) in [
        (&[1][..], true),
        // It continued after the stop token on request: the rest has no reference.
        (&[1, 2, 2], true),
        (&[1, 3, 2], true),
        (&[], true),
        (&[0, 3], false),
    ] {
        let measured = MeasuredTokens {
            extent: Extent::Prefix,
            finish_reason: FinishReason::Cancelled,
            ..answer(ids, "")
        };
        assert_eq!(compare(measured, 0.0).is_ok(), matches, "{ids:?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_change_of_a_token_is_noticed(step in 0_usize..2, id in 0_u32..50) {
        let mut ids = case().generated_ids;
        proptest::prop_assume!(ids[step] != id);
        ids[step] = id;
        // A margin below every gap of the golden: nothing is explained.
        let mismatch = compare_tokens(&case(), &answer(&ids, "b"), &class(0.1), "p").unwrap_err();
        proptest::prop_assert_eq!(&mismatch.metric, &format!("token at step {step}"));
    }
}
