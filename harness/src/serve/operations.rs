//! The table of the API's operations. The router and the OpenAPI document are generated from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use inference_wasm::client::output::Answer;
use inference_wasm::client::router::{RoutingDecision, RoutingRequest};
use inference_wasm::client::telemetry::TelemetryRecord;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::api::Api;
use super::problem::{Problem, ProblemKind};
use super::schema::{GenerateBody, Health, ModelList, StreamEvent};
use super::{generate, handlers};

/// Registers a schema and returns a reference to it.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// An operation.
pub(super) struct Operation {
    /// Its path; `{name}` is a parameter.
    pub(super) path: &'static str,
    /// Its handler.
    pub(super) handler: MethodRouter<Arc<Api>>,
    /// It needs no key.
    pub(super) is_open: bool,
    method: &'static str,
    id: &'static str,
    summary: &'static str,
    body: Option<SchemaOf>,
    /// Status, media type and schema of a successful answer.
    answers: Vec<(u16, &'static str, Option<SchemaOf>)>,
    problems: Vec<ProblemKind>,
}

const JSON: &str = "application/json";

/// Every operation.
pub(super) fn all() -> Vec<Operation> {
    use ProblemKind as Kind;
    let of_body = || {
        vec![
            Kind::InvalidJson,
            Kind::BodyTimeout,
            Kind::BodyTooLarge,
            Kind::UnsupportedMediaType,
            Kind::InvalidBody,
        ]
    };
    vec![
        Operation {
            path: "/api/v1/browser/route",
            handler: post(handlers::route),
            is_open: false,
            method: "post",
            id: "route",
            summary: "Decide whether a request is answered in the browser or here",
            body: Some(schema::<RoutingRequest>),
            answers: vec![(200, JSON, Some(schema::<RoutingDecision>))],
            problems: of_body(),
        },
        Operation {
            path: "/api/v1/browser/models",
            handler: get(handlers::list),
            is_open: false,
            method: "get",
            id: "listModels",
            summary: "List the models that a page can load; shards are relative to this address",
            body: None,
            answers: vec![(200, JSON, Some(schema::<ModelList>))],
            problems: Vec::new(),
        },
        Operation {
            path: "/api/v1/browser/models/{id}/{shard}",
            handler: get(handlers::shard),
            is_open: false,
            method: "get",
            id: "getShard",
            summary: "Fetch a part of a model file, or a range of it",
            body: None,
            answers: vec![
                (200, "application/octet-stream", None),
                (206, "application/octet-stream", None),
            ],
            problems: vec![Kind::NotFound, Kind::EngineFailed],
        },
        Operation {
            path: "/api/v1/browser/analytics",
            handler: post(handlers::record),
            is_open: false,
            method: "post",
            id: "recordAnalytics",
            summary: "Report how a request went in the browser, without any of its content",
            body: Some(schema::<TelemetryRecord>),
            answers: vec![(202, "", None)],
            problems: [of_body(), vec![Kind::EngineFailed]].concat(),
        },
        Operation {
            path: "/api/v1/generate",
            handler: post(generate::generate),
            is_open: false,
            method: "post",
            id: "generate",
            summary: "Continue a prompt; with `stream`, by server-sent events `token`, and \
                      `answer` or `problem` as the last one",
            body: Some(schema::<GenerateBody>),
            answers: vec![
                (200, JSON, Some(schema::<Answer>)),
                (200, "text/event-stream", Some(schema::<StreamEvent>)),
            ],
            problems: [
                of_body(),
                vec![Kind::ContextOverflow, Kind::EngineFailed, Kind::Busy, Kind::DeadlineExceeded],
            ]
            .concat(),
        },
        Operation {
            path: "/api/v1/openapi.json",
            handler: get(handlers::document),
            is_open: true,
            method: "get",
            id: "describe",
            summary: "This document",
            body: None,
            answers: vec![(200, JSON, None)],
            problems: Vec::new(),
        },
        Operation {
            path: "/healthz",
            handler: get(handlers::health),
            is_open: true,
            method: "get",
            id: "health",
            summary: "Report that the server answers, and its request counts",
            body: None,
            answers: vec![(200, JSON, Some(schema::<Health>))],
            problems: Vec::new(),
        },
    ]
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The OpenAPI document.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.with_transform(RecursiveTransform(strictly)).into_generator();
    let mut paths: BTreeMap<&str, Value> = BTreeMap::new();
    for operation in all() {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method] = describe(&operation, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tierproof's server tier and control plane",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for (status, media, schema) in &operation.answers {
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": "Success." }));
        match schema {
            Some(schema) => response["content"][*media] = json!({ "schema": schema(generator) }),
            None if media.is_empty() => {}
            None => response["content"][*media] = json!({}),
        }
    }
    let refused = [ProblemKind::OriginNotAllowed];
    let locked = [ProblemKind::Unauthorized];
    let locked = locked.into_iter().filter(|_| !operation.is_open);
    let problem = json!({ "schema": generator.subschema_for::<Problem>() });
    for kind in operation.problems.iter().copied().chain(refused).chain(locked) {
        let status = kind.status().as_u16().to_string();
        let response = responses.entry(status).or_insert_with(
            || json!({ "description": "", "content": { (Problem::MEDIA_TYPE): problem } }),
        );
        let before = response["description"].as_str().unwrap_or_default();
        let and = if before.is_empty() { "" } else { ", or " };
        response["description"] = format!("{before}{and}`{}`", kind.urn()).into();
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses,
        // An empty requirement allows going without: a server need not have a key.
        "security": if operation.is_open { json!([]) } else { json!([{ "key": [] }, {}]) },
    });
    if let Some(body) = operation.body {
        let content = json!({ JSON: { "schema": body(generator) } });
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    let names = operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let parameters: Vec<_> = names
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    described
}

/// Adds the constraints that all our schemas share: objects have no fields other than those named,
/// and integers have the range of their Rust type.
fn strictly(schema: &mut Schema) {
    let is_closed = schema.get("additionalProperties").is_some();
    if schema.get("properties").is_some() && !is_closed {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => u64::from(u32::MAX),
        Some("uint64") => u64::MAX,
        _ => return,
    };
    if schema.get("maximum").is_none() {
        schema.insert("maximum".to_owned(), most.into());
    }
}
