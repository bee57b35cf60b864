use std::path::Path;

use inference_wasm::protocol::{
    Action, BackendName, CacheType, EngineErrorKind, FinishReason, Finished, GenerateRequest,
    LoadRequest, LogitsWanted, Prompt, Sampling,
};

use super::*;
use crate::drive::server::ServedModel;
use crate::spec::fault::ShardFault;

fn served(fault: Option<ShardFault>) -> PageSetup {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models/scribe-low-Q8_0.gguf");
    let model = ServedModel::read(&path, "scribe-low-Q8_0", 1 << 18).expect("a committed model");
    PageSetup { model: Some(Arc::new(model)), fault }
}

fn load(setup: &PageSetup) -> Action {
    let model = setup.model.as_ref().expect("a model is served").manifest.clone();
    let backend = BackendName::Cpu;
    Action::Load(LoadRequest {
        backend,
        model,
        context_tokens: None,
        cache_type: CacheType::default(),
        threads: None,
        fault: None,
    })
}

fn generate(max_tokens: u32) -> Action {
    Action::Generate(GenerateRequest {
        prompt: Prompt::Text("Fix: teh cat".to_owned()),
        max_tokens,
        sampling: Sampling::Greedy,
        stop: Vec::new(),
        ignore_stop: false,
        logits: LogitsWanted::All,
    })
}

async fn next(page: &mut NativePage) -> PageEventKind {
    let deadline = Instant::now() + Duration::from_mins(1);
    match page.next_signal(deadline).await {
        Some(PageSignal::Event(event)) => event.kind,
        other => panic!("expected an event, found {other:?}"),
    }
}

/// Submits a command and brings its last event.
async fn run(page: &mut NativePage, id: u32, action: Action) -> PageEventKind {
    page.submit(&Command { id, action }).await.expect("it is idle");
    loop {
        let kind = next(page).await;
        if matches!(kind, PageEventKind::Finished { .. } | PageEventKind::Failed { .. }) {
            return kind;
        }
    }
}

#[tokio::test]
async fn it_loads_and_generates_like_any_page() {
    let setup = served(None);
    let mut page = NativePage::open(setup.clone()).unwrap();
    assert!(matches!(next(&mut page).await, PageEventKind::Ready { .. }));
    let loaded = run(&mut page, 1, load(&setup)).await;
    assert!(matches!(&loaded, PageEventKind::Finished { result: Finished::Load(_) }), "{loaded:?}");
    let PageEventKind::Finished { result: Finished::Generate(generated) } =
        run(&mut page, 2, generate(3)).await
    else {
        panic!("expected a generation");
    };
    let wanted = generated.logits.expect("all logits were asked for");
    let logits = page.take_logits(2).expect("they come before the event that refers to them");
    assert_eq!(logits.len(), wanted.rows as usize * wanted.columns as usize);
    assert_eq!(wanted.rows as usize, generated.generated_ids.len());
    assert_eq!(generated.execution.bundle, "native");
    assert_eq!(page.diagnose().await, Diagnosis::Alive);
    page.close().await.unwrap();
}

#[tokio::test]
async fn faults_end_as_they_do_in_a_browser() {
    for (fault, kind) in [
        (ShardFault::MissingShard, EngineErrorKind::ShardUnavailable),
        (ShardFault::Truncated, EngineErrorKind::ShardTruncated),
        (ShardFault::Html, EngineErrorKind::ShardCorrupt),
    ] {
        let setup = served(Some(fault));
        let mut page = NativePage::open(setup.clone()).unwrap();
        let PageEventKind::Failed { error } = run(&mut page, 1, load(&setup)).await else {
            panic!("{fault:?} must fail");
        };
        assert_eq!(error.kind, kind, "{fault:?}: {error}");
        // What a page is served can change, and it goes on.
        let setup = served(None);
        page.serve(setup.clone());
        let loaded = run(&mut page, 2, load(&setup)).await;
        assert!(matches!(loaded, PageEventKind::Finished { .. }), "{loaded:?}");
    }
}

#[tokio::test]
async fn a_cancelled_command_ends_and_a_second_one_has_to_wait() {
    let setup = served(None);
    let mut page = NativePage::open(setup.clone()).unwrap();
    run(&mut page, 1, load(&setup)).await;
    page.submit(&Command { id: 2, action: generate(400) }).await.unwrap();
    let refused = page.submit(&Command { id: 3, action: Action::Release }).await.unwrap_err();
    assert!(refused.to_string().ends_with("command 2 is still at work"), "{refused}");
    page.cancel().await.unwrap();
    let last = loop {
        match next(&mut page).await {
            PageEventKind::Finished { result: Finished::Generate(generated) } => break generated,
            PageEventKind::Failed { error } => panic!("{error}"),
            _ => {}
        }
    };
    assert_eq!(last.finish_reason, FinishReason::Cancelled);
    assert!(matches!(run(&mut page, 3, Action::Release).await, PageEventKind::Finished { .. }));
}

#[tokio::test]
async fn a_probe_needs_no_model() {
    let mut page = NativePage::open(PageSetup::default()).unwrap();
    let PageEventKind::Finished { result: Finished::Probe(report) } =
        run(&mut page, 1, Action::Probe).await
    else {
        panic!("expected a report");
    };
    assert!(report.user_agent.contains("native"));
}
