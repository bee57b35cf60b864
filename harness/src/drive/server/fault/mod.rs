//! What can go wrong with a model on its way to a page, as users meet it.
//!
//! Pure: which shard is touched, and what becomes of it. The native page applies the same faults.

mod network;

use serde::{Deserialize, Serialize};

pub(crate) use network::{Network, ShardSent, TierSent, Traffic};

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

/// What is sent in place of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The shard.
    Whole,
    /// Status 404.
    NotFound,
    /// Its first half.
    Half,
    /// [`HTML`].
    Html,
}

/// The page that a fault sends.
pub(crate) const HTML: &str = "<!doctype html>\n<html lang=en><title>App</title>\
    <body><div id=root></div><script src=/app.js></script></body></html>\n";

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

    /// What becomes of shard `index` of `count`.
    pub(crate) fn sends(self, index: usize, count: usize) -> Sent {
        let (touched, sent) = match self {
            Self::MissingShard => (1.min(count.saturating_sub(1)), Sent::NotFound),
            Self::Truncated => (count.saturating_sub(1), Sent::Half),
            Self::Html => (0, Sent::Html),
        };
        if index == touched { sent } else { Sent::Whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_touches_one_shard() {
        use Sent::{Half, Html, NotFound, Whole};
        for (fault, count, sent) in [
            (ServerFault::MissingShard, 1, vec![NotFound]),
            (ServerFault::MissingShard, 3, vec![Whole, NotFound, Whole]),
            (ServerFault::Truncated, 1, vec![Half]),
            (ServerFault::Truncated, 3, vec![Whole, Whole, Half]),
            (ServerFault::Html, 3, vec![Html, Whole, Whole]),
        ] {
            let found: Vec<_> = (0..count).map(|index| fault.sends(index, count)).collect();
            assert_eq!(found, sent, "{fault:?}");
        }
    }
}
