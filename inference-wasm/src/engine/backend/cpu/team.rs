//! The threads that share a kernel's work.
//!
//! Owns who does a piece of work, and counts who did. What the pieces are is for the kernels: they
//! cut a result into parts that nobody else writes, each computed the same way whoever takes it, so
//! that no answer depends on the number of threads.
//!
//! The caller works, too: a team of `n` has `n − 1` workers beside it. Natively they are a pool of
//! the team's own. In a page only a worker script can start a thread, so there they are rayon's
//! global pool, which the page starts before it loads a model.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::{EngineError, EngineErrorKind};

/// Most threads of a team: one bit each in the count of who worked.
pub(crate) const MOST: usize = 64;

/// The calling thread and its workers.
#[derive(Debug)]
pub(crate) struct Team {
    threads: usize,
    /// Bit 0: the caller did a piece of work; bit `i + 1`: thread `i` of the pool did.
    worked: AtomicU64,
    /// `None` with one thread, and where it is rayon's global one.
    #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
    pool: Option<rayon::ThreadPool>,
}

impl Default for Team {
    /// The caller alone.
    fn default() -> Self {
        Self {
            threads: 1,
            worked: AtomicU64::new(0),
            #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
            pool: None,
        }
    }
}

impl Team {
    /// A team of so many threads; `backend-unavailable` where there can't be that many.
    pub(crate) fn new(threads: usize) -> Result<Self, EngineError> {
        match threads {
            1 => Ok(Self::default()),
            2..=MOST => Self::with_workers(threads),
            _ => Err(unavailable(threads, "the engine takes from 1 to 64", "ask for as many")),
        }
    }

    #[cfg(not(feature = "threads"))]
    fn with_workers(threads: usize) -> Result<Self, EngineError> {
        let hint = "load the bundle with threads, or ask for one";
        Err(unavailable(threads, "this build of the engine has one", hint))
    }

    #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
    fn with_workers(threads: usize) -> Result<Self, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads - 1)
            .thread_name(|i| format!("kernel {}", i + 1))
            .build()
            .map_err(|error| {
                unavailable(threads, &format!("they did not start: {error}"), "ask for fewer")
            })?;
        Ok(Self { threads, pool: Some(pool), ..Self::default() })
    }

    #[cfg(all(feature = "threads", target_arch = "wasm32"))]
    fn with_workers(threads: usize) -> Result<Self, EngineError> {
        // Asked before anything else of rayon's, which would start a pool of this thread alone.
        let workers = rayon::current_num_threads();
        let is_own = rayon::current_thread_index().is_some();
        if is_own || workers < threads - 1 {
            let found =
                format!("the page has started {} workers", if is_own { 0 } else { workers });
            let hint = "a page needs cross-origin isolation for threads";
            return Err(unavailable(threads, &found, hint));
        }
        Ok(Self { threads, ..Self::default() })
    }

    /// Threads that it is made of.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Threads that have done a piece of work so far; the caller counts as one.
    pub(crate) fn worked(&self) -> u32 {
        (self.worked.load(Ordering::Relaxed) | 1).count_ones()
    }

    /// Does `work` for each piece. The number that it gets with a piece is below
    /// [`threads`](Self::threads), and no two threads have the same at a time.
    pub(crate) fn share<T: Send>(
        &self,
        pieces: impl ExactSizeIterator<Item = T> + Send,
        work: impl Fn(usize, T) + Sync,
    ) {
        #[cfg(feature = "threads")]
        if self.threads > 1 && pieces.len() > 1 {
            return self.share_out(pieces, &work);
        }
        for piece in pieces {
            work(0, piece);
        }
        self.worked.fetch_or(1, Ordering::Relaxed);
    }

    #[cfg(feature = "threads")]
    fn share_out<T: Send>(
        &self,
        pieces: impl ExactSizeIterator<Item = T> + Send,
        work: &(impl Fn(usize, T) + Sync),
    ) {
        let workers = (self.threads - 1).min(pieces.len() - 1);
        let pieces = Mutex::new(pieces);
        let next = || pieces.lock().ok().and_then(|mut pieces| pieces.next());
        let run = |number: usize| {
            while let Some(piece) = next() {
                work(number, piece);
                let thread = rayon::current_thread_index().map_or(0, |index| index + 1);
                self.worked.fetch_or(1 << thread.min(MOST - 1), Ordering::Relaxed);
            }
        };
        self.in_scope(|scope| {
            for number in 1..=workers {
                let run = &run;
                scope.spawn(move |_| run(number));
            }
            run(0);
        });
    }

    /// Runs `body` on the calling thread, and what it spawns on the pool's.
    #[cfg(feature = "threads")]
    fn in_scope<'scope>(&self, body: impl FnOnce(&rayon::Scope<'scope>)) {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(pool) = &self.pool {
            return pool.in_place_scope(body);
        }
        rayon::in_place_scope(body);
    }
}

fn unavailable(threads: usize, why: &str, hint: &str) -> EngineError {
    EngineError {
        kind: EngineErrorKind::BackendUnavailable,
        message: format!("{threads} threads were asked for, but {why}"),
        hint: Some(hint.into()),
    }
}

#[cfg(all(test, feature = "threads"))]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn every_piece_is_done_once_and_whoever_did_one_is_counted() {
        let team = Team::new(3).unwrap();
        assert_eq!(team.worked(), 1);
        // Three pieces that wait for each other: none of the threads can do two.
        let barrier = Barrier::new(3);
        let mut done = [0; 3];
        team.share(done.iter_mut(), |number, done| {
            barrier.wait();
            *done += 1 + number;
        });
        done.sort_unstable();
        assert_eq!(done, [1, 2, 3]);
        assert_eq!(team.worked(), 3);
    }

    #[test]
    fn a_thread_that_had_nothing_to_do_is_not_counted() {
        let team = Team::new(8).unwrap();
        team.share([(); 1].iter(), |number, ()| assert_eq!(number, 0));
        assert_eq!(team.worked(), 1);
    }
}
