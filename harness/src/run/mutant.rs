//! Known defects of a test build, by the name that `--seeded-fault` takes.

use inference_wasm::client::machine::ClientFault;
use inference_wasm::protocol::SeededFault;

/// A seeded fault, by what carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeded {
    /// The engine.
    Engine(SeededFault),
    /// The hybrid client.
    Client(ClientFault),
}

impl Seeded {
    /// Every seeded fault, the engine's first.
    pub fn all() -> impl Iterator<Item = Self> {
        let engine = SeededFault::ALL.into_iter().map(Self::Engine);
        engine.chain(ClientFault::ALL.into_iter().map(Self::Client))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Engine(fault) => fault.as_str(),
            Self::Client(fault) => fault.as_str(),
        }
    }

    /// The engine's, if it is one.
    pub(crate) fn engine(self) -> Option<SeededFault> {
        if let Self::Engine(fault) = self { Some(fault) } else { None }
    }

    /// The client's, if it is one.
    pub(crate) fn client(self) -> Option<ClientFault> {
        if let Self::Client(fault) = self { Some(fault) } else { None }
    }
}

impl From<SeededFault> for Seeded {
    fn from(fault: SeededFault) -> Self {
        Self::Engine(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_protocol_and_no_two_are_the_same() {
        let mut names: Vec<_> = Seeded::all().map(Seeded::as_str).collect();
        for seeded in Seeded::all() {
            let name = match seeded {
                Seeded::Engine(fault) => serde_json::to_value(fault),
                Seeded::Client(fault) => serde_json::to_value(fault),
            };
            assert_eq!(name.unwrap(), seeded.as_str());
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
