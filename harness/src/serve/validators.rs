//! Checks bodies against the schemas that the API publishes.

use std::collections::BTreeMap;
use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};

use super::problem::FieldError;
use super::schema::MOST_ERRORS;

/// The published schemas of bodies, compiled.
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
        errors.take(MOST_ERRORS).flat_map(|error| described(&error)).collect()
    }
}

/// An error of the schema's in our words. The body's own content is not repeated: it may be long,
/// and whoever reads the log of a page is not always whoever wrote the prompt.
fn described(error: &ValidationError<'_>) -> Vec<FieldError> {
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
                Some(form) => form.iter().flat_map(described).collect(),
                None => vec![FieldError { detail: forms(context, &pointer), pointer }],
            }
        }
        _ => vec![FieldError { pointer, detail: error.masked().to_string() }],
    }
}

/// The one form of several that a value at `pointer` was meant as, by the errors of each: its type
/// and discriminating word are the form's and, if that is not enough, it has the form's required
/// keys.
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
