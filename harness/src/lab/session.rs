//! A server and a launcher, for as long as browsers are driven.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LabError;
use crate::drive::browser::supervise::Supervisor;
use crate::drive::browser::{Launcher, Overrides, SessionLimits};
use crate::drive::server::Server;

/// A server and a launcher.
pub(crate) struct Session {
    pub(crate) server: Server,
    pub(crate) launcher: Launcher,
}

impl Session {
    /// Starts both. The drivers' logs go below `out`.
    pub(super) async fn start(
        drivers: &Overrides,
        bundle: Option<PathBuf>,
        out: &Path,
        launch_timeout: Duration,
    ) -> Result<Self, LabError> {
        let server = Server::start(bundle.unwrap_or_default()).await?;
        let limits = SessionLimits { new_session: launch_timeout, ..SessionLimits::default() };
        let launcher =
            Launcher::new(Supervisor::this_executable()?, drivers.clone(), out.join("drivers"))
                .with_limits(limits);
        Ok(Self { server, launcher })
    }

    /// Stops the launcher, once every browser is closed.
    pub(crate) async fn shutdown(self) {
        self.launcher.shutdown().await;
    }
}
