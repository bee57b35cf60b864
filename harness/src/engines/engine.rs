//! The engines that can be measured, by name, and the page that each of them is.
//!
//! Every engine answers the same protocol, peers through a thin adapter of ours, so that one
//! conversation with one set of deadlines measures them all.

use std::fmt;
use std::str::FromStr;

use inference_wasm::protocol::{BackendName, Command};
use tokio::time::Instant;

use super::process::ProcessPage;
use crate::drive::browser::{Diagnosis, Trouble};
use crate::drive::page::{BrowserPage, NativePage, Page};
use crate::drive::server::PageSetup;
use crate::drive::server::PageSignal;

/// An engine, by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineName {
    /// Ours, in a browser.
    Tierproof,
    /// Our kernels, built natively.
    TierproofNative,
    /// llama.cpp as WebAssembly, from npm.
    Wllama,
    /// ONNX Runtime Web under Transformers.js, from npm.
    TransformersJs,
    /// llama.cpp natively, from `PyPI`.
    LlamaCpp,
}

impl EngineName {
    /// Every engine.
    pub const ALL: [Self; 5] = [
        Self::Tierproof,
        Self::TierproofNative,
        Self::Wllama,
        Self::TransformersJs,
        Self::LlamaCpp,
    ];

    /// The name as it stands on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tierproof => "tierproof",
            Self::TierproofNative => "tierproof-native",
            Self::Wllama => "wllama",
            Self::TransformersJs => "transformers-js",
            Self::LlamaCpp => "llama.cpp",
        }
    }

    /// It runs in a page of a browser.
    pub fn needs_browser(self) -> bool {
        match self {
            Self::Tierproof | Self::Wllama | Self::TransformersJs => true,
            Self::TierproofNative | Self::LlamaCpp => false,
        }
    }

    /// It is ours, so a tier proof is asked of it.
    pub fn is_ours(self) -> bool {
        match self {
            Self::Tierproof | Self::TierproofNative => true,
            Self::Wllama | Self::TransformersJs | Self::LlamaCpp => false,
        }
    }

    /// It takes a prompt as token ids; else as text, of which it has to make the same ids.
    pub fn takes_ids(self) -> bool {
        match self {
            Self::Tierproof | Self::TierproofNative | Self::TransformersJs | Self::LlamaCpp => true,
            Self::Wllama => false,
        }
    }

    /// It tells the ids of its answer, not only the text.
    pub fn tells_ids(self) -> bool {
        match self {
            Self::Tierproof | Self::TierproofNative | Self::TransformersJs => true,
            Self::Wllama | Self::LlamaCpp => false,
        }
    }

    /// The backends that it has.
    pub fn backends(self) -> &'static [BackendName] {
        match self {
            Self::Tierproof => &[BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm],
            Self::TransformersJs => &[BackendName::Webgpu, BackendName::Wasm],
            Self::Wllama => &[BackendName::Wasm],
            Self::TierproofNative | Self::LlamaCpp => &[BackendName::Cpu],
        }
    }

    /// Why it can't be measured on a backend; `None` if it can.
    pub fn why_not(self, backend: BackendName) -> Option<&'static str> {
        match (self, backend) {
            _ if self.backends().contains(&backend) => None,
            // Its WebGPU takes `shader-f16`; it loads and answers without it all the same, and
            // tells nobody where (3.8.1).
            (Self::Wllama, BackendName::Webgpu) => Some(
                "where the adapter lacks `shader-f16` it computes on the CPU without a word, and \
                 that is not to be told as WebGPU",
            ),
            _ => Some("it has no such backend"),
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EngineName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|engine| engine.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|engine| engine.as_str()).collect();
            format!("unknown engine `{text}`, expected one of {}", names.join(", "))
        })
    }
}

/// An engine that takes commands: in a browser, on a thread of ours, or in a process.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is a handful in a series")]
pub(super) enum EnginePage<'b> {
    Browser(BrowserPage<'b>),
    Native(NativePage),
    Process(ProcessPage),
}

impl Page for EnginePage<'_> {
    fn serve(&mut self, setup: PageSetup) {
        match self {
            Self::Browser(page) => page.serve(setup),
            Self::Native(page) => page.serve(setup),
            Self::Process(page) => page.serve(setup),
        }
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        match self {
            Self::Browser(page) => page.submit(command).await,
            Self::Native(page) => page.submit(command).await,
            Self::Process(page) => page.submit(command).await,
        }
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        match self {
            Self::Browser(page) => page.cancel().await,
            Self::Native(page) => page.cancel().await,
            Self::Process(page) => page.cancel().await,
        }
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        match self {
            Self::Browser(page) => page.next_signal(deadline).await,
            Self::Native(page) => page.next_signal(deadline).await,
            Self::Process(page) => page.next_signal(deadline).await,
        }
    }

    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        match self {
            Self::Browser(page) => page.take_logits(command),
            Self::Native(page) => page.take_logits(command),
            Self::Process(page) => page.take_logits(command),
        }
    }

    async fn diagnose(&mut self) -> Diagnosis {
        match self {
            Self::Browser(page) => page.diagnose().await,
            Self::Native(page) => page.diagnose().await,
            Self::Process(page) => page.diagnose().await,
        }
    }

    async fn close(self) -> Result<(), Trouble> {
        match self {
            Self::Browser(page) => page.close().await,
            Self::Native(page) => page.close().await,
            Self::Process(page) => page.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_told() {
        for engine in EngineName::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        let error = "wlama".parse::<EngineName>().unwrap_err();
        assert!(error.starts_with("unknown engine `wlama`, expected one of tierproof,"), "{error}");
    }
}
