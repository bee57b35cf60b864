//! Is the machine quiet enough to compare speeds?
//!
//! Looks at the processor time of the whole machine while every engine of ours is idle: whatever
//! is used then is somebody else's, or an engine's that does not rest, and either would blur the
//! figures. The load average is recorded but judges nothing: it still holds what ran minutes ago.

use std::time::Duration;

use sysinfo::System;

/// Cores that may be busy while we are idle. An idle desktop, and idle browsers with a heartbeat a
/// second, stay well below.
pub const QUIET_CORES: f64 = 0.25;
/// How long the machine is looked at before the first series.
pub const LONG_LOOK: Duration = Duration::from_secs(2);
/// How long it is looked at before each round.
pub const SHORT_LOOK: Duration = Duration::from_millis(400);
/// How long a machine that is not quiet is waited for before a round.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The machine is not quiet, and that was not allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the machine is busy: expected at most {QUIET_CORES} cores in use while the engines are idle, \
     found {found:.2} (load average {load:.2})\n  \
     (hint: end what else runs, or pass `--allow-busy` and don't trust the figures)"
)]
pub struct Busy {
    /// Cores in use.
    pub found: f64,
    /// Load average over a minute.
    pub load: f64,
}

/// Judges a look at the machine.
pub fn judge(busy_cores: f64, is_allowed: bool) -> Result<(), Busy> {
    if busy_cores <= QUIET_CORES || is_allowed {
        Ok(())
    } else {
        Err(Busy { found: busy_cores, load: load_average() })
    }
}

/// Cores that are busy over a while, by the whole machine.
pub async fn look(over: Duration) -> f64 {
    let Ok(mut system) = System::new() else { return 0.0 };
    system.refresh_cpu_usage();
    tokio::time::sleep(over.max(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL)).await;
    system.refresh_cpu_usage();
    f64::from(system.global_cpu_usage()) / 100.0 * system.cpus().len() as f64
}

/// Runnable processes, on average over the last minute; 0 where the system does not tell.
pub fn load_average() -> f64 {
    System::load_average().map_or(0.0, |load| load.one)
}

/// Looks until the machine is quiet, or patience ends; the last look.
pub async fn wait_for_quiet(is_allowed: bool) -> f64 {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let busy_cores = look(SHORT_LOOK).await;
        if busy_cores <= QUIET_CORES || is_allowed || tokio::time::Instant::now() >= deadline {
            return busy_cores;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_refused_unless_allowed() {
        assert_eq!(judge(0.0, false), Ok(()));
        assert_eq!(judge(QUIET_CORES, false), Ok(()));
        assert_eq!(judge(1.5, true), Ok(()));
        let message = judge(1.5, false).unwrap_err().to_string();
        assert!(message.contains("at most 0.25 cores"), "{message}");
        assert!(message.contains("found 1.50"), "{message}");
        assert!(message.contains("--allow-busy"), "{message}");
    }
}
