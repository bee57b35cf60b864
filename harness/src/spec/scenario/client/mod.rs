//! A scenario of the hybrid client: a page that chooses its tier, falls back and recovers by
//! itself, the faults that are injected, and the answers that its user must get all the same.
//!
//! [`crate::run`] carries it out in the client's page. [`crate::spec::fault`] lists the faults.
//! Everything else that a client does is compared with the scenario's golden trace.

mod course;
mod definition;
mod read;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use course::course;
pub use definition::{
    ClientScenario, ClientStep, Deployment, Inject, InputName, InputStep, Inspect, Meanwhile,
    MeanwhileEvent, Repeat, Request, RequestExpectation, TierExpectation, Visit, Wait,
};
pub(super) use read::client as read;
pub use settings::Settings;
