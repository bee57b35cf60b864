//! The seam between a run and an engine: commands go in, signals come out.
//!
//! A page is a browser's, driven over WebDriver, or the native build's, on a thread of its own;
//! whoever executes an attempt can't tell them apart. What a signal means is decided there.

mod browser;
mod native;

use std::future::Future;

use inference_wasm::protocol::Command;
use tokio::time::Instant;

pub use browser::BrowserPage;
pub use native::NativePage;

use crate::drive::browser::{Diagnosis, Trouble};
use crate::drive::server::PageSetup;
use crate::drive::server::PageSignal;

/// An engine that takes commands, wherever it runs.
pub trait Page {
    /// Sets what the page finds when it next fetches a model.
    fn serve(&mut self, setup: PageSetup);

    /// Hands a command over. What it comes to arrives as signals.
    fn submit(&mut self, command: &Command) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Asks for the end of the command at work.
    fn cancel(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// The next signal; `None` when there is none by the deadline, or never will be.
    fn next_signal(&mut self, deadline: Instant)
    -> impl Future<Output = Option<PageSignal>> + Send;

    /// The logits that a command has delivered, row after row; once.
    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>>;

    /// Finds out why the page is silent.
    fn diagnose(&mut self) -> impl Future<Output = Diagnosis> + Send;

    /// Ends the page, and with it whatever it is at.
    fn close(self) -> impl Future<Output = Result<(), Trouble>> + Send;
}
