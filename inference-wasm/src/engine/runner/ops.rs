//! The command `ops`: every op of a backend against the reference, on a backend made for it.

use super::job::Job;
use super::load;
#[cfg(target_arch = "wasm32")]
use crate::engine::backend::Webgl;
use crate::engine::backend::{Backend, Cpu};
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
use crate::engine::backend::{Webgpu, WebgpuOptions};
use crate::engine::canary;
use crate::engine::host::Host;
use crate::engine::mutant::Mutants;
use crate::engine::ops_suite::{self, Case};
use crate::engine::session::invalid;
use crate::protocol::{BackendName, EngineError, OpsReport, OpsRequest, PageEventKind, Phase};

/// How long cases run before others get their turn, in milliseconds: often enough that a page
/// stays alive and a cancellation comes in.
const TURN_MS: f64 = 50.0;

/// How often progress is told, in milliseconds.
const PROGRESS_MS: f64 = 500.0;

/// Makes the backend and holds it.
pub(super) async fn ops<H: Host>(
    job: &mut Job<'_, H>,
    request: &OpsRequest,
) -> Result<OpsReport, EngineError> {
    load::check_backend(request.backend)?;
    let mutants = Mutants::new(request.fault)?;
    let cases = chosen(request.filter.as_deref())?;
    match request.backend {
        BackendName::Cpu | BackendName::Wasm => {
            let backend = Cpu::new(job.host.threads() as usize)?;
            hold(job, backend, &cases, mutants).await
        }
        BackendName::Reference => Err(invalid(
            "backend `reference` can't be held: it is what others are held against".into(),
        )),
        #[cfg(target_arch = "wasm32")]
        BackendName::Webgl => hold(job, Webgl::new()?, &cases, mutants).await,
        #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
        BackendName::Webgpu => {
            let options = WebgpuOptions { fault: request.fault, ..WebgpuOptions::default() };
            hold(job, Webgpu::with(options).await?, &cases, mutants).await
        }
        // Refused above.
        #[cfg(not(any(target_arch = "wasm32", feature = "native-gpu")))]
        BackendName::Webgpu => Err(invalid("there is no backend `webgpu` here".into())),
        #[cfg(not(target_arch = "wasm32"))]
        BackendName::Webgl => Err(invalid("there is no backend `webgl` here".into())),
    }
}

/// The cases that a filter leaves.
fn chosen(filter: Option<&str>) -> Result<Vec<Case>, EngineError> {
    let mut cases = ops_suite::cases();
    let Some(filter) = filter else { return Ok(cases) };
    cases.retain(|case| case.matches(filter));
    if cases.is_empty() {
        let mut error = invalid(format!("no case of the op suite is like `{filter}`"));
        error.hint = Some(
            "a name is `matmul/Q8_0/rows=5,columns=96,outputs=33`; give a part of it, or a pattern \
             with `*`"
                .into(),
        );
        return Err(error);
    }
    Ok(cases)
}

async fn hold<H: Host, B: Backend>(
    job: &mut Job<'_, H>,
    mut backend: B,
    cases: &[Case],
    mutants: Mutants,
) -> Result<OpsReport, EngineError> {
    job.enter(Phase::Ops);
    let start = job.host.now_ms();
    let (mut turned, mut told) = (start, start);
    let total = cases.len();
    let tally = ops_suite::run(&mut backend, cases, &mut async |done| {
        let now = job.host.now_ms();
        if now - told >= PROGRESS_MS {
            told = now;
            job.send(PageEventKind::OpsProgress { cases: done as u32, total_cases: total as u32 });
        }
        if now - turned >= TURN_MS {
            if job.host.is_cancelled().await {
                return Err(invalid(format!("the op suite was cancelled after {done} of {total}")));
            }
            turned = job.host.now_ms();
        }
        Ok(())
    })
    .await?;
    let elapsed_ms = job.host.now_ms() - start;
    // The canary counts: on a CPU only matrix products do, and a filter may have left none.
    let canary = canary::run(&mut backend).await?;
    let counters = backend.counters();
    Ok(OpsReport {
        table_cases: ops_suite::cases().len() as u32,
        tallies: tally.tallies,
        worst: tally.worst,
        failures: tally.failures,
        elapsed_ms,
        execution: job.execution(&backend, counters, canary, mutants),
    })
}
