//! Crashing a browser's GPU process in the middle of answers of the hybrid client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use inference_wasm::client::machine::{
    Config, Effect, Input, RecoveryLimits, Request, Start, State, Transition,
};
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::{
    Action, BackendName, ClientAction, ClientStart, Finished, GenerateRequest, LogitsWanted,
    PageEventKind, Prompt, Sampling,
};
use tokio::time::Instant;

use super::lap::Lap;
use super::trial::{Crash, RecoveryError, SILENCE, Trial};
use crate::drive::browser::Browser;
use crate::drive::injection;
use crate::drive::page::BrowserPage;
use crate::drive::server::{PageSetup, Server};
use crate::judge::outcome::Failed;
use crate::run::Conversation;
use crate::serve::variant_of;
use crate::spec::fault::DriverFault;
use crate::spec::matrix::Timeouts;

/// How long a whole trial may take: no limit in practice, since every wait has its own.
const WHOLE: Duration = Duration::from_hours(24);

/// The crash is injected after this many tokens.
const TOKENS_BEFORE: u32 = 3;

/// More tokens than are ever generated: the request is cancelled after the recovery.
const MAX_TOKENS: u32 = 400;

/// Crashes the GPU process of a browser that was launched for any number of crashes. `each` is
/// called after every crash.
///
/// # Errors
/// Why the trial could not go on.
pub async fn crash(
    browser: &Browser,
    server: &Server,
    trial: &Trial,
    each: &mut dyn FnMut(u32, &Crash),
) -> Result<Vec<Crash>, RecoveryError> {
    let setup = PageSetup { model: Some(trial.model.clone()), ..PageSetup::default() };
    let mut handle = server.open(setup)?;
    handle.url.push_str("client.html");
    let page = BrowserPage::open(browser, handle).await?;
    let timeouts =
        Timeouts { ready: SILENCE, silence: SILENCE, attempt: WHOLE, ..Timeouts::default() };
    let conversation = Conversation::owning(page, timeouts, Instant::now() + WHOLE).await?;
    let mut visit = Visit { conversation, time_origin_ms: 0.0 };
    visit.start(trial).await?;
    let mut crashes = Vec::new();
    for round in 1..=trial.crashes {
        let crash = visit.round(browser, u64::from(round), trial.backend).await?;
        each(round, &crash);
        let is_over = crash == Crash::OtherWay;
        crashes.push(crash);
        if is_over {
            // The client is on another tier, or on none, so further crashes measure nothing.
            log_console(browser).await;
            break;
        }
    }
    visit.conversation.close().await?;
    Ok(crashes)
}

struct Visit<'b> {
    conversation: Conversation<'b, BrowserPage<'b>>,
    time_origin_ms: f64,
}

impl Visit<'_> {
    /// Starts the client and waits until the model can run.
    async fn start(&mut self, trial: &Trial) -> Result<(), RecoveryError> {
        let mut variant = variant_of(&trial.model)
            .map_err(|error| RecoveryError::Model { message: error.to_string() })?;
        variant.backends = vec![trial.backend];
        let config = Config {
            start: Start::LocalOnly,
            registry: vec![variant],
            // A replacement is measured, however many there were before.
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
            Err(RecoveryError::OtherTier { backend: trial.backend, tier })
        }
    }

    /// One request with a crash in the middle.
    async fn round(
        &mut self,
        browser: &Browser,
        request: u64,
        backend: BackendName,
    ) -> Result<Crash, RecoveryError> {
        self.input(Input::Request { request: Box::new(long_request(request)) }).await?;
        let token = |kind: &PageEventKind| match kind {
            PageEventKind::Client { effect } => match &**effect {
                Effect::EmitToken { token, .. } => Some(token.index),
                _ => None,
            },
            _ => None,
        };
        while self.event("a token", token).await? < TOKENS_BEFORE {}
        let at = injection::inject(DriverFault::CrashGpu, browser, None).await?.at;
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
                // The request ended before a new token, so the recovery can't be measured.
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

    async fn input(&mut self, input: Input) -> Result<(), RecoveryError> {
        self.submit(ClientAction::Input { input: Box::new(input) }).await
    }

    async fn submit(&mut self, action: ClientAction) -> Result<(), RecoveryError> {
        self.conversation.submit(Action::Client(action)).await?;
        Ok(())
    }

    /// The next transition to one of these states.
    async fn transition(
        &mut self,
        what: &'static str,
        to: &[State],
    ) -> Result<Transition, RecoveryError> {
        loop {
            if let Effect::Transition { transition } = self.effect(what).await?.1
                && to.contains(&transition.to)
            {
                return Ok(transition);
            }
        }
    }

    /// The next effect of the client, with its time.
    async fn effect(&mut self, what: &'static str) -> Result<(f64, Effect), RecoveryError> {
        loop {
            let (at_ms, kind) = self.next(what).await?;
            if let PageEventKind::Client { effect } = kind {
                return Ok((at_ms, *effect));
            }
        }
    }

    /// The first event from which `make` makes something.
    async fn event<T>(
        &mut self,
        what: &'static str,
        make: impl Fn(&PageEventKind) -> Option<T>,
    ) -> Result<T, RecoveryError> {
        loop {
            if let Some(made) = make(&self.next(what).await?.1) {
                return Ok(made);
            }
        }
    }

    /// The next event that is not a heartbeat, with its time.
    async fn next(&mut self, what: &'static str) -> Result<(f64, PageEventKind), RecoveryError> {
        let deadline = Instant::now() + SILENCE;
        loop {
            let event = self.conversation.next(what, deadline).await?;
            match event.map(|event| (event.at_ms, event.kind)) {
                Some((_, PageEventKind::Failed { error })) => {
                    return Err(Failed::page_error(error.to_string()).into());
                }
                Some((at_ms, kind)) if kind != PageEventKind::Heartbeat => {
                    return Ok((at_ms, kind));
                }
                _ if Instant::now() >= deadline => return Err(RecoveryError::Missing { what }),
                _ => {}
            }
        }
    }
}

/// Logs what the page wrote to its console, for an investigation.
async fn log_console(browser: &Browser) {
    let kind = serde_json::json!({ "type": "browser" });
    if let Ok(lines) = browser.session().post("read console", "se/log", &kind).await {
        for line in lines.as_array().into_iter().flatten() {
            tracing::info!("console: {}", line["message"].as_str().unwrap_or_default());
        }
    }
}

/// A prompt that every model continues until the token limit.
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
