//! The protocol's types, as the pages' JavaScript is checked against.
//!
//! `types/protocol.d.ts` is made from the same schemas as everything else, so a page can't disagree
//! with the engine about a field. After a change of the protocol:
//! `UPDATE_TYPES=1 cargo test -p inference-wasm --test javascript_types`.
#![cfg(not(target_arch = "wasm32"))]

use std::fmt::Write as _;
use std::path::Path;

use inference_wasm::client::machine::{Effect, Input};
use inference_wasm::protocol::{Command, PageEvent};
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

const HEADER: &str = "\
// Generated from `src/protocol` and `src/client`; `tests/javascript_types.rs` writes it and fails
// when it is out of date.
";

#[test]
fn the_types_of_the_pages_are_those_of_the_protocol() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("types/protocol.d.ts");
    let expected = declarations();
    if std::env::var_os("UPDATE_TYPES").is_some() {
        fs_err::write(&path, &expected).expect("the file can be written");
    }
    let found = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is out of date\n  hint: UPDATE_TYPES=1 cargo test -p inference-wasm --test \
         javascript_types",
        path.display()
    );
}

/// One exported type for each type that a message holds, sorted by name.
fn declarations() -> String {
    let mut generator = SchemaGenerator::default();
    generator.subschema_for::<Command>();
    generator.subschema_for::<PageEvent>();
    generator.subschema_for::<Input>();
    generator.subschema_for::<Effect>();
    let definitions = generator.take_definitions(true);
    let mut names: Vec<_> = definitions.keys().collect();
    names.sort();
    let mut text = HEADER.to_owned();
    for name in names {
        write!(text, "\nexport type {name} = {};\n", type_of(&definitions[name], 0))
            .expect("a string takes everything");
    }
    text
}

/// A schema as a TypeScript type; lines after the first are indented for `depth`.
fn type_of(schema: &Value, depth: usize) -> String {
    let Value::Object(schema) = schema else { return "unknown".to_owned() };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference).to_owned();
        // Beside the reference stand the fields that a tag or a flattened struct adds.
        return with_fields(name, schema, depth);
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(variants) = schema.get(key).and_then(Value::as_array) {
            let union = variants
                .iter()
                .map(|variant| type_of(variant, depth))
                .collect::<Vec<_>>()
                .join(" | ");
            let has_fields = schema.contains_key("properties");
            return with_fields(
                if has_fields { format!("({union})") } else { union },
                schema,
                depth,
            );
        }
    }
    match schema.get("type") {
        Some(Value::Array(kinds)) => {
            let one = |kind: &Value| {
                let mut schema = schema.clone();
                schema.insert("type".to_owned(), kind.clone());
                type_of(&Value::Object(schema), depth)
            };
            kinds.iter().map(one).collect::<Vec<_>>().join(" | ")
        }
        Some(Value::String(kind)) => match kind.as_str() {
            "object" => fields(schema, depth),
            "array" => array(schema, depth),
            "integer" | "number" => "number".to_owned(),
            kind => kind.to_owned(),
        },
        _ => "unknown".to_owned(),
    }
}

fn with_fields(base: String, schema: &Map<String, Value>, depth: usize) -> String {
    if schema.contains_key("properties") {
        format!("{base} & {}", fields(schema, depth))
    } else {
        base
    }
}

fn array(schema: &Map<String, Value>, depth: usize) -> String {
    if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
        let items: Vec<_> = items.iter().map(|item| type_of(item, depth)).collect();
        return format!("[{}]", items.join(", "));
    }
    match schema.get("items").map(|items| type_of(items, depth)) {
        Some(item) if item.contains([' ', '\n']) => format!("({item})[]"),
        Some(item) => format!("{item}[]"),
        None => "unknown[]".to_owned(),
    }
}

fn fields(schema: &Map<String, Value>, depth: usize) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        // Keys that are numbers are a pattern.
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let value = patterns
            .and_then(|patterns| patterns.values().next())
            .or_else(|| schema.get("additionalProperties"))
            .map(|value| type_of(value, depth));
        return format!("{{ [key: string]: {} }}", value.unwrap_or_else(|| "unknown".to_owned()));
    };
    let required: Vec<_> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let indent = "  ".repeat(depth + 1);
    let mut text = "{\n".to_owned();
    for (name, schema) in properties {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        writeln!(text, "{indent}{name}{mark}: {};", type_of(schema, depth + 1))
            .expect("a string takes everything");
    }
    text + &"  ".repeat(depth) + "}"
}
