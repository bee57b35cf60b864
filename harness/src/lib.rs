//! The library behind the `tierproof` command: plans a matrix, drives browsers through it, and
//! judges what comes back.
//!
//! The modules follow the flow of a run: [`matrix`] is read and resolved, [`plan`] expands it into
//! [`cell`]s, [`browser`] launches what a cell needs, [`server`] feeds the page, [`run`] executes
//! attempts and linearises everything into [`run::event::RunEvent`]s, [`compare`] holds an answer
//! against its [`golden`], [`outcome`] names what happened, and [`report`] tells it.

pub mod bundle;
pub mod cell;
pub mod compare;
pub mod outcome;
pub mod proof;
pub mod run;
