//! Is the machine quiet enough to compare speeds?
//!
//! Measures the processor time of the whole machine while every engine is idle. Any use then comes
//! from another program, or from an engine that is not idle, and would distort the figures. The load
//! average is recorded but decides nothing, because it covers the last minutes.

use std::time::Duration;

use sysinfo::System;

/// Cores that may be busy while engines are idle. An idle desktop and idle browsers with a heartbeat
/// a second stay well below.
pub const QUIET_CORES: f64 = 0.25;
/// Length of the measurement before the first series.
pub const LONG_LOOK: Duration = Duration::from_secs(2);
/// Length of the measurement before each round.
pub const SHORT_LOOK: Duration = Duration::from_millis(400);
/// The longest wait for a quiet machine before a round.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The machine is busy, which was not allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the machine is busy: expected at most {QUIET_CORES} cores in use while the engines are idle, \
     found {found:.2} (load average {load:.2})\n  \
     (hint: end other programs, or pass `--allow-busy` and don't trust the figures)"
)]
pub struct Busy {
    /// Cores in use.
    pub found: f64,
    /// Load average over a minute.
    pub load: f64,
}

/// Checks a measurement of the machine.
pub fn check(busy_cores: f64, is_allowed: bool) -> Result<(), Busy> {
    if busy_cores <= QUIET_CORES || is_allowed {
        Ok(())
    } else {
        Err(Busy { found: busy_cores, load: load_average() })
    }
}

/// Cores that the whole machine uses, averaged over a time.
pub async fn busy_cores(over: Duration) -> f64 {
    let Ok(mut system) = System::new() else { return 0.0 };
    system.refresh_cpu_usage();
    tokio::time::sleep(over.max(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL)).await;
    system.refresh_cpu_usage();
    f64::from(system.global_cpu_usage()) / 100.0 * system.cpus().len() as f64
}

/// Runnable processes, on average over the last minute; 0 if the system does not report it.
pub fn load_average() -> f64 {
    System::load_average().map_or(0.0, |load| load.one)
}

/// Measures until the machine is quiet or patience ends; returns the last measurement.
pub async fn wait(is_allowed: bool) -> f64 {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let busy_cores = busy_cores(SHORT_LOOK).await;
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
        assert_eq!(check(0.0, false), Ok(()));
        assert_eq!(check(QUIET_CORES, false), Ok(()));
        assert_eq!(check(1.5, true), Ok(()));
        let message = check(1.5, false).unwrap_err().to_string();
        assert!(message.contains("at most 0.25 cores"), "{message}");
        assert!(message.contains("found 1.50"), "{message}");
        assert!(message.contains("--allow-busy"), "{message}");
    }
}
