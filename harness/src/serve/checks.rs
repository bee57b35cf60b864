//! Checks of a body that no schema can express.

use inference_wasm::client::machine::Begin;
use inference_wasm::client::router::RoutingRequest;
use inference_wasm::client::telemetry::{TELEMETRY_VERSION, TelemetryRecord};
use inference_wasm::protocol::{Prompt, Sampling};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::models::Shelf;
use super::problem::FieldError;
use super::schema::{GenerateBody, LIMITS};

/// A body that a route takes.
pub(super) trait Body: DeserializeOwned + JsonSchema {
    /// What no schema can say.
    fn problems(&self, models: &Shelf) -> Vec<FieldError>;
}

impl Body for RoutingRequest {
    fn problems(&self, _: &Shelf) -> Vec<FieldError> {
        Vec::new()
    }
}

impl Body for GenerateBody {
    fn problems(&self, models: &Shelf) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut complain = |pointer: &str, detail: String| {
            errors.push(FieldError { pointer: pointer.to_owned(), detail });
        };
        if let Some(model) = &self.model
            && models.get(model).is_none()
        {
            let names: Vec<_> = models.names().map(|name| format!("`{name}`")).collect();
            complain("/model", format!("expected one of {}", names.join(", ")));
        }
        let (pointer, length) = match &self.prompt {
            Prompt::Text(text) => ("/prompt/text", text.chars().count()),
            Prompt::Raw(text) => ("/prompt/raw", text.chars().count()),
            Prompt::Ids(ids) => ("/prompt/ids", ids.len()),
            Prompt::Messages(messages) => {
                let lengths = messages.iter().map(|message| message.content.chars().count());
                ("/prompt/messages", lengths.sum())
            }
        };
        if !(1..=LIMITS.prompt_length).contains(&length) {
            let most = LIMITS.prompt_length;
            complain(pointer, format!("expected a length of 1 to {most}, found {length}"));
        }
        if let Some(Begin::Continue { ids, .. }) = &self.begin
            && ids.len() as u64 >= u64::from(self.max_tokens)
        {
            let detail = format!(
                "expected fewer ids than `max_tokens`, which is {}, found {}",
                self.max_tokens,
                ids.len()
            );
            complain("/begin/ids", detail);
        }
        if let Sampling::Seeded { temperature, top_p, min_p, .. } = self.sampling {
            let mut expect = |is_right: bool, name: &str, range: &str| {
                if !is_right {
                    complain(&format!("/sampling/{name}"), format!("expected {range}"));
                }
            };
            expect(temperature > 0.0, "temperature", "a number above 0");
            expect(top_p > 0.0 && top_p <= 1.0, "top_p", "a number above 0 and at most 1");
            expect((0.0..=1.0).contains(&min_p), "min_p", "a number from 0 to 1");
        }
        errors
    }
}

impl Body for TelemetryRecord {
    fn problems(&self, models: &Shelf) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut expect = |is_right: bool, pointer: &str, detail: String| {
            if !is_right {
                errors.push(FieldError { pointer: pointer.to_owned(), detail });
            }
        };
        let is_version = self.version == TELEMETRY_VERSION;
        expect(is_version, "/version", format!("expected {TELEMETRY_VERSION}"));
        let is_ours = |id: &String| models.names().any(|name| name == id);
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
