//! The command `generate`: continues a prompt and streams the answer.

use super::job::Job;
use crate::engine::backend::Backend;
use crate::engine::host::Host;
use crate::engine::sampler::Sampler;
use crate::engine::session::Session;
use crate::engine::tokenizer::TextStream;
use crate::protocol::{
    EngineError, FinishReason, GenerateRequest, Generated, LogitsRef, LogitsWanted, PageEventKind,
    Phase, Timings,
};

/// Continues a prompt until the model, a stop string, the limit or the host ends it.
pub(super) async fn generate<H: Host, B: Backend>(
    job: &mut Job<'_, H>,
    session: &mut Session<B>,
    request: &GenerateRequest,
) -> Result<Generated, EngineError> {
    let start = job.host.now_ms();
    let tokenizer = session.tokenizer().clone();
    let mut output = Output {
        sampler: Sampler::new(&request.sampling)?,
        stream: TextStream::new(&tokenizer, &request.stop)?,
        ids: Vec::new(),
        text: String::new(),
        row: Vec::new(),
        rows: Vec::new(),
    };
    let prompt_ids = tokenizer.prompt_ids(&request.prompt)?;
    let reused = session.begin(&prompt_ids, request.max_tokens)?;

    job.enter(Phase::Prefill);
    let prefill_start = job.host.now_ms();
    let is_fed = prefill(job, session, &prompt_ids[reused..]).await?;
    let mut timings = Timings {
        prefill_ms: job.host.now_ms() - prefill_start,
        prefill_tokens: (session.cached() - reused) as u32,
        ..Timings::default()
    };

    let finish_reason = if is_fed {
        job.enter(Phase::Decode);
        output.decode(job, session, request, &mut timings, start).await?
    } else {
        FinishReason::Cancelled
    };
    let logits = output.send_logits(job, session, request.logits).await?;
    let execution = job.report(session).await?;
    Ok(Generated {
        prompt_ids,
        reused_tokens: reused as u32,
        generated_ids: output.ids,
        text: output.text,
        finish_reason,
        timings,
        execution,
        logits,
    })
}

/// Feeds the prompt in chunks and waits until it is computed; returns `false` if the host
/// cancelled.
async fn prefill<H: Host, B: Backend>(
    job: &mut Job<'_, H>,
    session: &mut Session<B>,
    mut ids: &[u32],
) -> Result<bool, EngineError> {
    while !ids.is_empty() {
        if job.host.is_cancelled().await {
            return Ok(false);
        }
        let fed = session.feed(ids);
        // A backend that defers work would count a prompt's time as the first token's, and would
        // notice a cancellation only at the end.
        session.settle().await?;
        ids = &ids[fed..];
    }
    Ok(true)
}

/// The answer so far, and the sampler and text stream that continue it.
struct Output<'t> {
    sampler: Sampler,
    stream: TextStream<'t>,
    ids: Vec<u32>,
    text: String,
    /// The logits of the next token.
    row: Vec<f32>,
    /// The logits that the ids were chosen from, if they were requested.
    rows: Vec<f32>,
}

impl Output<'_> {
    /// Chooses and feeds tokens, one after the other.
    async fn decode<H: Host, B: Backend>(
        &mut self,
        job: &mut Job<'_, H>,
        session: &mut Session<B>,
        request: &GenerateRequest,
        timings: &mut Timings,
        start: f64,
    ) -> Result<FinishReason, EngineError> {
        let (mut decode_start, mut gpu_start, mut dispatches) = (None, None, 0);
        for index in 0..request.max_tokens {
            if let Some(&last) = self.ids.last() {
                if job.host.is_cancelled().await {
                    return Ok(self.cancelled());
                }
                session.feed(&[last]);
                timings.decode_tokens += 1;
            }
            let id = self.choose(session, request.logits).await?;
            let now = job.host.now_ms();
            match decode_start {
                None => {
                    timings.first_token_ms = now - start;
                    decode_start = Some(now);
                    gpu_start = session.backend().gpu_time();
                    dispatches = session.work_done().gpu_dispatches;
                    session.mutants().on_first_token();
                }
                Some(decode_start) => {
                    timings.decode_ms = now - decode_start;
                    let gpu = session.backend().gpu_time().zip(gpu_start);
                    timings.decode_gpu = gpu.map(|(now, start)| now.since(start));
                    timings.decode_dispatches = session.work_done().gpu_dispatches - dispatches;
                }
            }

            let is_stop = session.tokenizer().is_stop(id) && !request.ignore_stop;
            let is_last = index + 1 == request.max_tokens;
            let (text, end) = self.take(id, is_stop, is_last);
            job.send(PageEventKind::Token { index, id, text });
            if let Some(end) = end {
                return Ok(end);
            }
        }
        Ok(FinishReason::Length)
    }

    /// Chooses the next token. Reads only as many logits as the choice and the request need.
    async fn choose<B: Backend>(
        &mut self,
        session: &mut Session<B>,
        wanted: LogitsWanted,
    ) -> Result<u32, EngineError> {
        if let (LogitsWanted::None, Some(count)) = (wanted, self.sampler.candidates_needed())
            && let Some(candidates) = session.best(count).await?
        {
            return self.sampler.choose_among(&candidates);
        }
        self.row.clear();
        session.last_logits(&mut self.row).await?;
        if wanted == LogitsWanted::All {
            self.rows.extend_from_slice(&self.row);
        }
        self.sampler.choose(&self.row)
    }

    /// Adds a token to the answer; returns the text that it completes and, if it is the last one,
    /// the reason.
    fn take(&mut self, id: u32, is_stop: bool, is_last: bool) -> (String, Option<FinishReason>) {
        self.ids.push(id);
        // The text of a stop token is not part of the answer.
        let mut text = if is_stop { String::new() } else { self.stream.push(id) };
        let end = if is_stop {
            Some(FinishReason::Stop)
        } else if self.stream.is_stopped() {
            Some(FinishReason::StopString)
        } else if is_last {
            Some(FinishReason::Length)
        } else {
            None
        };
        if end.is_some() {
            text.push_str(&self.stream.finish());
        }
        self.text.push_str(&text);
        (text, end)
    }

    /// Ends the answer at its current text.
    fn cancelled(&mut self) -> FinishReason {
        let rest = self.stream.finish();
        self.text.push_str(&rest);
        FinishReason::Cancelled
    }

    async fn send_logits<H: Host, B: Backend>(
        &self,
        job: &mut Job<'_, H>,
        session: &Session<B>,
        wanted: LogitsWanted,
    ) -> Result<Option<LogitsRef>, EngineError> {
        match wanted {
            LogitsWanted::None => Ok(None),
            LogitsWanted::All => {
                job.host.send_logits(job.id, &self.rows).await?;
                let columns = session.hyper().vocabulary as u32;
                Ok(Some(LogitsRef { rows: self.ids.len() as u32, columns }))
            }
        }
    }
}
