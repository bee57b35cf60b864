//! The thread pool of the kernels: rayon threads on workers that the page starts.
//!
//! This module passes rayon's threads to the workers. `page/pool.js` starts and watches them.

use std::sync::{Condvar, Mutex, PoisonError};

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::*;

use super::outbox;

/// Threads that wait for a worker.
static WAITING: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());
/// A thread was added to [`WAITING`].
static ARRIVED: Condvar = Condvar::new();

/// Creates a pool of `workers` threads. Blocks until all of them run, so the workers must be about
/// to call [`run_pool_thread`] already.
///
/// # Errors
///
/// If there is a pool already.
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

/// Runs one thread of the pool in this worker, as long as the pool exists. `emit` takes the event
/// of a panic.
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
