//! What the server sends under a fault of the network, and the log that proves it.
//!
//! Pure: requests in, responses out. The native page applies the same faults.

mod network;

use crate::spec::fault::ShardFault;

use network::shard_sent;
pub(crate) use network::{Network, ShardSent, TierSent, Traffic};

/// The page that a fault sends.
pub(crate) const HTML: &str = "<!doctype html>\n<html lang=en><title>App</title>\
    <body><div id=root></div><script src=/app.js></script></body></html>\n";

/// What is sent for shard `index` of `count` under a fault.
pub(crate) fn sends(fault: ShardFault, index: usize, count: usize) -> ShardSent {
    let (fault, shard) = fault.fault_and_shard(count);
    let sent = shard_sent(fault, None).filter(|_| index == shard);
    sent.unwrap_or(ShardSent::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_touches_one_shard() {
        use ShardSent::{Html, Short, Status, Whole};
        for (fault, count, sent) in [
            (ShardFault::MissingShard, 1, vec![Status(404)]),
            (ShardFault::MissingShard, 3, vec![Whole, Status(404), Whole]),
            (ShardFault::Truncated, 1, vec![Short]),
            (ShardFault::Truncated, 3, vec![Whole, Whole, Short]),
            (ShardFault::Html, 3, vec![Html, Whole, Whole]),
        ] {
            let found: Vec<_> = (0..count).map(|index| sends(fault, index, count)).collect();
            assert_eq!(found, sent, "{fault:?}");
        }
    }
}
