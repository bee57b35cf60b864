//! The library behind the `tierproof` command: plans a matrix, drives browsers through it, and
//! judges what comes back.
//!
//! The modules follow the flow of a run: [`matrix`] is read and resolved, [`plan`] expands it into
//! [`cell`]s, [`browser`] launches what a cell needs, [`server`] feeds the page, [`run`] executes
//! attempts and linearises everything into [`run::event::RunEvent`]s, [`compare`] holds an answer
//! against its [`golden`], [`outcome`] names what happened, and [`report`] tells it.

pub mod bench;
pub mod browser;
pub mod bundle;
pub mod capability;
pub mod cell;
pub mod cli;
pub mod compare;
pub mod document;
pub mod expectation;
pub mod fault;
pub mod generate;
pub mod golden;
pub mod matrix;
pub mod models;
pub mod ops;
pub mod outcome;
pub mod page;
pub mod plan;
pub mod proof;
mod python;
pub mod recovery;
pub mod report;
pub mod run;
pub mod scenario;
pub mod server;
pub mod setup;
