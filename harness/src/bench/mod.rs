//! How fast, against whom: engines measured side by side, so that anyone can check a claim.
//!
//! **Method.** All engines of a series are loaded, each in surroundings of its own
//! ([`Prepared`]), and compute one at a time. A round gives every engine the same prompt, as token
//! ids, and asks for the same number of tokens, greedily and past any stop token; the next round
//! has another prompt and the reverse order ([`schedule`]). The first round is a warm-up and does
//! not count. Times are stamped by the page's clock when the page sees a token: *prefill* is the
//! prompt's tokens over the time to the first token, *decode* the other tokens over the time from
//! the first to the last. A ratio is made of each pair of runs in a round; what is told is the
//! median of the pairs and an interval that holds at 95% whatever the noise is like
//! ([`statistics`]). An engine that works through fewer tokens, generates fewer, or takes a prompt
//! from its cache is left out with that reason, and answers are compared with the subject's
//! ([`comparison`]), so that a fast wrong engine shows.
//!
//! An engine on several backends stands there as several ([`lineup`]). Where its time goes on a GPU
//! is its own account, told beside the rest ([`gpu`]).
//!
//! A machine that is not quiet is refused ([`busy`]). Nothing here asserts a speed but the floors
//! that the user sets ([`floor`]).

pub mod busy;
mod chart;
pub mod comparison;
pub mod engine;
#[cfg(test)]
mod fixture;
pub mod floor;
mod gpu;
mod host;
pub mod html;
pub mod lineup;
mod machine;
mod measure;
mod memory;
mod peers;
mod process;
mod prompt;
pub mod record;
pub mod recovery;
mod requantize;
pub mod schedule;
pub mod statistics;
mod stopwatch;
pub mod table;

pub use gpu::read_bytes;
pub use host::{Parts, Prepared, Surroundings};
pub use machine::machine;
pub use measure::{Method, Subject, series};
pub use peers::{Missing, Peers, UNASKED_BYTES, onnx_name};
pub use prompt::{BenchPrompt, Prompts};
pub use requantize::{TARGETS, requantized};
