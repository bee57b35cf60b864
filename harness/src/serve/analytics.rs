//! `POST /api/v1/browser/analytics`: what pages report about requests that ended there.
//!
//! The schema is closed and its two strings come from lists of ours, so that no part of a prompt
//! or an answer can be in a record.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use inference_wasm::client::telemetry::TelemetryRecord;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// Where records go.
#[derive(Debug)]
pub(super) struct Analytics {
    file: Option<Mutex<fs_err::tokio::File>>,
    records: AtomicU64,
}

impl Analytics {
    /// Opens the file for records, if there is to be one; it is added to, never written over.
    pub(super) fn open(path: Option<&Path>) -> std::io::Result<Self> {
        let open = |path| fs_err::OpenOptions::new().append(true).create(true).open(path);
        let file = path.map(open).transpose()?;
        let file = file.map(|file| Mutex::new(fs_err::tokio::File::from_std(file)));
        Ok(Self { file, records: AtomicU64::new(0) })
    }

    /// Records that were taken in.
    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) async fn add(&self, record: &TelemetryRecord) -> std::io::Result<()> {
        if let Some(file) = &self.file {
            let mut line = serde_json::to_vec(record)?;
            line.push(b'\n');
            let mut file = file.lock().await;
            // One write a line: lines of two writers never mix.
            file.write_all(&line).await?;
            file.flush().await?;
        }
        self.records.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
