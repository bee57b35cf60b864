//! Whole commands on a scripted host, with a real model.

use futures::executor::block_on;

use super::*;
use crate::engine::canary;
use crate::protocol::{
    CacheType, CapabilityReport, EngineErrorKind, FinishReason, GenerateRequest, LoadRequest,
    LogitsWanted, ModelManifest, Prompt, Sampling, ScoreRequest, SeededFault, Shard,
};

/// Serves bytes from memory, keeps what is sent, and reports a cancellation after a number of
/// calls.
struct Script {
    file: Vec<u8>,
    events: Vec<PageEventKind>,
    logits: Vec<f32>,
    cancel_after: Option<usize>,
}

impl Host for Script {
    async fn fetch_shard(
        &mut self,
        shard: &Shard,
        into: &mut Vec<u8>,
        progress: &mut dyn FnMut(&mut Self, usize),
    ) -> Result<(), EngineError> {
        let at: usize = shard.url.parse().unwrap();
        let end = self.file.len().min(at + shard.bytes as usize);
        for piece in self.file[at..end].to_vec().chunks(10_000) {
            into.extend_from_slice(piece);
            progress(self, piece.len());
        }
        Ok(())
    }

    fn now_ms(&self) -> f64 {
        self.events.len() as f64
    }

    fn send(&mut self, command: Option<u32>, kind: PageEventKind) {
        assert_eq!(command, Some(7));
        self.events.push(kind);
    }

    async fn send_logits(&mut self, command: u32, rows: &[f32]) -> Result<(), EngineError> {
        assert_eq!(command, 7);
        self.logits = rows.to_vec();
        Ok(())
    }

    async fn is_cancelled(&mut self) -> bool {
        match &mut self.cancel_after {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    async fn probe(&mut self) -> Result<CapabilityReport, EngineError> {
        Ok(CapabilityReport::default())
    }

    fn bundle(&self) -> &'static str {
        "native"
    }
}

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models");

fn runner(model: &str) -> Runner<Script> {
    let file = fs_err::read(format!("{MODELS}/{model}.gguf")).unwrap();
    Runner::new(Script { file, events: Vec::new(), logits: Vec::new(), cancel_after: None })
}

/// A manifest of two shards of the runner's file.
fn load(runner: &Runner<Script>, backend: BackendName) -> LoadRequest {
    let file = &runner.host().file;
    let shard = |start: usize, end: usize| Shard {
        url: start.to_string(),
        bytes: (end - start) as u64,
        sha256: hex(&file[start..end]),
    };
    let model = ModelManifest {
        name: "model".into(),
        bytes: file.len() as u64,
        sha256: hex(file),
        shards: vec![shard(0, 500_001), shard(500_001, file.len())],
    };
    LoadRequest {
        backend,
        model,
        context_tokens: None,
        cache_type: CacheType::default(),
        threads: None,
        fault: None,
    }
}

fn hex(bytes: &[u8]) -> String {
    // Upper case, which the runner accepts too.
    load::hex_sha256(bytes).to_uppercase()
}

fn generate(text: &str, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        ignore_stop: false,
        prompt: Prompt::Text(text.into()),
        max_tokens,
        sampling: Sampling::Greedy,
        stop: Vec::new(),
        logits: LogitsWanted::None,
    }
}

/// Runs a command and returns its events and its end, which must come once and last.
fn run(
    runner: &mut Runner<Script>,
    action: Action,
) -> (Vec<PageEventKind>, Result<Finished, EngineError>) {
    runner.host_mut().events.clear();
    block_on(runner.run(Command { id: 7, action }));
    let mut events = std::mem::take(&mut runner.host_mut().events);
    let end = match events.pop() {
        Some(PageEventKind::Finished { result }) => Ok(result),
        Some(PageEventKind::Failed { error }) => Err(error),
        other => panic!("expected an end, found {other:?}"),
    };
    let is_end = |e: &PageEventKind| {
        matches!(e, PageEventKind::Finished { .. } | PageEventKind::Failed { .. })
    };
    assert!(!events.iter().any(is_end));
    (events, end)
}

fn loaded(model: &str, backend: BackendName) -> Runner<Script> {
    let mut runner = runner(model);
    let request = load(&runner, backend);
    run(&mut runner, Action::Load(request)).1.unwrap();
    runner
}

fn generated(
    runner: &mut Runner<Script>,
    request: GenerateRequest,
) -> (Vec<PageEventKind>, crate::protocol::Generated) {
    match run(runner, Action::Generate(request)) {
        (events, Ok(Finished::Generate(generated))) => (events, generated),
        (_, other) => panic!("expected a generation, found {other:?}"),
    }
}

#[test]
fn a_stop_token_can_be_ignored() {
    let mut runner = loaded("scribe-low-Q8_0", BackendName::Cpu);
    let prompt = "Fix the caption: please film teh tutorial beore Friday.";
    let (_, stopped) = generated(&mut runner, generate(prompt, 40));
    assert_eq!(stopped.finish_reason, FinishReason::Stop);
    let request = GenerateRequest { ignore_stop: true, ..generate(prompt, 40) };
    let (_, went_on) = generated(&mut runner, request);
    assert_eq!(went_on.finish_reason, FinishReason::Length);
    assert_eq!(went_on.generated_ids.len(), 40);
    assert!(went_on.generated_ids.starts_with(&stopped.generated_ids));
    assert!(went_on.text.starts_with(&stopped.text));
}

fn kind(result: Result<Finished, EngineError>) -> EngineErrorKind {
    result.unwrap_err().kind
}

fn phases(events: &[PageEventKind]) -> Vec<Phase> {
    let phase = |event: &PageEventKind| match event {
        PageEventKind::Phase { phase } => Some(*phase),
        _ => None,
    };
    events.iter().filter_map(phase).collect()
}

const SENTIMENT: &str = "Sentiment: I cannot stand this speaker.";
const FIX: &str = "Fix the caption: please film teh tutorial beore Friday.";
const FIXED: &str = "Please film the tutorial before Friday.";

#[test]
fn load_reports_its_progress_and_what_it_loaded() {
    let mut runner = runner("scribe-low-Q8_0");
    let request = load(&runner, BackendName::Cpu);
    let total = request.model.bytes;
    let (events, end) = run(&mut runner, Action::Load(request));
    let Ok(Finished::Load(loaded)) = end else { panic!("expected a model, found {end:?}") };
    assert_eq!(phases(&events), [Phase::Fetch, Phase::Prepare]);
    let progress: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            PageEventKind::LoadProgress { bytes, total_bytes } => {
                assert_eq!(*total_bytes, total);
                Some(*bytes)
            }
            _ => None,
        })
        .collect();
    assert!(progress.is_sorted() && progress.len() <= 101, "{progress:?}");
    assert_eq!(progress.last(), Some(&total));
    assert_eq!((loaded.vocabulary, loaded.context_tokens), (4096, 512));
    assert_eq!(loaded.architecture, "llama");
    // 4 layers of keys and values of 2 heads of 32 floats, at 512 positions.
    assert_eq!(loaded.cache_bytes, 4 * 2 * 2 * 32 * 4 * 512);
    assert!(loaded.has_chat_template);
}

#[test]
fn generate_streams_the_text_of_the_oracle_with_proof() {
    for (backend, model) in
        [(BackendName::Reference, "scribe-low-F16"), (BackendName::Cpu, "scribe-low-Q8_0")]
    {
        let mut runner = loaded(model, backend);
        let mut request = generate(FIX, 32);
        request.logits = LogitsWanted::All;
        let (events, generated) = generated(&mut runner, request);
        assert_eq!(phases(&events), [Phase::Prefill, Phase::Decode]);
        assert_eq!(generated.text, FIXED);
        assert_eq!(generated.finish_reason, FinishReason::Stop);
        assert_eq!(generated.generated_ids, [1221, 386, 264, 553, 746, 731, 18, 2]);
        let mut text = String::new();
        let mut ids = Vec::new();
        for event in events {
            if let PageEventKind::Token { index, id, text: piece } = event {
                assert_eq!(index as usize, ids.len());
                ids.push(id);
                text += &piece;
            }
        }
        assert_eq!((text.as_str(), &ids), (FIXED, &generated.generated_ids));
        let timings = generated.timings;
        assert_eq!(timings.prefill_tokens as usize, generated.prompt_ids.len());
        assert_eq!(timings.decode_tokens as usize, ids.len() - 1);

        let report = generated.execution;
        assert_eq!((report.requested, report.actual), (backend, backend));
        assert_eq!(Some(report.canary.bits), canary::expected(backend));
        assert!(report.kernel_calls > 0);
        assert_eq!(generated.logits.unwrap().rows as usize, ids.len());
        let rows = std::mem::take(&mut runner.host_mut().logits);
        for (row, id) in rows.chunks(4096).zip(ids) {
            assert!(row.iter().all(|&logit| logit <= row[id as usize]));
        }
    }
}

#[test]
fn a_second_turn_reuses_the_cache_and_changes_no_bit() {
    let mut first = loaded("scribe-low-Q4_0", BackendName::Cpu);
    let mut request = generate(FIX, 32);
    request.logits = LogitsWanted::All;
    let (_, fresh) = generated(&mut first, request.clone());
    assert_eq!(fresh.reused_tokens, 0);
    let logits = std::mem::take(&mut first.host_mut().logits);
    let (_, again) = generated(&mut first, request);
    assert_eq!(again.reused_tokens as usize, fresh.prompt_ids.len() - 1);
    assert_eq!(again.timings.prefill_tokens, 1);
    assert_eq!(again.generated_ids, fresh.generated_ids);
    assert_eq!(first.host().logits, logits);

    let ids = [fresh.prompt_ids.clone(), fresh.generated_ids.clone()].concat();
    let score = ScoreRequest { ids, from: fresh.prompt_ids.len() as u32 - 1 };
    let (events, end) = run(&mut first, Action::Score(score));
    assert_eq!(phases(&events), [Phase::Score]);
    let Ok(Finished::Score(scored)) = end else { panic!("expected scores, found {end:?}") };
    assert_eq!(scored.logits.rows as usize, fresh.generated_ids.len() + 1);
    // Teacher-forced in one batch, bit for bit what one token at a time gave.
    assert_eq!(first.host().logits[..logits.len()], logits[..]);
}

#[test]
fn generation_ends_at_limits_stop_strings_and_cancellations() {
    let mut runner = loaded("scribe-low-Q8_0", BackendName::Cpu);
    let (_, generated_two) = generated(&mut runner, generate(FIX, 2));
    assert_eq!(generated_two.finish_reason, FinishReason::Length);
    assert_eq!(generated_two.generated_ids.len(), 2);

    let mut request = generate(FIX, 32);
    request.stop = vec!["tutorial".into()];
    let (_, stopped) = generated(&mut runner, request);
    assert_eq!(stopped.finish_reason, FinishReason::StopString);
    assert_eq!(stopped.text, "Please film the ");

    // One check before the prompt's chunk, then one per token.
    for (questions, tokens) in [(0, 0), (1, 1), (3, 3)] {
        runner.host_mut().cancel_after = Some(questions);
        let (_, cancelled) = generated(&mut runner, generate(SENTIMENT, 32));
        let expected = if tokens > 2 { FinishReason::Stop } else { FinishReason::Cancelled };
        assert_eq!(cancelled.finish_reason, expected);
        assert_eq!(cancelled.generated_ids.len(), tokens.min(2));
    }
    runner.host_mut().cancel_after = None;
    assert_eq!(generated(&mut runner, generate(SENTIMENT, 32)).1.text, "negative");
}

#[test]
fn what_does_not_fit_is_refused_before_any_work() {
    let mut runner = loaded("scribe-low-Q8_0", BackendName::Cpu);
    let mut ids = generate("", 10);
    ids.prompt = Prompt::Ids(vec![5; 503]);
    for (request, expected) in [
        (generate(SENTIMENT, 512), EngineErrorKind::ContextOverflow),
        (ids, EngineErrorKind::ContextOverflow),
        (
            GenerateRequest { prompt: Prompt::Ids(vec![4096]), ..generate("", 1) },
            EngineErrorKind::InvalidRequest,
        ),
        (
            GenerateRequest { prompt: Prompt::Ids(vec![]), ..generate("", 1) },
            EngineErrorKind::InvalidRequest,
        ),
        (
            GenerateRequest { stop: vec![String::new()], ..generate("a", 1) },
            EngineErrorKind::InvalidRequest,
        ),
    ] {
        let (events, end) = run(&mut runner, Action::Generate(request));
        assert_eq!((events, kind(end)), (Vec::new(), expected));
    }
    for (ids, from) in [(vec![1], 1), (vec![], 0), (vec![4096], 0)] {
        let (_, end) = run(&mut runner, Action::Score(ScoreRequest { ids, from }));
        assert_eq!(kind(end), EngineErrorKind::InvalidRequest);
    }
    // A full context is not an overflow.
    let request = GenerateRequest { prompt: Prompt::Ids(vec![5; 510]), ..generate("", 2) };
    assert_eq!(generated(&mut runner, request).1.timings.prefill_tokens, 510);
}

#[test]
fn shards_are_checked() {
    let mut runner = runner("scribe-low-Q4_0");
    let good = load(&runner, BackendName::Cpu);
    let mut corrupt = good.clone();
    corrupt.model.shards[1].sha256 = hex(b"");
    let mut swapped = good.clone();
    swapped.model.shards.reverse();
    let mut short = good.clone();
    short.model.shards[1].bytes += 1;
    short.model.bytes += 1;
    let mut sums = good.clone();
    sums.model.bytes += 1;
    for (request, expected) in [
        (corrupt, EngineErrorKind::ShardCorrupt),
        (swapped, EngineErrorKind::ShardCorrupt),
        (short, EngineErrorKind::ShardTruncated),
        (sums, EngineErrorKind::InvalidRequest),
        (
            LoadRequest { context_tokens: Some(513), ..good.clone() },
            EngineErrorKind::InvalidRequest,
        ),
        (LoadRequest { context_tokens: Some(0), ..good }, EngineErrorKind::InvalidRequest),
    ] {
        assert_eq!(kind(run(&mut runner, Action::Load(request)).1), expected);
    }
    runner.host_mut().file = vec![b'<'; 600_000];
    let html = load(&runner, BackendName::Cpu);
    assert_eq!(kind(run(&mut runner, Action::Load(html)).1), EngineErrorKind::InvalidModel);
}

#[test]
fn no_backend_replaces_another() {
    let mut runner = loaded("scribe-low-Q4_0", BackendName::Cpu);
    for backend in [BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm] {
        let request = load(&runner, backend);
        let (events, end) = run(&mut runner, Action::Load(request));
        assert_eq!((events, kind(end)), (Vec::new(), EngineErrorKind::BackendUnavailable));
    }
    // The failed load has dropped the previous model.
    let (_, end) = run(&mut runner, Action::Generate(generate("a", 1)));
    assert_eq!(kind(end), EngineErrorKind::InvalidRequest);
    assert_eq!(run(&mut runner, Action::Release).1, Ok(Finished::Release));
    assert!(matches!(run(&mut runner, Action::Probe).1, Ok(Finished::Probe(_))));
}

#[cfg(not(feature = "seeded-faults"))]
#[test]
fn a_build_without_mutants_refuses_them() {
    let mut runner = runner("scribe-low-Q4_0");
    for fault in SeededFault::ALL {
        let request = LoadRequest { fault: Some(fault), ..load(&runner, BackendName::Cpu) };
        let error = run(&mut runner, Action::Load(request)).1.unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::InvalidRequest);
        assert!(error.message.contains("this build carries no seeded faults"), "{error}");
    }
}

#[cfg(feature = "seeded-faults")]
mod mutants {
    use super::*;

    fn with(fault: SeededFault) -> Runner<Script> {
        let mut runner = runner("scribe-low-Q4_0");
        let request = LoadRequest { fault: Some(fault), ..load(&runner, BackendName::Cpu) };
        run(&mut runner, Action::Load(request)).1.unwrap();
        runner
    }

    #[test]
    fn corrupted_weights_change_the_logits() {
        for fault in [SeededFault::WrongNibbleOrder, SeededFault::ZeroedLayer] {
            let request = GenerateRequest { logits: LogitsWanted::All, ..generate(FIX, 1) };
            let mut right = loaded("scribe-low-Q4_0", BackendName::Cpu);
            let mut wrong = with(fault);
            generated(&mut right, request.clone());
            generated(&mut wrong, request);
            let pairs = right.host().logits.iter().zip(&wrong.host().logits);
            let distance = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // More than ten times what rounding weights and activations does.
            assert!(distance > 5.0, "{fault:?}: {distance}");
        }
    }

    #[test]
    fn the_text_can_be_right_and_the_logits_wrong() {
        let request = GenerateRequest { logits: LogitsWanted::All, ..generate(FIX, 8) };
        let mut right = loaded("scribe-low-Q4_0", BackendName::Cpu);
        let mut wrong = with(SeededFault::RightTextWrongLogits);
        assert_eq!(generated(&mut right, request.clone()).1.text, FIXED);
        assert_eq!(generated(&mut wrong, request).1.text, FIXED);
        assert_ne!(right.host().logits, wrong.host().logits);
    }

    #[test]
    fn a_lying_backend_shows_the_canary_of_another() {
        let (_, generated) = generated(&mut with(SeededFault::LyingBackend), generate(FIX, 1));
        let report = generated.execution;
        assert_eq!((report.actual, report.kernel_calls), (BackendName::Cpu, 0));
        assert_ne!(Some(report.canary.bits), canary::expected(BackendName::Cpu));
    }

    #[test]
    #[should_panic(expected = "panic-in-decode")]
    fn it_panics_at_the_first_token() {
        generated(&mut with(SeededFault::PanicInDecode), generate(FIX, 1));
    }
}
