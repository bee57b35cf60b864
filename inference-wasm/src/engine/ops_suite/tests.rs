//! The table itself: it is complete, its reference is sane, and filters work as documented.

use std::collections::BTreeSet;

use futures::executor::block_on;

use super::bounds::Arithmetic;
use super::inputs::Source;
use super::op::Op;
use super::*;
use crate::engine::backend::{Cpu, Reference};
use crate::engine::quant::FORMATS;

#[test]
fn every_case_has_a_unique_name() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(Case::name).collect();
    assert_eq!(names.len(), cases.len());
}

#[test]
fn every_op_and_every_format_is_in_the_table() {
    let cases = cases();
    let ops: BTreeSet<_> = cases.iter().map(|case| case.op).collect();
    let all = [
        "add",
        "add_bias",
        "attention",
        "best",
        "embed",
        "gated",
        "matmul",
        "read",
        "rms_norm",
        "rms_norm_heads",
        "rope",
        "rows",
        "scale",
        "soft_cap",
    ];
    assert_eq!(ops.into_iter().collect::<Vec<_>>(), all);
    for op in ["embed", "matmul"] {
        let formats: BTreeSet<_> =
            cases.iter().filter(|case| case.op == op).map(|case| case.weights).collect();
        assert_eq!(formats, FORMATS.iter().map(|format| format.name).collect(), "{op}");
    }
}

/// A NaN bound, or a reference that overflows, would let anything pass.
#[test]
fn expected_values_and_bounds_are_finite() {
    for case in cases() {
        let operands = case.any.operands(&mut Source::of(case.name()));
        let mut reference = Reference::default();
        let seen = block_on(case.any.run(&operands, &mut reference));
        let Some(seen) = seen.unwrap() else { continue };
        for name in [crate::protocol::BackendName::Cpu, crate::protocol::BackendName::Webgl] {
            let arithmetic = Arithmetic::of(name);
            let allowed = case.any.allowed(&operands, &seen.values, arithmetic);
            assert_eq!(allowed.len(), seen.values.len(), "{}", case.name());
            assert!(allowed.iter().all(|bound| bound.is_finite()), "{}", case.name());
        }
        assert!(seen.values.iter().all(|value| value.is_finite()), "{}", case.name());
    }
}

#[test]
fn the_reference_has_no_distance_from_itself() {
    let tally = block_on(run(&mut Reference::default(), &cases(), &mut async |_| Ok(()))).unwrap();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(tally.worst.iter().all(|worst| worst.ratio == 0.0), "{:?}", tally.worst);
}

#[test]
fn filters_are_parts_or_patterns_of_names() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name().starts_with("matmul/Q8_0/rows=5")).unwrap();
    assert_eq!(case.name(), "matmul/Q8_0/rows=5,columns=96,outputs=33");
    for filter in ["", "Q8_0", "matmul/Q8_0", "*", "matmul/*/rows=5*outputs=33", "*33", "m*"] {
        assert!(case.matches(filter), "{filter}");
    }
    for filter in ["q8_0", "matmul/*/rows=5", "*3*4", "Q8_0*", "*outputs=3"] {
        assert!(!case.matches(filter), "{filter}");
    }
}

#[test]
fn a_pause_can_end_the_suite() {
    let mut backend = Cpu::default();
    let cases = cases();
    let mut seen = Vec::new();
    let error = block_on(run(&mut backend, &cases[..4], &mut async |done| {
        seen.push(done);
        if done < 2 { Ok(()) } else { Err(crate::protocol::EngineError::invalid_request("enough")) }
    }));
    assert_eq!(error.unwrap_err().message, "enough");
    assert_eq!(seen, [0, 1, 2]);
}
