//! Matrix products of stored weights with rows of activations: the hot loops of the engine.
//!
//! [`blocks`] and [`float`] define what a format has to offer and the order in which an output is
//! summed; [`blocks_of_32`], [`superblocks`] and [`float`] implement it for each format, and
//! [`kernel`] is their table. The loops are in [`row`] (one row of activations: decoding), in
//! [`panel`] (several: prefill) and in [`float`]. The caller shares the work among threads by cutting
//! a job into ranges of outputs.
//!
//! Every loop sums in the same order, so a token gives the same bits alone and in a batch, on any
//! number of threads and on all lanes:
//!
//! ```text
//! blocks:  for each group of 32, in order:
//!          sum += (scale_w · scale_x) · Σ q_w · q_x + least_w · scale_x · Σ q_x
//!          with the sums Σ taken in integers, where order is nothing
//! floats:  lane[j] += w[4i+j] · x[4i+j]; result (l0 + l1) + (l2 + l3)
//! ```

#![expect(
    clippy::inline_always,
    reason = "tiles are made for the numbers that they are called with"
)]

mod blocks;
mod blocks_of_32;
mod float;
mod kernel;
mod panel;
mod row;
mod superblocks;

pub(super) use blocks::BlockJob;
pub(super) use float::FloatJob;
pub(super) use kernel::Kernel;
pub(super) use panel::WIDTH;
