//! What goes wrong with a model on its way to a page.

use serde::{Deserialize, Serialize};

/// A fault of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerFault {
    /// The second shard, or the only one, is not there: an upload that was forgotten.
    MissingShard,
    /// Half of the last shard comes, and the connection says that it is all: an upload that broke
    /// off.
    Truncated,
    /// A web page comes in place of the first shard, with status 200: a server with a catch-all
    /// for its single-page application.
    Html,
}

impl ServerFault {
    /// Every fault.
    pub const ALL: [Self; 3] = [Self::MissingShard, Self::Truncated, Self::Html];

    /// The name as it stands in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingShard => "missing-shard",
            Self::Truncated => "truncated",
            Self::Html => "html",
        }
    }
}
