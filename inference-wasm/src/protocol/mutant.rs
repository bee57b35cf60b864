//! The mutants of the engine: defects that a test build has on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mutant of the engine: a defect in a test build that shows whether a run detects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum SeededFault {
    /// The two nibbles of each byte of 4-bit weights are swapped.
    WrongNibbleOrder,
    /// The feed-forward output of the middle layer is all zeros.
    ZeroedLayer,
    /// The correct token has the highest logit at every step, but all logits are wrong.
    RightTextWrongLogits,
    /// The worker hangs at the first token, while the page stays responsive.
    HangInDecode,
    /// The engine panics at the first token.
    PanicInDecode,
    /// The report names a backend that did not run.
    LyingBackend,
    /// A GPU's matrix product skips the last 32 weights of a row with an odd number of such groups.
    OffByOneTail,
    /// A GPU kernel reads the partial sums of its other threads without a barrier.
    MissingBarrier,
    /// Sums of a GPU's matrix product pass through half precision, whose maximum is 65504.
    F16Overflow,
}

impl SeededFault {
    /// Every mutant.
    pub const ALL: [Self; 9] = [
        Self::WrongNibbleOrder,
        Self::ZeroedLayer,
        Self::RightTextWrongLogits,
        Self::HangInDecode,
        Self::PanicInDecode,
        Self::LyingBackend,
        Self::OffByOneTail,
        Self::MissingBarrier,
        Self::F16Overflow,
    ];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
