//! `POST /api/v1/generate`: from a checked body to an answer, whole or as it comes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use inference_wasm::client::machine::{Begin, Token};
use inference_wasm::client::output::{Answer, AnswerTimings, Usage};
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::{FinishReason, Generated, PageEventKind, Prompt};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::Instant;

use super::api::{Api, count};
use super::body::Checked;
use super::engines::{Engine, Turn};
use super::models::Opened;
use super::problem::{Problem, ProblemKind};
use super::schema::{GenerateBody, StreamEvent};
use super::steps::{Step, Steps};

pub(super) async fn generate(
    State(api): State<Arc<Api>>,
    Checked(body): Checked<GenerateBody>,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let turn = api.engines.turn().await.inspect_err(|_| count(&api.counts.refused))?;
    let is_stream = body.stream;
    let mut steps = start(&api, turn, body, began);
    if !is_stream {
        return Ok(Json(steps.end().await?).into_response());
    }
    // A failure before the first token can still set the response's status.
    let first = match steps.next().await {
        Step::End(Err(problem)) => return Err(problem),
        first => first,
    };
    Ok(streamed(first, steps))
}

/// Starts a generation in the background. It ends when its steps are dropped.
fn start(api: &Arc<Api>, turn: Turn, body: GenerateBody, began: Instant) -> Steps {
    let (sender, receiver) = mpsc::unbounded_channel();
    let steps = Steps::new(receiver, began + api.request_timeout);
    let api = api.clone();
    tokio::spawn(async move {
        let end = carry_out(&api, &turn, &body, (&sender, began)).await;
        let counter = match &end {
            _ if sender.is_closed() => &api.counts.cancelled,
            Ok(_) => &api.counts.answered,
            Err(_) => &api.counts.failed,
        };
        count(counter);
        // The engine is free before its caller knows.
        drop(turn);
        let _ = sender.send(Step::End(end));
    });
    steps
}

async fn carry_out(
    api: &Api,
    turn: &Turn,
    body: &GenerateBody,
    (sender, began): (&UnboundedSender<Step>, Instant),
) -> Result<Box<Answer>, Problem> {
    let model = api.models.open(body.model.as_deref()).await?;
    let mut engine = api.engines.take(turn, &model)?;
    let answer = Work { model: &model, body, sender, began }.on(&mut engine).await;
    api.engines.put_back(engine);
    answer.map(Box::new)
}

/// One generation.
struct Work<'w> {
    model: &'w Opened,
    body: &'w GenerateBody,
    sender: &'w UnboundedSender<Step>,
    began: Instant,
}

/// The part of the answer that the user saw before the request.
struct Seen {
    prompt_tokens: usize,
    ids: Vec<u32>,
    text: String,
}

impl Work<'_> {
    async fn on(&self, engine: &mut Engine) -> Result<Answer, Problem> {
        engine.load(self.model, self.sender.closed()).await?;
        let (seen, prompt) = match &self.body.begin {
            Some(Begin::Continue { variant, ids, text }) => {
                let prompt = self.ids_of(engine, self.body.prompt.clone()).await?;
                // Ids mean nothing to another model; the text does. The user has counted theirs.
                let is_ours = variant.as_ref() == Some(&self.model.variant.id);
                let own = if is_ours { ids.clone() } else { self.text_ids(engine, text).await? };
                let whole = Prompt::Ids([&prompt[..], &own].concat());
                let prompt_tokens = prompt.len();
                (Some(Seen { prompt_tokens, ids: ids.clone(), text: text.clone() }), whole)
            }
            // A replay is a fresh run that produces the same tokens.
            Some(Begin::Fresh | Begin::Replay) | None => (None, self.body.prompt.clone()),
        };
        let offset = seen.as_ref().map_or(0, |seen| seen.ids.len() as u32);
        let max_tokens = self.body.max_tokens.saturating_sub(offset);
        let mut first_token_ms = None;
        let mut on_event = |event| {
            if let PageEventKind::Token { index, id, text } = event {
                first_token_ms.get_or_insert_with(|| self.elapsed_ms());
                let token = Token { index: index + offset, id, text };
                // The receiver is gone once the request is over.
                let _ = self.sender.send(Step::Token(token));
            }
        };
        let request = self.body.engine_request(prompt, max_tokens);
        let generated = engine.generate(request, self.sender.closed(), &mut on_event).await?;
        if generated.finish_reason == FinishReason::Cancelled {
            return Err(Problem::new(ProblemKind::DeadlineExceeded, "the answer was cancelled"));
        }
        Ok(self.answer(generated, seen, first_token_ms))
    }

    /// The ids of a prompt, as the model sees it: what a generation of no tokens reports. The
    /// prompt is in the cache then, so that nothing is computed twice.
    async fn ids_of(&self, engine: &mut Engine, prompt: Prompt) -> Result<Vec<u32>, Problem> {
        let request = self.body.engine_request(prompt, 0);
        let generated = engine.generate(request, self.sender.closed(), &mut |_| {}).await?;
        Ok(generated.prompt_ids)
    }

    /// The ids of a text in the middle of an answer.
    async fn text_ids(&self, engine: &mut Engine, text: &str) -> Result<Vec<u32>, Problem> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = self.ids_of(engine, Prompt::Raw(text.to_owned())).await?;
        if ids.first().copied() == self.model.leading_token {
            ids.remove(0);
        }
        Ok(ids)
    }

    fn answer(
        &self,
        generated: Generated,
        seen: Option<Seen>,
        first_token_ms: Option<u64>,
    ) -> Answer {
        let Seen { prompt_tokens, mut ids, mut text } = seen.unwrap_or_else(|| Seen {
            prompt_tokens: generated.prompt_ids.len(),
            ids: Vec::new(),
            text: String::new(),
        });
        ids.extend(generated.generated_ids);
        text.push_str(&generated.text);
        Answer {
            request: self.body.request,
            text,
            usage: Usage::new(prompt_tokens as u32, ids.len() as u32),
            tokens: ids,
            finish_reason: generated.finish_reason,
            timings: AnswerTimings { first_token_ms, total_ms: self.elapsed_ms() },
            tier: Tier::Server,
            variant: Some(self.model.variant.id.clone()),
            versions: Some(self.model.variant.versions.clone()),
            generation: 0,
            recoveries: 0,
            // The server is never fallen back from here; what came before, the client knows.
            trail: Vec::new(),
        }
    }

    fn elapsed_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

/// Server-sent events, up to the answer or the problem that ends them.
fn streamed(first: Step, steps: Steps) -> Response {
    let events = stream::unfold(Some((Some(first), steps)), async |state| {
        let (first, mut steps) = state?;
        let step = match first {
            Some(first) => first,
            None => steps.next().await,
        };
        let (name, data, rest) = match step {
            Step::Token(token) => ("token", StreamEvent::Token(token), Some((None, steps))),
            Step::End(Ok(answer)) => ("answer", StreamEvent::Answer(answer), None),
            Step::End(Err(problem)) => ("problem", StreamEvent::Problem(problem.into()), None),
        };
        let event = Event::default().event(name).data(serde_json::json!(data).to_string());
        Some((Ok::<_, Infallible>(event), rest))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
