//! Faults that the driver or the system makes.

/// A fault that comes from outside of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriverFault {
    /// The GPU process crashes, by the browser's own command for it.
    CrashGpu,
    /// The GPU process gets SIGKILL.
    KillGpu,
    /// The GPU process is stopped, and goes on when the fault is undone.
    StopGpu,
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
