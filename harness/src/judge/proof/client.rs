//! Proof of an attempt of the hybrid client: every answer proves its tier, and every planned fault
//! has occurred.

use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::ExecutionReport;
use serde::{Deserialize, Serialize};

use super::{Demand, MissingProof, verify};

/// Evidence of an attempt that was checked.
///
/// Deserializing one trusts the log that it comes from, as with a tier proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientProof {
    requests: Vec<RequestProof>,
    faults: Vec<FaultProof>,
}

/// Evidence of the tier that answered a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestProof {
    /// The step of the scenario.
    pub(crate) step: String,
    /// The tier.
    pub(crate) tier: Tier,
    /// The report of an engine in the page; `None` for the server, which has a log.
    pub(crate) execution: Option<ExecutionReport>,
}

/// Evidence of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultProof {
    /// Its name.
    pub fault: String,
    /// `synthetic` or `real`.
    pub nature: String,
    /// The observation of each occurrence; never empty.
    pub strikes: Vec<String>,
}

impl RequestProof {
    /// An engine of the page answered.
    ///
    /// # Errors
    /// Its report does not prove the tier.
    pub(crate) fn local(
        step: &str,
        tier: Tier,
        demand: Demand<'_>,
        report: &ExecutionReport,
    ) -> Result<Self, MissingProof> {
        let execution = Some(verify(demand, report)?.execution().clone());
        Ok(Self { step: step.to_owned(), tier, execution })
    }

    /// The server answered: `answers` is the number of its complete answers since the request.
    ///
    /// # Errors
    /// There were none.
    pub(crate) fn server(step: &str, answers: u32) -> Result<Self, MissingProof> {
        if answers == 0 {
            let reason = "the server's log has no answer to this request".to_owned();
            return Err(MissingProof { reasons: vec![reason] });
        }
        Ok(Self { step: step.to_owned(), tier: Tier::Server, execution: None })
    }
}

impl ClientProof {
    /// The proof of an attempt.
    ///
    /// # Errors
    /// Nothing was answered and no fault occurred, or a fault lacks an observation.
    pub(crate) fn new(
        requests: Vec<RequestProof>,
        faults: Vec<FaultProof>,
    ) -> Result<Self, MissingProof> {
        let is_empty = requests.is_empty() && faults.is_empty();
        if is_empty || faults.iter().any(|fault| fault.strikes.is_empty()) {
            let reason = "no request was answered, and no fault occurred".to_owned();
            return Err(MissingProof { reasons: vec![reason] });
        }
        Ok(Self { requests, faults })
    }

    /// How the last answer of an engine ran; `None` where only the server answered.
    pub fn execution(&self) -> Option<&ExecutionReport> {
        self.requests.iter().rev().find_map(|request| request.execution.as_ref())
    }

    /// The steps that were answered, each with its tier.
    pub fn tiers(&self) -> impl Iterator<Item = (&str, Tier)> {
        self.requests.iter().map(|request| (request.step.as_str(), request.tier))
    }

    /// The faults that occurred.
    pub fn faults(&self) -> &[FaultProof] {
        &self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_proves_nothing() {
        assert!(ClientProof::new(Vec::new(), Vec::new()).is_err());
        let fault = |strikes: &[&str]| FaultProof {
            fault: "masked".to_owned(),
            nature: "synthetic".to_owned(),
            strikes: strikes.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert!(ClientProof::new(Vec::new(), vec![fault(&[])]).is_err());
        assert!(ClientProof::new(Vec::new(), vec![fault(&["it did"])]).is_ok());
        assert!(RequestProof::server("2 request", 0).is_err());
        let request = RequestProof::server("2 request", 1).unwrap();
        let proof = ClientProof::new(vec![request], Vec::new()).unwrap();
        assert_eq!(proof.tiers().collect::<Vec<_>>(), [("2 request", Tier::Server)]);
        assert_eq!(proof.execution(), None);
        let text = serde_json::to_string(&super::super::Proof::Client(proof.clone())).unwrap();
        let read: super::super::Proof = serde_json::from_str(&text).unwrap();
        assert_eq!(read, super::super::Proof::Client(proof));
    }
}
