//! A page in a browser: commands over WebDriver, signals from the server.

use inference_wasm::protocol::Command;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Page, PageSignal};
use crate::drive::browser::{Browser, Diagnosis, Trouble, TroubleKind};
use crate::drive::server::{PageHandle, PageSetup};

/// One page in a browser that others may use after it.
#[derive(Debug)]
pub struct BrowserPage<'b> {
    browser: &'b Browser,
    handle: PageHandle,
}

impl<'b> BrowserPage<'b> {
    /// Navigates to the page. It takes commands from its `Ready` event on.
    pub async fn open(browser: &'b Browser, handle: PageHandle) -> Result<Self, Trouble> {
        browser.session().goto(&handle.url).await?;
        Ok(Self { browser, handle })
    }

    /// The browser that it is in.
    pub fn browser(&self) -> &'b Browser {
        self.browser
    }
}

impl Page for BrowserPage<'_> {
    fn serve(&mut self, setup: PageSetup) {
        self.handle.serve(setup);
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        const PHASE: &str = "submit command";
        // As text, since WebDriver has its own ideas about numbers and empty lists.
        let text = json!(command).to_string();
        let script = "return window.tierproof.submit(arguments[0])";
        let answer = self.browser.session().execute(script, vec![json!(text)]).await;
        match answer.map_err(|trouble| Trouble { phase: PHASE, ..trouble })? {
            Value::String(message) => {
                Err(Trouble { phase: PHASE, kind: TroubleKind::Script { message } })
            }
            _ => Ok(()),
        }
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        let script = "window.tierproof.cancel()";
        let done = self.browser.session().execute(script, Vec::new()).await;
        done.map(drop).map_err(|trouble| Trouble { phase: "cancel command", ..trouble })
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        tokio::time::timeout_at(deadline, self.handle.signals.recv()).await.ok()?
    }

    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.handle.take_logits(command)
    }

    async fn diagnose(&mut self) -> Diagnosis {
        self.browser.diagnose().await
    }

    async fn close(self) -> Result<(), Trouble> {
        self.browser.session().about_blank().await
    }
}
