//! How a missing part is installed: the command that `doctor` prints and `setup` runs.
//!
//! Pure; [`super::plan`] orders the commands of all missing parts.

use super::machine::{Machine, Offer, PackageManager, Platform, Privilege};
use super::requirement::{Otherwise, Part};

/// How one missing part is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Packages of apt, which `setup` installs.
    Apt(Vec<&'static str>),
    /// `setup` runs `cargo install`.
    CargoInstall { name: &'static str, version: &'static str },
    /// `setup` runs `setup-wasm.sh`.
    WasmToolchain,
    /// `setup` runs `setup-wasm.sh --threads`.
    WasmThreads,
    /// `setup` runs `tokenizer-vocabularies.sh`.
    TokenizerVocabularies,
    /// `setup` runs `gate-tools.sh`.
    GateTools,
    /// Something for the user to do: a command, or a sentence.
    ByHand(String),
}

/// The fix for a missing part.
///
/// Packages come first, since the system keeps them up to date. While apt has no lists, a part that
/// can't be installed another way is assumed to be in apt; `setup` plans again once it has them.
pub(crate) fn fix(machine: &dyn Machine, part: &Part) -> Fix {
    let platform = machine.platform();
    let otherwise = || match part.otherwise {
        Otherwise::CargoInstall { name, version } => Fix::CargoInstall { name, version },
        Otherwise::WasmToolchain => Fix::WasmToolchain,
        Otherwise::WasmThreads => Fix::WasmThreads,
        Otherwise::TokenizerVocabularies => Fix::TokenizerVocabularies,
        Otherwise::GateTools => Fix::GateTools,
        Otherwise::ByHand(sentence) => Fix::ByHand(sentence.to_owned()),
    };
    let packages = match platform.packages {
        Some(PackageManager::Apt) => part.packages.apt,
        Some(PackageManager::Dnf) => part.packages.dnf,
        Some(PackageManager::Pacman) => part.packages.pacman,
        Some(PackageManager::Brew) => part.packages.brew,
        None => &[],
    };
    match platform.packages {
        Some(_) | None if packages.is_empty() => otherwise(),
        Some(PackageManager::Apt) => {
            let is_only_way = matches!(part.otherwise, Otherwise::ByHand(_));
            let is_offered = packages.iter().all(|package| match machine.offer(package) {
                Offer::Yes => true,
                Offer::No => false,
                Offer::NoLists => is_only_way,
            });
            if is_offered { Fix::Apt(packages.to_vec()) } else { otherwise() }
        }
        Some(manager) => Fix::ByHand(install_command(platform, manager, packages)),
        None => otherwise(),
    }
}

/// The line that a user types, including `sudo`.
fn install_command(platform: &Platform, manager: PackageManager, packages: &[&str]) -> String {
    let (root, install) = match manager {
        PackageManager::Apt => (true, "apt-get install --no-install-recommends"),
        PackageManager::Dnf => (true, "dnf install"),
        PackageManager::Pacman => (true, "pacman -S --needed"),
        PackageManager::Brew => (false, "brew install"),
    };
    let sudo = if root && platform.privilege != Privilege::Root { "sudo " } else { "" };
    format!("{sudo}{install} {}", packages.join(" "))
}

impl Fix {
    /// The command that installs this part, or what the user has to do.
    pub(crate) fn describe(&self, platform: &Platform) -> String {
        match self {
            Self::Apt(packages) => install_command(platform, PackageManager::Apt, packages),
            Self::CargoInstall { name, version } => {
                format!("cargo install {name} --locked --version {version}")
            }
            Self::WasmToolchain => "harness/setup/setup-wasm.sh".to_owned(),
            Self::WasmThreads => "tierproof setup --for threads".to_owned(),
            Self::TokenizerVocabularies => "tierproof setup --for test".to_owned(),
            Self::GateTools => "tierproof setup --for gates".to_owned(),
            Self::ByHand(what) => what.clone(),
        }
    }
}
