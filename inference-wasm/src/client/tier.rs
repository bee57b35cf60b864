//! The tier of a device, by its capabilities.
//!
//! This module owns the thresholds of [`DeviceTier`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::GpuClass;
use crate::protocol::client::{Capabilities, Form};
pub use crate::protocol::client::{DeviceTier, Tier};

/// A limit that keeps a device from a higher tier.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Ceiling {
    /// Neither WebGPU nor WebGL2 with float targets runs on hardware.
    NoHardwareGpu,
    /// No WebGPU on hardware: WebGL2 lacks shared memory, and its readback is slow.
    NoWebgpu,
    /// The GPU's name; a masked one counts as mid.
    GpuClass,
    /// `maxStorageBufferBindingSize` and `maxBufferSize`.
    BufferLimits,
    /// The reported memory.
    Memory,
    /// The reported number of processor cores.
    Cores,
    /// The form: a phone throttles, and its system kills large pages.
    Phone,
}

/// A device's tier and the limits that set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Classification {
    /// The tier.
    pub tier: DeviceTier,
    /// What keeps it from a higher tier; empty for the highest.
    pub held_by: Vec<Ceiling>,
}

const MIB: f64 = 1024.0 * 1024.0;

/// Classifies a device: its tier is the lowest of all ceilings that apply.
///
/// | ceiling | flagship | mid | low |
/// |---|---|---|---|
/// | GPU's name | high | mid, or masked | integrated, small phone GPUs |
/// | largest storage buffer | ≥ 1 GiB | ≥ 128 MiB | below |
/// | memory, if reported | ≥ 8 GiB | ≥ 4 GiB | below |
/// | cores, if reported | ≥ 8 | ≥ 4 | below |
/// | form | tablet, desktop | phone | |
/// | API | WebGPU | WebGL2 | |
pub fn classify(capabilities: &Capabilities) -> Classification {
    let ceilings = ceilings(capabilities);
    let tier = ceilings.iter().map(|(_, tier)| *tier).min().unwrap_or(DeviceTier::Flagship);
    let mut held_by: Vec<Ceiling> =
        ceilings.into_iter().filter(|(_, ceiling)| *ceiling == tier).map(|(why, _)| why).collect();
    if tier == DeviceTier::Flagship {
        held_by.clear();
    }
    Classification { tier, held_by }
}

fn ceilings(capabilities: &Capabilities) -> Vec<(Ceiling, DeviceTier)> {
    let class = capabilities.gpu_class();
    let has_webgpu = capabilities.hardware_adapter().is_some();
    let has_webgl =
        capabilities.has_float_webgl2() && class.is_some_and(|class| class > GpuClass::Software);
    if !has_webgpu && !has_webgl {
        return vec![(Ceiling::NoHardwareGpu, DeviceTier::NoGpu)];
    }
    let mut ceilings = vec![(
        Ceiling::GpuClass,
        match class {
            Some(GpuClass::High) => DeviceTier::Flagship,
            Some(GpuClass::Mid | GpuClass::Unknown) => DeviceTier::Mid,
            Some(GpuClass::Low | GpuClass::Software) | None => DeviceTier::Low,
        },
    )];
    if has_webgpu {
        let buffer = capabilities
            .limit("maxStorageBufferBindingSize")
            .into_iter()
            .chain(capabilities.limit("maxBufferSize"))
            .reduce(f64::min);
        if let Some(bytes) = buffer {
            ceilings.push((Ceiling::BufferLimits, by(bytes, 128.0 * MIB, 1024.0 * MIB)));
        }
    } else {
        ceilings.push((Ceiling::NoWebgpu, DeviceTier::Mid));
    }
    if let Some(gib) = capabilities.report.device_memory_gib.filter(|gib| *gib > 0.0) {
        ceilings.push((Ceiling::Memory, by(gib, 4.0, 8.0)));
    }
    if let Some(cores) = capabilities.report.hardware_concurrency.filter(|cores| *cores > 0) {
        ceilings.push((Ceiling::Cores, by(f64::from(cores), 4.0, 8.0)));
    }
    if capabilities.form() == Form::Phone {
        ceilings.push((Ceiling::Phone, DeviceTier::Mid));
    }
    ceilings
}

/// The tier that a measure allows, by the minimum for mid and the minimum for flagship.
fn by(measure: f64, mid: f64, flagship: f64) -> DeviceTier {
    if measure >= flagship {
        DeviceTier::Flagship
    } else if measure >= mid {
        DeviceTier::Mid
    } else {
        DeviceTier::Low
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A device of the corpus, with its expected tier and form.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Device {
        name: String,
        tier: DeviceTier,
        form: Form,
        #[serde(rename = "because")]
        _because: String,
        capabilities: Capabilities,
    }

    fn corpus() -> Vec<Device> {
        serde_json::from_str(include_str!("../../../fixtures/devices/devices.json")).unwrap()
    }

    #[test]
    fn every_device_of_the_corpus_gets_its_tier() {
        let devices = corpus();
        assert!(devices.len() >= 40, "{} devices", devices.len());
        let wrong: Vec<String> = devices
            .iter()
            .filter_map(|device| {
                let found = classify(&device.capabilities);
                let form = device.capabilities.form();
                (found.tier != device.tier || form != device.form).then(|| {
                    format!(
                        "{}: expected {:?} {:?}, found {found:?} {form:?}",
                        device.name, device.tier, device.form
                    )
                })
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_corpus_covers_every_tier_and_form_and_has_unique_names() {
        let devices = corpus();
        for tier in [DeviceTier::NoGpu, DeviceTier::Low, DeviceTier::Mid, DeviceTier::Flagship] {
            assert!(devices.iter().filter(|device| device.tier == tier).count() >= 4, "{tier:?}");
        }
        for form in [Form::Phone, Form::Tablet, Form::Desktop] {
            assert!(devices.iter().any(|device| device.form == form), "{form:?}");
        }
        let names: std::collections::BTreeSet<&str> =
            devices.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(names.len(), devices.len());
    }

    #[test]
    fn the_chain_ends_at_the_server() {
        let mut tier = Tier::Webgpu;
        let mut chain = vec![tier];
        while let Some(next) = tier.next() {
            tier = next;
            chain.push(tier);
        }
        assert_eq!(chain, Tier::CHAIN);
    }
}
