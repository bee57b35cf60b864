//! One series: loads every entry, then measures them round after round.
//!
//! An entry that can't go on is left out with its reason, and the others go on.

use super::comparison::comparisons;
use super::entry::Entry;
use super::host::{Host, Surroundings};
use super::method::{Contender, Method, Subject};
use super::prompt::{Prompts, PromptsError};
use super::quiet::{self, Busy};
use super::record::{Engine, Load, Memory, Model, Sample, Series};
use super::run::{Ready, choose_thread, load, load_once, run};
use super::schedule::order;
use super::timing::Timed;
use super::unmeasured::Unmeasured;
use crate::engines::EnginePage;

/// Why a series was not measured.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The machine is busy, which was not allowed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// There is no prompt of a requested length.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
}

/// An entry in its surroundings, or the reason in its record why it has none.
struct Started<'s> {
    entry: Entry,
    record: Engine,
    host: Option<Host<'s>>,
}

/// An entry with a page to be measured in.
struct Opened<'h> {
    entry: Entry,
    record: &'h mut Engine,
    host: &'h Host<'h>,
    page: Timed<EnginePage<'h>>,
}

/// Measures a series. `progress` gets a line for each step.
///
/// # Errors
/// The machine is busy, which was not allowed; or there is no prompt of a requested length.
pub async fn series(
    surroundings: &Surroundings<'_>,
    method: &Method,
    subject: &Subject<'_>,
    mut prompts: Prompts,
    progress: &mut dyn FnMut(String),
) -> Result<Series, SeriesError> {
    let manifest = &subject.whole.manifest;
    let browser =
        subject.profile.map_or("native".to_owned(), |profile| profile.browser.to_string());
    let (method, left_out) = method.within(prompts.context());
    let place = format!("{} in {browser}", manifest.name);
    let mut report = |step: String| progress(format!("{place}: {step}"));
    let mut started = Vec::new();
    for contender in subject.contenders {
        report(format!("starting {}", contender.entry));
        started.push(start(surroundings, &method, subject, contender).await);
    }
    let hosts = started.iter().filter_map(|entry| entry.host.as_ref());
    let browser_version = hosts.map(Host::browser_version).find(|version| !version.is_empty());
    let browser_version = browser_version.unwrap_or_default().to_owned();

    let opened = open_all(&mut started, &method, &mut report).await;
    let mut ready = load_all(opened, &method, &mut report).await;
    rounds(&method, &mut prompts, &mut ready, &mut report).await?;
    for Ready { conversation, .. } in ready {
        // A browser is closed next, in any case.
        if let Err(trouble) = conversation.close().await {
            tracing::info!("a page could not be closed: {trouble}");
        }
    }
    let mut engines = Vec::new();
    for Started { record, host, .. } in started {
        if let Some(host) = host {
            host.close().await;
        }
        engines.push(record);
    }
    let model = Model {
        name: manifest.name.clone(),
        bytes: manifest.bytes,
        sha256: manifest.sha256.clone(),
        read_bytes: subject.read_bytes,
    };
    let comparisons = comparisons(&engines);
    Ok(Series { browser, browser_version, model, left_out, engines, comparisons })
}

/// Starts an entry's surroundings.
async fn start<'s>(
    surroundings: &'s Surroundings<'s>,
    method: &Method,
    subject: &Subject<'_>,
    contender: &Contender,
) -> Started<'s> {
    let entry = contender.entry;
    let start = async {
        let model = subject.model(entry.engine)?;
        let mut host = Host::start(surroundings, contender, subject.profile, model).await?;
        choose_thread(&mut host, entry, method).await?;
        Ok::<_, Unmeasured>(host)
    };
    let (host, unsupported) = match start.await {
        Ok(host) => (Some(host), None),
        Err(reason) => (None, Some(reason.to_string())),
    };
    let record = Engine {
        name: entry.to_string(),
        backend: entry.backend.to_string(),
        adapter: None,
        adapter_is_software: None,
        version: contender.prepared.version.clone(),
        unsupported,
        build: String::new(),
        effective_threads: 0,
        load: Load::default(),
        memory: Memory::default(),
        samples: Vec::new(),
    };
    Started { entry, record, host }
}

/// Measures the cold load of each entry and opens the page in which it is measured.
async fn open_all<'h>(
    started: &'h mut [Started<'_>],
    method: &Method,
    report: &mut dyn FnMut(String),
) -> Vec<Opened<'h>> {
    let mut opened = Vec::new();
    for Started { entry, record, host } in started {
        let (entry, Some(host)) = (*entry, &*host) else { continue };
        record.memory.rss_before_bytes = host.resident_bytes(None);
        report(format!("loading {entry}, cold"));
        let open = async {
            record.load.cold_ms = load_once(host, method, entry).await?;
            Ok::<_, Unmeasured>(host.open(method.choice(entry)).await?)
        };
        match open.await {
            Ok(page) => opened.push(Opened { entry, record, host, page: Timed::new(page) }),
            Err(reason) => record.unsupported = Some(reason.to_string()),
        }
    }
    opened
}

/// Loads the model of each entry in its page.
async fn load_all<'h>(
    opened: Vec<Opened<'h>>,
    method: &Method,
    report: &mut dyn FnMut(String),
) -> Vec<Ready<'h>> {
    let mut ready = Vec::new();
    for Opened { entry, record, host, page } in opened {
        report(format!("loading {entry}, warm"));
        let (times, process) = (page.times(), page.page().supervisor_id());
        match load(page, method, entry, host.manifest()).await {
            Ok(conversation) => {
                record.load.warm_ms = times.latest().load_ms();
                ready.push(Ready { conversation, times, host, process, entry, record });
            }
            Err(reason) => record.unsupported = Some(reason.to_string()),
        }
    }
    ready
}

/// Measures round after round with each prompt length.
async fn rounds(
    method: &Method,
    prompts: &mut Prompts,
    ready: &mut [Ready<'_>],
    report: &mut dyn FnMut(String),
) -> Result<(), SeriesError> {
    for context in method.contexts.iter().copied() {
        for round in 0..=method.pairs {
            let prompt = prompts.next(context)?;
            let busy_cores = quiet::wait(method.allow_busy).await;
            quiet::check(busy_cores, method.allow_busy)?;
            let what = match round {
                0 => "warm-up".to_owned(),
                _ => format!("round {round} of {}", method.pairs),
            };
            for at in order(round, ready.len()) {
                let entry = &mut ready[at];
                if entry.record.unsupported.is_some() {
                    continue;
                }
                report(format!("prompt of {context}, {what}: {}", entry.entry));
                match run(entry, method, &prompt).await {
                    Ok(sample) => {
                        let text = match &sample.ids[..] {
                            [] => sample.text,
                            ids => prompts.text(ids),
                        };
                        let sample = Sample { context, round, busy_cores, text, ..sample };
                        entry.record.samples.push(sample);
                    }
                    Err(reason) => entry.record.unsupported = Some(reason.to_string()),
                }
            }
        }
    }
    Ok(())
}
