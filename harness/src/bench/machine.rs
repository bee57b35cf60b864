//! The machine, for a record.

use sysinfo::System;

use super::quiet::load_average;
use super::record::Machine;

/// The machine, with the cores that were busy before the first series.
pub fn machine(busy_cores: f64, was_busy: bool) -> Result<Machine, sysinfo::Error> {
    let mut system = System::new()?;
    system.refresh_cpu_usage();
    system.refresh_memory();
    let cpu = system.cpus().first().map_or("unknown", |cpu| cpu.brand().trim()).to_owned();
    Ok(Machine {
        cpu,
        cores: system.cpus().len() as u32,
        memory_bytes: system.total_memory(),
        system: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
        load_average: load_average(),
        busy_cores,
        was_busy,
    })
}
