//! What can go wrong with a model on its way to a page, as users meet it.
//!
//! Pure: which shard is touched, and what becomes of it. The native page applies the same faults.

mod network;

use crate::spec::fault::ServerFault;

pub(crate) use network::{Network, ShardSent, TierSent, Traffic};

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

/// What becomes of shard `index` of `count` under a fault.
pub(crate) fn sends(fault: ServerFault, index: usize, count: usize) -> Sent {
    let (touched, sent) = match fault {
        ServerFault::MissingShard => (1.min(count.saturating_sub(1)), Sent::NotFound),
        ServerFault::Truncated => (count.saturating_sub(1), Sent::Half),
        ServerFault::Html => (0, Sent::Html),
    };
    if index == touched { sent } else { Sent::Whole }
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
            let found: Vec<_> = (0..count).map(|index| sends(fault, index, count)).collect();
            assert_eq!(found, sent, "{fault:?}");
        }
    }
}
