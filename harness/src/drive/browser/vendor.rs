//! What differs between vendors, as a table for each.
//!
//! The tables are in [`chrome`](super::chrome), [`firefox`](super::firefox),
//! [`webkit`](super::webkit) and [`safari`](super::safari); everything else in
//! [`browser`](super) reads them through [`vendors`](super::vendors) and depends on no vendor.

use std::path::Path;

use serde_json::Value;

use crate::spec::cell::BrowserName;
use crate::spec::launch::{LaunchProfile, Variant};

/// A vendor's table.
#[derive(Debug)]
pub(crate) struct Vendor {
    /// The browser.
    pub(crate) name: BrowserName,
    /// Where the driver is found.
    pub(crate) driver: Executable,
    /// Where the browser is found; `None` where its driver finds it.
    pub(crate) browser: Option<Executable>,
    /// How the driver takes its port.
    pub(crate) port: Port,
    /// Variables for the driver, which hands them on to the browser.
    pub(crate) env: fn(Variant) -> &'static [(&'static str, &'static str)],
    /// Whether it needs a display even without a window.
    pub(crate) needs_display: bool,
    /// The most sessions at a time on one machine.
    pub(crate) max_sessions: Option<usize>,
    /// `alwaysMatch` of a New Session request.
    pub(crate) capabilities: fn(&Launch<'_>) -> Value,
}

/// The inputs of a browser's capabilities.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    /// The profile.
    pub(crate) profile: LaunchProfile,
    /// The browser's executable, where the vendor's table has one.
    pub(crate) browser: Option<&'a Path>,
    /// Whether we run as root or in a container, where the browser's own sandbox can't start.
    pub(crate) is_unsandboxed: bool,
}

/// An executable and the places where it may be.
#[derive(Debug)]
pub(crate) struct Executable {
    /// The variable that names it.
    pub(crate) variable: &'static str,
    /// Its names on PATH, best first.
    pub(crate) names: &'static [&'static str],
    /// Absolute patterns, `~` for the home folder, `{cargo-home}` for what `cargo install` fills,
    /// `*` within a folder's name. Best first.
    pub(crate) well_known: &'static [&'static str],
    /// Whether the well-known places come before PATH; the table says why.
    pub(crate) is_well_known_first: bool,
}

/// How a driver takes its port.
#[derive(Debug)]
pub(crate) enum Port {
    /// It chooses one itself and prints it.
    Chosen {
        /// The arguments that ask for it.
        args: &'static [&'static str],
        /// Finds the port in a line of output.
        parse: fn(&str) -> Option<u16>,
    },
    /// It must be given one: a free one is chosen, and another if that was taken meanwhile.
    Given {
        /// The arguments for a port.
        args: fn(u16) -> Vec<String>,
    },
}

/// The number at the end of a text, less a trailing full stop.
pub(crate) fn trailing_port(text: &str) -> Option<u16> {
    let text = text.trim().trim_end_matches('.');
    let digits = text.len() - text.bytes().rev().take_while(u8::is_ascii_digit).count();
    text.get(digits..)?.parse().ok()
}
