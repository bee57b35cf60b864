//! The inputs of one attempt.

use inference_wasm::protocol::CapabilityReport;

use super::mutant::Mutant;
use crate::drive::server::ModelShelf;
use crate::judge::golden::{Golden, LogitsGolden};
use crate::judge::proof::Demand;
use crate::plan::ResolvedCell;

/// Everything that an attempt needs besides a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// The cell.
    pub(crate) cell: &'a ResolvedCell<'a>,
    /// Models in shards.
    pub(crate) shelf: &'a ModelShelf,
    /// A defect to build in.
    pub(crate) mutant: Option<Mutant>,
    /// The report of the browser's probe.
    pub(crate) probed: Option<&'a CapabilityReport>,
}

impl<'a> Attempt<'a> {
    /// The expected answers; `None` for a scenario without cases.
    pub(crate) fn golden(self) -> Option<&'a Golden> {
        self.cell.golden.as_ref().map(|loaded| &loaded.golden)
    }

    /// Whole rows of the golden's logits.
    pub(crate) fn logits(self) -> Option<&'a LogitsGolden> {
        self.cell.golden.as_ref()?.logits.as_ref()
    }

    /// What an answer of the cell's own backend has to prove.
    pub(crate) fn demand(self) -> Demand<'a> {
        Demand {
            backend: self.cell.id.backend,
            bundle: self.cell.bundle,
            adapter: self.cell.adapter,
            probed: self.probed,
        }
    }
}
