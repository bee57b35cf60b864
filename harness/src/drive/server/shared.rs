//! The state that the server's handlers share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt::Attempt;

/// The bundle, and the open attempts by token.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) bundle: PathBuf,
    attempts: Mutex<BTreeMap<String, Arc<Attempt>>>,
}

impl Shared {
    pub(super) fn new(bundle: PathBuf) -> Self {
        Self { bundle, attempts: Mutex::default() }
    }

    pub(super) fn attempts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Attempt>>> {
        // No code that holds the lock can leave the map half changed.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attempt(&self, token: &str) -> Option<Arc<Attempt>> {
        self.attempts().get(token).cloned()
    }
}
