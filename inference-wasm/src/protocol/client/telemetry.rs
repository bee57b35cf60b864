//! What is reported about a request: numbers and names out of our own lists, never its content.
//!
//! There is no field that a prompt or an answer could get into: every string in a record comes
//! from the registry or from an experiment, and everything else is a number or one of a closed
//! set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::Form;
use super::output::{ClientErrorKind, FallbackStep};
use super::reason::Reason;
use super::tier::{DeviceTier, Tier};
use crate::protocol::result::FinishReason;

/// Raised whenever a field changes its meaning.
pub const TELEMETRY_VERSION: u32 = 1;

/// One record for each request that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryRecord {
    /// [`TELEMETRY_VERSION`].
    pub version: u32,
    /// The model variant that answered, by its id in the registry.
    pub model_id: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Milliseconds from the request to its end.
    pub latency_ms: u64,
    /// Milliseconds to the first token.
    pub first_token_ms: Option<u64>,
    /// It ended with an answer.
    pub success: bool,
    /// Why the answer ended.
    pub finish_reason: Option<FinishReason>,
    /// What kind of error it ended with.
    pub error: Option<ClientErrorKind>,
    /// The tier that it ended on.
    pub tier: Option<Tier>,
    /// Steps of the fallback chain.
    pub trail: Vec<FallbackStep>,
    /// Devices that were replaced on the way.
    pub recoveries: u32,
    /// Why the last of them was.
    pub recovery_reason: Option<Reason>,
    /// Milliseconds from the loss until the replay began, of the last of them.
    pub recovery_ms: Option<u64>,
    /// Events of old generations that were ignored since the last record.
    pub stale_events: u32,
    /// The share of bytes that came from the cache when the variant was last loaded.
    pub cache_hit_rate: Option<f64>,
    /// Bytes of weights that came over the network for it.
    pub fetched_bytes: u64,
    /// The device's tier.
    pub device_tier: Option<DeviceTier>,
    /// The device's form.
    pub form: Option<Form>,
    /// The experiment's arm that the visitor is in.
    pub cohort: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_fields_of_the_analytics_api_and_takes_no_others() {
        let schema = serde_json::to_value(schemars::schema_for!(TelemetryRecord)).unwrap();
        let fields = schema["properties"].as_object().unwrap();
        for field in ["model_id", "prompt_tokens", "completion_tokens", "latency_ms", "success"] {
            assert!(fields.contains_key(field), "{field}");
        }
        // Every string that is not one of a closed set is on this list, and has an owner.
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
