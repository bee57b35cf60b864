//! The table of requirements, as data: what, why, for whom, where it is found, who packages it.
//!
//! Nothing here looks at a machine. To add a requirement, add an entry to [`requirements`]; to
//! learn how an entry is looked up see [`super::check`], how it is mended [`super::mend`].

use serde::Serialize;

/// What somebody wants to do with this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// `tierproof run`: a matrix on every browser that can be had here.
    Run,
    /// Every test, those with browsers included.
    Test,
    /// `tierproof golden generate`: the reference in Python.
    Reference,
    /// The bundle `threads`.
    Threads,
    /// `./tierproof gates`: formatting, lints, documentation, spelling.
    Gates,
}

impl Purpose {
    /// Every purpose.
    pub(crate) const ALL: [Self; 5] =
        [Self::Run, Self::Test, Self::Reference, Self::Threads, Self::Gates];

    /// The word that `--for` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Test => "test",
            Self::Reference => "reference",
            Self::Threads => "threads",
            Self::Gates => "gates",
        }
    }
}

/// Something that a purpose needs: all its parts together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requirement {
    /// Stable name, for `--json`.
    pub(crate) id: &'static str,
    /// What it is, for people.
    pub(crate) title: &'static str,
    /// Why it is needed.
    pub(crate) why: &'static str,
    /// The purposes that need it.
    pub(crate) needed_for: &'static [Purpose],
    /// Nothing fails without it; `setup` leaves it alone unless `--optional` asks for it.
    pub(crate) optional: bool,
    /// The operating systems on which it exists at all.
    pub(crate) only_on: OnlyOn,
    /// What must be found, each by itself.
    pub(crate) parts: &'static [Part],
}

/// Where a requirement can exist.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnlyOn {
    /// Everywhere.
    Any,
    /// On Linux; elsewhere it is not to be had, for this reason.
    Linux(&'static str),
    /// On macOS; elsewhere it is not to be had, for this reason.
    MacOs(&'static str),
}

/// One thing to find.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Name, also what a step of `setup` is called by.
    pub(crate) name: &'static str,
    /// How it is found.
    pub(crate) finder: Finder,
    /// The packages that bring it.
    pub(crate) packages: Packages,
    /// How else it is had.
    pub(crate) otherwise: Otherwise,
}

/// How a part is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Finder {
    /// A program: the file that one of `variables` names, else one of `names` on `PATH`, else one
    /// of `places`. In a place, `{arch}` is the architecture, `{triplet}` Debian's name of it, and
    /// `{cargo-home}` the folder that `cargo install` fills.
    Program {
        variables: &'static [&'static str],
        names: &'static [&'static str],
        places: &'static [&'static str],
        /// The argument that makes it print its version; empty if there is none.
        version: &'static str,
    },
    /// A file in one of `places`.
    File { places: &'static [&'static str] },
    /// The standard library of `wasm32-unknown-unknown`, of rustup or of our own folder.
    WasmStandardLibrary,
    /// The same with atomics, for the very rustc that it was built by.
    WasmThreads,
    /// A file in the user's cache, by its path below [`crate::fetch::models::cache_folder`].
    Cached { path: &'static str },
    /// The programs that the gates run, in the versions that are pinned now.
    GateTools,
    /// Python's `venv`, complete enough to make an environment with `pip` in it.
    PythonVenv,
}

/// Package names by package manager; empty where that manager has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages {
    pub(crate) apt: &'static [&'static str],
    pub(crate) dnf: &'static [&'static str],
    pub(crate) pacman: &'static [&'static str],
    pub(crate) brew: &'static [&'static str],
}

/// What mends a part that no package brings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Otherwise {
    /// `cargo install NAME --locked --version VERSION`.
    CargoInstall { name: &'static str, version: &'static str },
    /// `harness/setup/setup-wasm.sh`.
    WasmToolchain,
    /// `harness/setup/setup-wasm.sh --threads`.
    WasmThreads,
    /// `harness/setup/tokenizer-vocabularies.sh`.
    TokenizerVocabularies,
    /// `harness/setup/gate-tools.sh`.
    GateTools,
    /// Something that a person does; a whole sentence.
    ByHand(&'static str),
}

const NONE: Packages = Packages { apt: &[], dnf: &[], pacman: &[], brew: &[] };
const RUN: &[Purpose] = &[Purpose::Run, Purpose::Test];
/// Whatever compiles.
const BUILD: &[Purpose] = &[Purpose::Run, Purpose::Test, Purpose::Gates];

/// The table.
pub(crate) fn requirements() -> &'static [Requirement] {
    TABLE
}

const TABLE: &[Requirement] = &[
    Requirement {
        id: "linker",
        title: "C linker",
        why: "cargo links with it, and some dependencies hold a little C",
        needed_for: BUILD,
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[Part {
            name: "cc",
            finder: Finder::Program {
                variables: &[],
                names: &["cc"],
                places: &[],
                version: "--version",
            },
            packages: Packages {
                apt: &["gcc", "libc6-dev"],
                dnf: &["gcc", "glibc-devel"],
                pacman: &["gcc"],
                brew: &[],
            },
            otherwise: Otherwise::ByHand("on macOS run `xcode-select --install`"),
        }],
    },
    Requirement {
        id: "wasm32",
        title: "Rust for wasm32",
        why: "compiles the bundle that the pages load",
        needed_for: BUILD,
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[Part {
            name: "wasm32-unknown-unknown",
            finder: Finder::WasmStandardLibrary,
            packages: NONE,
            otherwise: Otherwise::WasmToolchain,
        }],
    },
    Requirement {
        id: "chrome",
        title: "Chromium",
        why: "the `chrome` of a matrix: any browser built from Chromium",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[
            Part {
                name: "chromium",
                finder: Finder::Program {
                    variables: &["CHROME"],
                    names: &[
                        "chromium",
                        "chromium-browser",
                        "google-chrome",
                        "google-chrome-stable",
                        "chrome",
                    ],
                    places: &["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
                    version: "--version",
                },
                packages: Packages {
                    apt: &["chromium"],
                    dnf: &["chromium"],
                    pacman: &["chromium"],
                    brew: &["--cask", "google-chrome"],
                },
                otherwise: Otherwise::ByHand(CHROMIUM_ELSEWHERE),
            },
            Part {
                name: "chromedriver",
                finder: Finder::Program {
                    variables: &["CHROMEDRIVER"],
                    names: &["chromedriver"],
                    places: &["/usr/lib/chromium/chromedriver", "/snap/bin/chromium.chromedriver"],
                    version: "--version",
                },
                packages: Packages {
                    apt: &["chromium-driver"],
                    dnf: &["chromedriver"],
                    pacman: &["chromium"],
                    brew: &["--cask", "chromedriver"],
                },
                otherwise: Otherwise::ByHand(CHROMIUM_ELSEWHERE),
            },
        ],
    },
    Requirement {
        id: "firefox",
        title: "Firefox",
        why: "the `firefox` of a matrix",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[
            Part {
                name: "firefox",
                finder: Finder::Program {
                    variables: &["FIREFOX"],
                    names: &["firefox", "firefox-esr"],
                    places: &["/Applications/Firefox.app/Contents/MacOS/firefox"],
                    version: "--version",
                },
                packages: Packages {
                    apt: &["firefox-esr"],
                    dnf: &["firefox"],
                    pacman: &["firefox"],
                    brew: &["--cask", "firefox"],
                },
                otherwise: Otherwise::ByHand(FIREFOX_ELSEWHERE),
            },
            Part {
                name: "geckodriver",
                finder: Finder::Program {
                    variables: &["GECKODRIVER"],
                    names: &["geckodriver"],
                    // `cargo install` puts it there, on PATH or not.
                    places: &["{cargo-home}/bin/geckodriver", "/snap/bin/geckodriver"],
                    version: "--version",
                },
                packages: Packages {
                    apt: &["geckodriver"],
                    dnf: &[],
                    pacman: &["geckodriver"],
                    brew: &["geckodriver"],
                },
                // Not `latest`: a driver and its quirks are part of what a run rests on.
                otherwise: Otherwise::CargoInstall { name: "geckodriver", version: "0.37.1" },
            },
        ],
    },
    Requirement {
        id: "webkit",
        title: "WebKitGTK",
        why: "the `webkit` of a matrix: the engine of Safari, as Linux has it",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::Linux("WebKitGTK is for Linux; here Safari itself is driven"),
        parts: &[
            Part {
                name: "WebKitWebDriver",
                finder: Finder::Program {
                    variables: &["WEBKIT_WEBDRIVER"],
                    names: &["WebKitWebDriver"],
                    places: &[],
                    version: "--version",
                },
                packages: WEBKIT_DRIVER,
                otherwise: Otherwise::ByHand(WEBKIT_ELSEWHERE),
            },
            Part {
                name: "MiniBrowser",
                finder: Finder::Program {
                    variables: &["WEBKIT_MINIBROWSER"],
                    names: &["MiniBrowser"],
                    places: &[
                        "/usr/lib/{triplet}/webkit2gtk-4.1/MiniBrowser",
                        "/usr/lib/{triplet}/webkit2gtk-4.0/MiniBrowser",
                        "/usr/lib/{triplet}/webkitgtk-6.0/MiniBrowser",
                        "/usr/libexec/webkitgtk-6.0/MiniBrowser",
                        "/usr/libexec/webkit2gtk-4.1/MiniBrowser",
                        "/usr/lib/webkitgtk-6.0/MiniBrowser",
                        "/usr/lib/webkit2gtk-4.1/MiniBrowser",
                    ],
                    version: "--version",
                },
                packages: WEBKIT_DRIVER,
                otherwise: Otherwise::ByHand(WEBKIT_ELSEWHERE),
            },
        ],
    },
    Requirement {
        id: "safari",
        title: "Safari",
        why: "the `safari` of a matrix",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::MacOs("Safari is for macOS; here WebKitGTK stands in for it"),
        parts: &[Part {
            name: "safaridriver",
            finder: Finder::Program {
                variables: &["SAFARIDRIVER"],
                names: &["safaridriver"],
                places: &["/usr/bin/safaridriver"],
                version: "--version",
            },
            packages: NONE,
            otherwise: Otherwise::ByHand(
                "it comes with macOS; allow it once with `sudo safaridriver --enable`",
            ),
        }],
    },
    Requirement {
        id: "display",
        title: "Virtual display",
        why: "Firefox has no WebGL and WebKitGTK no window without a display",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::Linux("windows need no X server here"),
        parts: &[Part {
            name: "Xvfb",
            finder: Finder::Program { variables: &[], names: &["Xvfb"], places: &[], version: "" },
            packages: Packages {
                apt: &["xvfb"],
                dnf: &["xorg-x11-server-Xvfb"],
                pacman: &["xorg-server-xvfb"],
                brew: &[],
            },
            otherwise: Otherwise::ByHand("install your system's package of `Xvfb`"),
        }],
    },
    Requirement {
        id: "vulkan",
        title: "Software Vulkan",
        why: "gives Firefox a WebGPU adapter where there is no GPU",
        needed_for: RUN,
        optional: true,
        only_on: OnlyOn::Linux("WebGPU uses the system's own graphics here"),
        parts: &[Part {
            name: "lavapipe",
            finder: Finder::File {
                places: &[
                    "/usr/share/vulkan/icd.d/lvp_icd.{arch}.json",
                    "/usr/share/vulkan/icd.d/lvp_icd.json",
                ],
            },
            packages: Packages {
                apt: &["mesa-vulkan-drivers"],
                dnf: &["mesa-vulkan-drivers"],
                pacman: &["vulkan-swrast"],
                brew: &[],
            },
            otherwise: Otherwise::ByHand("install your system's package of Mesa's Vulkan drivers"),
        }],
    },
    Requirement {
        id: "tokenizer-vocabularies",
        title: "tokenizer vocabularies",
        why: "the tokenizer's tests hold real vocabularies and chat templates against llama.cpp's",
        needed_for: &[Purpose::Test],
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[
            Part {
                name: "pip",
                finder: Finder::Program {
                    variables: &[],
                    names: &["pip3", "pip"],
                    places: &[],
                    version: "--version",
                },
                packages: Packages {
                    apt: &["python3-pip"],
                    dnf: &["python3-pip"],
                    pacman: &["python-pip"],
                    brew: &["python"],
                },
                otherwise: Otherwise::ByHand("install Python 3.9 or later with pip"),
            },
            Part {
                name: "vocabularies",
                finder: Finder::Cached { path: "tokenizers/0.3.36/complete" },
                packages: NONE,
                otherwise: Otherwise::TokenizerVocabularies,
            },
        ],
    },
    Requirement {
        id: "python",
        title: "Python",
        why: "the reference that goldens come from is written in it",
        needed_for: &[Purpose::Reference],
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[Part {
            name: "python3-venv",
            finder: Finder::PythonVenv,
            packages: PYTHON_VENV,
            otherwise: Otherwise::ByHand("install Python 3.11 or later with its `venv` module"),
        }],
    },
    Requirement {
        id: "threads",
        title: "Rust with threads",
        why: "compiles the bundle `threads`; the ordinary standard library has no atomics",
        needed_for: &[Purpose::Threads],
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[Part {
            name: "wasm32 with atomics",
            finder: Finder::WasmThreads,
            packages: NONE,
            otherwise: Otherwise::WasmThreads,
        }],
    },
    Requirement {
        id: "gates",
        title: "gate tools",
        why: "check spelling, dependencies, JavaScript and shell scripts",
        needed_for: &[Purpose::Gates],
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[
            Part {
                name: "npm",
                finder: Finder::Program {
                    variables: &[],
                    names: &["npm"],
                    places: &[],
                    version: "--version",
                },
                packages: Packages {
                    apt: &["nodejs", "npm"],
                    dnf: &["nodejs", "nodejs-npm"],
                    pacman: &["nodejs", "npm"],
                    brew: &["node"],
                },
                otherwise: Otherwise::ByHand("install Node.js 18 or later with npm"),
            },
            Part {
                name: "python3 with venv",
                finder: Finder::PythonVenv,
                packages: PYTHON_VENV,
                otherwise: Otherwise::ByHand("install Python 3.9 or later with its `venv` module"),
            },
            Part {
                name: "typos, cargo-deny, shellcheck, tsc, eslint",
                finder: Finder::GateTools,
                packages: NONE,
                otherwise: Otherwise::GateTools,
            },
        ],
    },
];

/// One package brings the driver and the browser.
const WEBKIT_DRIVER: Packages =
    Packages { apt: &["webkit2gtk-driver"], dnf: &[], pacman: &["webkitgtk-6.0"], brew: &[] };

const PYTHON_VENV: Packages = Packages {
    apt: &["python3", "python3-venv"],
    dnf: &["python3"],
    pacman: &["python"],
    brew: &["python"],
};

const CHROMIUM_ELSEWHERE: &str = "install Chrome or Chromium and the chromedriver of the same \
     version (Ubuntu: `sudo snap install chromium`), or name them in `CHROME` and `CHROMEDRIVER`";
const FIREFOX_ELSEWHERE: &str =
    "install Firefox (Ubuntu: `sudo snap install firefox`), or name it in `FIREFOX`";
const WEBKIT_ELSEWHERE: &str = "install your system's build of WebKitGTK with `WebKitWebDriver` \
     and `MiniBrowser`, or name them in `WEBKIT_WEBDRIVER` and `WEBKIT_MINIBROWSER`";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_part_names_are_unique() {
        let ids: BTreeSet<_> = TABLE.iter().map(|requirement| requirement.id).collect();
        assert_eq!(ids.len(), TABLE.len());
        let parts: Vec<_> =
            TABLE.iter().flat_map(|requirement| requirement.parts).map(|part| part.name).collect();
        assert_eq!(parts.iter().collect::<BTreeSet<_>>().len(), parts.len());
    }

    #[test]
    fn whatever_a_run_needs_the_tests_need_too() {
        for requirement in TABLE {
            if requirement.needed_for.contains(&Purpose::Run) {
                assert!(requirement.needed_for.contains(&Purpose::Test), "{}", requirement.id);
            }
        }
    }
}
