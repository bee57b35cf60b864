//! Faults that the driver or the system injects during a command.
//!
//! Each is seen to have happened before [`inject`] returns. The page's
//! reaction is not checked here.

use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::drive::browser::{Browser, Trouble, TroubleKind};
use crate::spec::fault::DriverFault;

/// The phase that trouble is reported with.
const PHASE: &str = "inject fault";

/// How long a process may take to exit once asked to.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A fault that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Injected {
    /// The observed effect, for the evidence.
    pub(crate) proof: String,
    /// When it was requested; its effects come later.
    pub(crate) at: SystemTime,
}

/// Injects a fault and waits for its effect. `value` is the fault's measure.
///
/// # Errors
/// If the browser refuses, or no effect is observed within seconds.
pub(crate) async fn inject(
    fault: DriverFault,
    browser: &Browser,
    value: Option<u64>,
) -> Result<Injected, Trouble> {
    let mut at = SystemTime::now();
    let proof = match fault {
        DriverFault::CrashGpu => {
            let pid = gpu_process(browser)?;
            at = SystemTime::now();
            devtools(browser, "Browser.crashGpuProcess", json!({})).await?;
            gone(browser, pid).await?
        }
        DriverFault::KillGpu => {
            let pid = gpu_process(browser)?;
            at = SystemTime::now();
            signal(pid, Signal::SIGKILL)?;
            gone(browser, pid).await?
        }
        DriverFault::StopGpu => {
            let pid = gpu_process(browser)?;
            signal(pid, Signal::SIGSTOP)?;
            format!("GPU process {pid} is stopped")
        }
        DriverFault::Quota => quota(browser, value.unwrap_or(0)).await?,
        DriverFault::ClearStorage => clear(browser).await?,
        DriverFault::ThrottleCpu => throttle(browser, value.unwrap_or(4)).await?,
        DriverFault::FreezeTab => freeze(browser).await?,
        DriverFault::CrashTab => crash_tab(browser).await?,
    };
    Ok(Injected { proof, at })
}

/// Ends it, where it does not end by itself. Called in any case, also after a failure.
pub(crate) async fn undo(fault: DriverFault, browser: &Browser) -> Result<(), Trouble> {
    match fault {
        DriverFault::StopGpu => match browser.gpu_process() {
            Some(pid) => signal(pid, Signal::SIGCONT),
            None => Ok(()),
        },
        DriverFault::ThrottleCpu => {
            let rate = json!({ "rate": 1 });
            devtools(browser, "Emulation.setCPUThrottlingRate", rate).await.map(drop)
        }
        DriverFault::FreezeTab => {
            let state = json!({ "state": "active" });
            devtools(browser, "Page.setWebLifecycleState", state).await.map(drop)
        }
        DriverFault::Quota => {
            let origin = json!({ "origin": origin(browser).await? });
            devtools(browser, "Storage.overrideQuotaForOrigin", origin).await.map(drop)
        }
        DriverFault::CrashGpu
        | DriverFault::KillGpu
        | DriverFault::ClearStorage
        | DriverFault::CrashTab => Ok(()),
    }
}

fn failed(message: String) -> Trouble {
    Trouble::new(PHASE, TroubleKind::Start { message })
}

async fn devtools(browser: &Browser, command: &str, params: Value) -> Result<Value, Trouble> {
    browser.session().devtools(PHASE, command, params).await
}

async fn script(browser: &Browser, text: &str) -> Result<Value, Trouble> {
    let answer = browser.session().execute(text, Vec::new()).await;
    answer.map_err(|trouble| Trouble { phase: PHASE, ..trouble })
}

fn gpu_process(browser: &Browser) -> Result<u32, Trouble> {
    browser.gpu_process().ok_or_else(|| failed("the browser has no GPU process".to_owned()))
}

fn signal(pid: u32, signal: Signal) -> Result<(), Trouble> {
    let sent = kill(Pid::from_raw(pid as i32), signal);
    sent.map_err(|error| failed(format!("GPU process {pid} did not get {signal}: {error}")))
}

/// Waits until the GPU process is replaced or gone.
async fn gone(browser: &Browser, pid: u32) -> Result<String, Trouble> {
    let deadline = Instant::now() + GONE_WITHIN;
    while browser.gpu_process() == Some(pid) {
        if Instant::now() >= deadline {
            return Err(failed(format!("GPU process {pid} is still there")));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(format!("GPU process {pid} is gone"))
}

async fn origin(browser: &Browser) -> Result<String, Trouble> {
    let origin = script(browser, "return location.origin").await?;
    let origin = origin.as_str().filter(|origin| origin.starts_with("http"));
    origin.map(str::to_owned).ok_or_else(|| failed("no page of ours is open".to_owned()))
}

async fn quota(browser: &Browser, bytes: u64) -> Result<String, Trouble> {
    let origin = origin(browser).await?;
    let params = json!({ "origin": origin, "quotaSize": bytes });
    devtools(browser, "Storage.overrideQuotaForOrigin", params).await?;
    let asked = json!({ "origin": origin });
    let found = devtools(browser, "Storage.getUsageAndQuota", asked).await?;
    if found["overrideActive"] != true {
        return Err(failed(format!("the quota is not overridden: {found}")));
    }
    Ok(format!("quota {}, used {}", found["quota"], found["usage"]))
}

async fn clear(browser: &Browser) -> Result<String, Trouble> {
    let origin = origin(browser).await?;
    let before = usage(browser, &origin).await?;
    let params = json!({ "origin": origin, "storageTypes": "all" });
    devtools(browser, "Storage.clearDataForOrigin", params).await?;
    let after = usage(browser, &origin).await?;
    if before == 0.0 || after >= before {
        return Err(failed(format!("{before} bytes were stored before, {after} are now")));
    }
    Ok(format!("{before} bytes were stored, {after} are left"))
}

async fn usage(browser: &Browser, origin: &str) -> Result<f64, Trouble> {
    let found = devtools(browser, "Storage.getUsageAndQuota", json!({ "origin": origin })).await?;
    found["usage"].as_f64().ok_or_else(|| failed(format!("the answer has no `usage`: {found}")))
}

/// A loop of some dozen milliseconds on the page's main thread, timed by the page itself.
const BUSY: &str = "const began = performance.now(); let sum = 0; \
    for (let at = 0; at < 3e7; at += 1) sum += at % 7; \
    return performance.now() - began + (sum < 0)";

async fn throttle(browser: &Browser, rate: u64) -> Result<String, Trouble> {
    // The first one is compiled.
    script(browser, BUSY).await?;
    let before = script(browser, BUSY).await?.as_f64().unwrap_or(0.0);
    devtools(browser, "Emulation.setCPUThrottlingRate", json!({ "rate": rate })).await?;
    let after = script(browser, BUSY).await?.as_f64().unwrap_or(0.0);
    if after < before * 1.5 {
        return Err(failed(format!("a loop took {before:.0} ms before and {after:.0} ms then")));
    }
    Ok(format!("a loop takes {:.1} times as long", after / before))
}

async fn freeze(browser: &Browser) -> Result<String, Trouble> {
    let listen = "document.addEventListener('freeze', () => { window.wasFrozen = true; })";
    script(browser, listen).await?;
    devtools(browser, "Page.setWebLifecycleState", json!({ "state": "frozen" })).await?;
    if script(browser, "return window.wasFrozen === true").await? != true {
        return Err(failed("the page got no `freeze` event".to_owned()));
    }
    Ok("the page got a `freeze` event".to_owned())
}

/// A tab that crashed stays dead to its driver, so another one is opened before.
async fn crash_tab(browser: &Browser) -> Result<String, Trouble> {
    let session = browser.session();
    let tab = session.post(PHASE, "window/new", &json!({ "type": "tab" })).await?;
    let handle = tab["handle"].as_str().unwrap_or_default().to_owned();
    let how = match devtools(browser, "Page.crash", json!({})).await {
        Err(trouble) if trouble.is_crash() => trouble.kind.to_string(),
        Ok(_) => {
            // The command may be answered before the driver has noticed.
            match session.is_alive(GONE_WITHIN).await {
                Err(trouble) if trouble.is_crash() => trouble.kind.to_string(),
                Err(trouble) => return Err(trouble),
                Ok(()) => return Err(failed("the tab is still alive".to_owned())),
            }
        }
        Err(trouble) => return Err(trouble),
    };
    session.post(PHASE, "window", &json!({ "handle": handle })).await?;
    Ok(how)
}
