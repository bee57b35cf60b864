//! Compares the speed of engines side by side, so that anyone can check a claim.
//!
//! **Method.** All engines of a series are loaded, each in surroundings of its own ([`host`]), and
//! compute one at a time. A round gives every engine the same prompt, as token ids, and asks for the
//! same number of tokens, greedily and past any stop token; the next round uses another prompt and
//! the reverse order ([`schedule`]). The first round is a warm-up and does not count. The page's
//! clock stamps each token as the page sees it: *prefill* is the prompt's tokens over the time to
//! the first token, *decode* the other tokens over the time from the first to the last. Each pair of
//! runs in a round gives a ratio; the report has the median of the pairs and an interval that holds
//! at 95% whatever the noise is like ([`statistics`]). An engine that processes fewer prompt tokens,
//! generates fewer, or takes a prompt from its cache is left out with that reason. Answers are
//! compared with the subject's ([`comparison`]), so that a fast wrong engine shows.
//!
//! Each backend of an engine is measured as a separate entry ([`entry`]). Where an engine's time
//! goes on a GPU is its own account, reported beside the rest ([`gpu`]).
//!
//! A busy machine is refused ([`quiet`]). Nothing here asserts a speed except the floors that the
//! user sets ([`floor`]).

mod chart;
pub mod comparison;
pub mod entry;
#[cfg(test)]
mod fixture;
pub mod floor;
mod gpu;
mod host;
pub mod html;
mod machine;
mod measure;
mod memory;
mod method;
mod prompt;
pub mod quiet;
pub mod record;
mod record_file;
pub mod recovery;
mod requantize;
mod run;
pub mod schedule;
pub mod statistics;
pub mod table;
mod timing;
mod unmeasured;

pub use gpu::read_bytes;
pub use host::Surroundings;
pub use machine::machine;
pub use measure::{SeriesError, series};
pub use method::{Contender, Method, Subject};
pub use prompt::{BenchPrompt, Prompts, PromptsError};
pub use requantize::{RequantizeError, TARGETS, requantized};
