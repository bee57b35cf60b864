//! Mutants: defects that a test build can have built in, by the names that `--seeded-fault` takes.

use inference_wasm::client::machine::ClientFault;
use inference_wasm::protocol::SeededFault;

/// A mutant, by the part that carries the defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The engine.
    Engine(SeededFault),
    /// The hybrid client.
    Client(ClientFault),
}

impl Mutant {
    /// Every mutant, those of the engine first.
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

    /// The defect of the engine, if it is one.
    pub(crate) fn engine(self) -> Option<SeededFault> {
        if let Self::Engine(fault) = self { Some(fault) } else { None }
    }

    /// The defect of the client, if it is one.
    pub(crate) fn client(self) -> Option<ClientFault> {
        if let Self::Client(fault) = self { Some(fault) } else { None }
    }
}

impl From<SeededFault> for Mutant {
    fn from(fault: SeededFault) -> Self {
        Self::Engine(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_protocol_and_no_two_are_the_same() {
        let mut names: Vec<_> = Mutant::all().map(Mutant::as_str).collect();
        for mutant in Mutant::all() {
            let name = match mutant {
                Mutant::Engine(fault) => serde_json::to_value(fault),
                Mutant::Client(fault) => serde_json::to_value(fault),
            };
            assert_eq!(name.unwrap(), mutant.as_str());
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
