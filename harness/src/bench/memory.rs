//! Resident memory of a process tree, a figure that every engine has.

use std::collections::BTreeMap;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// Resident bytes of a process and all of its descendants. Pages that two of them share are
/// counted twice.
pub(super) fn resident_bytes(root: u32, with_descendants: bool) -> u64 {
    let Ok(mut system) = System::new() else { return 0 };
    let kind = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let processes: BTreeMap<u32, (Option<u32>, u64)> = system
        .processes()
        .iter()
        .filter(|(_, process)| process.thread_kind().is_none())
        .map(|(id, process)| {
            (id.as_u32(), (process.parent().map(sysinfo::Pid::as_u32), process.memory()))
        })
        .collect();
    if with_descendants {
        sum(root, &processes)
    } else {
        processes.get(&root).map_or(0, |(_, bytes)| *bytes)
    }
}

/// The sum over a root and its descendants; a process is its id, its parent and its bytes.
fn sum(root: u32, processes: &BTreeMap<u32, (Option<u32>, u64)>) -> u64 {
    let belongs = |id: u32| {
        let mut at = Some(id);
        // A chain of parents is never longer than the number of processes, unless ids were reused.
        for _ in 0..=processes.len() {
            match at {
                Some(id) if id == root => return true,
                Some(id) => at = processes.get(&id).and_then(|(parent, _)| *parent),
                None => return false,
            }
        }
        false
    };
    processes.iter().filter(|(id, _)| belongs(**id)).map(|(_, (_, bytes))| bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_has_all_branches_of_a_tree() {
        let processes = BTreeMap::from([
            (1, (None, 1)),
            (2, (Some(1), 10)),
            (3, (Some(2), 100)),
            (4, (Some(3), 1000)),
            (5, (Some(1), 10_000)),
            // A circle, which reused ids can make.
            (6, (Some(7), 1)),
            (7, (Some(6), 1)),
        ]);
        assert_eq!(sum(2, &processes), 1110);
        assert_eq!(sum(1, &processes), 11_111);
        assert_eq!(sum(9, &processes), 0);
    }
}
