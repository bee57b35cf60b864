//! The network faults that a scenario of the engine alone can name, for a load.

use strum::{EnumString, VariantArray, VariantNames};

use super::catalogue::Fault;
use crate::spec::document::Named;

/// A fault of the catalogue on one shard of a model, by the name that `server_fault` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, VariantArray, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum ShardFault {
    /// The second shard, or the only one, is missing: somebody forgot to upload it.
    MissingShard,
    /// The last shard is sent half, as if that were all of it: an upload that broke off.
    Truncated,
    /// A web page is sent in place of the first shard, with status 200: a server with a catch-all
    /// route for its single-page application.
    Html,
}

impl ShardFault {
    /// Every such fault.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// The fault of the catalogue, and the index of the shard that it is injected into, of `count`.
    pub(crate) fn fault_and_shard(self, count: usize) -> (Fault, usize) {
        let last = count.saturating_sub(1);
        match self {
            Self::MissingShard => (Fault::WeightsMissing, last.min(1)),
            Self::Truncated => (Fault::WeightsShort, last),
            Self::Html => (Fault::WeightsHtml, 0),
        }
    }
}

impl Named for ShardFault {
    const EXPECTED: &'static str = "the name of a server's fault";
}
