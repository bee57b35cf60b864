//! The pool of threads that the kernels share: rayon's, on workers that the page starts.
//!
//! Owns how threads get from rayon to workers. Starting and watching the workers is the page's
//! business, see `page/pool.js`; what they compute is the kernels'.

use std::sync::{Condvar, Mutex, PoisonError};

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::*;

use super::outbox;

/// Threads that wait for a worker to run them.
static WAITING: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());
/// There is one more of them.
static ARRIVED: Condvar = Condvar::new();

/// Makes a pool of so many workers, and returns when they have begun to run it. Blocks for as long:
/// they must be on their way to [`run_pool_thread`] already.
///
/// # Errors
///
/// If there is a pool.
#[wasm_bindgen]
pub fn start_pool(workers: usize) -> Result<(), JsError> {
    ThreadPoolBuilder::new()
        .num_threads(workers)
        .spawn_handler(|thread| {
            WAITING.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
            ARRIVED.notify_one();
            Ok(())
        })
        .build_global()
        .map_err(|error| JsError::new(&error.to_string()))
}

/// Runs one thread of the pool in this worker, for as long as there is a pool. `emit` takes the
/// event of a panic.
#[wasm_bindgen]
pub fn run_pool_thread(emit: js_sys::Function) {
    outbox::open(emit);
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let thread = loop {
        match waiting.pop() {
            Some(thread) => break thread,
            None => waiting = ARRIVED.wait(waiting).unwrap_or_else(PoisonError::into_inner),
        }
    };
    drop(waiting);
    thread.run();
}
