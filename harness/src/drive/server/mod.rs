//! The web server of a run on 127.0.0.1: the bundle, the model's shards, and what pages send back.
//!
//! Every attempt gets a token that can't be guessed, and all of its addresses lie under it, so that
//! a page left over from an earlier attempt reaches nothing. Commands don't go this way but over
//! WebDriver, and what an event means is decided in [`crate::run`].
//!
//! 127.0.0.1 is a secure context without TLS, and the headers give cross-origin isolation, so that
//! WebGPU and shared memory are available as on a site that sets them.

mod assets;
mod attempt;
mod fault;
mod ingest;
mod listen;
pub(crate) mod model;
mod routes;
mod shared;
mod site;
mod thread;

pub use attempt::{PageSetup, PageSignal};
pub(crate) use fault::{ShardSent, Traffic, sends};
pub use listen::{PageHandle, Server};
pub use model::{DEFAULT_SHARD_BYTES, ModelShelf, ServedModel};
pub(crate) use site::ClientSite;
pub use thread::EngineThread;

#[cfg(test)]
mod tests;
