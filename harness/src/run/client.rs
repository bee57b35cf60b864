//! One attempt at a cell of the hybrid client: opens its page, does what the scenario says, and
//! judges what the user got.

mod offer;
mod text;
mod visit;
