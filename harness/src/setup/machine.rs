//! The view of a machine that requirements are checked against; tests use a fake one.
//!
//! Every question is cheap enough to ask before each run: only those that [`Machine`] documents so
//! start a program, and only where nothing cheaper answers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::drive::browser::{Environment, ProcessEnvironment};
use crate::drive::bundle::{wasm_environment, wasm_toolchain_folder};
use crate::fetch::models::cache_folder;

/// The target that pages are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Operating systems that the table distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    MacOs,
    Other,
}

/// Package managers whose packages the table names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackageManager {
    Apt,
    Dnf,
    Pacman,
    Brew,
}

/// Facts that don't change during a set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) system: System,
    /// As Rust names it: `x86_64`, `aarch64`, …
    pub(crate) arch: String,
    pub(crate) packages: Option<PackageManager>,
    pub(crate) privilege: Privilege,
}

/// How this user runs commands as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// The user is root.
    Root,
    /// Through `sudo`.
    Sudo,
    /// Not at all.
    None,
}

/// Whether apt offers a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    Yes,
    No,
    /// Unknown: a bare image has no lists before the first `apt-get update`.
    NoLists,
}

/// A machine, as far as the table asks about it.
pub(crate) trait Machine {
    fn platform(&self) -> &Platform;
    /// Where programs are looked for.
    fn environment(&self) -> &dyn Environment;
    fn is_file(&self, path: &Path) -> bool;
    /// The folder of fetched files.
    fn cache_folder(&self) -> Option<PathBuf>;
    /// The folder of the wasm target's standard library. May start `rustc`.
    fn wasm_standard_library(&self) -> Option<PathBuf>;
    /// The sysroot whose standard library has atomics. Starts `rustc` where one exists.
    fn wasm_threads(&self) -> Option<PathBuf>;
    /// A Python that can make a complete virtual environment. Starts `python3`.
    fn python_with_venv(&self) -> Option<PathBuf>;
    /// The folder of the gates, with their tools installed in the versions that it pins.
    fn gate_tools(&self) -> Option<PathBuf>;
    /// Whether apt can install the package. Starts `apt-cache`.
    fn offer(&self, package: &str) -> Offer;
}

/// The checkout that this command was built from: a run builds the bundle from its sources.
pub(crate) fn workspace_folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The machine that this runs on.
#[derive(Debug)]
pub(crate) struct ThisMachine {
    platform: Platform,
    environment: ProcessEnvironment,
}

impl ThisMachine {
    pub(crate) fn look() -> Self {
        let environment = ProcessEnvironment::current();
        Self { platform: Platform::of_this_machine(), environment }
    }
}

impl Platform {
    fn of_this_machine() -> Self {
        let has = |name: &str| which::which(name).is_ok();
        let system = match std::env::consts::OS {
            "linux" => System::Linux,
            "macos" => System::MacOs,
            _ => System::Other,
        };
        let packages = [
            ("apt-get", PackageManager::Apt),
            ("dnf", PackageManager::Dnf),
            ("pacman", PackageManager::Pacman),
            ("brew", PackageManager::Brew),
        ];
        #[cfg(unix)]
        let is_root = nix::unistd::geteuid().is_root();
        #[cfg(not(unix))]
        let is_root = false;
        let privilege = if is_root {
            Privilege::Root
        } else if has("sudo") {
            Privilege::Sudo
        } else {
            Privilege::None
        };
        Self {
            system,
            arch: std::env::consts::ARCH.to_owned(),
            packages: packages.into_iter().find(|(name, _)| has(name)).map(|(_, manager)| manager),
            privilege,
        }
    }
}

impl Machine for ThisMachine {
    fn platform(&self) -> &Platform {
        &self.platform
    }

    fn environment(&self) -> &dyn Environment {
        &self.environment
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn cache_folder(&self) -> Option<PathBuf> {
        cache_folder().ok()
    }

    fn wasm_standard_library(&self) -> Option<PathBuf> {
        // Our own folder first: no program has to be started to look into it.
        let own = own_sysroots().into_iter().map(|root| target_libraries(&root));
        let rustup = || {
            let output =
                output_of("rustc", &["--print", "target-libdir", "--target", WASM_TARGET])?;
            Some(PathBuf::from(output.trim()))
        };
        own.into_iter()
            .find(|folder| has_standard_library(folder))
            .or_else(|| rustup().filter(|folder| has_standard_library(folder)))
    }

    fn wasm_threads(&self) -> Option<PathBuf> {
        let made = wasm_environment().ok()?;
        let sysroot = PathBuf::from(made.get("WASM_THREADS_SYSROOT")?);
        let built_by = fs_err::read_to_string(sysroot.join("rustc-version")).ok()?;
        // An update of rustc makes it useless.
        let is_fit = output_of(made.get("WASM_THREADS_RUSTC")?, &["-V"])? == built_by;
        (is_fit && has_standard_library(&target_libraries(&sysroot))).then_some(sysroot)
    }

    fn python_with_venv(&self) -> Option<PathBuf> {
        // Debian's `python3` without `python3-venv` has the module but not its dependencies.
        output_of("python3", &["-c", "import venv, ensurepip; import sys; print(sys.executable)"])
            .map(|path| PathBuf::from(path.trim()))
    }

    fn gate_tools(&self) -> Option<PathBuf> {
        let folder = workspace_folder().join("tests/gates");
        // `gate-tools.sh` leaves a copy of each list beside what it installed.
        let is_installed = |list: &str, copy: &str| {
            let read = |name: &str| fs_err::read(folder.join(name)).ok();
            read(list).is_some_and(|wanted| read(copy) == Some(wanted))
        };
        let is_whole = is_installed("requirements.txt", ".venv/installed")
            && is_installed("package-lock.json", "node_modules/installed");
        is_whole.then_some(folder)
    }

    fn offer(&self, package: &str) -> Offer {
        let Some(text) = output_of("apt-cache", &["policy", package]) else { return Offer::No };
        let candidate = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
        match candidate {
            Some(version) if version != "(none)" => Offer::Yes,
            _ if has_lists() => Offer::No,
            _ => Offer::NoLists,
        }
    }
}

fn has_lists() -> bool {
    fs_err::read_dir("/var/lib/apt/lists").is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}

/// Complete toolchains that `setup-wasm.sh` installed; none before it has written `env.sh`.
fn own_sysroots() -> Vec<PathBuf> {
    let folder = wasm_toolchain_folder();
    if !folder.join("env.sh").is_file() {
        return Vec::new();
    }
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let mut roots: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join(".unpacked").is_file())
        .map(|path| path.join("usr"))
        .collect();
    roots.sort();
    roots
}

fn target_libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(WASM_TARGET).join("lib")
}

fn has_standard_library(folder: &Path) -> bool {
    fs_err::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

/// The output of a short command; `None` where it fails.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
