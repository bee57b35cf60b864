//! A browser's GPU process, among the descendants of its driver.

use std::collections::BTreeMap;

use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use crate::cell::BrowserName;

/// The GPU process below a supervisor; `None` where the browser has none, or not at the moment.
pub(super) fn find(browser: BrowserName, supervisor: u32) -> Option<u32> {
    let mut system = System::new().ok()?;
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let processes: BTreeMap<u32, (u32, &sysinfo::Process)> = system
        .processes()
        .iter()
        .filter(|(_, process)| process.thread_kind().is_none())
        .filter(|(_, process)| process.status() != ProcessStatus::Zombie)
        .filter_map(|(pid, process)| Some((pid.as_u32(), (process.parent()?.as_u32(), process))))
        .collect();
    let is_below = |mut pid: u32| {
        // No chain of parents is longer than there are processes.
        for _ in 0..processes.len() {
            match processes.get(&pid) {
                Some((parent, _)) if *parent == supervisor => return true,
                Some((parent, _)) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    processes
        .iter()
        .filter(|(_, (_, process))| {
            is_gpu(browser, process.cmd().iter().map(|word| word.to_string_lossy()))
        })
        .map(|(pid, _)| *pid)
        .find(|pid| is_below(*pid))
}

/// By the words of a command line.
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
