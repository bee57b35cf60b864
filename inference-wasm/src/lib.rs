//! The engine that tierproof runs on every tier, the client that chooses among tiers, and the
//! protocol between host and page.
//!
//! One crate, built twice: as a library for the harness (the protocol, and the native engine of
//! `--browser native`), and as the WebAssembly module that a page loads. Nothing here knows
//! WebDriver, files or processes; only [`web`](crate) knows a browser.
//!
//! Invariant: the engine never falls back. It answers on the requested backend or fails with the
//! reason. Falling back is up to the [`client`] alone.
//!
//! The modules are levels: each imports only from those before it, and `client` and `engine` know
//! nothing of each other.

pub mod protocol;

pub mod client;
pub mod engine;

#[cfg(target_arch = "wasm32")]
mod web;
