//! Crashing a browser's GPU process in the middle of answers of the hybrid client.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use inference_wasm::client::machine::{
    Config, Effect, Input, RecoveryLimits, Request, Start, State, Transition,
};
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::{
    Action, BackendName, ClientAction, ClientStart, Command, Finished, GenerateRequest,
    LogitsWanted, PageEventKind, Prompt, Sampling,
};
use tokio::time::Instant;

use super::lap::Lap;
use crate::drive::browser::Browser;
use crate::drive::injection;
use crate::drive::page::{BrowserPage, Page};
use crate::drive::server::PageSignal;
use crate::drive::server::{PageSetup, ServedModel, Server};
use crate::serve::variant_of;
use crate::spec::fault::DriverFault;

/// How long anything may take of which something is to be heard.
const SILENCE: Duration = Duration::from_mins(1);

/// The crash comes when so many tokens have.
const TOKENS_BEFORE: u32 = 3;

/// More than are ever generated: the request is cancelled behind the recovery.
const MAX_TOKENS: u32 = 400;

/// What is tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The model, in shards.
    pub model: Arc<ServedModel>,
    /// The tier.
    pub backend: BackendName,
    /// How often.
    pub crashes: u32,
}

/// What came of one crash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crash {
    /// The client has recovered on the same tier.
    Recovered(Lap),
    /// It took another way, to another tier or to none.
    OtherWay,
}

/// Crashes the GPU process of a browser that was launched to bear it. `each` hears of every crash.
///
/// # Errors
/// What kept the client from going on, in words.
pub async fn crash(
    browser: &Browser,
    server: &Server,
    trial: &Trial,
    each: &mut dyn FnMut(u32, &Crash),
) -> Result<Vec<Crash>, String> {
    let setup = PageSetup { model: Some(trial.model.clone()), ..PageSetup::default() };
    let mut handle = server.open(setup).map_err(|error| error.to_string())?;
    handle.url.push_str("client.html");
    let page = BrowserPage::open(browser, handle).await.map_err(|error| error.to_string())?;
    let mut visit = Visit { page, command: 0, time_origin_ms: 0.0 };
    visit.start(trial).await?;
    let mut crashes = Vec::new();
    for round in 1..=trial.crashes {
        let crash = visit.round(browser, u64::from(round), trial.backend).await?;
        each(round, &crash);
        let is_over = crash == Crash::OtherWay;
        crashes.push(crash);
        if is_over {
            // The client is on another tier, or nowhere: no crash tells anything any more.
            tell_console(browser).await;
            break;
        }
    }
    visit.page.close().await.map_err(|error| error.to_string())?;
    Ok(crashes)
}

struct Visit<'b> {
    page: BrowserPage<'b>,
    command: u32,
    time_origin_ms: f64,
}

impl Visit<'_> {
    /// Starts the client and waits until the model can run.
    async fn start(&mut self, trial: &Trial) -> Result<(), String> {
        self.event("the page", |kind| matches!(kind, PageEventKind::Ready { .. }).then_some(()))
            .await?;
        let mut variant = variant_of(&trial.model).map_err(|error| error.to_string())?;
        variant.backends = vec![trial.backend];
        let config = Config {
            start: Start::LocalOnly,
            registry: vec![variant],
            // What is measured is a replacement, however many there were before.
            recovery: RecoveryLimits { losses: 10, window_ms: 1_000, ..RecoveryLimits::default() },
            ..Config::default()
        };
        self.submit(ClientAction::Start(Box::new(ClientStart {
            config,
            server: None,
            server_model: None,
            store: "recovery".to_owned(),
            bundle: None,
            threads: None,
            context_tokens: None,
            accepts_software: true,
            shims: Vec::new(),
            fault: None,
        })))
        .await?;
        let started = |kind: &PageEventKind| match kind {
            PageEventKind::Finished { result: Finished::ClientStarted(started) } => Some(*started),
            _ => None,
        };
        self.time_origin_ms = self.event("the client", started).await?.time_origin_ms;
        let tier = self.transition("the model", &[State::Ready, State::Server]).await?.tier;
        if tier.backend() == Some(trial.backend) {
            Ok(())
        } else {
            Err(format!("`{}` can't be had here: the client went on to `{tier}`", trial.backend))
        }
    }

    /// One request with a crash in the middle.
    async fn round(
        &mut self,
        browser: &Browser,
        request: u64,
        backend: BackendName,
    ) -> Result<Crash, String> {
        self.input(Input::Request { request: Box::new(long_request(request)) }).await?;
        let token = |kind: &PageEventKind| match kind {
            PageEventKind::Client { effect } => match &**effect {
                Effect::EmitToken { token, .. } => Some(token.index),
                _ => None,
            },
            _ => None,
        };
        while self.event("a token", token).await? < TOKENS_BEFORE {}
        let injected = injection::inject(DriverFault::CrashGpu, browser, None).await;
        let at = injected.map_err(|trouble| trouble.to_string())?.at;
        let crashed_ms = epoch_ms(at) - self.time_origin_ms;

        let mut transitions: Vec<Transition> = Vec::new();
        let mut end = None;
        while end.is_none() {
            let (at_ms, effect) = self.effect("the recovery").await?;
            match effect {
                Effect::Transition { transition } => {
                    tracing::debug!("{at_ms:.0} ms: {} {}", transition.to, transition.reason);
                    transitions.push(transition);
                }
                Effect::EmitToken { .. }
                    if transitions.iter().any(|one| one.to == State::Running) =>
                {
                    end = Some(Lap::of(crashed_ms, &transitions, at_ms));
                }
                // It went too far to tell what it was.
                Effect::Answer { .. } | Effect::Fail { .. } => return Ok(Crash::OtherWay),
                _ => {}
            }
        }
        self.input(Input::Cancel { request }).await?;
        let tier = self.transition("the end of the request", &[State::Ready]).await?.tier;
        Ok(match end.flatten() {
            Some(lap) if tier.backend() == Some(backend) && tier != Tier::Server => {
                Crash::Recovered(lap)
            }
            _ => Crash::OtherWay,
        })
    }

    async fn input(&mut self, input: Input) -> Result<(), String> {
        self.submit(ClientAction::Input { input: Box::new(input) }).await
    }

    async fn submit(&mut self, action: ClientAction) -> Result<(), String> {
        self.command += 1;
        let command = Command { id: self.command, action: Action::Client(action) };
        self.page.submit(&command).await.map_err(|trouble| trouble.to_string())
    }

    /// The next transition to one of these states.
    async fn transition(&mut self, what: &str, to: &[State]) -> Result<Transition, String> {
        loop {
            if let Effect::Transition { transition } = self.effect(what).await?.1
                && to.contains(&transition.to)
            {
                return Ok(transition);
            }
        }
    }

    /// The next effect of the client, and when it was.
    async fn effect(&mut self, what: &str) -> Result<(f64, Effect), String> {
        loop {
            let (at_ms, kind) = self.next(what).await?;
            if let PageEventKind::Client { effect } = kind {
                return Ok((at_ms, *effect));
            }
        }
    }

    /// What is made of the next event of which something can be made.
    async fn event<T>(
        &mut self,
        what: &str,
        make: impl Fn(&PageEventKind) -> Option<T>,
    ) -> Result<T, String> {
        loop {
            if let Some(made) = make(&self.next(what).await?.1) {
                return Ok(made);
            }
        }
    }

    async fn next(&mut self, what: &str) -> Result<(f64, PageEventKind), String> {
        let deadline = Instant::now() + SILENCE;
        loop {
            match self.page.next_signal(deadline).await {
                None => return Err(format!("{what} did not come in {} s", SILENCE.as_secs())),
                Some(PageSignal::Protocol(message)) => return Err(message),
                Some(PageSignal::Event(event)) => match event.kind {
                    PageEventKind::Heartbeat => {
                        if Instant::now() >= deadline {
                            return Err(format!("{what} did not come in {} s", SILENCE.as_secs()));
                        }
                    }
                    PageEventKind::Failed { error } => return Err(error.to_string()),
                    PageEventKind::PageError { message, .. } => return Err(message),
                    PageEventKind::UnhandledRejection { reason } => return Err(reason),
                    kind => return Ok((event.at_ms, kind)),
                },
            }
        }
    }
}

/// What the page wrote to its console, for whoever wants to know why.
async fn tell_console(browser: &Browser) {
    let kind = serde_json::json!({ "type": "browser" });
    if let Ok(lines) = browser.session().post("read console", "se/log", &kind).await {
        for line in lines.as_array().into_iter().flatten() {
            tracing::info!("console: {}", line["message"].as_str().unwrap_or_default());
        }
    }
}

/// A prompt that every model goes on with for as long as it is let.
fn long_request(id: u64) -> Request {
    const PROMPT: &str = "Continue: The old library in the town";
    let generate = GenerateRequest {
        prompt: Prompt::Text(PROMPT.to_owned()),
        max_tokens: MAX_TOKENS,
        sampling: Sampling::Greedy,
        ignore_stop: true,
        stop: Vec::new(),
        logits: LogitsWanted::None,
    };
    let prompt_length = PROMPT.len() as u32;
    Request {
        id,
        generate,
        prompt_length,
        complexity: inference_wasm::client::router::Complexity::Simple,
        capability: None,
        feature: None,
    }
}

fn epoch_ms(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}
