//! Launching browsers for a run: display, driver and session as one thing.
//!
//! The schedule decides about grouping and reuse; a launcher only starts the requested browsers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Mutex;

use super::display::Display;
use super::driver::Start;
use super::find::{Overrides, installation};
use super::session::{DriverLink, Session, SessionLimits};
use super::supervise::{Supervised, Supervisor};
use super::trouble::{Trouble, TroubleKind};
use super::vendor::{Launch, Vendor};
use super::vendors::vendor;
use crate::spec::cell::BrowserName;
use crate::spec::launch::LaunchProfile;

/// The time that a page has to answer a check that it is alive.
const DIAGNOSIS_LIMIT: Duration = Duration::from_secs(5);

/// The number of checks of a page that answers with an error, and the pause between them.
const DIAGNOSIS_ATTEMPTS: u32 = 5;
const DIAGNOSIS_PAUSE: Duration = Duration::from_millis(300);

/// Starts browsers, and the display that they share.
#[derive(Debug)]
pub struct Launcher {
    supervisor: Supervisor,
    overrides: Overrides,
    limits: SessionLimits,
    logs: PathBuf,
    display: Mutex<Option<Arc<Display>>>,
    launches: AtomicU32,
}

impl Launcher {
    /// A launcher that keeps the logs of drivers in a folder.
    pub fn new(supervisor: Supervisor, overrides: Overrides, logs: PathBuf) -> Self {
        Self {
            supervisor,
            overrides,
            limits: SessionLimits::default(),
            logs,
            display: Mutex::new(None),
            launches: AtomicU32::new(0),
        }
    }

    /// With other deadlines.
    #[must_use]
    pub fn with_limits(self, limits: SessionLimits) -> Self {
        Self { limits, ..self }
    }

    /// Launches a browser under a profile: finds it, starts its driver, opens a session.
    pub async fn launch(&self, profile: LaunchProfile) -> Result<Browser, Trouble> {
        const FIND: &str = "find browser";
        let installation = installation(profile.browser, &self.overrides)
            .map_err(|error| Trouble::new(FIND, error))?;
        let vendor = vendor(profile.browser).ok_or_else(|| {
            let message = format!("`{}` is not a browser", profile.browser);
            Trouble::new(FIND, TroubleKind::Start { message })
        })?;
        let display = self.display(vendor, profile).await?;
        let number = self.launches.fetch_add(1, Ordering::Relaxed) + 1;
        let mut start = Start {
            vendor,
            executable: installation.driver,
            env: (vendor.env)(profile.variant)
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            without_env: Vec::new(),
            log: self.logs.join(format!("{profile}-{number}.log")),
            supervisor: &self.supervisor,
        };
        if let Some(display) = &display {
            start.env.extend(display.env());
            // GTK and Firefox would prefer the user's own.
            start.without_env.push("WAYLAND_DISPLAY");
        }
        let driver = start.run().await?;
        let link = DriverLink {
            url: driver.url,
            exit: driver.process.exit(),
            log: driver.process.log().to_owned(),
        };
        let capabilities = (vendor.capabilities)(&Launch {
            profile,
            browser: installation.executable.as_deref(),
            is_unsandboxed: is_unsandboxed(),
        });
        match Session::create(link, &capabilities, self.limits).await {
            Ok(session) => {
                Ok(Browser { profile, session, driver: driver.process, _display: display })
            }
            Err(trouble) => {
                driver.process.shutdown().await;
                Err(trouble)
            }
        }
    }

    /// The display for a launch: none, or the run's own, started again if it has died.
    async fn display(
        &self,
        vendor: &Vendor,
        profile: LaunchProfile,
    ) -> Result<Option<Arc<Display>>, Trouble> {
        if !cfg!(target_os = "linux") {
            return Ok(None);
        }
        if profile.is_headed {
            let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
            return if has_display {
                Ok(None)
            } else {
                let message = "there is no display for `--headed`: neither `DISPLAY` nor \
                               `WAYLAND_DISPLAY` is set\n  hint: leave `--headed` out"
                    .to_owned();
                Err(Trouble::new("start display", TroubleKind::Start { message }))
            };
        }
        if !vendor.needs_display {
            return Ok(None);
        }
        let mut shared = self.display.lock().await;
        if let Some(display) = shared.as_ref().filter(|display| display.is_alive()) {
            return Ok(Some(display.clone()));
        }
        let display = Arc::new(Display::start(&self.supervisor, &self.logs).await?);
        *shared = Some(display.clone());
        Ok(Some(display))
    }

    /// Ends the display. Browsers are closed before.
    pub async fn shutdown(self) {
        if let Some(display) = self.display.into_inner().and_then(Arc::into_inner) {
            display.shutdown().await;
        }
    }
}

/// Root has no sandbox in Chromium, and neither have most containers.
fn is_unsandboxed() -> bool {
    nix::unistd::geteuid().is_root()
        || ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists())
}

/// The state of a page that has gone silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// It answers: its main thread runs.
    Alive,
    /// Its main thread, or the browser, gives no answer.
    Unresponsive {
        /// The outcome of the check.
        message: String,
    },
    /// The page or the browser is gone.
    Crashed {
        /// What the driver says.
        message: String,
    },
    /// The driver is gone, so nothing can be known.
    DriverExited {
        /// How the driver ended.
        message: String,
    },
}

/// A launched browser. Good for one page after the other, as long as it is healthy.
///
/// Dropping it kills it; [`close`](Self::close) does so in order.
#[derive(Debug)]
pub struct Browser {
    profile: LaunchProfile,
    session: Session,
    driver: Supervised,
    /// Must not end before the browser.
    _display: Option<Arc<Display>>,
}

impl Browser {
    /// What it was launched with.
    pub fn profile(&self) -> LaunchProfile {
        self.profile
    }

    /// Its session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The output of its driver.
    pub fn log(&self) -> &Path {
        self.driver.log()
    }

    /// The process whose descendants are the driver and the browser.
    pub fn supervisor_id(&self) -> Option<u32> {
        self.driver.supervisor_id()
    }

    /// The process that computes on the GPU for it; `None` where it has none, or none just now.
    pub fn gpu_process(&self) -> Option<u32> {
        super::processes::gpu(self.profile.browser, self.supervisor_id()?)
    }

    /// Bytes in memory of its processes and its driver's; shared memory counts for each.
    pub fn memory_bytes(&self) -> Option<u64> {
        super::processes::memory_bytes(self.supervisor_id()?)
    }

    /// Forces garbage collection in Chromium; other browsers collect when they decide to.
    ///
    /// # Errors
    /// The driver does not answer.
    pub async fn collect_garbage(&self) -> Result<(), Trouble> {
        if self.profile.browser == BrowserName::Chrome {
            let command = "HeapProfiler.collectGarbage";
            self.session.devtools("collect garbage", command, json!({})).await?;
        }
        Ok(())
    }

    /// Finds out why its page is silent.
    pub async fn diagnose(&self) -> Diagnosis {
        let mut answer = self.session.is_alive(DIAGNOSIS_LIMIT).await;
        for _ in 1..DIAGNOSIS_ATTEMPTS {
            // The script can't fail by itself, so the page is in the middle of something. WebKit
            // answers so until it has noticed that the page's process is gone.
            if !matches!(&answer, Err(trouble) if matches!(trouble.kind, TroubleKind::Refused { .. }))
            {
                break;
            }
            tokio::time::sleep(DIAGNOSIS_PAUSE).await;
            answer = self.session.is_alive(DIAGNOSIS_LIMIT).await;
        }
        let Err(trouble) = answer else {
            return Diagnosis::Alive;
        };
        let message = trouble.kind.to_string();
        match trouble.kind {
            TroubleKind::BrowserCrashed { message } => Diagnosis::Crashed { message },
            TroubleKind::DriverExited { .. } => Diagnosis::DriverExited { message },
            TroubleKind::NotFound(_)
            | TroubleKind::Start { .. }
            | TroubleKind::TimedOut { .. }
            | TroubleKind::Script { .. }
            | TroubleKind::Refused { .. }
            | TroubleKind::Http { .. } => Diagnosis::Unresponsive { message },
        }
    }

    /// Closes the session within its deadline, then ends the driver with its whole tree. Returns
    /// what went wrong with the session; the tree is gone in any case.
    pub async fn close(self) -> Result<(), Trouble> {
        let closed = self.session.close().await;
        self.driver.shutdown().await;
        closed
    }
}
