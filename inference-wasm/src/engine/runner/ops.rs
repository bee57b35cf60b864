//! The command `ops`: runs the op suite on a new backend.

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
use crate::protocol::{BackendName, EngineError, OpsReport, OpsRequest, PageEventKind, Phase};

/// Milliseconds between yields to the host: short enough that a page stays responsive and a
/// cancellation arrives.
const YIELD_MS: f64 = 50.0;

/// Milliseconds between progress events.
const PROGRESS_MS: f64 = 500.0;

/// Makes the backend and runs the requested cases on it.
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
            check(job, backend, &cases, mutants).await
        }
        BackendName::Reference => Err(EngineError::invalid_request(
            "the op suite can't run on backend `reference`: it is what other backends are compared with",
        )),
        #[cfg(target_arch = "wasm32")]
        BackendName::Webgl => check(job, Webgl::new()?, &cases, mutants).await,
        #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
        BackendName::Webgpu => {
            let options = WebgpuOptions { fault: request.fault, ..WebgpuOptions::default() };
            check(job, Webgpu::with(options).await?, &cases, mutants).await
        }
        // Refused above.
        #[cfg(not(any(target_arch = "wasm32", feature = "native-gpu")))]
        BackendName::Webgpu => {
            Err(EngineError::invalid_request("this build has no backend `webgpu`"))
        }
        #[cfg(not(target_arch = "wasm32"))]
        BackendName::Webgl => {
            Err(EngineError::invalid_request("this build has no backend `webgl`"))
        }
    }
}

/// The cases that match a filter.
fn chosen(filter: Option<&str>) -> Result<Vec<Case>, EngineError> {
    let mut cases = ops_suite::cases();
    let Some(filter) = filter else { return Ok(cases) };
    cases.retain(|case| case.matches(filter));
    if cases.is_empty() {
        let mut error =
            EngineError::invalid_request(format!("no case of the op suite matches `{filter}`"));
        error.hint = Some(
            "a name is like `matmul/Q8_0/rows=5,columns=96,outputs=33`; pass a part of it, or a pattern \
             with `*`"
                .into(),
        );
        return Err(error);
    }
    Ok(cases)
}

async fn check<H: Host, B: Backend>(
    job: &mut Job<'_, H>,
    mut backend: B,
    cases: &[Case],
    mutants: Mutants,
) -> Result<OpsReport, EngineError> {
    job.enter(Phase::Ops);
    let start = job.host.now_ms();
    let (mut yielded, mut reported) = (start, start);
    let total = cases.len();
    let tally = ops_suite::run(&mut backend, cases, &mut async |done| {
        let now = job.host.now_ms();
        if now - reported >= PROGRESS_MS {
            reported = now;
            job.send(PageEventKind::OpsProgress { cases: done as u32, total_cases: total as u32 });
        }
        if now - yielded >= YIELD_MS {
            if job.host.is_cancelled().await {
                return Err(EngineError::invalid_request(format!(
                    "the op suite was cancelled after {done} of {total}"
                )));
            }
            yielded = job.host.now_ms();
        }
        Ok(())
    })
    .await?;
    let elapsed_ms = job.host.now_ms() - start;
    // The canary counts as work: on a CPU only matrix products do, and a filter may exclude them
    // all.
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
