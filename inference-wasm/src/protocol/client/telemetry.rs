//! Telemetry: numbers and names from our own lists, never the content of a request.
//!
//! No field can hold a prompt or an answer: every string in a record comes from the registry or an
//! experiment; all other fields are numbers or members of closed sets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::Form;
use super::output::{ClientErrorKind, FallbackStep};
use super::reason::Reason;
use super::tier::{DeviceTier, Tier};
use crate::protocol::result::FinishReason;

/// Incremented whenever a field changes its meaning.
pub const TELEMETRY_VERSION: u32 = 1;

/// The record of one finished request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryRecord {
    /// [`TELEMETRY_VERSION`].
    pub version: u32,
    /// Id of the model variant in the registry, if a local one answered.
    pub model_id: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Milliseconds from the request to its end.
    pub latency_ms: u64,
    /// Milliseconds from the request to the first token.
    pub first_token_ms: Option<u64>,
    /// It ended with an answer.
    pub success: bool,
    /// Why the answer ended.
    pub finish_reason: Option<FinishReason>,
    /// The kind of error that it ended with.
    pub error: Option<ClientErrorKind>,
    /// The tier that it ended on.
    pub tier: Option<Tier>,
    /// Fallbacks, in order.
    pub trail: Vec<FallbackStep>,
    /// Number of replaced devices.
    pub recoveries: u32,
    /// Why the last device was replaced.
    pub recovery_reason: Option<Reason>,
    /// Milliseconds of the last recovery, from the loss until the model could run again.
    pub recovery_ms: Option<u64>,
    /// Ignored events of old generations since the previous record.
    pub stale_events: u32,
    /// The fraction of bytes from the cache when the variant was last loaded.
    pub cache_hit_rate: Option<f64>,
    /// Bytes of weights fetched over the network for the variant.
    pub fetched_bytes: u64,
    /// The tier of the device.
    pub device_tier: Option<DeviceTier>,
    /// The form of the device.
    pub form: Option<Form>,
    /// The visitor's arm of the experiment.
    pub cohort: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_accepts_only_the_fields_of_the_analytics_api() {
        let schema = serde_json::to_value(schemars::schema_for!(TelemetryRecord)).unwrap();
        let fields = schema["properties"].as_object().unwrap();
        for field in ["model_id", "prompt_tokens", "completion_tokens", "latency_ms", "success"] {
            assert!(fields.contains_key(field), "{field}");
        }
        // Every free string is on this list and has an owner.
        let free: Vec<&str> = fields
            .iter()
            .filter(|(_, schema)| {
                let types = schema.get("type").map(ToString::to_string).unwrap_or_default();
                types.contains("string")
            })
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(free, ["model_id", "cohort"]);
        let with_content = r#"{"version":1,"prompt":"secret"}"#;
        assert!(serde_json::from_str::<TelemetryRecord>(with_content).is_err());
    }
}
