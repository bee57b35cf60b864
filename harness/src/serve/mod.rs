//! The server tier and the control plane: answers of the native engine over HTTP, where a request
//! is best answered, which models are on offer, and telemetry.
//!
//! Every body is checked against the schemas that the API publishes, and every refusal is a
//! [`Problem`]. Routing is the client's own router.

mod analytics;
mod api;
mod body;
mod checks;
mod engines;
mod gate;
mod generate;
mod handlers;
mod key;
mod models;
mod operations;
mod problem;
mod routes;
mod schema;
mod steps;
mod validators;

pub use api::{Options, SetupError};
pub use key::{BadKey, Key};
pub(crate) use models::variant_of;
pub use problem::{FieldError, Problem, ProblemKind};
pub use routes::router;
pub use schema::{GenerateBody, Health, LIMITS, Limits};

#[cfg(test)]
mod tests;
