//! Proof that a backend was off and that nothing answered in its place.
//!
//! Three witnesses have to agree: the page's own probe, the engine's error, and a command to
//! compute that failed as well. [`crate::drive::browser`] switches the backend off, and the executor
//! asks the engine.

use inference_wasm::protocol::{BackendName, CapabilityReport};
use serde::{Deserialize, Serialize};

/// Evidence of an absence that was checked.
///
/// Deserializing one trusts the log that it comes from, as with a tier proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsenceProof {
    switched_off: BackendName,
    launch: String,
    probe: String,
    refusals: Vec<Refusal>,
}

/// An error with which the engine refused to compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The request: a step of the scenario, or `compute all the same`.
    pub asked: String,
    /// The engine's message.
    pub message: String,
}

impl AbsenceProof {
    /// The backend.
    pub fn backend(&self) -> BackendName {
        self.switched_off
    }

    /// The launch profile that switched it off.
    pub fn launch(&self) -> &str {
        &self.launch
    }

    /// The finding of the page's probe.
    pub fn probe(&self) -> &str {
        &self.probe
    }

    /// The engine's refusals; never empty.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }
}

/// Why an absence is not proven: trouble of the harness, which switches the backend off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAbsence {
    /// The browser was not probed.
    #[error("the browser was not probed, so nothing shows that `{0}` is off")]
    NotProbed(BackendName),
    /// The flags had no effect.
    #[error(
        "`{backend}` was to be off under profile `{launch}`, but the page's probe found {found}"
    )]
    StillThere {
        /// The backend.
        backend: BackendName,
        /// The launch profile.
        launch: String,
        /// The finding.
        found: String,
    },
    /// The engine was never asked.
    #[error("the engine was never asked for `{0}`")]
    NeverAsked(BackendName),
}

/// Checks that a backend was off, by the probe, and that the engine was asked for it.
///
/// The caller has checked that `refusals` are refusals.
///
/// # Errors
/// The probe found the backend, or the engine was never asked.
pub fn verify_absence(
    backend: BackendName,
    launch: &str,
    probed: Option<&CapabilityReport>,
    refusals: Vec<Refusal>,
) -> Result<AbsenceProof, NoAbsence> {
    let probe = is_gone(backend, launch, probed)?;
    if refusals.is_empty() {
        return Err(NoAbsence::NeverAsked(backend));
    }
    Ok(AbsenceProof { switched_off: backend, launch: launch.to_owned(), probe, refusals })
}

/// The probe's finding about a backend that is off.
pub(crate) fn is_gone(
    backend: BackendName,
    launch: &str,
    probed: Option<&CapabilityReport>,
) -> Result<String, NoAbsence> {
    let Some(report) = probed else { return Err(NoAbsence::NotProbed(backend)) };
    let still = |found: &str| {
        let (launch, found) = (launch.to_owned(), found.to_owned());
        Err(NoAbsence::StillThere { backend, launch, found })
    };
    match backend {
        BackendName::Webgpu => {
            let reason = report.webgpu.reason.as_deref().unwrap_or("no adapter");
            match report.webgpu.adapter {
                Some(_) => still("an adapter"),
                None => Ok(format!("no WebGPU adapter: {reason}")),
            }
        }
        BackendName::Webgl => {
            let reason = report.webgl2.reason.as_deref().unwrap_or("no context");
            match (report.webgl2.present, report.webgl2.in_worker) {
                (true, _) => still("a WebGL2 context"),
                // A canvas that is off may leave the ones that workers make.
                (false, true) => still("a WebGL2 context in a worker"),
                (false, false) => Ok(format!("no WebGL2, in no thread: {reason}")),
            }
        }
        BackendName::Wasm if report.wasm.present => still("WebAssembly"),
        BackendName::Wasm => Ok("no WebAssembly".to_owned()),
        BackendName::Cpu | BackendName::Reference => {
            still("that it is not a backend of a browser, and can't be switched off")
        }
    }
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::WebGpuAdapter;

    use super::*;

    fn refusal() -> Refusal {
        Refusal { asked: "1 load".to_owned(), message: "no adapter".to_owned() }
    }

    #[test]
    fn absence_needs_a_probe_that_finds_nothing_and_an_engine_that_was_asked() {
        type Change = fn(&mut CapabilityReport);
        let table: [(BackendName, Change, &str); 8] = [
            (BackendName::Webgpu, |_| {}, ""),
            (BackendName::Webgl, |_| {}, ""),
            (BackendName::Wasm, |_| {}, ""),
            // Another backend may be on.
            (BackendName::Webgpu, |report| report.webgl2.present = true, ""),
            (
                BackendName::Webgpu,
                |report| report.webgpu.adapter = Some(WebGpuAdapter::default()),
                "`webgpu` was to be off under profile `p`, but the page's probe found an adapter",
            ),
            (
                BackendName::Webgl,
                |report| report.webgl2.in_worker = true,
                "`webgl` was to be off under profile `p`, but the page's probe found a WebGL2 context in a worker",
            ),
            (
                BackendName::Wasm,
                |report| report.wasm.present = true,
                "`wasm` was to be off under profile `p`, but the page's probe found WebAssembly",
            ),
            (
                BackendName::Cpu,
                |_| {},
                "`cpu` was to be off under profile `p`, but the page's probe found that it is not a backend of a browser, and can't be switched off",
            ),
        ];
        for (backend, change, trouble) in table {
            let mut report = CapabilityReport::default();
            change(&mut report);
            let found = verify_absence(backend, "p", Some(&report), vec![refusal()]);
            let found = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(found, trouble, "{backend}");
        }
        let report = CapabilityReport::default();
        assert_eq!(
            verify_absence(BackendName::Webgpu, "p", Some(&report), Vec::new()),
            Err(NoAbsence::NeverAsked(BackendName::Webgpu))
        );
        assert_eq!(
            verify_absence(BackendName::Webgpu, "p", None, vec![refusal()]),
            Err(NoAbsence::NotProbed(BackendName::Webgpu))
        );
    }

    /// A log distinguishes the kinds of proof, and older logs with one kind can be read.
    #[test]
    fn an_absence_is_not_read_as_a_tier() {
        let report = CapabilityReport::default();
        let proof =
            verify_absence(BackendName::Webgl, "p", Some(&report), vec![refusal()]).unwrap();
        let proof = crate::judge::proof::Proof::Absence(proof);
        let json = serde_json::to_string(&proof).unwrap();
        assert_eq!(serde_json::from_str::<crate::judge::proof::Proof>(&json).unwrap(), proof);
        assert!(proof.execution().is_none());
    }
}
