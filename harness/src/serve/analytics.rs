//! `POST /api/v1/browser/analytics`: what pages report about requests that ended there.
//!
//! The schema is closed and its two strings come from lists of ours, so that no part of a prompt
//! or an answer can be in a record.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use http::StatusCode;
use inference_wasm::client::telemetry::{TELEMETRY_VERSION, TelemetryRecord};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use super::body::{Body, Checked};
use super::{Api, FieldError, Problem, ProblemKind};

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

    async fn add(&self, record: &TelemetryRecord) -> std::io::Result<()> {
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

impl Body for TelemetryRecord {
    fn problems(&self, api: &Api) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut expect = |is_right: bool, pointer: &str, detail: String| {
            if !is_right {
                errors.push(FieldError { pointer: pointer.to_owned(), detail });
            }
        };
        let is_version = self.version == TELEMETRY_VERSION;
        expect(is_version, "/version", format!("expected {TELEMETRY_VERSION}"));
        let is_ours = |id: &String| api.models.names().any(|name| name == id);
        let is_model = self.model_id.as_ref().is_none_or(is_ours);
        expect(is_model, "/model_id", "expected the id of a model on offer".to_owned());
        let is_cohort = self.cohort.as_deref().is_none_or(is_label);
        let detail = "expected at most 32 of a-z, 0-9, `-`, `/` and `_`".to_owned();
        expect(is_cohort, "/cohort", detail);
        let is_rate = self.cache_hit_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate));
        expect(is_rate, "/cache_hit_rate", "expected a number from 0 to 1".to_owned());
        errors
    }
}

/// The name of an experiment's arm: too narrow for a sentence.
fn is_label(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_/".contains(&byte);
    text.len() <= 32 && text.bytes().all(is_allowed)
}

pub(super) async fn record(
    State(api): State<Arc<Api>>,
    Checked(record): Checked<TelemetryRecord>,
) -> Result<StatusCode, Problem> {
    match api.analytics.add(&record).await {
        Ok(()) => Ok(StatusCode::ACCEPTED),
        Err(error) => {
            tracing::error!("an analytics record is lost: {error}");
            Err(Problem::new(ProblemKind::EngineFailed, "the record can't be written"))
        }
    }
}
