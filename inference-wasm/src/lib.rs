//! The engine that tierproof runs on every tier, the client that chooses among tiers, and what host
//! and page say to each other.
//!
//! One crate, built twice: as a library into the harness (the protocol, and the native engine
//! behind `--browser native`), and as the WebAssembly module that a page loads. Nothing here
//! knows WebDriver, files or processes; only [`web`](crate) knows a browser.
//!
//! Invariant: the engine never falls back. Asked for a backend, it is that backend that answers,
//! or an error that says why not. Falling back is [`client`]'s alone.

pub mod client;
pub mod engine;
pub mod protocol;
#[cfg(target_arch = "wasm32")]
mod web;
