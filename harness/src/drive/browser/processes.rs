//! A browser's processes: the descendants of its driver's supervisor.

use std::collections::BTreeMap;

use sysinfo::{
    Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind,
};

use crate::spec::cell::BrowserName;

/// The GPU process below a supervisor; `None` where the browser has none, or not at the moment.
pub(super) fn gpu(browser: BrowserName, supervisor: u32) -> Option<u32> {
    let system = look(ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always))?;
    below(&system, supervisor)
        .find(|(_, process)| {
            is_gpu(browser, process.cmd().iter().map(|word| word.to_string_lossy()))
        })
        .map(|(pid, _)| pid.as_u32())
}

/// Bytes in memory of all processes below a supervisor; shared memory counts for each.
pub(super) fn memory_bytes(supervisor: u32) -> Option<u64> {
    let system = look(ProcessRefreshKind::nothing().with_memory())?;
    Some(below(&system, supervisor).map(|(_, process)| process.memory()).sum())
}

fn look(kind: ProcessRefreshKind) -> Option<System> {
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind.without_tasks());
    Some(system)
}

/// Those that live.
fn below(system: &System, supervisor: u32) -> impl Iterator<Item = (Pid, &Process)> {
    let lives = |process: &Process| {
        process.thread_kind().is_none() && process.status() != ProcessStatus::Zombie
    };
    let processes: BTreeMap<Pid, &Process> = system
        .processes()
        .iter()
        .filter(|(_, process)| lives(process))
        .map(|(pid, process)| (*pid, process))
        .collect();
    let parents: BTreeMap<Pid, Pid> =
        processes.iter().filter_map(|(pid, process)| Some((*pid, process.parent()?))).collect();
    let is_below = move |mut pid: Pid| {
        // No chain of parents is longer than there are processes.
        for _ in 0..parents.len() {
            match parents.get(&pid) {
                Some(parent) if parent.as_u32() == supervisor => return true,
                Some(parent) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    processes.into_iter().filter(move |(pid, _)| is_below(*pid))
}

/// Recognises a process by its command line.
fn is_gpu<T: AsRef<str>>(browser: BrowserName, words: impl Iterator<Item = T>) -> bool {
    let words: Vec<T> = words.collect();
    let has = |word: &str| words.iter().any(|found| found.as_ref() == word);
    match browser {
        // Chromium writes its arguments in one, with blanks, once a process has renamed itself.
        BrowserName::Chrome => {
            words.iter().any(|found| found.as_ref().contains("--type=gpu-process"))
        }
        BrowserName::Firefox => has("-contentproc") && has("gpu"),
        BrowserName::Webkit | BrowserName::Safari | BrowserName::Native => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_process_is_known_by_its_command_line() {
        for (browser, line, is) in [
            (BrowserName::Chrome, "/usr/lib/chromium/chromium --type=gpu-process --headless", true),
            (BrowserName::Chrome, "/usr/lib/chromium/chromium --type=renderer", false),
            (BrowserName::Firefox, "firefox -contentproc -parentBuildID 1 {a} 12 gpu", true),
            (BrowserName::Firefox, "firefox -contentproc -parentBuildID 1 {a} 12 tab", false),
            (BrowserName::Webkit, "WebKitWebProcess gpu", false),
        ] {
            assert_eq!(is_gpu(browser, line.split(' ')), is, "{line}");
        }
    }
}
