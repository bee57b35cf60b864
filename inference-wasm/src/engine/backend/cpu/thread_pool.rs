//! The threads that share a kernel's work.
//!
//! Owns the assignment of pieces of work to threads, and counts the threads that worked. Kernels
//! define the pieces: they cut a result into parts with one writer each, computed the same way on
//! any thread, so that no answer depends on the number of threads.
//!
//! The caller works too: a pool of `n` threads has `n − 1` workers. Natively they are threads
//! of its own. In a page only a worker script can start a thread, so there they run on rayon's
//! global pool, which the page starts before it loads a model.

#[cfg(feature = "threads")]
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "threads")]
use std::sync::{Mutex, TryLockError};

#[cfg(feature = "threads")]
use super::workers::Workers;
use crate::protocol::EngineError;

/// The most threads of a pool: one bit each in the record of who worked.
pub(crate) const MAX_THREADS: usize = 64;

/// The calling thread and its workers.
#[derive(Debug)]
pub(crate) struct ThreadPool {
    threads: usize,
    /// Bit `i`: thread `i` did a piece of work; thread 0 is the caller.
    worked: AtomicU64,
    /// `None` with one thread.
    #[cfg(feature = "threads")]
    workers: Option<RefCell<Workers>>,
}

impl Default for ThreadPool {
    fn default() -> Self {
        Self {
            threads: 1,
            worked: AtomicU64::new(0),
            #[cfg(feature = "threads")]
            workers: None,
        }
    }
}

impl ThreadPool {
    /// A pool of `threads` threads; fails with `backend-unavailable` if there can't be that many.
    pub(crate) fn new(threads: usize) -> Result<Self, EngineError> {
        match threads {
            1 => Ok(Self::default()),
            2..=MAX_THREADS => Self::with_workers(threads),
            _ => Err(unavailable(
                threads,
                "the engine supports 1 to 64",
                "request a number in that range",
            )),
        }
    }

    #[cfg(not(feature = "threads"))]
    fn with_workers(threads: usize) -> Result<Self, EngineError> {
        let hint = "load the bundle with threads, or request one";
        Err(unavailable(threads, "this build of the engine has one", hint))
    }

    #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
    fn with_workers(threads: usize) -> Result<Self, EngineError> {
        let name = |number: usize| format!("kernel {number}");
        let started = Mutex::new((0, None));
        let workers = Workers::new(threads - 1, |work| {
            let Ok(mut started) = started.lock() else { return };
            started.0 += 1;
            let thread = std::thread::Builder::new().name(name(started.0));
            if let Err(error) = thread.spawn(work) {
                started.1 = Some(error.to_string());
            }
        });
        match started.into_inner().ok().and_then(|(_, error)| error) {
            Some(error) => {
                let why = format!("they did not start: {error}");
                Err(unavailable(threads, &why, "request fewer"))
            }
            None => Ok(Self { threads, workers: Some(RefCell::new(workers)), ..Self::default() }),
        }
    }

    #[cfg(all(feature = "threads", target_arch = "wasm32"))]
    fn with_workers(threads: usize) -> Result<Self, EngineError> {
        // Checked before any other call of rayon's, which would start a pool of this thread alone.
        let workers = rayon::current_num_threads();
        let is_own = rayon::current_thread_index().is_some();
        if is_own || workers < threads - 1 {
            let found =
                format!("the page has started {} workers", if is_own { 0 } else { workers });
            let hint = "a page needs cross-origin isolation for threads";
            return Err(unavailable(threads, &found, hint));
        }
        let workers = Workers::new(threads - 1, |work| rayon::spawn(work));
        Ok(Self { threads, workers: Some(RefCell::new(workers)), ..Self::default() })
    }

    /// The number of threads, including the caller.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Threads that have done a piece of work so far; the caller always counts.
    pub(crate) fn threads_used(&self) -> u32 {
        (self.worked.load(Ordering::Relaxed) | 1).count_ones()
    }

    /// Calls `work` for each piece, with a number below [`threads`](Self::threads) that no two
    /// threads share at a time.
    pub(crate) fn for_each<T: Send>(
        &self,
        pieces: impl Iterator<Item = T> + Send,
        work: impl Fn(usize, T) + Sync,
    ) {
        // A single piece wakes no worker.
        #[cfg(feature = "threads")]
        if self.threads > 1 && pieces.size_hint() != (1, Some(1)) {
            return self.for_each_in_parallel(pieces, &work);
        }
        for piece in pieces {
            work(0, piece);
        }
        self.worked.fetch_or(1, Ordering::Relaxed);
    }

    #[cfg(feature = "threads")]
    fn for_each_in_parallel<T: Send>(
        &self,
        pieces: impl Iterator<Item = T> + Send,
        work: &(impl Fn(usize, T) + Sync),
    ) {
        let pieces = Mutex::new(pieces);
        // Spin while it is locked: sleeping and waking takes longer than a piece.
        let next = || {
            loop {
                match pieces.try_lock() {
                    Ok(mut pieces) => return pieces.next(),
                    Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
                    Err(TryLockError::Poisoned(_)) => return None,
                }
            }
        };
        let worked = &self.worked;
        let run = |number: usize| {
            while let Some(piece) = next() {
                work(number, piece);
                worked.fetch_or(1 << number, Ordering::Relaxed);
            }
        };
        match &self.workers {
            Some(workers) => workers.borrow_mut().run(&run),
            None => run(0),
        }
    }
}

fn unavailable(threads: usize, why: &str, hint: &str) -> EngineError {
    EngineError::unavailable(format!("{threads} threads were requested, but {why}")).with_hint(hint)
}

#[cfg(all(test, feature = "threads"))]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn every_piece_is_done_once_and_its_thread_is_counted() {
        let pool = ThreadPool::new(3).unwrap();
        assert_eq!(pool.threads_used(), 1);
        // Three pieces that wait for each other: no thread can do two.
        let barrier = Barrier::new(3);
        let mut done = [0; 3];
        pool.for_each(done.iter_mut(), |number, done| {
            barrier.wait();
            *done += 1 + number;
        });
        done.sort_unstable();
        assert_eq!(done, [1, 2, 3]);
        assert_eq!(pool.threads_used(), 3);
    }

    #[test]
    fn an_idle_thread_is_not_counted() {
        let pool = ThreadPool::new(8).unwrap();
        pool.for_each([(); 1].iter(), |number, ()| assert_eq!(number, 0));
        assert_eq!(pool.threads_used(), 1);
    }
}
