//! The page glue: the functions that a page or its worker calls, and what the engine uses of the
//! browser.
//!
//! `page/engine.js` loads this module and passes it commands; events return to it as JSON text,
//! and `page/page.js` numbers and delivers them. This module decides nothing about a model.

#![expect(unreachable_pub, reason = "wasm-bindgen exports only what is `pub`")]

mod client;
mod engine;
mod host;
mod outbox;
#[cfg(feature = "threads")]
mod pool;
mod scope;
mod shard;
