//! Faults that the driver or the system makes, in the middle of things.

use crate::browser::{Browser, Trouble};

/// A fault that comes from outside of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriverFault {
    /// The GPU process crashes, by the browser's own command for it.
    CrashGpu,
    /// The GPU process gets SIGKILL.
    KillGpu,
    /// The GPU process is stopped, and goes on when the fault is undone.
    StopGpu,
    /// No network, by the browser's emulation.
    Offline,
    /// Storage has room for so many bytes and no more.
    Quota,
    /// The origin's storage is cleared.
    ClearStorage,
    /// The processor runs at a fraction of its speed.
    ThrottleCpu,
    /// The tab is frozen, and thawed when the fault is undone.
    FreezeTab,
    /// The tab crashes. What follows happens in another one.
    CrashTab,
}

/// A fault that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Injected {
    /// What was seen of it, for the evidence.
    pub(crate) proof: String,
}

impl DriverFault {
    /// Makes it happen, and sees to it that it did.
    ///
    /// # Errors
    /// If the browser refuses, or nothing was seen of it within seconds.
    pub(crate) async fn inject(
        self,
        browser: &Browser,
        value: Option<u64>,
    ) -> Result<Injected, Trouble> {
        let _ = (browser, value);
        todo!("{self:?}")
    }

    /// Ends it, where it does not end by itself. Called in any case, also after a failure.
    pub(crate) async fn undo(self, browser: &Browser) -> Result<(), Trouble> {
        let _ = browser;
        todo!("{self:?}")
    }
}
