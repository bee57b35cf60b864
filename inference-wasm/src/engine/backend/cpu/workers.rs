//! Workers that stay awake between kernels.
//!
//! Owns handing one closure to threads and taking it back before it is gone. A decoded token is some
//! two hundred kernels of a tenth of a millisecond; a thread pool that sleeps in between spends more
//! on waking than the second thread gains. A worker of a crew looks for work for a moment before it
//! sleeps, so that within a token it is always awake. What the work is, and who does which part of
//! it, is for the [`thread_pool`](super::thread_pool).

#![expect(unsafe_code, reason = "a closure on the caller's stack is lent to other threads")]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::Thread;

/// How often a worker looks for work before it sleeps: some tens of microseconds.
const LOOKS: u32 = 20_000;

/// What a worker runs, with its own number.
type Work = dyn Fn(usize) + Sync;

/// A handful of workers; they leave when it is dropped.
#[derive(Debug)]
pub(super) struct Crew {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Lent by [`Crew::run`]; read only by workers that are inside while it is open.
    work: UnsafeCell<Option<&'static Work>>,
    /// Rises with every job.
    job: AtomicUsize,
    /// The job that workers may still enter; 0 for none.
    open: AtomicUsize,
    /// Workers that may be reading `work`, or running it.
    inside: AtomicUsize,
    has_panicked: AtomicBool,
    is_over: AtomicBool,
    sleepers: Mutex<Vec<Thread>>,
}

// SAFETY: `work` is written only by the one caller of `Crew::run` (which takes `&mut self`), while
// no job is open and nobody is inside; it is read only inside. Everything else is `Sync` by itself.
unsafe impl Sync for Shared {}

// SAFETY: as above; what is lent is `Sync`, so it may be run from any thread.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("job", &self.job).finish_non_exhaustive()
    }
}

impl Crew {
    /// A crew of so many workers. `spawn` starts a thread that runs what it is given; one that
    /// starts late misses the jobs until then, and nothing waits for it.
    pub(super) fn new(workers: usize, spawn: impl Fn(Box<dyn FnOnce() + Send>)) -> Self {
        let shared = Arc::new(Shared::default());
        for number in 1..=workers {
            let shared = Arc::clone(&shared);
            spawn(Box::new(move || shared.attend(number)));
        }
        Self { shared }
    }

    /// Runs `work` on the calling thread, as number 0, and on every worker that is there in time.
    /// Returns when all of them have come back from it.
    pub(super) fn run(&mut self, work: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime is changed. Workers use the reference between entering and
        // leaving; `Closing` shuts the job and waits until nobody is inside, before this function
        // returns or unwinds.
        let lent: &'static Work = unsafe { std::mem::transmute(work) };
        // SAFETY: no job is open and nobody is inside, see `Sync`.
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

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        self.shared.wake();
    }
}

/// Lets nobody else in, and waits for those who are.
struct Closing<'s>(&'s Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.open.store(0, SeqCst);
        while self.0.inside.load(SeqCst) != 0 {
            std::hint::spin_loop();
        }
    }
}

/// Leaves, also by a panic.
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
    /// A worker's life.
    fn attend(&self, number: usize) {
        let mut done = 0;
        while let Some(job) = self.next(done) {
            done = job;
            // In before the look at `open`: then either this sees that the job is shut, or the
            // caller sees that somebody is inside.
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

    /// Waits for a job after `done`; `None` when it is all over.
    fn next(&self, done: usize) -> Option<usize> {
        let mut looks = 0;
        loop {
            if self.is_over.load(SeqCst) {
                return None;
            }
            let job = self.job.load(SeqCst);
            if job != done {
                return Some(job);
            }
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
                continue;
            }
            looks = 0;
            if let Ok(mut sleepers) = self.sleepers.lock() {
                sleepers.push(std::thread::current());
            }
            // Once more after it can be woken; a wake-up from now on is not lost by `park`.
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
    fn every_job_is_over_when_it_returns() {
        let mut crew = Crew::new(3, spawn);
        for job in 0..2_000 {
            let next = AtomicUsize::new(0);
            let sum = AtomicUsize::new(0);
            crew.run(&|_| {
                while next.fetch_add(1, SeqCst) < 100 {
                    sum.fetch_add(job, SeqCst);
                }
            });
            assert_eq!(sum.load(SeqCst), 100 * job);
        }
    }

    #[test]
    fn workers_come_and_leave() {
        let mut crew = Crew::new(2, spawn);
        let met = std::sync::Barrier::new(3);
        // They can only meet in one job; whoever is late waits for the next.
        let here = Mutex::new(std::collections::BTreeSet::new());
        while here.lock().unwrap().len() < 3 {
            crew.run(&|number| {
                here.lock().unwrap().insert(number);
                std::thread::yield_now();
            });
        }
        let shared = Arc::downgrade(&crew.shared);
        drop((crew, met));
        while shared.strong_count() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    #[should_panic(expected = "a worker panicked")]
    fn a_panic_of_a_worker_is_the_callers() {
        let mut crew = Crew::new(1, spawn);
        loop {
            crew.run(&|number| {
                std::thread::yield_now();
                assert_eq!(number, 0, "made up");
            });
        }
    }
}
