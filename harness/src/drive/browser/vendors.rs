//! The vendors' tables, by browser.

use super::vendor::Vendor;
use super::{chrome, firefox, safari, webkit};
use crate::spec::cell::BrowserName;

/// The table of a browser; `None` for the native engine, which is not a browser.
pub(crate) fn vendor(browser: BrowserName) -> Option<&'static Vendor> {
    match browser {
        BrowserName::Chrome => Some(&chrome::VENDOR),
        BrowserName::Firefox => Some(&firefox::VENDOR),
        BrowserName::Webkit => Some(&webkit::VENDOR),
        BrowserName::Safari => Some(&safari::VENDOR),
        BrowserName::Native => None,
    }
}

/// The most sessions of a browser at a time; `None` where only the machine limits them.
pub(crate) fn max_sessions(browser: BrowserName) -> Option<usize> {
    vendor(browser)?.max_sessions
}
