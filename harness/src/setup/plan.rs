//! From what is missing to steps: which commands, in which order, as whom, for how long.
//!
//! Pure; [`super::perform`] runs the steps and looks again after each.

use std::path::Path;
use std::time::Duration;

use super::check::Finding;
use super::machine::{Machine, Offer, PackageManager, Platform, Privilege};
use super::mend::{Mend, mend};
use super::requirement::Part;

/// What is to be done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// What only a person can do: part and sentence.
    pub(crate) by_hand: Vec<(&'static str, String)>,
}

/// One command.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    /// The program and its arguments, `sudo` included.
    pub(crate) command: Vec<String>,
    /// How long it may take: several times what it takes on two cores and a slow network.
    pub(crate) limit: Duration,
    /// The parts that are there afterwards.
    pub(crate) mends: Vec<&'static Part>,
}

/// What a step is, for what comes before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// `apt-get update`.
    PackageLists,
    /// `apt-get install`.
    Packages,
    /// Anything that needs no root.
    User,
}

impl Step {
    /// The line that a person would type.
    pub(crate) fn line(&self) -> String {
        self.command.join(" ")
    }
}

/// Plans what the findings lack. `root` is the folder of the workspace.
pub(crate) fn plan(machine: &dyn Machine, findings: &[Finding], root: &Path) -> Plan {
    let platform = machine.platform();
    let mut plan = Plan::default();
    let (mut packages, mut packaged) = (Vec::new(), Vec::new());
    let mut last = Vec::new();
    for part in findings.iter().flat_map(Finding::missing) {
        match mend(machine, part) {
            Mend::Apt(_) if platform.privilege == Privilege::None => {
                let what = mend(machine, part).describe(platform);
                plan.by_hand
                    .push((part.name, format!("as root, run: {}", what.replace("sudo ", ""))));
            }
            Mend::Apt(names) => {
                packages.extend(
                    names.into_iter().filter(|name| !packages.contains(name)).collect::<Vec<_>>(),
                );
                packaged.push(part);
            }
            Mend::CargoInstall { name, version } => {
                last.push(cargo_install(platform, name, version, part));
            }
            Mend::WasmToolchain => last.push(wasm_toolchain(root, part)),
            Mend::ByHand(what) => plan.by_hand.push((part.name, what)),
        }
    }
    let wants_lists = platform.packages == Some(PackageManager::Apt)
        && platform.privilege != Privilege::None
        && packages.iter().any(|package| machine.offer(package) == Offer::NoLists);
    if wants_lists {
        plan.steps.push(package_lists(platform));
    }
    if !packages.is_empty() {
        plan.steps.push(Step {
            kind: StepKind::Packages,
            command: as_root(
                platform,
                ["apt-get", "install", "-y", "--no-install-recommends", "-o", LOCK]
                    .into_iter()
                    .chain(packages),
            ),
            limit: Duration::from_secs(20 * 60),
            mends: packaged,
        });
    }
    plan.steps.extend(last);
    plan
}

/// Another apt may be at work: a machine that just started updates itself.
const LOCK: &str = "DPkg::Lock::Timeout=300";

/// `apt-get update`.
pub(crate) fn package_lists(platform: &Platform) -> Step {
    Step {
        kind: StepKind::PackageLists,
        command: as_root(platform, ["apt-get", "update", "-q"]),
        limit: Duration::from_secs(5 * 60),
        mends: Vec::new(),
    }
}

/// `env` comes after `sudo`, for sudo clears the environment.
fn as_root<'a>(platform: &Platform, command: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let sudo = (platform.privilege == Privilege::Sudo).then_some("sudo");
    sudo.into_iter()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive"])
        .chain(command)
        .map(ToOwned::to_owned)
        .collect()
}

fn cargo_install(platform: &Platform, name: &str, version: &str, part: &'static Part) -> Step {
    let mut command: Vec<_> = ["cargo", "install", name, "--locked", "--version", version]
        .into_iter()
        .map(ToOwned::to_owned)
        .collect();
    // Where the table looks for it, whatever cargo's own configuration says.
    command.extend(["--root".to_owned(), platform.cargo_home.display().to_string()]);
    Step { kind: StepKind::User, command, limit: Duration::from_secs(20 * 60), mends: vec![part] }
}

fn wasm_toolchain(root: &Path, part: &'static Part) -> Step {
    let script = root.join("harness/setup/setup-wasm.sh").display().to_string();
    let folder = super::machine::wasm_toolchain_folder().display().to_string();
    Step {
        kind: StepKind::User,
        command: vec!["bash".to_owned(), script, "--dir".to_owned(), folder],
        limit: Duration::from_secs(15 * 60),
        mends: vec![part],
    }
}
