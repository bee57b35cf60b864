//! The hybrid client in real browsers: on each tier that one has, over two visits, and when its device
//! is lost; and on the server's where a browser has no WebAssembly.
//!
//! Ignored unless asked for: `cargo test -p tierproof-tests --test client_page -- --ignored`.

#![expect(clippy::print_stdout, reason = "how a client came where it is, is worth seeing")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inference_wasm::client::machine::{Config, Effect, Input, Reason, Request, Start, State};
use inference_wasm::client::output::{Answer, ClientError, ClientErrorKind};
use inference_wasm::client::registry::{ModelVariant, Versions};
use inference_wasm::client::router::{Complexity, RouterConfig};
use inference_wasm::client::tier::{DeviceTier, Tier};
use inference_wasm::protocol::{
    Action, BackendName, ClientAction, ClientInspection, ClientRun, ClientStart, Command, Finished,
    GenerateRequest, LogitsWanted, PageEventKind, Prompt, Sampling, Shim,
};
use serde_json::Value;
use tierproof::drive::browser::supervise::Supervisor;
use tierproof::drive::browser::{Browser, Launcher, Overrides, installation};
use tierproof::drive::page::{BrowserPage, Page};
use tierproof::drive::server::PageSignal;
use tierproof::drive::server::{PageSetup, ServedModel, Server};
use tierproof::fetch::models::Model;
use tierproof::serve;
use tierproof::spec::cell::BrowserName;
use tierproof::spec::launch::{LaunchProfile, Variant};
use tierproof_tests::command::{Ended, root, tierproof};
use tokio::net::TcpListener;
use tokio::time::Instant;

const MODEL: &str = "scribe-low-Q4_0";
/// Five shards.
const SHARD_BYTES: u64 = 256 << 10;
const MAX_TOKENS: usize = 12;
/// Far more than anything takes here, on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Loses every device and context that the page or a worker has, when it is triggered.
const LOSS: &str = r#"
export function install(params, scope, report) {
  const devices = [];
  const contexts = [];
  const adapter = globalThis.GPUAdapter?.prototype;
  if (adapter) {
    const requestDevice = adapter.requestDevice;
    adapter.requestDevice = async function (...args) {
      const device = await requestDevice.apply(this, args);
      devices.push(device);
      return device;
    };
  }
  for (const kind of ["OffscreenCanvas", "HTMLCanvasElement"]) {
    const canvas = globalThis[kind]?.prototype;
    if (!canvas) continue;
    const getContext = canvas.getContext;
    canvas.getContext = function (...args) {
      const gl = getContext.apply(this, args);
      if (args[0] === "webgl2" && gl) contexts.push(gl.getExtension("WEBGL_lose_context"));
      return gl;
    };
  }
  return {
    trigger() {
      if (devices.length + contexts.length === 0) return;
      report(`${devices.length} devices, ${contexts.length} contexts`);
      for (const device of devices.splice(0)) device.destroy();
      for (const context of contexts.splice(0)) context.loseContext();
    },
  };
}"#;

/// The constants of all visits of a test.
struct World {
    server: Server,
    browser: Browser,
    launcher: Launcher,
    model: Arc<ServedModel>,
    prompt: Vec<u32>,
    expected: Vec<u32>,
    _folder: tempfile::TempDir,
}

impl World {
    /// `None` where the browser is not installed.
    async fn of(browser: BrowserName, variant: Variant) -> Option<Self> {
        if let Err(missing) = installation(browser, &Overrides::default()) {
            println!("skipped: {missing}");
            return None;
        }
        let bundle = Ended::of(tierproof(env!("CARGO_BIN_EXE_command"), &["bundle"]), "").with(0);
        let bundle = PathBuf::from(bundle.stdout.lines().next().expect("the folder"));
        let file = root().join(format!("fixtures/models/{MODEL}.gguf"));
        let model = ServedModel::read(&file, MODEL, SHARD_BYTES).expect("a fixture");
        let golden = root().join(format!("golden/{MODEL}/tokens/greedy.json"));
        let golden = fs_err::read(golden).expect("a golden");
        let golden: Value = serde_json::from_slice(&golden).expect("JSON");
        let case = &golden["cases"][0];
        let ids = |name: &str| -> Vec<u32> {
            serde_json::from_value(case[name].clone()).expect("a list of ids")
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let supervisor = Supervisor::with_executable(env!("CARGO_BIN_EXE_supervise").into());
        let logs = folder.path().join("logs");
        let launcher = Launcher::new(supervisor, Overrides::default(), logs);
        let profile = LaunchProfile { variant, ..LaunchProfile::new(browser, false) };
        Some(Self {
            server: Server::start(bundle).await.expect("a port"),
            browser: launcher.launch(profile).await.expect("the browser starts"),
            launcher,
            model: Arc::new(model),
            prompt: ids("prompt_ids"),
            expected: ids("generated_ids")[..MAX_TOKENS].to_vec(),
            _folder: folder,
        })
    }

    async fn close(self) {
        self.browser.close().await.expect("the session closes");
        self.launcher.shutdown().await;
    }

    /// The model, for one backend alone.
    fn variant(&self, backend: BackendName) -> ModelVariant {
        ModelVariant {
            id: format!("{MODEL}@{backend}"),
            name: MODEL.into(),
            parameters: 1_000_000,
            quantization: "Q4_0".into(),
            context_window: 512,
            capabilities: vec!["chat".into()],
            min_ram_gib: 0.01,
            min_device_tier: DeviceTier::NoGpu,
            backends: vec![backend],
            webgpu_features: Vec::new(),
            versions: Versions {
                weights: "w1".into(),
                tokenizer: "t1".into(),
                prompt_template: "p1".into(),
            },
            file: self.model.manifest.clone(),
        }
    }

    fn start(&self, backend: BackendName) -> ClientStart {
        let config = Config {
            start: Start::LocalOnly,
            registry: vec![self.variant(backend)],
            ..Config::default()
        };
        let url: String =
            LOSS.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        ClientStart {
            config,
            server: None,
            server_model: None,
            store: format!("client-page-{backend}"),
            bundle: None,
            threads: None,
            context_tokens: Some(128),
            accepts_software: true,
            shims: vec![Shim {
                name: "loss".into(),
                url: format!("data:text/javascript,{url}"),
                params: Value::Null,
            }],
            fault: None,
        }
    }
}

/// A page with a client.
struct Visit<'w> {
    world: &'w World,
    page: BrowserPage<'w>,
    commands: u32,
    requests: u64,
    /// Everything that the client has asked for.
    effects: Vec<Effect>,
    runs: Vec<ClientRun>,
    injected: usize,
}

impl<'w> Visit<'w> {
    async fn begin(world: &'w World, start: ClientStart) -> Self {
        let setup = PageSetup { model: Some(world.model.clone()), ..PageSetup::default() };
        let mut handle = world.server.open(setup).expect("randomness");
        handle.url.push_str("client.html");
        let page = BrowserPage::open(&world.browser, handle).await.expect("the page opens");
        let (effects, runs) = (Vec::new(), Vec::new());
        let mut visit = Self { world, page, commands: 0, requests: 0, effects, runs, injected: 0 };
        visit.until("ready", |kind| matches!(kind, PageEventKind::Ready { .. })).await;
        visit.act(ClientAction::Start(Box::new(start))).await;
        visit
    }

    /// Reads events up to the one that is wanted, and keeps what the client does.
    async fn until(&mut self, what: &str, is_it: impl Fn(&PageEventKind) -> bool) -> PageEventKind {
        let deadline = Instant::now() + LIMIT;
        loop {
            let event = match self.page.next_signal(deadline).await {
                Some(PageSignal::Event(event)) => event,
                other => panic!("expected {what}, found {other:?}; {:#?}", self.effects),
            };
            match &event.kind {
                PageEventKind::Client { effect } => {
                    if let Effect::Transition { transition } = &**effect {
                        println!("{:>7.0} {transition:?}", event.at_ms);
                    }
                    self.effects.push((**effect).clone());
                }
                PageEventKind::ClientRan { run } => self.runs.push((**run).clone()),
                PageEventKind::Injected { .. } => self.injected += 1,
                PageEventKind::PageError { .. }
                | PageEventKind::UnhandledRejection { .. }
                | PageEventKind::Failed { .. } => panic!("expected {what}, found {event:?}"),
                _ => {}
            }
            if is_it(&event.kind) {
                return event.kind;
            }
        }
    }

    async fn act(&mut self, action: ClientAction) -> Finished {
        self.commands += 1;
        let command = Command { id: self.commands, action: Action::Client(action) };
        self.page.submit(&command).await.expect("the page takes it");
        let ended = |kind: &PageEventKind| matches!(kind, PageEventKind::Finished { .. });
        match self.until("the command's end", ended).await {
            PageEventKind::Finished { result } => result,
            other => panic!("expected a result, found {other:?}"),
        }
    }

    /// Waits for a state, unless it was entered since effects were last cleared.
    async fn until_state(&mut self, state: State) {
        let is_it = |effect: &Effect| matches!(effect, Effect::Transition { transition } if transition.to == state);
        if !self.effects.iter().any(is_it) {
            let is_it = |kind: &PageEventKind| match kind {
                PageEventKind::Client { effect } => is_it(effect),
                _ => false,
            };
            self.until(&format!("{state:?}"), is_it).await;
        }
    }

    async fn inspect(&mut self) -> ClientInspection {
        match self.act(ClientAction::Inspect).await {
            Finished::ClientInspected(inspection) => inspection,
            other => panic!("expected an inspection, found {other:?}"),
        }
    }

    /// Asks, and waits for the end of it.
    async fn request(&mut self) -> Effect {
        self.requests += 1;
        let request = Request {
            id: self.requests,
            generate: GenerateRequest {
                prompt: Prompt::Ids(self.world.prompt.clone()),
                max_tokens: MAX_TOKENS as u32,
                sampling: Sampling::Greedy,
                ignore_stop: false,
                stop: Vec::new(),
                logits: LogitsWanted::All,
            },
            prompt_length: 100,
            complexity: Complexity::default(),
            capability: None,
            feature: None,
        };
        self.effects.clear();
        self.runs.clear();
        let input = Input::Request { request: Box::new(request) };
        self.act(ClientAction::Input { input: Box::new(input) }).await;
        let is_end =
            |effect: &Effect| matches!(effect, Effect::Answer { .. } | Effect::Fail { .. });
        // It may have come before the end of the command.
        if !self.effects.iter().any(is_end) {
            let ended = |kind: &PageEventKind| match kind {
                PageEventKind::Client { effect } => is_end(effect),
                _ => false,
            };
            self.until("the end of a request", ended).await;
        }
        self.effects.iter().find(|effect| is_end(effect)).expect("it was there").clone()
    }

    async fn fail(&mut self) -> ClientError {
        match self.request().await {
            Effect::Fail { error } => *error,
            other => panic!("expected an error, found {other:?}"),
        }
    }

    /// Asks, and holds tokens, answer and run against the golden.
    async fn ask(&mut self, tier: Tier) -> Answer {
        let answer = match self.request().await {
            Effect::Answer { answer } => *answer,
            other => panic!("expected an answer, found {other:?}"),
        };
        assert_eq!(answer.tier, tier);
        assert_eq!(answer.tokens, self.world.expected);
        let tokens = self.effects.iter().filter_map(|effect| match effect {
            Effect::EmitToken { token, .. } => Some(token.id),
            _ => None,
        });
        assert_eq!(tokens.collect::<Vec<_>>(), self.world.expected, "each token once");
        assert_eq!(self.runs.len(), usize::from(tier != Tier::Server));
        for run in &self.runs {
            assert_eq!(Some(run.generated.execution.actual), tier.backend());
            let rows = self.page.take_logits(run.logits_command).expect("logits have come");
            assert!(!rows.is_empty() && rows.len().is_multiple_of(MAX_TOKENS));
        }
        answer
    }

    fn fetched(&self) -> usize {
        self.effects.iter().filter(|effect| matches!(effect, Effect::FetchShard { .. })).count()
    }
}

/// A first visit, a loss while idle, and a second visit.
async fn comes_back(browser: BrowserName, backend: BackendName, tier: Tier) {
    let Some(world) = World::of(browser, Variant::Default).await else { return };
    let shards = world.model.manifest.shards.len();

    let mut visit = Visit::begin(&world, world.start(backend)).await;
    visit.until_state(State::Ready).await;
    assert_eq!(visit.fetched(), shards);
    let first = visit.ask(tier).await;
    println!("{browser} {backend}: {:?}", first.timings);
    let inspection = visit.inspect().await;
    println!("{inspection:?}");
    let in_memory = inspection.memory_shard_bytes;
    assert_eq!(inspection.stored_shards as usize, if in_memory > 0 { 0 } else { shards });
    assert_eq!(inspection.object_urls, 0);

    if backend != BackendName::Wasm {
        visit.effects.clear();
        visit.injected = 0;
        let params = Value::Null;
        visit.act(ClientAction::Trigger { shim: "loss".into(), params }).await;
        visit.until_state(State::Recover).await;
        visit.until_state(State::Ready).await;
        assert!(visit.injected > 0, "the shim has reported it");
        assert_eq!(visit.fetched(), 0, "weights come from where they lie");
        let again = visit.ask(tier).await;
        assert_eq!(again.text, first.text);
        assert!(again.generation > first.generation);
        assert!(visit.inspect().await.workers_alive <= 1);
    }
    visit.page.close().await.expect("the page is left");

    let mut visit = Visit::begin(&world, world.start(backend)).await;
    visit.until_state(State::Ready).await;
    assert_eq!(visit.fetched(), if in_memory > 0 { shards } else { 0 });
    let second = visit.ask(tier).await;
    assert_eq!(second.text, first.text);
    visit.page.close().await.expect("the page is left");
    world.close().await;
}

/// The server tier for pages of `world`, and its address.
async fn serve(world: &World) -> String {
    let handle = world.server.open(PageSetup::default()).expect("randomness");
    let origin = handle.url.split('/').take(3).collect::<Vec<_>>().join("/");
    let path = root().join(format!("fixtures/models/{MODEL}.gguf"));
    let router = serve::router(serve::Options {
        models: vec![Model { name: MODEL.into(), path, entry: None }],
        key: None,
        allow_origins: vec![origin.parse().expect("an origin")],
        concurrency: 1,
        queue_timeout: LIMIT,
        request_timeout: LIMIT,
        analytics: None,
        router: RouterConfig::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let router = router.expect("a fixture");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A page that has nothing to run a client with.
async fn asks_the_server(browser: BrowserName) {
    let Some(world) = World::of(browser, Variant::WithoutWasm).await else { return };
    let mut start = world.start(BackendName::Wasm);
    start.config.start = Start::Progressive;
    start.server = Some(serve(&world).await);
    let mut visit = Visit::begin(&world, start.clone()).await;
    visit.until_state(State::Server).await;
    let answer = visit.ask(Tier::Server).await;
    assert_eq!(answer.variant.as_deref(), Some(MODEL));
    let steps: Vec<_> = answer.trail.iter().map(|step| (step.from, step.to, step.reason)).collect();
    let reason = Reason::InsufficientDeviceCapabilities;
    assert_eq!(steps, [(Tier::Webgpu, Tier::Server, reason)]);
    let record = |effect: &Effect| matches!(effect, Effect::Telemetry { record } if record.success);
    let is_record = |kind: &PageEventKind| match kind {
        PageEventKind::Client { effect } => record(effect),
        _ => false,
    };
    if !visit.effects.iter().any(record) {
        visit.until("a record", is_record).await;
    }
    visit.page.close().await.expect("the page is left");

    // Without a server the request still ends.
    start.server = None;
    let mut visit = Visit::begin(&world, start).await;
    let error = visit.fail().await;
    assert_eq!(
        (error.kind, error.reason),
        (ClientErrorKind::NoTierLeft, Some(Reason::ServerFailed))
    );
    visit.page.close().await.expect("the page is left");
    world.close().await;
}

macro_rules! comes_back {
    ($($test:ident: $browser:ident $backend:ident $only:literal;)*) => {
        $(
            #[tokio::test]
            #[ignore = $only]
            async fn $test() {
                comes_back(BrowserName::$browser, BackendName::$backend, Tier::$backend).await;
            }
        )*
    };
}

comes_back! {
    browser_chrome_client_on_webgpu: Chrome Webgpu "needs a browser: run with `-- --ignored browser_chrome`";
    browser_chrome_client_on_webgl: Chrome Webgl "needs a browser: run with `-- --ignored browser_chrome`";
    browser_chrome_client_on_wasm: Chrome Wasm "needs a browser: run with `-- --ignored browser_chrome`";
    browser_firefox_client_on_webgpu: Firefox Webgpu "needs a browser: run with `-- --ignored browser_firefox`";
    browser_firefox_client_on_webgl: Firefox Webgl "needs a browser: run with `-- --ignored browser_firefox`";
    browser_firefox_client_on_wasm: Firefox Wasm "needs a browser: run with `-- --ignored browser_firefox`";
    browser_webkit_client_on_webgl: Webkit Webgl "needs a browser: run with `-- --ignored browser_webkit`";
    browser_webkit_client_on_wasm: Webkit Wasm "needs a browser: run with `-- --ignored browser_webkit`";
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
async fn browser_chrome_client_without_webassembly() {
    asks_the_server(BrowserName::Chrome).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_firefox`"]
async fn browser_firefox_client_without_webassembly() {
    asks_the_server(BrowserName::Firefox).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_webkit`"]
async fn browser_webkit_client_without_webassembly() {
    asks_the_server(BrowserName::Webkit).await;
}
