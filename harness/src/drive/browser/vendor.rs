//! What differs between vendors, as one table for each.
//!
//! The tables stand in [`super::chrome`], [`super::firefox`], [`super::webkit`] and
//! [`super::safari`]; everything else in
//! [`browser`](super) reads them and knows no vendor.

use std::path::Path;

use serde_json::Value;

use super::{chrome, firefox, safari, webkit};
use crate::spec::cell::BrowserName;
use crate::spec::launch::{LaunchProfile, Variant};

/// A vendor's table.
#[derive(Debug)]
pub(crate) struct Vendor {
    /// The browser that it is about.
    pub(crate) name: BrowserName,
    /// Where the driver is found.
    pub(crate) driver: Executable,
    /// Where the browser is found; `None` where the driver knows best.
    pub(crate) browser: Option<Executable>,
    /// How the driver takes its port.
    pub(crate) port: Port,
    /// Variables for the driver, which hands them on to the browser.
    pub(crate) env: fn(Variant) -> &'static [(&'static str, &'static str)],
    /// It needs a display even without a window.
    pub(crate) needs_display: bool,
    /// How many sessions there can be at a time on one machine.
    pub(crate) max_sessions: Option<usize>,
    /// `alwaysMatch` of a New Session request.
    pub(crate) capabilities: fn(&Launch<'_>) -> Value,
}

/// What capabilities are made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    /// The profile.
    pub(crate) profile: LaunchProfile,
    /// The browser's executable, where the vendor's table has one.
    pub(crate) browser: Option<&'a Path>,
    /// We run as root or in a container, where a sandbox of the browser's own can't be had.
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
    /// The well-known places come before PATH, with the reason in the table.
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
    /// It must be told one, so a free one is picked, and another if somebody was faster.
    Given {
        /// The arguments for a port.
        args: fn(u16) -> Vec<String>,
    },
}

/// The table of a browser; `None` for the native engine, which is none.
pub(crate) fn vendor(browser: BrowserName) -> Option<&'static Vendor> {
    match browser {
        BrowserName::Chrome => Some(&chrome::VENDOR),
        BrowserName::Firefox => Some(&firefox::VENDOR),
        BrowserName::Webkit => Some(&webkit::VENDOR),
        BrowserName::Safari => Some(&safari::VENDOR),
        BrowserName::Native => None,
    }
}

/// How many sessions of a browser there can be at a time; `None` for as many as the machine bears.
pub(crate) fn max_sessions(browser: BrowserName) -> Option<usize> {
    vendor(browser)?.max_sessions
}

/// The number at the end of a text, less a trailing full stop.
pub(crate) fn trailing_port(text: &str) -> Option<u16> {
    let text = text.trim().trim_end_matches('.');
    let digits = text.len() - text.bytes().rev().take_while(u8::is_ascii_digit).count();
    text.get(digits..)?.parse().ok()
}
