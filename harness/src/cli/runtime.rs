//! The runtime of a subcommand, and the signals that stop it.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

use super::failure::Failure;

/// Runs a future to its end on a runtime of its own.
pub(super) fn on_runtime<T>(
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::setup)?;
    runtime.block_on(async {
        tokio::spawn(listen());
        future.await
    })
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);
static SIGNALLED: Notify = Notify::const_new();

/// Counts SIGINT, SIGTERM and SIGHUP.
async fn listen() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let streams = kinds.into_iter().filter_map(|kind| signal(kind).ok());
    let streams = streams.map(|mut stream| async move {
        while stream.recv().await.is_some() {
            SIGNALS.fetch_add(1, Ordering::SeqCst);
            SIGNALLED.notify_waiters();
        }
    });
    futures::future::join_all(streams).await;
}

async fn signals_reach(count: u32) {
    loop {
        let signalled = SIGNALLED.notified();
        if SIGNALS.load(Ordering::SeqCst) >= count {
            return;
        }
        signalled.await;
    }
}

/// Resolves when the user stops the command: Ctrl-C, SIGTERM, SIGHUP.
pub(super) async fn interrupted() {
    signals_reach(1).await;
}

/// Resolves when the user stops it a second time.
pub(super) async fn interrupted_twice() {
    signals_reach(2).await;
}
