//! Real browsers, and the pages in them: launched, served, spoken to, and made to suffer faults.

pub mod browser;
pub mod bundle;
pub(crate) mod injection;
pub mod page;
pub mod server;
