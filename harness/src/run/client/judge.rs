//! Compares the end of a request with what its scenario and its golden expect.
//!
//! Pure: events in, comparisons or the first mismatch out.

use inference_wasm::client::output::Answer;
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::{ClientInspection, FinishReason};

use super::visit::{Asked, Ended};
use crate::judge::compare::{Comparison, Extent, MeasuredTokens, Mismatch, compare_tokens};
use crate::judge::golden::GoldenCase;
use crate::run::engine::judge::{at_least, at_most, equal};
use crate::spec::scenario::{Inspect, Request, RequestExpectation};
use crate::spec::tolerance::ToleranceClass;

/// What a request is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The step.
    pub(super) step: &'a Request,
    /// The golden's case.
    pub(super) case: &'a GoldenCase,
    /// The tier that has to finish it; `None` if no tier may.
    pub(super) tier: Option<Tier>,
    /// How far its tokens may be off.
    pub(super) class: &'a ToleranceClass,
}

/// Judges a request that has ended.
pub(super) fn request(
    place: &str,
    expected: Expected<'_>,
    asked: &Asked,
) -> Result<Vec<Comparison>, Box<Mismatch>> {
    let (measured, detail) = match &asked.end {
        Some(Ended::Answer(answer)) if answer.finish_reason == FinishReason::Cancelled => {
            ("cancelled", String::new())
        }
        Some(Ended::Answer(_)) => ("answer", String::new()),
        Some(Ended::Failed(error)) => (error.kind.as_str(), format!("{error:?}")),
        None => ("nothing", String::new()),
    };
    let wanted = match expected.step.expect {
        RequestExpectation::Answer => "answer",
        RequestExpectation::Cancelled => "cancelled",
        RequestExpectation::Error(kind) => kind.as_str(),
    };
    let end = equal(place, "end of the request", wanted, measured).map_err(|mut mismatch| {
        mismatch.detail = detail;
        mismatch
    })?;
    let mut comparisons = vec![end];
    if let Some(Ended::Answer(answer)) = &asked.end {
        comparisons.extend(self::answer(place, expected, asked, answer)?);
    }
    Ok(comparisons)
}

fn answer(
    place: &str,
    expected: Expected<'_>,
    asked: &Asked,
    answer: &Answer,
) -> Result<Vec<Comparison>, Box<Mismatch>> {
    let Expected { step, case, tier, class } = expected;
    let tier = tier.map_or("no tier", Tier::as_str);
    let mut comparisons = vec![equal(place, "tier", tier, answer.tier.as_str())?];
    let is_cancelled = step.expect == RequestExpectation::Cancelled;
    if !is_cancelled {
        let (wanted, found) = (case.prompt_ids.len(), answer.usage.prompt_tokens);
        equal(place, "tokens of the prompt", &wanted.to_string(), &found.to_string())?;
    }
    let texts: Vec<String> = asked.tokens.iter().map(|token| token.text.clone()).collect();
    let is_prefix = is_cancelled || step.max_tokens.is_some_and(|most| most < case.max_tokens);
    let measured = MeasuredTokens {
        // Tiers report them differently; their count was compared above.
        prompt_ids: &case.prompt_ids,
        generated_ids: &answer.tokens,
        text: &answer.text,
        token_texts: &texts,
        finish_reason: answer.finish_reason,
        logits: None,
        extent: if is_prefix { Extent::Prefix } else { Extent::Whole },
    };
    let compared = compare_tokens(case, None, &measured, class, place)?;
    let is_flipped = compared.divergence.is_some();
    comparisons.push(Comparison::Tokens(compared));
    if let Some(most) = step.max_tokens
        && is_prefix
        && !is_cancelled
        // After a near tie the text differs, and so may its length.
        && !is_flipped
    {
        let least = most.min(case.generated_ids.len() as u32);
        let found = answer.tokens.len() as u32;
        comparisons.push(equal(
            place,
            "tokens of the answer",
            &least.to_string(),
            &found.to_string(),
        )?);
    }
    if let Some(meanwhile) = step.meanwhile
        && is_cancelled
    {
        let found = answer.tokens.len() as u32;
        comparisons.push(at_least(
            place,
            "tokens before it was cancelled",
            meanwhile.after_tokens,
            found,
        )?);
    }
    Ok(comparisons)
}

/// The logits of an answer, row after row, as an engine delivered them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bits {
    /// All rows.
    pub(super) values: Vec<f32>,
    /// The number of logits in a row.
    pub(super) columns: usize,
    /// The tokens that were chosen from them.
    pub(super) tokens: Vec<u32>,
    /// Tokens of the prompt that came out of the key-value cache. They change the order of the
    /// computation, and with it the rounding.
    pub(super) reused: u32,
}

/// Compares logits with those of an earlier request, bit for bit. An engine that resumed an answer
/// in the middle has only the rows of its end.
pub(super) fn same_bits(
    place: &str,
    reference: &Bits,
    measured: &Bits,
) -> Result<Comparison, Box<Mismatch>> {
    let total = measured.tokens.len();
    equal(
        place,
        "tokens, as those of the earlier request",
        &format!("{:?}", reference.tokens),
        &format!("{:?}", measured.tokens),
    )?;
    equal(
        place,
        "tokens of the prompt out of the cache, as with the earlier request",
        &reference.reused.to_string(),
        &measured.reused.to_string(),
    )?;
    let rows = measured.values.len().checked_div(measured.columns).unwrap_or(0);
    let first = total.saturating_sub(rows);
    let found = reference.values.get(first * reference.columns..).unwrap_or_default();
    let is_same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
    let same = found.iter().zip(&measured.values).take_while(|pair| is_same(*pair)).count();
    let all = measured.values.len();
    let measured = if rows == 0 {
        "no logits at all".to_owned()
    } else if same == all && found.len() == all {
        format!("all of {all}")
    } else {
        let row = first + same.checked_div(measured.columns).unwrap_or(0);
        format!("{same} of {all}, another bit at step {row}")
    };
    equal(place, "logits that are the same to the bit", &format!("all of {all}"), &measured)
}

/// Bytes in use, as far as they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// By scripts.
    pub(super) js_heap: Option<u64>,
    /// By all processes of the browser.
    pub(super) processes: Option<u64>,
}

impl Memory {
    /// The growth since an earlier measurement.
    pub(super) fn since(self, before: Self) -> Self {
        let grown = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Self {
            js_heap: grown(self.js_heap, before.js_heap),
            processes: grown(self.processes, before.processes),
        }
    }
}

/// Judges what the client holds. `grown` is the growth of memory since the first inspection.
pub(super) fn inspection(
    place: &str,
    bounds: &Inspect,
    found: &ClientInspection,
    grown: Memory,
) -> Result<Vec<Comparison>, Box<Mismatch>> {
    let mut comparisons = Vec::new();
    let mut most = |what: &str, bound: Option<u64>, found: u64| {
        if let Some(bound) = bound {
            comparisons.push(at_most(place, what, bound, found)?);
        }
        Ok::<_, Box<Mismatch>>(())
    };
    let (workers, urls) = (bounds.workers_alive.map(u64::from), bounds.object_urls.map(u64::from));
    most("workers alive", workers, found.workers_alive.into())?;
    most("object URLs", urls, found.object_urls.into())?;
    most("bytes of shards in memory", bounds.memory_shard_bytes, found.memory_shard_bytes)?;
    // A browser that does not report its heap has no bound on it.
    if let Some(grown) = grown.js_heap {
        most("bytes that the heap grew by", bounds.heap_growth_bytes, grown)?;
    }
    if let Some(grown) = grown.processes {
        most("bytes that the processes grew by", bounds.process_growth_bytes, grown)?;
    }
    if let Some(least) = bounds.stored_shards_at_least {
        comparisons.push(at_least(place, "stored shards", least, found.stored_shards)?);
    }
    Ok(comparisons)
}

#[cfg(test)]
mod tests {
    use super::super::visit::Visit;
    use super::super::visit::tests as page;
    use super::*;
    use crate::spec::scenario::{Cases, TierExpectation};
    use inference_wasm::client::output::ClientErrorKind;
    use inference_wasm::client::router::Complexity;

    fn step() -> Request {
        Request {
            case: Cases::First,
            max_tokens: None,
            complexity: Complexity::default(),
            capability: None,
            feature: None,
            faults: Vec::new(),
            expect: RequestExpectation::Answer,
            tier: TierExpectation::Start,
            same_bits_as: None,
            meanwhile: None,
        }
    }

    fn case() -> GoldenCase {
        GoldenCase {
            id: "c".to_owned(),
            messages: Vec::new(),
            max_tokens: 8,
            prompt_ids: vec![1, 2, 3],
            generated_ids: vec![5, 6],
            text: "The film".to_owned(),
            finish_reason: FinishReason::Stop,
            steps: Vec::new(),
        }
    }

    fn judged(step: &Request, tier: Tier, ids: &[u32]) -> Result<(), String> {
        let class = ToleranceClass {
            name: "t".to_owned(),
            mean_kld: 0.0,
            max_kld: 0.0,
            max_abs: 0.0,
            flip_margin: 0.0,
        };
        let mut visit = Visit::default();
        visit.ask(1, Vec::new());
        let texts = ["The ", "film", "!"];
        for (index, (id, text)) in ids.iter().zip(texts).enumerate() {
            visit.take(page::token(1, index as u32, *id, text));
        }
        visit.take(page::answer(1, ids, &texts[..ids.len()].concat()));
        let expected = Expected { step, case: &case(), tier: Some(tier), class: &class };
        let asked = visit.asked(1).unwrap();
        request("p", expected, asked).map(drop).map_err(|mismatch| mismatch.to_string())
    }

    #[test]
    fn an_answer_is_compared_with_golden_and_tier() {
        assert_eq!(judged(&step(), Tier::Webgpu, &[5, 6]), Ok(()));
        let other = judged(&step(), Tier::Webgl, &[5, 6]).unwrap_err();
        assert_eq!(other, "p: tier: measured `webgpu`, allowed `webgl`");
        let wrong = judged(&step(), Tier::Webgpu, &[5, 7]).unwrap_err();
        assert!(wrong.starts_with("p: token at step 1: measured 7"), "{wrong}");
        let short = judged(&step(), Tier::Webgpu, &[5]).unwrap_err();
        assert!(short.starts_with("p: token at step 1: measured end of output"), "{short}");
        let error = RequestExpectation::Error(ClientErrorKind::NoTierLeft);
        let none = judged(&Request { expect: error, ..step() }, Tier::Webgpu, &[5, 6]).unwrap_err();
        assert_eq!(none, "p: end of the request: measured `answer`, allowed `no-tier-left`");
        let brief = Request { max_tokens: Some(1), ..step() };
        assert_eq!(judged(&brief, Tier::Webgpu, &[5]), Ok(()));
        assert!(judged(&brief, Tier::Webgpu, &[5, 6]).is_err());
    }

    #[test]
    fn one_bit_is_another_answer() {
        let bits = |values: &[f32]| Bits {
            values: values.to_vec(),
            columns: 2,
            tokens: vec![5, 6],
            reused: 0,
        };
        let reference = bits(&[1.0, 2.0, 3.0, 4.0]);
        assert!(same_bits("p", &reference, &reference).is_ok());
        // An engine that resumed with the second token.
        assert!(same_bits("p", &reference, &bits(&[3.0, 4.0])).is_ok());
        for (measured, what) in [
            (bits(&[1.0, 2.0, 3.0, f32::from_bits(4.0_f32.to_bits() + 1)]), "at step 1"),
            (bits(&[3.0, 5.0]), "at step 1"),
            (bits(&[]), "no logits at all"),
            (Bits { tokens: vec![5, 7], ..reference.clone() }, "[5, 7]"),
            (Bits { reused: 2, ..reference.clone() }, "out of the cache"),
        ] {
            let mismatch = same_bits("p", &reference, &measured).unwrap_err().to_string();
            assert!(mismatch.contains(what), "{mismatch}");
        }
    }

    #[test]
    fn the_resources_of_a_client_have_bounds() {
        let none = Memory::default();
        let heap = |bytes| Memory { js_heap: Some(bytes), processes: None };
        let bounds = Inspect {
            workers_alive: Some(1),
            heap_growth_bytes: Some(100),
            process_growth_bytes: Some(9),
            stored_shards_at_least: Some(5),
            ..Inspect::default()
        };
        let found =
            ClientInspection { workers_alive: 1, stored_shards: 5, ..ClientInspection::default() };
        assert_eq!(inspection("p", &bounds, &found, heap(100)).unwrap().len(), 3);
        assert!(inspection("p", &bounds, &found, heap(101)).is_err());
        assert!(inspection("p", &bounds, &found, none).is_ok());
        let processes = |bytes| Memory { js_heap: None, processes: Some(bytes) };
        assert!(inspection("p", &bounds, &found, processes(9)).is_ok());
        assert!(inspection("p", &bounds, &found, processes(10)).is_err());
        assert_eq!(processes(5).since(heap(1)), none);
        assert_eq!(processes(5).since(processes(7)), processes(0));
        let more = ClientInspection { workers_alive: 2, ..found.clone() };
        assert!(inspection("p", &bounds, &more, none).is_err());
        let fewer = ClientInspection { stored_shards: 4, ..found };
        assert!(inspection("p", &bounds, &fewer, none).is_err());
    }
}
