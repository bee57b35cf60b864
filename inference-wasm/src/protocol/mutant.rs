//! The mutants of the engine: defects that a test build has on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A known defect that a test build carries, to show that a run catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeededFault {
    /// The two nibbles of every 4-bit byte are swapped.
    WrongNibbleOrder,
    /// The feed-forward output of one layer in the middle is all zeros.
    ZeroedLayer,
    /// The right token has the highest logit at every step, and all logits are wrong.
    RightTextWrongLogits,
    /// The worker stops answering at the first token, while the page goes on.
    HangInDecode,
    /// The engine panics at the first token.
    PanicInDecode,
    /// The report claims a backend that did not run.
    LyingBackend,
    /// A GPU's matrix product forgets the last 32 weights of a row that has an odd number of such
    /// groups.
    OffByOneTail,
    /// A GPU kernel reads what its other threads add up before they have.
    MissingBarrier,
    /// Sums of a GPU's matrix product pass through half precision, which ends at 65504.
    F16Overflow,
}

impl SeededFault {
    /// Every fault.
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

    /// The name as it stands on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongNibbleOrder => "wrong-nibble-order",
            Self::ZeroedLayer => "zeroed-layer",
            Self::RightTextWrongLogits => "right-text-wrong-logits",
            Self::HangInDecode => "hang-in-decode",
            Self::PanicInDecode => "panic-in-decode",
            Self::LyingBackend => "lying-backend",
            Self::OffByOneTail => "off-by-one-tail",
            Self::MissingBarrier => "missing-barrier",
            Self::F16Overflow => "f16-overflow",
        }
    }
}
