//! Mutants: known defects that a test build carries, to show that a run catches them.
//!
//! All their code is here; the engine has one line for each hook. A build without the feature
//! `seeded-faults` refuses requests for them, and its hooks do nothing.

use super::model::{TensorInfo, Weights};
use crate::protocol::{BackendName, EngineError, ExecutionReport, SeededFault};

/// The mutants of a loaded model: at most one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mutants {
    #[cfg(feature = "seeded-faults")]
    fault: Option<SeededFault>,
}

#[cfg(not(feature = "seeded-faults"))]
#[expect(clippy::unused_self, reason = "the build with mutants needs it")]
impl Mutants {
    /// Refuses every mutant.
    pub(crate) fn new(fault: Option<SeededFault>) -> Result<Self, EngineError> {
        match fault {
            None => Ok(Self::default()),
            Some(fault) => Err(EngineError {
                kind: crate::protocol::EngineErrorKind::InvalidRequest,
                message: format!(
                    "seeded fault `{}` was requested, but this build carries no seeded faults",
                    fault.as_str()
                ),
                hint: Some("build the bundle with the feature `seeded-faults`".into()),
            }),
        }
    }

    pub(crate) fn on_weights(self, _file: &mut [u8], _weights: &Weights<TensorInfo>) {}

    pub(crate) fn on_logits(self, _logits: &mut [f32]) {}

    pub(crate) fn on_first_token(self) {}

    pub(crate) fn on_report(
        self,
        _report: &mut ExecutionReport,
        _canary_of: fn(BackendName) -> Option<u32>,
    ) {
    }

    #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
    pub(crate) fn on_shader(self, source: String) -> String {
        source
    }
}

#[cfg(feature = "seeded-faults")]
impl Mutants {
    /// Accepts a mutant.
    #[expect(clippy::unnecessary_wraps, reason = "the build without mutants refuses")]
    pub(crate) fn new(fault: Option<SeededFault>) -> Result<Self, EngineError> {
        Ok(Self { fault })
    }

    /// Corrupts the weights in the file before a backend takes them.
    pub(crate) fn on_weights(self, file: &mut [u8], weights: &Weights<TensorInfo>) {
        match self.fault {
            Some(SeededFault::WrongNibbleOrder) => {
                weights.each(&mut |tensor| swap_nibbles(file, tensor));
            }
            Some(SeededFault::ZeroedLayer) => {
                // In every format, all-zero bytes are all-zero weights.
                if let Some(layer) = weights.layers.get(weights.layers.len() / 2) {
                    file[layer.down.bytes.clone()].fill(0);
                }
            }
            _ => {}
        }
    }

    /// Halves the logits: the greatest stays the greatest, but the distribution changes.
    pub(crate) fn on_logits(self, logits: &mut [f32]) {
        if self.fault == Some(SeededFault::RightTextWrongLogits) {
            for logit in logits {
                *logit *= 0.5;
            }
        }
    }

    /// Hangs or panics.
    pub(crate) fn on_first_token(self) {
        match self.fault {
            Some(SeededFault::HangInDecode) => loop {
                std::hint::spin_loop();
            },
            Some(SeededFault::PanicInDecode) => panic!("seeded fault `panic-in-decode`"),
            _ => {}
        }
    }

    /// Claims the requested backend with the evidence of another one.
    pub(crate) fn on_report(
        self,
        report: &mut ExecutionReport,
        canary_of: fn(BackendName) -> Option<u32>,
    ) {
        use BackendName::{Cpu, Reference, Wasm, Webgl, Webgpu};
        if self.fault != Some(SeededFault::LyingBackend) {
            return;
        }
        let (kernel_calls, other) = match report.actual {
            // Like an engine that has fallen back: it holds a GPU, but the CPU computes.
            Webgpu | Webgl => (std::mem::take(&mut report.gpu_dispatches), Wasm),
            Reference => (0, Cpu),
            Cpu | Wasm => (0, Reference),
        };
        report.kernel_calls = kernel_calls;
        report.canary.bits = canary_of(other).unwrap_or(0);
    }
}

#[cfg(all(feature = "seeded-faults", any(target_arch = "wasm32", feature = "native-gpu")))]
impl Mutants {
    /// Corrupts the WGSL of kernels before it is compiled. A kernel without the replaced text stays
    /// as it is.
    pub(crate) fn on_shader(self, source: String) -> String {
        match self.fault {
            Some(SeededFault::OffByOneTail) => {
                source.replace("group < params.groups", "group < (params.groups & 0xfffffffeu)")
            }
            // Only RMS norm: each few threads that run together see sums of their own and of those
            // before them, and zeros of the others. That holds on software adapters, where one
            // group runs to its end before the next begins; on hardware it is a race.
            Some(SeededFault::MissingBarrier) if source.contains("squares") => {
                source.replace("workgroupBarrier();", "")
            }
            Some(SeededFault::F16Overflow) if source.contains("= across(") => {
                let half_across = "\nfn half_across(lanes: vec4<f32>) -> f32 {\n    \
                                   return half(to_half(across(lanes)));\n}\n";
                source.replace("= across(", "= half_across(") + half_across
            }
            _ => source,
        }
    }
}

/// Swaps the nibbles of a tensor's packed weights; leaves scales and other formats alone.
#[cfg(feature = "seeded-faults")]
fn swap_nibbles(file: &mut [u8], tensor: &TensorInfo) {
    let header_bytes = match tensor.format.name {
        "Q4_0" => 2,
        "Q4_1" => 4,
        _ => return,
    };
    for block in file[tensor.bytes.clone()].chunks_exact_mut(tensor.format.block_bytes) {
        for pair in &mut block[header_bytes..] {
            *pair = pair.rotate_left(4);
        }
    }
}
