//! Plans the commands that install what is missing: their order, their user, their time limits.
//!
//! Pure; [`super::perform`] runs the steps and checks again after each.

use std::path::Path;
use std::time::Duration;

use super::check::Finding;
use super::fix::{Fix, fix};
use super::machine::{Machine, Offer, PackageManager, Platform, Privilege};
use super::requirement::{Finder, Part};

/// Everything to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// What only the user can do, and for which parts.
    pub(crate) by_hand: Vec<(String, Vec<&'static str>)>,
}

/// One command.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    /// The program and its arguments, `sudo` included.
    pub(crate) command: Vec<String>,
    /// The time limit: several times what it takes on two cores and a slow network.
    pub(crate) limit: Duration,
    /// The parts that exist afterwards.
    pub(crate) installs: Vec<&'static Part>,
}

/// The kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// `apt-get update`.
    PackageLists,
    /// `apt-get install`.
    Packages,
    /// Anything that doesn't need root.
    User,
}

impl Plan {
    fn leave_to_the_user(&mut self, what: String, part: &Part) {
        match self.by_hand.iter_mut().find(|(known, _)| *known == what) {
            Some((_, names)) => names.push(part.name),
            None => self.by_hand.push((what, vec![part.name])),
        }
    }
}

impl Step {
    /// The line that a user would type.
    pub(crate) fn line(&self) -> String {
        self.command.join(" ")
    }
}

/// Plans how to install what the findings lack. `root` is the folder of the workspace.
pub(crate) fn plan(machine: &dyn Machine, findings: &[Finding], root: &Path) -> Plan {
    let platform = machine.platform();
    let mut plan = Plan::default();
    let (mut packages, mut packaged) = (Vec::new(), Vec::new());
    let mut last = Vec::new();
    for part in findings.iter().flat_map(Finding::missing) {
        match fix(machine, part) {
            Fix::Apt(names) if platform.privilege == Privilege::None => {
                let install = "apt-get install --no-install-recommends";
                plan.leave_to_the_user(
                    format!("as root, run: {install} {}", names.join(" ")),
                    part,
                );
            }
            Fix::Apt(names) => {
                packages.extend(
                    names.into_iter().filter(|name| !packages.contains(name)).collect::<Vec<_>>(),
                );
                packaged.push(part);
            }
            Fix::CargoInstall { name, version } => {
                last.push(cargo_install(machine, name, version, part));
            }
            Fix::WasmToolchain => last.push(wasm_toolchain(root, &[], part)),
            Fix::WasmThreads => last.push(wasm_toolchain(root, &["--threads"], part)),
            Fix::TokenizerVocabularies => match vocabularies(machine, root, part) {
                Some(step) => last.push(step),
                None => {
                    plan.leave_to_the_user("set `TIERPROOF_CACHE` to a folder".to_owned(), part);
                }
            },
            Fix::GateTools => last.push(gate_tools(root, part)),
            Fix::ByHand(what) => plan.leave_to_the_user(what, part),
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
            limit: Duration::from_mins(20),
            installs: packaged,
        });
    }
    plan.steps.extend(last);
    plan
}

/// Another apt may be running: a machine that has just started updates itself.
const LOCK: &str = "DPkg::Lock::Timeout=300";

/// `apt-get update`.
pub(crate) fn package_lists(platform: &Platform) -> Step {
    Step {
        kind: StepKind::PackageLists,
        command: as_root(platform, ["apt-get", "update", "-q"]),
        limit: Duration::from_mins(5),
        installs: Vec::new(),
    }
}

/// `env` comes after `sudo`, which clears the environment.
fn as_root<'a>(platform: &Platform, command: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let sudo = (platform.privilege == Privilege::Sudo).then_some("sudo");
    sudo.into_iter()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive"])
        .chain(command)
        .map(ToOwned::to_owned)
        .collect()
}

fn cargo_install(machine: &dyn Machine, name: &str, version: &str, part: &'static Part) -> Step {
    let mut command: Vec<_> = ["cargo", "install", name, "--locked", "--version", version]
        .into_iter()
        .map(ToOwned::to_owned)
        .collect();
    // Where launches look for it, whatever cargo's own configuration says.
    if let Some(folder) = machine.environment().cargo_home() {
        command.extend(["--root".to_owned(), folder.display().to_string()]);
    }
    Step { kind: StepKind::User, command, limit: Duration::from_mins(20), installs: vec![part] }
}

fn wasm_toolchain(root: &Path, flags: &[&str], part: &'static Part) -> Step {
    let script = root.join("harness/setup/setup-wasm.sh").display().to_string();
    let folder = crate::drive::bundle::wasm_toolchain_folder().display().to_string();
    Step {
        kind: StepKind::User,
        command: ["bash", &script, "--dir", &folder]
            .iter()
            .chain(flags)
            .map(|word| (*word).to_owned())
            .collect(),
        limit: Duration::from_mins(15),
        installs: vec![part],
    }
}

fn gate_tools(root: &Path, part: &'static Part) -> Step {
    let script = root.join("harness/setup/gate-tools.sh").display().to_string();
    Step {
        kind: StepKind::User,
        command: vec!["bash".to_owned(), script],
        limit: Duration::from_mins(10),
        installs: vec![part],
    }
}

/// `None` where there is no folder for them.
fn vocabularies(machine: &dyn Machine, root: &Path, part: &'static Part) -> Option<Step> {
    let Finder::Cached { path } = part.finder else { return None };
    let marker = machine.cache_folder()?.join(path);
    let script = root.join("harness/setup/tokenizer-vocabularies.sh").display().to_string();
    let folder = marker.parent()?.display().to_string();
    Some(Step {
        kind: StepKind::User,
        command: vec!["bash".to_owned(), script, "--dir".to_owned(), folder],
        limit: Duration::from_mins(15),
        installs: vec![part],
    })
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::super::fake::Fake;
    use super::super::requirement::Purpose;
    use super::*;

    /// The plan as lines, without this machine's cache folder.
    fn lines(machine: &Fake, purpose: Purpose) -> String {
        let mut findings = check(machine, &[purpose]);
        findings.retain(|finding| !finding.requirement.optional);
        let plan = plan(machine, &findings, Path::new("/checkout"));
        let folder = crate::drive::bundle::wasm_toolchain_folder().display().to_string();
        let steps = plan.steps.iter().map(|step| step.line().replace(&folder, "CACHE"));
        let by_hand = plan
            .by_hand
            .iter()
            .map(|(what, names)| format!("by hand, {}: {what}", names.join(", ")));
        steps.chain(by_hand).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_bare_debian_as_root() {
        insta::assert_snapshot!(lines(&Fake::debian().without_lists(), Purpose::Test), @r"
        env DEBIAN_FRONTEND=noninteractive apt-get update -q
        env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 gcc libc6-dev chromium chromium-driver firefox-esr webkit2gtk-driver xvfb python3-pip
        bash /checkout/harness/setup/setup-wasm.sh --dir CACHE
        cargo install geckodriver --locked --version 0.37.1 --root /cargo
        bash /checkout/harness/setup/tokenizer-vocabularies.sh --dir /cache/tokenizers/0.3.36
        ");
    }

    #[test]
    fn a_user_goes_through_sudo_and_only_what_is_missing_is_installed() {
        let machine = Fake::debian()
            .user()
            .programs(&["cc", "chromium", "chromedriver", "firefox", "geckodriver"])
            .with_wasm();
        insta::assert_snapshot!(lines(&machine, Purpose::Run), @"sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 webkit2gtk-driver xvfb");
    }

    #[test]
    fn without_root_and_sudo_packages_are_left_to_the_user() {
        let machine = Fake::debian().without_sudo().programs(&["cc", "Xvfb"]).with_wasm();
        insta::assert_snapshot!(lines(&machine, Purpose::Run), @r"
        cargo install geckodriver --locked --version 0.37.1 --root /cargo
        by hand, chromium: as root, run: apt-get install --no-install-recommends chromium
        by hand, chromedriver: as root, run: apt-get install --no-install-recommends chromium-driver
        by hand, firefox: as root, run: apt-get install --no-install-recommends firefox-esr
        by hand, WebKitWebDriver, MiniBrowser: as root, run: apt-get install --no-install-recommends webkit2gtk-driver
        ");
    }

    #[test]
    fn a_package_that_apt_lacks_is_left_to_the_user() {
        // Ubuntu has these as snaps only.
        let machine = Fake::debian()
            .lacks(&["chromium", "chromium-driver", "firefox-esr"])
            .programs(&["cc", "Xvfb", "geckodriver"])
            .with_wasm();
        insta::assert_snapshot!(lines(&machine, Purpose::Run), @r"
        env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 webkit2gtk-driver
        by hand, chromium, chromedriver: install Chrome or Chromium and the chromedriver of the same version (Ubuntu: `sudo snap install chromium`), or name them in `CHROME` and `CHROMEDRIVER`
        by hand, firefox: install Firefox (Ubuntu: `sudo snap install firefox`), or name it in `FIREFOX`
        ");
    }

    #[test]
    fn a_packaged_geckodriver_is_preferred() {
        let machine = Fake::debian()
            .has_package("geckodriver")
            .programs(&["cc", "chromium", "chromedriver", "firefox", "Xvfb", "WebKitWebDriver"])
            .with_wasm();
        insta::assert_snapshot!(lines(&machine, Purpose::Run), @"env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 geckodriver webkit2gtk-driver");
    }

    #[test]
    fn other_systems_get_commands_to_type() {
        insta::assert_snapshot!(lines(&Fake::macos().programs(&["cc"]).with_wasm(), Purpose::Run), @r"
        by hand, chromium: brew install --cask google-chrome
        by hand, chromedriver: brew install --cask chromedriver
        by hand, firefox: brew install --cask firefox
        by hand, geckodriver: brew install geckodriver
        by hand, safaridriver: it is part of macOS; enable it once with `sudo safaridriver --enable`
        ");
        insta::assert_snapshot!(lines(&Fake::fedora().programs(&["cc"]).with_wasm(), Purpose::Run), @r"
        cargo install geckodriver --locked --version 0.37.1 --root /cargo
        by hand, chromium: sudo dnf install chromium
        by hand, chromedriver: sudo dnf install chromedriver
        by hand, firefox: sudo dnf install firefox
        by hand, WebKitWebDriver, MiniBrowser: install your system's build of WebKitGTK with `WebKitWebDriver` and `MiniBrowser`, or name them in `WEBKIT_WEBDRIVER` and `WEBKIT_MINIBROWSER`
        by hand, Xvfb: sudo dnf install xorg-x11-server-Xvfb
        ");
    }

    #[test]
    fn threads_take_one_step_of_their_own() {
        let machine = Fake::debian().with_wasm();
        insta::assert_snapshot!(lines(&machine, Purpose::Threads), @"bash /checkout/harness/setup/setup-wasm.sh --dir CACHE --threads");
        assert_eq!(lines(&machine.with_wasm_threads(), Purpose::Threads), "");
    }

    #[test]
    fn gates_take_packages_first_and_then_the_pinned_tools() {
        let machine = Fake::debian().programs(&["cc"]).with_wasm();
        insta::assert_snapshot!(lines(&machine, Purpose::Gates), @r"
        env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 nodejs npm python3 python3-venv
        bash /checkout/harness/setup/gate-tools.sh
        ");
        let machine = machine.programs(&["npm"]).with_python().with_gate_tools();
        assert_eq!(lines(&machine, Purpose::Gates), "");
    }

    #[test]
    fn nothing_missing_is_nothing_to_do() {
        let machine = Fake::debian().without_lists().with_python();
        assert_eq!(lines(&machine, Purpose::Reference), "");
    }
}
