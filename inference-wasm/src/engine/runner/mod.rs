//! Carries out the host's commands, one at a time.
//!
//! Every command ends in exactly one `Finished` or `Failed`. All side effects go through the
//! [`Host`]; what a command does is in `load`, `generate`, `score` and `ops`. The runner never
//! replaces a backend by another: one that is unavailable is an error.

mod generate;
mod job;
mod load;
mod model;
mod ops;
mod score;

use self::job::{Job, or_loss};
use self::model::{Model, on_session};
use super::backend::{Backend, Loss};
use super::host::Host;
use crate::protocol::{Action, BackendName, Command, EngineError, Finished, PageEventKind, Phase};

/// Carries out commands on a host, and keeps the loaded model between them.
pub struct Runner<H: Host> {
    host: H,
    loaded: Option<Loaded>,
}

/// The model that `load` left.
struct Loaded {
    requested: BackendName,
    model: Model,
}

impl<H: Host> Runner<H> {
    /// A runner without a model.
    pub fn new(host: H) -> Self {
        Self { host, loaded: None }
    }

    /// The host.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// The host, for changes between commands.
    pub fn host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    /// Why the device of the loaded model is gone, once it is.
    pub fn loss(&self) -> Option<Loss> {
        let loaded = self.loaded.as_ref()?;
        on_session!(&loaded.model, session => session.backend().loss())
    }

    /// Carries out one command: sends its events, then `Finished` or `Failed`.
    pub async fn run(&mut self, command: Command) {
        let id = command.id;
        let last = match self.carry_out(id, command.action).await {
            Ok(result) => PageEventKind::Finished { result },
            Err(error) => {
                let loaded = self.loaded.as_ref().map(|loaded| &loaded.model);
                let error = match loaded {
                    Some(model) => {
                        on_session!(model, s => or_loss(&mut self.host, s.backend(), error).await)
                    }
                    None => error,
                };
                PageEventKind::Failed { error }
            }
        };
        self.host.send(Some(id), last);
    }

    async fn carry_out(&mut self, id: u32, action: Action) -> Result<Finished, EngineError> {
        match action {
            Action::Probe => {
                self.enter(id, Phase::Probe);
                Ok(Finished::Probe(Box::new(self.host.probe().await?)))
            }
            Action::Load(request) => {
                // Before anything is fetched: memory does not hold two.
                self.loaded = None;
                let requested = request.backend;
                let mut job = Job { host: &mut self.host, id, requested };
                let (model, loaded) = load::load(&mut job, &request).await?;
                self.loaded = Some(Loaded { requested, model });
                Ok(Finished::Load(loaded))
            }
            Action::Generate(request) => {
                let (mut job, model) = self.job(id)?;
                let generated =
                    on_session!(model, s => generate::generate(&mut job, s, &request).await?);
                Ok(Finished::Generate(generated))
            }
            Action::Score(request) => {
                let (mut job, model) = self.job(id)?;
                let scored = on_session!(model, s => score::score(&mut job, s, &request).await?);
                Ok(Finished::Score(scored))
            }
            Action::Ops(request) => {
                let requested = request.backend;
                let mut job = Job { host: &mut self.host, id, requested };
                Ok(Finished::Ops(Box::new(ops::ops(&mut job, &request).await?)))
            }
            Action::Release => {
                self.enter(id, Phase::Release);
                self.loaded = None;
                Ok(Finished::Release)
            }
            Action::Client(_) => Err(EngineError::invalid_request(
                "this page runs an engine and not the hybrid client; expected `client.html`",
            )),
        }
    }

    fn enter(&mut self, id: u32, phase: Phase) {
        self.host.send(Some(id), PageEventKind::Phase { phase });
    }

    /// A job on the loaded model, and the model.
    fn job(&mut self, id: u32) -> Result<(Job<'_, H>, &mut Model), EngineError> {
        let Some(Loaded { requested, model }) = &mut self.loaded else {
            return Err(no_model());
        };
        let requested = *requested;
        Ok((Job { host: &mut self.host, id, requested }, model))
    }
}

fn no_model() -> EngineError {
    EngineError::invalid_request("no model is loaded, expected a finished `load` first")
}

#[cfg(test)]
mod tests;
