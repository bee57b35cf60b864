//! The phases of a recovery.

use std::fmt::Write;

use inference_wasm::client::machine::{State, Transition};
use serde::Serialize;

use crate::bench::statistics::Estimate;

/// One recovery, in milliseconds; its phases have no gaps between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lap {
    /// From the crash until the client notices it.
    pub detect_ms: f64,
    /// Until it has a device: a fresh worker, the module in it, an adapter, a device.
    pub device_ms: f64,
    /// Until the result of the first dispatch is compared with the reference.
    pub probe_ms: f64,
    /// Until the stored weights are hashed.
    pub storage_ms: f64,
    /// Until the model is on the device.
    pub upload_ms: f64,
    /// Until the first token that the user had not seen; the prompt and the seen tokens run again.
    pub replay_ms: f64,
}

impl Lap {
    /// From the transitions after a crash at `crashed_ms` and the time of the first new token, all on
    /// the page's clock. `None` if nothing was recovered. Failed attempts to get a device count as
    /// the device phase.
    pub fn of(crashed_ms: f64, transitions: &[Transition], token_ms: f64) -> Option<Self> {
        let entered = |state: State| {
            let mut entries = transitions.iter().filter(|transition| transition.to == state);
            entries.next_back().map(|transition| transition.at_ms as f64)
        };
        let mut losses = transitions.iter().filter(|transition| transition.to == State::Recover);
        let noticed = losses.next()?.at_ms as f64;
        let (probe, cache, load) =
            (entered(State::Probe)?, entered(State::Cache)?, entered(State::Load)?);
        let running = entered(State::Running)?;
        Some(Self {
            // `noticed` is rounded to milliseconds, `crashed_ms` is not.
            detect_ms: (noticed - crashed_ms).max(0.0),
            device_ms: probe - noticed,
            probe_ms: cache - probe,
            storage_ms: load - cache,
            upload_ms: running - load,
            replay_ms: token_ms - running,
        })
    }

    /// From the crash to the new token.
    pub fn total_ms(&self) -> f64 {
        self.phases().iter().map(|(_, ms)| ms).sum()
    }

    /// The phases in order, by name.
    pub fn phases(&self) -> [(&'static str, f64); 6] {
        [
            ("detect", self.detect_ms),
            ("device", self.device_ms),
            ("probe", self.probe_ms),
            ("storage", self.storage_ms),
            ("upload", self.upload_ms),
            ("replay", self.replay_ms),
        ]
    }
}

/// Medians of the phases with their intervals.
pub fn table(title: &str, laps: &[Lap]) -> String {
    let mut text = format!("{title}: {} recoveries\n", laps.len());
    let phases = laps.first().map(Lap::phases).unwrap_or_default();
    let rows = phases.iter().enumerate().map(|(index, (name, _))| {
        let of = |lap: &Lap| lap.phases().get(index).map_or(0.0, |(_, ms)| *ms);
        (*name, laps.iter().map(of).collect::<Vec<_>>())
    });
    let total = ("all", laps.iter().map(Lap::total_ms).collect());
    for (name, times) in rows.chain([total]) {
        let Some(estimate) = Estimate::of(&times) else { continue };
        let interval = estimate.interval.map_or(String::new(), |interval| {
            format!("  [{:.0}, {:.0}]", interval.low, interval.high)
        });
        writeln!(text, "  {name:<8} {:>7.0} ms{interval}", estimate.median).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use inference_wasm::client::machine::Reason;
    use inference_wasm::client::tier::Tier;

    use super::*;

    fn transitions(states: &[(State, u64)]) -> Vec<Transition> {
        let transition = |(to, at_ms): &(State, u64)| Transition {
            at_ms: *at_ms,
            from: State::Running,
            to: *to,
            tier: Tier::Webgpu,
            generation: 2,
            reason: Reason::DeviceLost,
        };
        states.iter().map(transition).collect()
    }

    const WAY: [(State, u64); 7] = [
        (State::Recover, 130),
        (State::Device, 130),
        (State::Probe, 700),
        (State::Cache, 800),
        (State::Load, 820),
        (State::Ready, 1500),
        (State::Running, 1500),
    ];

    #[test]
    #[expect(clippy::float_cmp, reason = "sums of whole and half numbers")]
    fn phases_follow_each_other_without_a_gap() {
        let lap = Lap::of(100.0, &transitions(&WAY), 1650.5).unwrap();
        let times: Vec<_> = lap.phases().iter().map(|(_, ms)| *ms).collect();
        assert_eq!(times, [30.0, 570.0, 100.0, 20.0, 680.0, 150.5]);
        assert_eq!(lap.total_ms(), 1550.5);
    }

    #[test]
    fn attempts_without_a_device_count_for_the_device() {
        let first = [(State::Recover, 110), (State::Device, 110), (State::Probe, 120)];
        let lap = Lap::of(100.0, &transitions(&[&first[..], &WAY[..]].concat()), 1650.0).unwrap();
        assert_eq!((lap.detect_ms, lap.device_ms, lap.probe_ms), (10.0, 590.0, 100.0));
    }

    #[test]
    fn a_step_without_recovery_gives_no_lap() {
        assert_eq!(Lap::of(100.0, &transitions(&WAY[..5]), 1650.0), None);
        assert_eq!(Lap::of(100.0, &transitions(&WAY[1..]), 1650.0), None);
    }

    #[test]
    fn the_table_has_every_phase_and_their_sum() {
        let lap = Lap::of(100.0, &transitions(&WAY), 1650.0).unwrap();
        insta::assert_snapshot!(table("chrome/webgpu", &[lap; 6]), @r"
        chrome/webgpu: 6 recoveries
          detect        30 ms  [30, 30]
          device       570 ms  [570, 570]
          probe        100 ms  [100, 100]
          storage       20 ms  [20, 20]
          upload       680 ms  [680, 680]
          replay       150 ms  [150, 150]
          all         1550 ms  [1550, 1550]
        ");
    }
}
