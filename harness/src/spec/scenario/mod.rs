//! A scenario: what is done with a model in one page, step by step, and the expected result of each
//! step. Scenarios are declared in `fixtures/scenarios/`, so a new one needs no code.
//!
//! [`crate::run`] carries the steps out. The prompts come from a model's prompt set, the answers
//! from its golden.

mod client;
mod definition;
mod library;
mod prompts;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use client::course;
pub use client::{
    ClientScenario, ClientStep, Deployment, Inject, InputName, InputStep, Inspect, Meanwhile,
    MeanwhileEvent, Repeat, Request, RequestExpectation, Settings, TierExpectation, Visit, Wait,
};
pub use definition::{
    GenerateExpectation, GenerateStep, Launch, Layer, LoadExpectation, LoadStep, OpsStep, Scenario,
    ScoreStep, Step,
};
pub use library::Fixtures;
pub use prompts::{Cases, PromptCase, PromptSet};
