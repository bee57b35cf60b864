//! One WebDriver session: every request under a deadline, every failure with its phase.
//!
//! The session is created by a request of our own, with exactly our capabilities, and driven by
//! [`fantoccini`] from there on. Launching what it talks to is not its business.

pub(crate) mod wire;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use fantoccini::Client;
use fantoccini::error::CmdError;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::supervise::Exit;
use super::trouble::{Trouble, TroubleKind, client_error};
use wire::Wire;

/// How long a driver's death may take to be known after a request broke off because of it.
const DEATH_NOTICE: Duration = Duration::from_secs(1);

/// Deadlines by kind of request.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Until the browser is up.
    pub new_session: Duration,
    /// Until a page has loaded.
    pub navigate: Duration,
    /// Everything else; no script of ours waits for anything.
    pub request: Duration,
    /// Until the session is closed; the process tree is killed afterwards in any case.
    pub close: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            // Firefox takes 5 s on a quiet machine with two cores.
            new_session: Duration::from_secs(90),
            navigate: Duration::from_mins(1),
            request: Duration::from_secs(30),
            close: Duration::from_secs(5),
        }
    }
}

/// The driver that a session belongs to.
#[derive(Debug, Clone)]
pub struct DriverLink {
    /// `http://127.0.0.1:PORT/`.
    pub url: String,
    /// Becomes `Some` when the driver's process ends.
    pub exit: watch::Receiver<Option<Exit>>,
    /// The driver's output.
    pub log: PathBuf,
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    driver: DriverLink,
    limits: SessionLimits,
    wire: Wire,
    client: Client,
    id: String,
    capabilities: Value,
}

impl Session {
    /// Opens a session with these capabilities (`alwaysMatch`) and no others.
    pub async fn create(
        driver: DriverLink,
        capabilities: &Value,
        limits: SessionLimits,
    ) -> Result<Self, Trouble> {
        const PHASE: &str = "new session";
        let wire = Wire::new(&driver.url);
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let created =
            driver.request(PHASE, limits.new_session, wire.post("session", &body)).await?;
        let id = created.get("sessionId").and_then(Value::as_str).ok_or_else(|| {
            let message = "the answer has no `sessionId`".to_owned();
            Trouble::new(PHASE, TroubleKind::Http { message })
        })?;
        let client = Client::with_existing_session(&driver.url, id, HttpConnector::new()).await;
        let client = client.map_err(|error| {
            Trouble::new(PHASE, TroubleKind::Http { message: error.to_string() })
        })?;
        let id = id.to_owned();
        let capabilities = created.get("capabilities").cloned().unwrap_or_default();
        Ok(Self { driver, limits, wire, client, id, capabilities })
    }

    /// Version of the browser, as the driver reports it.
    pub fn browser_version(&self) -> &str {
        self.capabilities.get("browserVersion").and_then(Value::as_str).unwrap_or("unknown")
    }

    /// The browser's name for itself.
    pub fn browser_name(&self) -> &str {
        self.capabilities.get("browserName").and_then(Value::as_str).unwrap_or("unknown")
    }

    /// Loads a page.
    pub async fn goto(&self, url: &str) -> Result<(), Trouble> {
        self.issue("navigate", self.limits.navigate, self.client.goto(url)).await
    }

    /// Leaves the page that is open, and ends its workers with it.
    pub async fn about_blank(&self) -> Result<(), Trouble> {
        self.issue("leave page", self.limits.request, self.client.goto("about:blank")).await
    }

    /// Runs a script, the body of a function, and brings what it returns.
    pub async fn execute(&self, script: &str, args: Vec<Value>) -> Result<Value, Trouble> {
        self.issue("execute", self.limits.request, self.client.execute(script, args)).await
    }

    /// A picture of the page, as PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>, Trouble> {
        self.issue("screenshot", self.limits.request, self.client.screenshot()).await
    }

    /// A request that only some drivers know, under `session/{id}/`.
    pub async fn post(
        &self,
        phase: &'static str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Trouble> {
        let path = format!("session/{}/{path}", self.id);
        self.driver.request(phase, self.limits.request, self.wire.post(&path, body)).await
    }

    /// A command of the Chrome DevTools Protocol, which Chromium's driver hands on.
    pub async fn devtools(
        &self,
        phase: &'static str,
        command: &str,
        params: Value,
    ) -> Result<Value, Trouble> {
        self.post(phase, "goog/cdp/execute", &json!({ "cmd": command, "params": params })).await
    }

    /// Runs a trivial script in the page: fails with a crash when the page or its browser is
    /// gone, and with a time-out when the page's main thread is blocked.
    ///
    /// Goes past whatever request is stuck.
    pub async fn is_alive(&self, limit: Duration) -> Result<(), Trouble> {
        let path = format!("session/{}/execute/sync", self.id);
        let body = json!({ "script": "return 1", "args": [] });
        self.driver.request("check page", limit, self.wire.post(&path, &body)).await.map(drop)
    }

    /// Closes the session, and with it the browser.
    pub async fn close(self) -> Result<(), Trouble> {
        let Self { driver, limits, client, .. } = self;
        let close = async { client.close().await.map_err(client_error) };
        driver.request("close session", limits.close, close).await
    }

    async fn issue<T>(
        &self,
        phase: &'static str,
        limit: Duration,
        request: impl Future<Output = Result<T, CmdError>>,
    ) -> Result<T, Trouble> {
        let request = async { request.await.map_err(client_error) };
        self.driver.request(phase, limit, request).await
    }
}

impl DriverLink {
    /// Runs a request against its deadline and the driver's death.
    async fn request<T>(
        &self,
        phase: &'static str,
        limit: Duration,
        request: impl Future<Output = Result<T, TroubleKind>>,
    ) -> Result<T, Trouble> {
        let mut exit = self.exit.clone();
        let answer = tokio::select! {
            biased;
            answer = request => answer,
            Some(how) = death(&mut exit) => Err(self.exited(how)),
            () = tokio::time::sleep(limit) => Err(TroubleKind::TimedOut { limit }),
        };
        let kind = match answer {
            Ok(value) => return Ok(value),
            // A connection that breaks off is most often the driver's death, of which the notice
            // takes another way.
            Err(kind @ TroubleKind::Http { .. }) => {
                match tokio::time::timeout(DEATH_NOTICE, death(&mut exit)).await {
                    Ok(Some(how)) => self.exited(how),
                    Ok(None) | Err(_) => kind,
                }
            }
            Err(kind) => kind,
        };
        Err(Trouble::new(phase, kind))
    }

    fn exited(&self, how: Exit) -> TroubleKind {
        TroubleKind::DriverExited { how, log: self.log.clone() }
    }
}

/// Waits until the driver is dead. `None` when the supervisor is gone too.
async fn death(exit: &mut watch::Receiver<Option<Exit>>) -> Option<Exit> {
    exit.wait_for(Option::is_some).await.ok()?.clone()
}

#[cfg(test)]
mod tests;
