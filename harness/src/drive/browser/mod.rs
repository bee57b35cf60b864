//! Real browsers, driven over WebDriver: found, launched, supervised, and ended on every path.
//!
//! A [`Launcher`] serves one run: it starts the driver and browser that a [`LaunchProfile`] asks
//! for, with a display where one is needed, and hands out a [`Browser`] that can be used for one
//! page after the other. What a page says goes over HTTP to [`crate::drive::server`], never over
//! WebDriver; which cell runs where is decided in [`crate::run`].

mod chrome;
mod display;
mod driver;
mod find;
mod firefox;
mod launch;
mod processes;
mod safari;
mod session;
pub mod supervise;
mod trouble;
mod vendor;
mod webkit;

pub use display::Display;
pub use find::{Installation, NotFound, Overrides, Versions, installation};
pub use launch::{Browser, Diagnosis, Launcher};
pub use session::{Session, SessionLimits};
pub use trouble::{Trouble, TroubleKind};
pub(crate) use vendor::max_sessions;
