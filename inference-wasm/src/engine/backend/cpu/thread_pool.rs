//! The threads that share a kernel's work.
//!
//! Owns who does a piece of work, and counts who did. What the pieces are is for the kernels: they
//! cut a result into parts that nobody else writes, each computed the same way whoever takes it, so
//! that no answer depends on the number of threads.
//!
//! The caller works, too: a team of `n` has a [`Crew`] of `n − 1` workers beside it. Natively they are
//! threads of its own. In a page only a worker script can start a thread, so there they are lent by
//! rayon's global pool, which the page starts before it loads a model.

#[cfg(feature = "threads")]
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "threads")]
use std::sync::{Mutex, TryLockError};

#[cfg(feature = "threads")]
use super::workers::Crew;
use crate::protocol::{EngineError, EngineErrorKind};

/// Most threads of a team: one bit each in the count of who worked.
pub(crate) const MOST: usize = 64;

/// The calling thread and its workers.
#[derive(Debug)]
pub(crate) struct Team {
    threads: usize,
    /// Bit `i`: thread `i` did a piece of work, 0 being the caller.
    worked: AtomicU64,
    /// `None` with one thread.
    #[cfg(feature = "threads")]
    crew: Option<RefCell<Crew>>,
}

impl Default for Team {
    /// The caller alone.
    fn default() -> Self {
        Self {
            threads: 1,
            worked: AtomicU64::new(0),
            #[cfg(feature = "threads")]
            crew: None,
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
        let name = |number: usize| format!("kernel {number}");
        let started = Mutex::new((0, None));
        let crew = Crew::new(threads - 1, |work| {
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
                Err(unavailable(threads, &why, "ask for fewer"))
            }
            None => Ok(Self { threads, crew: Some(RefCell::new(crew)), ..Self::default() }),
        }
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
        let crew = Crew::new(threads - 1, |work| rayon::spawn(work));
        Ok(Self { threads, crew: Some(RefCell::new(crew)), ..Self::default() })
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
        pieces: impl Iterator<Item = T> + Send,
        work: impl Fn(usize, T) + Sync,
    ) {
        // A single piece wakes nobody.
        #[cfg(feature = "threads")]
        if self.threads > 1 && pieces.size_hint() != (1, Some(1)) {
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
        pieces: impl Iterator<Item = T> + Send,
        work: &(impl Fn(usize, T) + Sync),
    ) {
        let pieces = Mutex::new(pieces);
        // Whoever finds it locked looks again: to sleep and be woken takes longer than a piece.
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
        match &self.crew {
            Some(crew) => crew.borrow_mut().run(&run),
            None => run(0),
        }
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
