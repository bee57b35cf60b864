//! Bodies that were read, held against their published schema, and checked; or all that is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use inference_wasm::client::router::RoutingRequest;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::schema::MOST_ERRORS;
use super::{Api, FieldError, Problem, ProblemKind};

/// A body that a route takes.
pub(super) trait Body: DeserializeOwned + JsonSchema {
    /// What no schema can say.
    fn problems(&self, api: &Api) -> Vec<FieldError>;
}

impl Body for RoutingRequest {
    fn problems(&self, _: &Api) -> Vec<FieldError> {
        Vec::new()
    }
}

/// The published schemas of bodies, ready to be held against.
pub(super) struct Validators(BTreeMap<String, Validator>);

impl fmt::Debug for Validators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Validators {
    /// One for each schema of the API's document.
    pub(super) fn new(document: &Value) -> Result<Self, String> {
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
        let names = schemas.into_iter().flat_map(|schemas| schemas.keys());
        let compile = |name: &String| {
            let schema = json!({
                "$ref": format!("#/components/schemas/{name}"),
                "components": document["components"],
            });
            let validator = jsonschema::validator_for(&schema);
            Ok((name.clone(), validator.map_err(|error| format!("`{name}`: {error}"))?))
        };
        names.map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// What is wrong with a value, by the schema of this name.
    pub(super) fn errors(&self, name: &str, value: &Value) -> Vec<FieldError> {
        let errors = self.0.get(name).into_iter().flat_map(|schema| schema.iter_errors(value));
        errors.take(MOST_ERRORS).flat_map(|error| told(&error)).collect()
    }
}

/// An error of the schema's in our words. The body's own content is not repeated: it may be long,
/// and whoever reads the log of a page is not always whoever wrote the prompt.
fn told(error: &ValidationError<'_>) -> Vec<FieldError> {
    let pointer = error.instance_path().to_string();
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .take(MOST_ERRORS)
            .map(|name| FieldError { pointer: below(name), detail: "unknown field".to_owned() })
            .collect(),
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldError { pointer: below(name), detail: "missing field".to_owned() }]
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            match meant(context, &pointer) {
                Some(form) => form.iter().flat_map(told).collect(),
                None => vec![FieldError { detail: forms(context, &pointer), pointer }],
            }
        }
        _ => vec![FieldError { pointer, detail: error.masked().to_string() }],
    }
}

/// The one form of several that a value at `pointer` was meant as, by the errors of each: it is of
/// the form's type, the word that tells forms apart is the form's, and if that is not enough, what
/// the form can't go without is there.
fn meant<'e>(
    forms: &'e [Vec<ValidationError<'static>>],
    pointer: &str,
) -> Option<&'e Vec<ValidationError<'static>>> {
    let is_here = |error: &ValidationError<'_>| error.instance_path().as_str() == pointer;
    let is_of_form = |error: &ValidationError<'_>| match error.kind() {
        ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => false,
        ValidationErrorKind::Type { .. } => !is_here(error),
        _ => true,
    };
    let is_whole = |error: &ValidationError<'_>| {
        !(is_here(error) && matches!(error.kind(), ValidationErrorKind::Required { .. }))
    };
    let like: Vec<_> = forms.iter().filter(|errors| errors.iter().all(is_of_form)).collect();
    match like[..] {
        [form] => Some(form),
        _ => like.into_iter().find(|errors| errors.iter().all(is_whole)),
    }
}

/// What was expected where no form was meant: one of some words, most often.
fn forms(forms: &[Vec<ValidationError<'static>>], pointer: &str) -> String {
    let mut words = Vec::new();
    for error in forms.iter().flatten().filter(|error| error.instance_path().as_str() == pointer) {
        match error.kind() {
            ValidationErrorKind::Constant { expected_value } => {
                words.push(expected_value.to_string());
            }
            ValidationErrorKind::Enum { options } => {
                words.extend(options.as_array().into_iter().flatten().map(ToString::to_string));
            }
            _ => {}
        }
    }
    match words.len() {
        0 => "expected one of the forms that the schema has".to_owned(),
        1..=12 => format!("expected one of {}", words.join(", ")),
        count => format!("expected one of {count} words that the schema has"),
    }
}

/// A body that is as its route wants it.
pub(super) struct Checked<T>(pub(super) T);

impl<T: Body> FromRequest<Arc<Api>> for Checked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "expected `Content-Type: application/json`";
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        }
        let bytes = tokio::time::timeout(api.request_timeout, Bytes::from_request(request, api));
        let bytes = bytes.await.map_err(|_| {
            Problem::new(ProblemKind::BodyTimeout, "the body was not whole in time")
        })?;
        parse(&bytes.map_err(|rejection| unreadable(&rejection))?, api).map(Self)
    }
}

fn parse<T: Body>(bytes: &[u8], api: &Api) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(ProblemKind::InvalidJson, error.to_string()))?;
    let errors = api.validators.errors(&T::schema_name(), &value);
    if !errors.is_empty() {
        return Err(Problem::invalid_body(errors));
    }
    // What a schema lets through, such as `1.0` for a whole number.
    let body: T = serde_json::from_value(value).map_err(|error| {
        let (pointer, detail) = (String::new(), error.to_string());
        Problem::invalid_body(vec![FieldError { pointer, detail }])
    })?;
    match body.problems(api) {
        errors if errors.is_empty() => Ok(body),
        errors => Err(Problem::invalid_body(errors)),
    }
}

/// Whether the body is announced as JSON. A page can send anything else to a foreign server
/// without asking it first.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json")
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("expected at most {} bytes", super::LIMITS.body_bytes);
        return Problem::new(ProblemKind::BodyTooLarge, detail);
    }
    Problem::new(ProblemKind::InvalidJson, "the body broke off")
}
