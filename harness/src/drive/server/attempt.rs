//! The server's state for one attempt: the sequence of its events, and its logits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use inference_wasm::protocol::{PROTOCOL_VERSION, PageEvent, PageEventKind};
use tokio::sync::mpsc;

use super::model::ServedModel;
use super::site::ClientSite;
use crate::spec::fault::ShardFault;

/// What a page is served.
#[derive(Debug, Clone, Default)]
pub struct PageSetup {
    /// The model whose shards lie under `models/`.
    pub model: Option<Arc<ServedModel>>,
    /// The fault in serving it.
    pub fault: Option<ShardFault>,
}

/// An event of a page, or a breach of the protocol.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every signal is an event")]
pub enum PageSignal {
    /// An event, in order.
    Event(PageEvent),
    /// A breach of the protocol: lost events, an unreadable batch, another version.
    Protocol(String),
}

#[derive(Debug)]
pub(crate) struct Attempt {
    setup: Mutex<PageSetup>,
    site: Option<Arc<ClientSite>>,
    sequence: Mutex<Sequence>,
    signals: mpsc::UnboundedSender<PageSignal>,
    logits: Mutex<BTreeMap<u32, Bytes>>,
}

impl Attempt {
    pub(super) fn new(setup: PageSetup, signals: mpsc::UnboundedSender<PageSignal>) -> Self {
        let setup = Mutex::new(setup);
        let (sequence, logits) = Default::default();
        Self { setup, site: None, sequence, signals, logits }
    }

    /// A visit of the hybrid client.
    pub(super) fn of_client(
        site: Arc<ClientSite>,
        signals: mpsc::UnboundedSender<PageSignal>,
    ) -> Self {
        Self { site: Some(site), ..Self::new(PageSetup::default(), signals) }
    }

    /// What the hybrid client is served; `None` for an engine's page.
    pub(super) fn site(&self) -> Option<Arc<ClientSite>> {
        self.site.clone()
    }

    /// The model and faults served to the page now.
    pub(super) fn setup(&self) -> PageSetup {
        lock(&self.setup).clone()
    }

    pub(super) fn serve(&self, setup: PageSetup) {
        *lock(&self.setup) = setup;
    }

    /// Accepts a batch of events and passes on the new ones.
    pub(super) fn take_in(&self, batch: Vec<PageEvent>) {
        // One batch at a time, or their signals would mix.
        let mut sequence = lock(&self.sequence);
        for signal in batch.into_iter().flat_map(|event| sequence.admit(event)) {
            self.signal(signal);
        }
    }

    /// Passes on a breach of the protocol.
    pub(super) fn breach(&self, message: String) {
        self.signal(PageSignal::Protocol(message));
    }

    fn signal(&self, signal: PageSignal) {
        // The attempt is over when the receiver is gone.
        let _ = self.signals.send(signal);
    }

    pub(super) fn keep_logits(&self, command: u32, rows: Bytes) {
        lock(&self.logits).insert(command, rows);
    }

    pub(super) fn take_logits(&self, command: u32) -> Option<Vec<f32>> {
        let bytes = lock(&self.logits).remove(&command)?;
        let (values, _) = bytes.as_chunks::<4>();
        Some(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can panic between two changes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sequence of a page's events. A repeat is a retry whose answer got lost, so it is dropped;
/// a gap is reported.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    next: u64,
}

impl Sequence {
    /// The signals for an event: none, the event, or a breach and then the event.
    pub(crate) fn admit(&mut self, event: PageEvent) -> Vec<PageSignal> {
        let expected = self.next;
        if event.seq < expected {
            return Vec::new();
        }
        self.next = event.seq.saturating_add(1);
        let mut signals = Vec::new();
        if event.seq > expected {
            signals.push(PageSignal::Protocol(format!(
                "events are lost: expected number {expected}, found {}",
                event.seq
            )));
        }
        if let PageEventKind::Ready { protocol, .. } = event.kind
            && protocol != PROTOCOL_VERSION
        {
            signals.push(PageSignal::Protocol(format!(
                "the page speaks protocol {protocol}, expected {PROTOCOL_VERSION}\n  \
                 hint: build the bundle again"
            )));
        }
        signals.push(PageSignal::Event(event));
        signals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(seq: u64) -> PageEvent {
        PageEvent { seq, at_ms: 0.0, command: None, kind: PageEventKind::Heartbeat }
    }

    #[test]
    fn repeats_are_dropped_and_gaps_are_reported() {
        let mut sequence = Sequence::default();
        let mut admit = |seq| {
            let signals = sequence.admit(heartbeat(seq));
            signals
                .into_iter()
                .map(|signal| match signal {
                    PageSignal::Event(event) => event.seq.to_string(),
                    PageSignal::Protocol(message) => message,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(admit(0), ["0"]);
        assert_eq!(admit(1), ["1"]);
        assert_eq!(admit(1), [""; 0]);
        assert_eq!(admit(0), [""; 0]);
        assert_eq!(admit(4), ["events are lost: expected number 2, found 4", "4"]);
        assert_eq!(admit(3), [""; 0]);
        assert_eq!(admit(5), ["5"]);
        assert_eq!(admit(u64::MAX).len(), 2);
    }

    #[test]
    fn a_page_of_another_protocol_is_reported() {
        let kind = PageEventKind::Ready {
            protocol: PROTOCOL_VERSION + 1,
            user_agent: String::new(),
            cross_origin_isolated: true,
        };
        let event = PageEvent { kind, ..heartbeat(0) };
        let signals = Sequence::default().admit(event.clone());
        assert!(matches!(&signals[..], [PageSignal::Protocol(_), PageSignal::Event(_)]));
    }
}
