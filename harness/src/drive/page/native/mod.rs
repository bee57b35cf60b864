//! The engine's native build as a page: the same commands and signals, without a browser.
//!
//! The engine's runner has a thread of its own, as it has a worker in a page. The host below it
//! reads the model from the file and applies the server's faults itself. A runner that hangs
//! can't be ended from outside: its thread stays until the process ends.

mod host;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use inference_wasm::engine::runner::Runner;
use inference_wasm::protocol::{Command, PROTOCOL_VERSION, PageEventKind};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Page, PageSignal};
use crate::drive::browser::{Diagnosis, Trouble, TroubleKind};
use crate::drive::server::PageSetup;
use host::{NativeHost, Shared, State};

/// How often a page says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long the thread may take to end after its last command was cancelled.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The native engine as a page.
#[derive(Debug)]
pub struct NativePage {
    shared: Arc<Shared>,
    signals: mpsc::UnboundedReceiver<PageSignal>,
    /// Closing it ends the thread.
    commands: Option<mpsc::UnboundedSender<Command>>,
    heartbeat: JoinHandle<()>,
}

impl NativePage {
    /// Starts the engine's thread. Needs a tokio runtime.
    pub fn open(setup: PageSetup) -> Result<Self, Trouble> {
        let (sender, signals) = mpsc::unbounded_channel();
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(setup, sender));
        let for_thread = shared.clone();
        std::thread::Builder::new()
            .name("native engine".to_owned())
            .spawn(move || work(&for_thread, receiver))
            .map_err(|error| {
                let message = format!("the engine's thread can't be started: {error}");
                Trouble::new("start engine", TroubleKind::Start { message })
            })?;
        let beating = shared.clone();
        let heartbeat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                beating.send(None, PageEventKind::Heartbeat);
            }
        });
        Ok(Self { shared, signals, commands: Some(commands), heartbeat })
    }
}

/// The thread: one command after the other, until there are no more or one panics.
fn work(shared: &Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut runner = Runner::new(NativeHost::new(shared.clone()));
    shared.send(
        None,
        PageEventKind::Ready {
            protocol: PROTOCOL_VERSION,
            user_agent: host::user_agent(),
            cross_origin_isolated: false,
        },
    );
    while let Some(command) = commands.blocking_recv() {
        let id = command.id;
        // After a panic the runner is dropped, so nothing half changed is seen again.
        let run = AssertUnwindSafe(|| futures::executor::block_on(runner.run(command)));
        if let Err(payload) = catch_unwind(run) {
            shared.set_state(State::Dead);
            let message = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without a message".to_owned());
            shared.send(Some(id), PageEventKind::Panicked { message });
            return;
        }
    }
    shared.set_state(State::Dead);
}

impl Page for NativePage {
    fn serve(&mut self, setup: PageSetup) {
        self.shared.serve(setup);
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        let refuse =
            |message: String| Err(Trouble::new("submit command", TroubleKind::Script { message }));
        if let Err(message) = self.shared.begin(command.id) {
            return refuse(message);
        }
        match &self.commands {
            Some(commands) if commands.send(command.clone()).is_ok() => Ok(()),
            Some(_) | None => refuse("the engine's thread is gone".to_owned()),
        }
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        self.shared.cancel();
        Ok(())
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        tokio::time::timeout_at(deadline, self.signals.recv()).await.ok()?
    }

    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.shared.take_logits(command)
    }

    async fn diagnose(&mut self) -> Diagnosis {
        match self.shared.state() {
            State::Idle | State::AtWork(_) => Diagnosis::Alive,
            State::Dead => {
                Diagnosis::Crashed { message: "the engine's thread has ended".to_owned() }
            }
        }
    }

    async fn close(mut self) -> Result<(), Trouble> {
        self.shared.cancel();
        self.commands = None;
        let deadline = Instant::now() + CLOSE_LIMIT;
        while self.shared.state() != State::Dead {
            if Instant::now() >= deadline {
                let kind = TroubleKind::TimedOut { limit: CLOSE_LIMIT };
                return Err(Trouble::new("end engine", kind));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for NativePage {
    fn drop(&mut self) {
        self.heartbeat.abort();
        self.shared.cancel();
    }
}

#[cfg(test)]
mod tests;
