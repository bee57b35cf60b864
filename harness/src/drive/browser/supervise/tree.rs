//! Finding and ending every descendant of a process.
//!
//! On Linux the supervisor is a subreaper: whatever loses its parent becomes its child, so the
//! walk over parents reaches all, and none is left when there is no child left to wait for.
//! Elsewhere an orphan goes to the system's first process; it is still known if it was seen once
//! before, which is why the supervisor looks every second.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// Time for a process to end itself after SIGTERM. Browsers write their profiles then, and ours
/// are thrown away, so it is short.
const GRACE: Duration = Duration::from_millis(700);

/// When even SIGKILL has not worked (a process stuck in the kernel), we give up.
const LIMIT: Duration = Duration::from_secs(10);

/// The descendants of one process.
pub(super) struct Tree {
    root: u32,
    system: System,
    /// Descendants seen so far, with their start time, since ids are used again.
    seen: BTreeMap<u32, u64>,
}

impl Tree {
    pub(super) fn of(root: u32) -> std::io::Result<Self> {
        let system = System::new().map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { root, system, seen: BTreeMap::new() })
    }

    /// Descendants that are alive now.
    pub(super) fn living(&mut self) -> BTreeSet<u32> {
        let kind = ProcessRefreshKind::nothing().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        let processes: BTreeMap<u32, &sysinfo::Process> = self
            .system
            .processes()
            .iter()
            .filter(|(_, process)| process.thread_kind().is_none())
            .map(|(pid, process)| (pid.as_u32(), process))
            .collect();
        let parents: Vec<(u32, u32)> = processes
            .iter()
            .filter_map(|(pid, process)| Some((*pid, process.parent()?.as_u32())))
            .collect();
        let roots = self
            .seen
            .iter()
            .filter(|(pid, start)| {
                processes.get(pid).is_some_and(|process| process.start_time() == **start)
            })
            .map(|(pid, _)| *pid)
            .chain([self.root])
            .collect();
        let family = family(roots, &parents);
        let living = family.into_iter().filter(|pid| *pid != self.root);
        let living = living.filter_map(|pid| Some((pid, processes.get(&pid)?)));
        let living = living.filter(|(_, process)| process.status() != ProcessStatus::Zombie);
        self.seen = living.map(|(pid, process)| (pid, process.start_time())).collect();
        self.seen.keys().copied().collect()
    }

    /// Ends all descendants: asks, waits a moment, kills, until none is left and `reap`, which
    /// collects the dead, says that there is no child either. False when some are still there at
    /// the end.
    pub(super) async fn end(&mut self, mut reap: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        let mut asked = BTreeSet::new();
        while start.elapsed() < LIMIT {
            let living = self.living();
            for pid in &living {
                if start.elapsed() >= GRACE {
                    send(*pid, Signal::SIGKILL);
                } else if asked.insert(*pid) {
                    send(*pid, Signal::SIGTERM);
                }
            }
            let is_childless = reap();
            if living.is_empty() && is_childless {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        false
    }
}

fn send(pid: u32, signal: Signal) {
    // Gone in the meantime, or a stranger's by now: nothing to do either way.
    let _ = kill(Pid::from_raw(pid as i32), signal);
}

/// The roots and all that descends from them, by pairs of process and parent.
fn family(roots: BTreeSet<u32>, parents: &[(u32, u32)]) -> BTreeSet<u32> {
    let mut family = roots;
    loop {
        let before = family.len();
        for (pid, parent) in parents {
            if family.contains(parent) {
                family.insert(*pid);
            }
        }
        if family.len() == before {
            return family;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_whole_in_any_order_of_processes() {
        let parents = [(9, 8), (8, 5), (5, 2), (3, 2), (7, 6), (2, 1), (1, 0)];
        assert_eq!(family([2].into(), &parents), [2, 3, 5, 8, 9].into());
        assert_eq!(family([9].into(), &parents), [9].into());
        assert_eq!(family([6, 3].into(), &parents), [3, 6, 7].into());
    }
}
