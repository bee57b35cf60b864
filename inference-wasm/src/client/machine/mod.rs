//! The hybrid client as a state machine.
//!
//! [`Client::step`] takes an event and its time, and returns the effects that follow. Two things
//! progress side by side. The *engine* is started on the best tier that works, and again after its
//! device is lost; a tier that fails is left for the next one in the chain, the server last. The
//! *request*, one at a time, runs in the best place available, and moves on when that place fails.
//!
//! ```text
//! new ─► detect ─► classify ─► choose ─► device ─► probe ─► cache ─► load ─► ready ◄─► running
//!                                ▲ next tier │        │     ▲  ▼       │        │         │
//!                                └───────────┴────────┴─────consent────┤        │     stop│
//!                                                                      ▼        ▼         ▼
//!                 server ◄── no tier left, or a decision               recover ◄── device lost, hung
//! ```
//!
//! Invariants, for every sequence of inputs:
//!
//! - Every request ends by its deadline, with one answer or one typed error.
//! - A user sees each token once and in order. A replay is compared with the tokens that the user
//!   has seen, and a difference is an error.
//! - Devices and attempts at the server have increasing *generations*; late events of an old
//!   generation are counted and ignored.
//! - The client moves down the chain one tier at a time and records a reason for each step. A
//!   decision may go straight to the server; only some reasons lead back up.
//! - A tier is trusted after its first dispatch, and no weights are fetched for it before that.
//!
//! [`step`] dispatches inputs and deadlines. The engine's part is in [`startup`], [`download`] and
//! [`recovery`], the request's in [`placement`] and [`requests`]; all of them change the [`Client`]
//! of [`client`].

mod client;
mod download;
mod flight;
mod mutant;
mod placement;
mod recovery;
mod requests;
mod startup;
mod step;
mod trace;
mod weights;

pub use client::Client;
pub use trace::Trace;

pub use crate::protocol::client::{
    Begin, ClientFault, Config, Deadlines, DeviceFailure, Effect, End, Enrolment, Generation,
    Input, LocalEvent, LossReason, Pressure, Reason, RecoveryLimits, Request, ServerEvent, Start,
    State, Token, Transition,
};

#[cfg(test)]
mod tests;
