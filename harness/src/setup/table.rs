//! The table of requirements: what, why, for whom, where it is found, who packages it.
//!
//! Nothing here looks at a machine. The table of vendors in
//! [`crate::drive::browser`] says where a browser or its driver is found.

use super::requirement::{Finder, OnlyOn, Otherwise, Packages, Part, Purpose, Requirement};
use crate::spec::cell::BrowserName;

const NONE: Packages = Packages { apt: &[], dnf: &[], pacman: &[], brew: &[] };
const RUN: &[Purpose] = &[Purpose::Run, Purpose::Test];
/// Everything that compiles.
const BUILD: &[Purpose] = &[Purpose::Run, Purpose::Test, Purpose::Gates];

/// Every requirement.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        id: "linker",
        title: "C linker",
        why: "cargo links with it, and some dependencies contain C",
        needed_for: BUILD,
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[Part {
            name: "cc",
            finder: Finder::Program(&["cc"]),
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
                finder: Finder::Browser(BrowserName::Chrome),
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
                finder: Finder::Driver(BrowserName::Chrome),
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
                finder: Finder::Browser(BrowserName::Firefox),
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
                finder: Finder::Driver(BrowserName::Firefox),
                packages: Packages {
                    apt: &["geckodriver"],
                    dnf: &[],
                    pacman: &["geckodriver"],
                    brew: &["geckodriver"],
                },
                // Not `latest`: results depend on the driver and its quirks.
                otherwise: Otherwise::CargoInstall { name: "geckodriver", version: "0.37.1" },
            },
        ],
    },
    Requirement {
        id: "webkit",
        title: "WebKitGTK",
        why: "the `webkit` of a matrix: Safari's engine on Linux",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::Linux("WebKitGTK is for Linux; on this system Safari itself is used"),
        parts: &[
            Part {
                name: "WebKitWebDriver",
                finder: Finder::Driver(BrowserName::Webkit),
                packages: WEBKIT_DRIVER,
                otherwise: Otherwise::ByHand(WEBKIT_ELSEWHERE),
            },
            Part {
                name: "MiniBrowser",
                finder: Finder::Browser(BrowserName::Webkit),
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
        only_on: OnlyOn::MacOs("Safari is for macOS; on this system WebKitGTK is used instead"),
        parts: &[Part {
            name: "safaridriver",
            finder: Finder::Driver(BrowserName::Safari),
            packages: NONE,
            otherwise: Otherwise::ByHand(
                "it is part of macOS; enable it once with `sudo safaridriver --enable`",
            ),
        }],
    },
    Requirement {
        id: "display",
        title: "Virtual display",
        why: "without a display Firefox has no WebGL and WebKitGTK can't open a window",
        needed_for: RUN,
        optional: false,
        only_on: OnlyOn::Linux("this system needs no X server"),
        parts: &[Part {
            name: "Xvfb",
            finder: Finder::Display,
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
        why: "gives Firefox a WebGPU adapter on machines without a GPU",
        needed_for: RUN,
        optional: true,
        only_on: OnlyOn::Linux("this system brings its own graphics for WebGPU"),
        parts: &[Part {
            name: "lavapipe",
            finder: Finder::File(&[
                "/usr/share/vulkan/icd.d/lvp_icd.{arch}.json",
                "/usr/share/vulkan/icd.d/lvp_icd.json",
            ]),
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
        why: "the tokenizer's tests compare real vocabularies and chat templates with llama.cpp's",
        needed_for: &[Purpose::Test],
        optional: false,
        only_on: OnlyOn::Any,
        parts: &[
            Part {
                name: "pip",
                finder: Finder::Program(&["pip3", "pip"]),
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
        why: "the reference that generates goldens is written in it",
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
                finder: Finder::Program(&["npm"]),
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

const PYTHON_VENV: Packages = Packages {
    apt: &["python3", "python3-venv"],
    dnf: &["python3"],
    pacman: &["python"],
    brew: &["python"],
};

/// One package contains the driver and the browser.
const WEBKIT_DRIVER: Packages =
    Packages { apt: &["webkit2gtk-driver"], dnf: &[], pacman: &["webkitgtk-6.0"], brew: &[] };

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
        let ids: BTreeSet<_> = REQUIREMENTS.iter().map(|requirement| requirement.id).collect();
        assert_eq!(ids.len(), REQUIREMENTS.len());
        let parts: Vec<_> = REQUIREMENTS
            .iter()
            .flat_map(|requirement| requirement.parts)
            .map(|part| part.name)
            .collect();
        assert_eq!(parts.iter().collect::<BTreeSet<_>>().len(), parts.len());
    }

    #[test]
    fn the_tests_need_everything_that_a_run_needs() {
        for requirement in REQUIREMENTS {
            if requirement.needed_for.contains(&Purpose::Run) {
                assert!(requirement.needed_for.contains(&Purpose::Test), "{}", requirement.id);
            }
        }
    }
}
