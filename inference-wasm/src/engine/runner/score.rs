//! The command `score`: the logits of a given sequence.

use super::job::Job;
use crate::engine::backend::Backend;
use crate::engine::host::Host;
use crate::engine::session::Session;
use crate::protocol::{EngineError, LogitsRef, Phase, ScoreRequest, Scored, Timings};

/// Feeds the ids from position 0 and sends the logits that follow each id from `from` on.
pub(super) async fn score<H: Host, B: Backend>(
    job: &mut Job<'_, H>,
    session: &mut Session<B>,
    request: &ScoreRequest,
) -> Result<Scored, EngineError> {
    let count = request.ids.len();
    let from = request.from as usize;
    if from >= count {
        return Err(EngineError::invalid_request(format!(
            "`from` is {from}, expected less than the {count} ids"
        )));
    }
    session.clear();
    session.begin(&request.ids, 0)?;

    job.enter(Phase::Score);
    let start = job.host.now_ms();
    let mut rows = Vec::new();
    let mut fed = 0;
    while fed < count {
        if job.host.is_cancelled().await {
            return Err(EngineError::invalid_request(format!(
                "scoring was cancelled after {fed} of {count} ids"
            )));
        }
        let chunk = session.feed(&request.ids[fed..]);
        session.logits(from.saturating_sub(fed).min(chunk)..chunk, &mut rows).await?;
        fed += chunk;
    }
    let elapsed = job.host.now_ms() - start;

    job.host.send_logits(job.id, &rows).await?;
    let columns = session.hyper().vocabulary as u32;
    Ok(Scored {
        logits: LogitsRef { rows: (count - from) as u32, columns },
        timings: Timings {
            prefill_ms: elapsed,
            prefill_tokens: count as u32,
            ..Timings::default()
        },
        execution: job.report(session).await?,
    })
}
