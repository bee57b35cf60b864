//! Mutants: known defects that a test build carries, to show that a run catches them.
//!
//! All their code is here; the engine has one line for each hook. A build without the feature
//! `seeded-faults` refuses requests for them, and its hooks compile to nothing.

use super::model::{TensorInfo, Weights};
use crate::protocol::{BackendName, EngineError, ExecutionReport, SeededFault};

/// The mutant of a loaded model, if any.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mutants {
    fault: Option<SeededFault>,
}

impl Mutants {
    /// Accepts a mutant; a build without mutants refuses it.
    pub(crate) fn new(fault: Option<SeededFault>) -> Result<Self, EngineError> {
        match fault {
            Some(fault) if !cfg!(feature = "seeded-faults") => {
                let message = format!(
                    "seeded fault `{}` was requested, but this build carries no seeded faults",
                    fault.as_str()
                );
                let hint = "build the bundle with the feature `seeded-faults`";
                Err(EngineError::invalid_request(message).with_hint(hint))
            }
            fault => Ok(Self { fault }),
        }
    }

    /// Whether this is the mutant; known to be false when compiled without mutants.
    fn is(self, fault: SeededFault) -> bool {
        cfg!(feature = "seeded-faults") && self.fault == Some(fault)
    }

    /// Corrupts the weights in the file before a backend takes them.
    pub(crate) fn on_weights(self, file: &mut [u8], weights: &Weights<TensorInfo>) {
        if self.is(SeededFault::WrongNibbleOrder) {
            weights.each(&mut |tensor| swap_nibbles(file, tensor));
        }
        // In every format, all-zero bytes are all-zero weights.
        if self.is(SeededFault::ZeroedLayer)
            && let Some(layer) = weights.layers.get(weights.layers.len() / 2)
        {
            file[layer.down.bytes.clone()].fill(0);
        }
    }

    /// Halves the logits: the greatest stays the greatest, but the distribution changes.
    pub(crate) fn on_logits(self, logits: &mut [f32]) {
        if self.is(SeededFault::RightTextWrongLogits) {
            for logit in logits {
                *logit *= 0.5;
            }
        }
    }

    /// Hangs or panics.
    pub(crate) fn on_first_token(self) {
        while self.is(SeededFault::HangInDecode) {
            std::hint::spin_loop();
        }
        assert!(!self.is(SeededFault::PanicInDecode), "seeded fault `panic-in-decode`");
    }

    /// Claims the requested backend with the evidence of another one. `canary_of` gives the canary
    /// of a backend.
    pub(crate) fn on_report(
        self,
        report: &mut ExecutionReport,
        canary_of: fn(BackendName) -> Option<u32>,
    ) {
        use BackendName::{Cpu, Reference, Wasm, Webgl, Webgpu};
        if !self.is(SeededFault::LyingBackend) {
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

    /// Corrupts the WGSL of kernels before it is compiled. A kernel without the replaced text stays
    /// as it is.
    #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
    pub(crate) fn on_shader(self, source: String) -> String {
        if self.is(SeededFault::OffByOneTail) {
            return source
                .replace("group < params.groups", "group < (params.groups & 0xfffffffeu)");
        }
        // Only RMS norm: each few threads that run together see sums of their own and of those
        // before them, and zeros of the others. That holds on software adapters, where one group
        // runs to its end before the next begins; on hardware it is a race.
        if self.is(SeededFault::MissingBarrier) && source.contains("squares") {
            return source.replace("workgroupBarrier();", "");
        }
        if self.is(SeededFault::F16Overflow) && source.contains("= across(") {
            let half_across = "\nfn half_across(lanes: vec4<f32>) -> f32 {\n    \
                               return half(to_half(across(lanes)));\n}\n";
            return source.replace("= across(", "= half_across(") + half_across;
        }
        source
    }
}

/// Swaps the nibbles of a tensor's packed weights; leaves scales and other formats alone.
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
