//! Real browsers, driven over WebDriver: found, launched, supervised, and ended on every path.
//!
//! A [`Launcher`] serves one run: it starts the driver and browser that a
//! [launch profile](crate::spec::launch) asks for, with a display where one is needed, and hands out
//! a [`Browser`] that can be used for one page after the other. What a page says goes over HTTP to [`crate::drive::server`], never over
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
mod vendors;
mod webkit;

pub use display::Display;
pub(crate) use display::display_server_in;
#[cfg(test)]
pub(crate) use find::installation_in;
pub(crate) use find::{Environment, ProcessEnvironment, browser_in, driver_in, version_of};
pub use find::{Installation, NotFound, Overrides, Versions, installation};
pub use launch::{Browser, Diagnosis, Launcher};
pub use session::{Session, SessionLimits};
pub use trouble::{Trouble, TroubleKind};
pub(crate) use vendors::max_sessions;
