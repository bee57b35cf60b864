//! A chromedriver whose browser is none: its page is the engine's native build, which speaks the
//! page's protocol, and misbehaves as `FAKE_BEHAVIOUR` says. So a whole run can be shown trouble
//! that no browser makes on demand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::{Json, Router};
use inference_wasm::protocol::{
    Action, BackendName, Command, EngineError, EngineErrorKind, ExecutionReport, Finished,
    PROTOCOL_VERSION, PageEvent, PageEventKind, SimdLevel,
};
use serde_json::{Value, json};
use tierproof::drive::page::{NativePage, Page};
use tierproof::drive::server::PageSignal;
use tierproof::drive::server::{PageSetup, ServedModel};
use tierproof_tests::command::root;
use tierproof_tests::fake::Behaviour;
use tokio::sync::mpsc;
use tokio::time::Instant;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a driver's log is what it prints")]
fn eprintln(line: &str) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "a driver reports its port by this line")]
async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let behaviour = std::env::var(Behaviour::VARIABLE)?.parse()?;
    let started = PathBuf::from(std::env::var(Behaviour::STARTED)?);
    if behaviour == Behaviour::NeverStarts
        || behaviour == Behaviour::StartsAtSecondTry && !started.exists()
    {
        fs_err::write(started, "")?;
        return Err("IPv6 port not available. Exiting...".into());
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let driver = Arc::new(Driver { behaviour, orders: Mutex::default() });
    println!("ChromeDriver was started successfully on port {port}.");
    Ok(axum::serve(listener, Router::new().fallback(answer).with_state(driver)).await?)
}

struct Driver {
    behaviour: Behaviour,
    /// To the page that is open; closing it ends the page.
    orders: Mutex<Option<mpsc::UnboundedSender<Order>>>,
}

enum Order {
    Submit(Box<Command>),
    Cancel,
}

async fn answer(
    State(driver): State<Arc<Driver>>,
    method: Method,
    uri: Uri,
    body: String,
) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let value = match (method, uri.path()) {
        (Method::POST, "/session") if driver.behaviour == Behaviour::RefusesSession => Err((
            "session not created",
            "This version of ChromeDriver only supports Chrome version 1".to_owned(),
        )),
        (Method::POST, "/session") => Ok(json!({
            "sessionId": "1",
            "capabilities": { "browserName": "chrome", "browserVersion": "0.0.fake" },
        })),
        (Method::GET, "/session/1/url") => Ok(json!("about:blank")),
        (Method::POST, "/session/1/url") => Ok(driver.navigate(body["url"].as_str())),
        (Method::POST, "/session/1/execute/sync") => driver.execute(&body),
        (_, _) => Ok(Value::Null),
    };
    match value {
        Ok(value) => (StatusCode::OK, Json(json!({ "value": value }))),
        Err((error, message)) => {
            let value = json!({ "error": error, "message": message, "stacktrace": "" });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "value": value })))
        }
    }
}

impl Driver {
    fn navigate(&self, url: Option<&str>) -> Value {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        *orders = None;
        if let Some(url) = url.filter(|url| url.starts_with("http://127.0.0.1:")) {
            let (sender, receiver) = mpsc::unbounded_channel();
            *orders = Some(sender);
            // The `?` begins the options about bundles, of which there are none.
            let url = url.split_once('?').map_or(url, |(place, _)| place).to_owned();
            let relay = Relay { url, behaviour: self.behaviour, seq: 0, tokens: 0 };
            tokio::spawn(relay.run(receiver));
        }
        Value::Null
    }

    fn execute(&self, body: &Value) -> Result<Value, (&'static str, String)> {
        let script = body["script"].as_str().unwrap_or_default();
        let order = if script.contains("submit") {
            let text = body["args"][0].as_str().unwrap_or_default();
            let command: Command = serde_json::from_str(text)
                .map_err(|error| ("javascript error", error.to_string()))?;
            if matches!(command.action, Action::Generate(_)) {
                match self.behaviour {
                    Behaviour::DriverExits => std::process::abort(),
                    Behaviour::TabCrashes => {
                        return Err(("unknown error", "tab crashed".to_owned()));
                    }
                    _ => {}
                }
            }
            Order::Submit(Box::new(command))
        } else if script.contains("cancel") {
            Order::Cancel
        } else {
            return Ok(json!(1));
        };
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        match orders.as_ref().map(|orders| orders.send(order)) {
            Some(Ok(())) => Ok(Value::Null),
            Some(Err(_)) | None => {
                Err(("javascript error", "window.tierproof is undefined".to_owned()))
            }
        }
    }
}

/// Carries what the native page says to the host, as a browser's page would.
struct Relay {
    url: String,
    behaviour: Behaviour,
    seq: u64,
    /// Tokens of generations so far.
    tokens: u32,
}

impl Relay {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let Ok(mut page) = NativePage::open(PageSetup::default()) else { return };
        loop {
            let until = Instant::now() + Duration::from_mins(10);
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Submit(command)) => {
                        submit(&mut page, *command, self.behaviour).await;
                    }
                    Some(Order::Cancel) => _ = page.cancel().await,
                    None => return,
                },
                Some(PageSignal::Event(event)) = page.next_signal(until) => {
                    if let Some(command) = event.command
                        && let Some(rows) = page.take_logits(command)
                    {
                        let bytes: Vec<u8> = rows.into_iter().flat_map(f32::to_le_bytes).collect();
                        self.post(&format!("logits/{command}"), &bytes);
                    }
                    self.send(event);
                }
            }
        }
    }

    fn send(&mut self, mut event: PageEvent) {
        if matches!(event.kind, PageEventKind::Token { .. }) {
            self.tokens += 1;
        }
        let is_decoding = self.tokens > 0;
        match (self.behaviour, &mut event.kind) {
            (Behaviour::Hangs, kind) if is_decoding => {
                if *kind != PageEventKind::Heartbeat {
                    return;
                }
            }
            (Behaviour::FallsSilent, _) if is_decoding => return,
            (Behaviour::LosesEvents, PageEventKind::Token { index: 1, .. }) => {
                self.seq += 1;
                return;
            }
            (Behaviour::SpeaksGarbage, PageEventKind::Token { .. }) => {
                return self.post("events", b"<html>");
            }
            (Behaviour::OtherProtocol, PageEventKind::Ready { protocol, .. }) => {
                *protocol = PROTOCOL_VERSION + 1;
            }
            (Behaviour::LoadsTwice, PageEventKind::Token { index: 1, .. }) => {
                event.kind = PageEventKind::Ready {
                    protocol: PROTOCOL_VERSION,
                    user_agent: String::new(),
                    cross_origin_isolated: true,
                };
            }
            (Behaviour::ChangesTokens, PageEventKind::Token { index: 1, id, .. }) => *id += 1,
            (
                Behaviour::AnswersElsewhere,
                PageEventKind::Finished { result: Finished::Load(_) },
            ) => {
                let kind = EngineErrorKind::BackendUnavailable;
                let (message, hint) = ("it is off".to_owned(), None);
                event.kind = PageEventKind::Failed { error: EngineError { kind, message, hint } };
            }
            (_, PageEventKind::Finished { result }) => self.disguise(result),
            (_, _) => {}
        }
        event.seq = self.seq;
        self.seq += 1;
        let batch = json!([event]).to_string().into_bytes();
        if self.behaviour == Behaviour::RepeatsEvents {
            self.post("events", &batch);
        }
        self.post("events", &batch);
    }

    /// Makes the native build's result one of a page, as far as the host can see.
    fn disguise(&self, result: &mut Finished) {
        match result {
            Finished::Probe(report) => {
                let is_off = self.behaviour.is_off();
                report.wasm.present = !is_off || self.behaviour == Behaviour::SwitchedOffInVain;
                report.wasm.simd128 = report.wasm.present;
            }
            Finished::Generate(generated) => self.claim(&mut generated.execution),
            Finished::Score(scored) => self.claim(&mut scored.execution),
            Finished::Load(_)
            | Finished::Ops(_)
            | Finished::Release
            | Finished::ClientStarted(_)
            | Finished::ClientInspected(_)
            | Finished::ClientTold => {}
        }
    }

    fn claim(&self, execution: &mut ExecutionReport) {
        execution.requested = BackendName::Wasm;
        "wasm32".clone_into(&mut execution.target);
        "base".clone_into(&mut execution.bundle);
        execution.simd = SimdLevel::Simd128;
        if self.behaviour == Behaviour::FallsBack {
            return;
        }
        // The canary is right as it is: `cpu` and `wasm` sum in the same order.
        execution.actual = BackendName::Wasm;
    }

    fn post(&self, path: &str, body: &[u8]) {
        // The server of the page may be gone already.
        let url = format!("{}{path}", self.url);
        tokio::task::block_in_place(|| _ = ureq::post(&url).send(body));
    }
}

/// Hands a command to the native page, on the backend whose kernels are those of `wasm`; or on none,
/// where that is off.
async fn submit(page: &mut NativePage, mut command: Command, behaviour: Behaviour) {
    if let Action::Load(load) = &mut command.action {
        if behaviour != Behaviour::SwitchedOff {
            load.backend = BackendName::Cpu;
        }
        let name = &load.model.name;
        let path = root().join(format!("fixtures/models/{name}.gguf"));
        let shard_bytes = load.model.shards.first().map_or(1, |shard| shard.bytes);
        let model = ServedModel::read(&path, name, shard_bytes).map(Arc::new).ok();
        page.serve(PageSetup { model, fault: None });
    }
    if let Err(trouble) = page.submit(&command).await {
        eprintln(&trouble.to_string());
    }
}
