//! What can go wrong between us and a browser, with the phase in which it did.
//!
//! A crash of the browser, the death of a driver and a driver's refusal are distinguished; what
//! that means for a cell is decided in [`crate::run`].

use std::path::PathBuf;
use std::time::Duration;

use fantoccini::error::CmdError;

use super::find::NotFound;

/// Trouble with a browser or its driver.
#[derive(Debug, thiserror::Error)]
#[error("phase `{phase}`: {kind}")]
pub struct Trouble {
    /// What was being done: `start driver`, `new session`, `navigate`, `execute`, …
    pub phase: &'static str,
    /// What went wrong.
    pub kind: TroubleKind,
}

/// The kinds of trouble.
#[derive(Debug, thiserror::Error)]
pub enum TroubleKind {
    /// The driver or the browser is not installed.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// A process can't be started.
    #[error("{message}")]
    Start {
        /// Which one, and why not.
        message: String,
    },
    /// No answer within the deadline.
    #[error("no answer within {:.1} s", limit.as_secs_f64())]
    TimedOut {
        /// The deadline.
        limit: Duration,
    },
    /// The driver's process is gone.
    #[error("the driver ended: {how}\n  hint: its output is in `{}`", log.display())]
    DriverExited {
        /// How it ended.
        how: String,
        /// Its output.
        log: PathBuf,
    },
    /// The session or the tab is gone while the driver lives.
    #[error("the browser crashed: {message}")]
    BrowserCrashed {
        /// What the driver says of it.
        message: String,
    },
    /// A script that we sent threw.
    #[error("the script failed: {message}")]
    Script {
        /// The exception.
        message: String,
    },
    /// The driver answered with an error.
    #[error("the driver says `{error}`: {message}")]
    Refused {
        /// The error code of the WebDriver standard.
        error: String,
        /// The driver's explanation.
        message: String,
    },
    /// The answer is not WebDriver's, or there is none.
    #[error("{message}")]
    Http {
        /// What came instead.
        message: String,
    },
}

impl Trouble {
    /// There is no browser, since it was closed after earlier trouble.
    pub(crate) fn not_launched() -> Self {
        let message = "no browser is running".to_owned();
        Self::new("open page", TroubleKind::Start { message })
    }

    /// Our own server can't serve a page.
    pub(crate) fn server(error: &std::io::Error) -> Self {
        Self::new("open page", TroubleKind::Start { message: error.to_string() })
    }

    /// Too many launches failed in a row for another one to be worth its time.
    pub(crate) fn gave_up(profile: crate::spec::launch::LaunchProfile, launches: u32) -> Self {
        let message = format!("`{profile}` failed to launch {launches} times in a row; gave up");
        Self::new("launch", TroubleKind::Start { message })
    }

    pub(crate) fn new(phase: &'static str, kind: impl Into<TroubleKind>) -> Self {
        Self { phase, kind: kind.into() }
    }

    /// The browser or its tab crashed: a result about the product, unlike all other trouble.
    pub fn is_crash(&self) -> bool {
        matches!(self.kind, TroubleKind::BrowserCrashed { .. })
    }
}

/// Words by which drivers tell that a page, tab or browser is gone, where their error code is a
/// vague one. Chromium: "tab crashed", "disconnected", "chrome not reachable"; WebKit: "page
/// crash"; Firefox: "Failed to decode response from marionette".
const CRASH_WORDS: [&str; 6] = [
    "tab crashed",
    "page crash",
    "browser crash",
    "chrome not reachable",
    "disconnected: ",
    "response from marionette",
];

/// Classes an error answer of a driver, by its code and its message.
pub(crate) fn refusal(error: &str, message: &str) -> TroubleKind {
    let text = format!("{error}: {message}");
    let is_gone = matches!(error, "invalid session id" | "no such window");
    let lower = text.to_lowercase();
    if is_gone || CRASH_WORDS.iter().any(|word| lower.contains(&word.to_lowercase())) {
        return TroubleKind::BrowserCrashed { message: first_line(&text) };
    }
    if error == "javascript error" {
        return TroubleKind::Script { message: message.trim_end().to_owned() };
    }
    TroubleKind::Refused { error: error.to_owned(), message: message.trim_end().to_owned() }
}

/// Chromium appends a stack trace of its driver to every message.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end().to_owned()
}

/// Classes an error of the WebDriver client.
pub(crate) fn client_error(error: CmdError) -> TroubleKind {
    match error {
        CmdError::Standard(error) => refusal(error.error.description(), &error.message),
        // A code outside of the standard, `tab crashed` for one, arrives as a bare string.
        CmdError::NotW3C(serde_json::Value::String(code)) => refusal(&code, ""),
        other => TroubleKind::Http { message: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_are_distinguished_from_refusals() {
        for (error, message, is_crash) in [
            ("invalid session id", "session deleted as the browser has closed", true),
            ("no such window", "target window already closed", true),
            ("unknown error", "tab crashed\n  (Session info: chrome=156)", true),
            ("tab crashed", "", true),
            ("invalid session id", "page crash", true),
            ("unknown error", "Failed to decode response from marionette", true),
            ("unknown error", "chrome not reachable", true),
            ("unknown error", "net::ERR_CONNECTION_REFUSED", false),
            ("session not created", "This version of ChromeDriver only supports", false),
            ("javascript error", "window.tierproof is undefined", false),
            ("timeout", "Timed out receiving message from renderer: 300.000", false),
        ] {
            let trouble = Trouble::new("execute", refusal(error, message));
            assert_eq!(trouble.is_crash(), is_crash, "{error}: {message}");
        }
    }

    #[test]
    fn trouble_reads_well() {
        let trouble = Trouble::new(
            "new session",
            refusal("session not created", "Failed to match capabilities"),
        );
        insta::assert_snapshot!(trouble, @"phase `new session`: the driver says `session not created`: Failed to match capabilities");
        let trouble =
            Trouble::new("navigate", TroubleKind::TimedOut { limit: Duration::from_millis(1500) });
        insta::assert_snapshot!(trouble, @"phase `navigate`: no answer within 1.5 s");
    }
}
