//! Workers that stay awake between kernels.
//!
//! Owns lending one closure to threads and taking it back before it is dropped. A decoded token
//! takes some two hundred kernels of a tenth of a millisecond; a thread pool that sleeps in between
//! spends more on waking than the second thread gains. These workers poll for work for a moment
//! before they sleep, so within a token they are always awake. The
//! [`thread_pool`](super::thread_pool) decides what the work is and who does which part.

#![expect(unsafe_code, reason = "a closure on the caller's stack is lent to other threads")]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::Thread;

/// How often a worker polls for work before it sleeps: some tens of microseconds.
const POLLS: u32 = 20_000;

/// The closure that a worker calls with its own number.
type Work = dyn Fn(usize) + Sync;

/// A handful of workers; they exit when it is dropped.
#[derive(Debug)]
pub(super) struct Workers {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Lent by [`Workers::run`]; read only by workers that are inside while it is open.
    work: UnsafeCell<Option<&'static Work>>,
    /// Incremented for every job.
    job: AtomicUsize,
    /// The job that workers may still enter; 0 for none.
    open: AtomicUsize,
    /// Workers that may be reading or running `work`.
    inside: AtomicUsize,
    has_panicked: AtomicBool,
    is_over: AtomicBool,
    sleepers: Mutex<Vec<Thread>>,
}

// SAFETY: `work` is written only by the one caller of `Workers::run` (which takes `&mut self`),
// while no job is open and no worker is inside; it is read only inside. Everything else is `Sync`
// by itself.
unsafe impl Sync for Shared {}

// SAFETY: as above; the lent closure is `Sync`, so any thread may call it.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("job", &self.job).finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts `count` workers. `spawn` starts a thread that runs the closure it is given; a worker
    /// that starts late misses the jobs until then, and nothing waits for it.
    pub(super) fn new(count: usize, spawn: impl Fn(Box<dyn FnOnce() + Send>)) -> Self {
        let shared = Arc::new(Shared::default());
        for number in 1..=count {
            let shared = Arc::clone(&shared);
            spawn(Box::new(move || shared.work_loop(number)));
        }
        Self { shared }
    }

    /// Runs `work` on the calling thread, as number 0, and on every worker that enters in time.
    /// Returns when all of them have finished.
    pub(super) fn run(&mut self, work: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime is changed. Workers use the reference between entering and
        // leaving; `Closing` closes the job and waits until no worker is inside, before this
        // function returns or unwinds.
        let lent: &'static Work = unsafe { std::mem::transmute(work) };
        // SAFETY: no job is open and no worker is inside, see `Sync`.
        unsafe { *self.shared.work.get() = Some(lent) };
        let closing = Closing(&self.shared);
        let job = self.shared.job.load(SeqCst) + 1;
        self.shared.open.store(job, SeqCst);
        self.shared.job.store(job, SeqCst);
        self.shared.wake();
        work(0);
        drop(closing);
        assert!(!self.shared.has_panicked.load(SeqCst), "a worker panicked");
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        self.shared.wake();
    }
}

/// On drop, closes the job and waits for the workers inside.
struct Closing<'s>(&'s Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.open.store(0, SeqCst);
        while self.0.inside.load(SeqCst) != 0 {
            std::hint::spin_loop();
        }
    }
}

/// On drop, leaves the job, also after a panic.
struct Inside<'s>(&'s Shared);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.has_panicked.store(true, SeqCst);
        }
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    fn work_loop(&self, number: usize) {
        let mut done = 0;
        while let Some(job) = self.next(done) {
            done = job;
            // Enter before reading `open`: then either this thread sees that the job is closed, or
            // the caller sees that a worker is inside.
            self.inside.fetch_add(1, SeqCst);
            let inside = Inside(self);
            if self.open.load(SeqCst) == job {
                // SAFETY: the job is open and this thread inside, so `work` is lent and stays so.
                if let Some(work) = unsafe { *self.work.get() } {
                    work(number);
                }
            }
            drop(inside);
        }
    }

    /// Waits for a job after `done`; `None` at the end.
    fn next(&self, done: usize) -> Option<usize> {
        let mut polls = 0;
        loop {
            if self.is_over.load(SeqCst) {
                return None;
            }
            let job = self.job.load(SeqCst);
            if job != done {
                return Some(job);
            }
            polls += 1;
            if polls < POLLS {
                std::hint::spin_loop();
                continue;
            }
            polls = 0;
            if let Ok(mut sleepers) = self.sleepers.lock() {
                sleepers.push(std::thread::current());
            }
            // Check again now that it can be woken; a wake-up from here on is not lost by `park`.
            if self.job.load(SeqCst) == done && !self.is_over.load(SeqCst) {
                std::thread::park();
            }
        }
    }

    fn wake(&self) {
        if let Ok(mut sleepers) = self.sleepers.lock() {
            sleepers.drain(..).for_each(|sleeper| sleeper.unpark());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spawn(work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }

    #[test]
    fn every_job_is_finished_when_run_returns() {
        let mut workers = Workers::new(3, spawn);
        for job in 0..2_000 {
            let next = AtomicUsize::new(0);
            let sum = AtomicUsize::new(0);
            workers.run(&|_| {
                while next.fetch_add(1, SeqCst) < 100 {
                    sum.fetch_add(job, SeqCst);
                }
            });
            assert_eq!(sum.load(SeqCst), 100 * job);
        }
    }

    #[test]
    fn workers_join_and_exit() {
        let mut workers = Workers::new(2, spawn);
        let met = std::sync::Barrier::new(3);
        // A worker that is late for one job enters a later one.
        let here = Mutex::new(std::collections::BTreeSet::new());
        while here.lock().unwrap().len() < 3 {
            workers.run(&|number| {
                here.lock().unwrap().insert(number);
                std::thread::yield_now();
            });
        }
        let shared = Arc::downgrade(&workers.shared);
        drop((workers, met));
        while shared.strong_count() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    #[should_panic(expected = "a worker panicked")]
    fn a_panic_of_a_worker_panics_the_caller() {
        let mut workers = Workers::new(1, spawn);
        loop {
            workers.run(&|number| {
                std::thread::yield_now();
                assert_eq!(number, 0, "made up");
            });
        }
    }
}
