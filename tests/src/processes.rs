//! Looking at processes from outside.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// A living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub pid: u32,
    /// The id of its parent.
    pub parent: Option<u32>,
    /// Its command line.
    pub command: String,
}

/// Every living process.
///
/// # Panics
/// If the system does not list them.
pub fn living() -> Vec<Found> {
    let mut system = System::new().expect("processes can be listed");
    let kind = ProcessRefreshKind::nothing().without_tasks().with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let processes = system.processes().iter();
    let processes = processes.filter(|(_, process)| {
        process.thread_kind().is_none() && process.status() != ProcessStatus::Zombie
    });
    let found = processes.map(|(pid, process)| Found {
        pid: pid.as_u32(),
        parent: process.parent().map(sysinfo::Pid::as_u32),
        command: process
            .cmd()
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" "),
    });
    found.collect()
}

/// All that descend from a process.
pub fn descendants(root: u32) -> Vec<Found> {
    let all = living();
    let mut family = BTreeSet::from([root]);
    loop {
        let before = family.len();
        for found in &all {
            if found.parent.is_some_and(|parent| family.contains(&parent)) {
                family.insert(found.pid);
            }
        }
        if family.len() == before {
            break;
        }
    }
    family.remove(&root);
    all.into_iter().filter(|found| family.contains(&found.pid)).collect()
}

/// Those of them that still live, by id and command line, since ids are given out again.
pub fn survivors(family: &[Found]) -> Vec<Found> {
    let living = living();
    let is_alive = |old: &&Found| {
        living.iter().any(|found| found.pid == old.pid && found.command == old.command)
    };
    family.iter().filter(is_alive).cloned().collect()
}

/// Waits until something holds; the limit is generous, since a loaded machine is not a defect.
///
/// # Panics
/// If it never holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
