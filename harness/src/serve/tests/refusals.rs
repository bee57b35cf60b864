//! Refused requests: their statuses and their messages.

use std::collections::BTreeSet;

use http::header::{AUTHORIZATION, ORIGIN};

use super::*;

const ROUTE: &str = "/api/v1/browser/route";
const ANALYTICS: &str = "/api/v1/browser/analytics";
const GENERATE: &str = "/api/v1/generate";

/// A record that is taken in.
pub(super) fn record() -> Value {
    json!({ "version": 1, "model_id": MODEL, "prompt_tokens": 12, "completion_tokens": 8,
        "latency_ms": 200, "first_token_ms": 40, "success": true, "finish_reason": "stop",
        "error": null, "tier": "webgl",
        "trail": [{ "from": "webgpu", "to": "webgl", "reason": "probe-failed" }],
        "recoveries": 0, "recovery_reason": null, "recovery_ms": null, "stale_events": 0,
        "cache_hit_rate": 1.0, "fetched_bytes": 0, "device_tier": "mid", "form": "desktop",
        "cohort": "arm-1" })
}

/// A body with some fields set to other values, `null` taking them away.
fn with(mut body: Value, changes: &Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    body
}

/// Everything that is wrong with a body, a line each.
async fn errors(router: &Router, path: &str, body: &Value) -> String {
    let answer = post(router, path, body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text);
    assert_eq!(answer.problem(), "invalid-body");
    let problem: Problem = serde_json::from_str(&answer.text).unwrap();
    let lines = problem.errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn all_errors_of_a_generation_are_reported_at_once() {
    let router = router(options()).unwrap();
    let good = json!({ "prompt": { "text": "x" } });
    let mut reported = Vec::new();
    for changes in [
        json!({ "prompt": null }),
        json!({ "temprature": 1, "max_tokens": 0, "stop": ["", 3], "stream": "yes" }),
        json!({ "max_tokens": 4097, "request": -1 }),
        json!({ "request": 1.5, "model": 7 }),
        json!({ "prompt": { "text": "x", "ids": [1] } }),
        json!({ "prompt": { "messages": [{ "role": "robot", "content": "secret words" }] } }),
        json!({ "prompt": { "ids": [4_294_967_296_u64] } }),
        json!({ "prompt": { "text": "" } }),
        json!({ "prompt": { "messages": [] } }),
        json!({ "prompt": { "raw": "ä".repeat(LIMITS.prompt_length + 1) } }),
        json!({ "stop": vec!["a"; LIMITS.stops + 1] }),
        json!({ "stop": ["a".repeat(LIMITS.stop_length + 1)] }),
        json!({ "model": "scribe-low-q8" }),
        json!({ "sampling": { "kind": "seeded", "seed": 1 } }),
        json!({ "sampling": { "kind": "seeded", "seed": 1, "temperature": 0, "top_k": 0,
            "top_p": 2, "min_p": -1 } }),
        json!({ "max_tokens": 2, "begin": { "begin": "continue", "variant": null, "text": "",
            "ids": [1, 2] } }),
        json!({ "max_tokens": 1.0, "model": "unknown" }),
    ] {
        let shown = changes.to_string();
        let shown: String = shown.chars().take(70).collect();
        let errors = errors(&router, GENERATE, &with(good.clone(), &changes)).await;
        assert!(!errors.contains("secret"), "content is not repeated: {errors}");
        reported.push(format!("{shown}\n{errors}\n"));
    }
    // An id that the model does not have is for the engine to find.
    let unknown = json!({ "prompt": { "ids": [4096] } });
    reported.push(errors(&router, GENERATE, &unknown).await);
    insta::assert_snapshot!(reported.join("\n"));
}

#[tokio::test]
async fn a_record_with_anything_of_a_users_is_refused() {
    let router = router(options()).unwrap();
    assert_eq!(post(&router, ANALYTICS, &record()).await.status, StatusCode::ACCEPTED);
    let mut reported = Vec::new();
    for changes in [
        json!({ "prompt": "secret words" }),
        json!({ "model_id": "secret words", "cohort": "Secret words", "cache_hit_rate": 1.5 }),
        json!({ "version": 2 }),
        json!({ "trail": [{ "from": "webgpu", "to": "webgl", "reason": "secret words" }] }),
        json!({ "trail": [{ "from": "webgpu", "to": "webgl", "reason": "absent", "note": "secret" }] }),
        json!({ "tier": "secret words", "latency_ms": "fast", "success": null }),
    ] {
        let shown = changes.to_string();
        let errors = errors(&router, ANALYTICS, &with(record(), &changes)).await;
        assert!(!errors.contains("secret"), "content is not repeated: {errors}");
        reported.push(format!("{shown}\n{errors}\n"));
    }
    assert_eq!(health_of(&router, "analytics_records").await, 1);
    insta::assert_snapshot!(reported.join("\n"));
}

#[tokio::test]
async fn unknown_fields_of_a_device_are_refused_at_every_depth() {
    let router = router(options()).unwrap();
    let body = json!({
        "prompt_length": 10, "max_tokens": 10, "promt": 1,
        "capabilities": { "user_agent": "x", "gpu": "fast", "wasm": { "present": true, "x": 1 },
            "webgpu": { "adapter": { "limits": { "maxBufferSize": 1 }, "y": 1 } },
            "battery": { "level": "full", "charging": true } },
    });
    insta::assert_snapshot!(errors(&router, ROUTE, &body).await, @r#"
    /capabilities/battery/level: value is not of type "number"
    /capabilities/gpu: unknown field
    /capabilities/wasm/x: unknown field
    /capabilities/webgpu/adapter/y: unknown field
    /promt: unknown field
    "#);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_before_it_is_validated() {
    let router = router(options()).unwrap();
    let send = async |media: Option<&str>, body: Vec<u8>| {
        let mut request = Request::post(GENERATE);
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        let answer = send(&router, request.body(Body::from(body)).unwrap()).await;
        (answer.status.as_u16(), answer.problem())
    };
    let good = br#"{"prompt":{"text":"x"},"max_tokens":1}"#.to_vec();
    let refused = |status: u16, kind: &str| (status, kind.to_owned());
    for media in [None, Some("text/plain"), Some("application/jsonp"), Some("")] {
        let reported = send(media, good.clone()).await;
        assert_eq!(reported, refused(415, "unsupported-media-type"), "{media:?}");
    }
    let json = Some("application/json; charset=utf-8");
    for body in [&b""[..], b"{", b"{\"prompt\":{\"text\":\"\xff\"}}", b"{}{}"] {
        assert_eq!(send(json, body.to_vec()).await, refused(400, "invalid-json"), "{body:?}");
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(send(json, deep.into()).await, refused(400, "invalid-json"));
    for body in [&b"null"[..], b"[]", b"7"] {
        assert_eq!(send(json, body.to_vec()).await, refused(422, "invalid-body"), "{body:?}");
    }
    let large = vec![b' '; LIMITS.body_bytes + 1];
    assert_eq!(send(json, large).await, refused(413, "body-too-large"));
}

#[tokio::test]
async fn other_paths_and_methods_are_problems_too() {
    let router = router(options()).unwrap();
    for path in ["/", "/api/v1", "/api/v1/generate/", "/api/v1/browser/models/none/shard"] {
        let answer = get(&router, path).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::NOT_FOUND, "not-found")
        );
    }
    let answer = get(&router, GENERATE).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.problem(), "method-not-allowed");
}

#[tokio::test]
async fn nothing_that_costs_is_had_without_the_key() {
    let key = "correct-horse-battery";
    let options = Options { key: Some(Key::parse(key).unwrap()), ..options() };
    let router = router(options).unwrap();
    let ask = async |method: &Method, path: &str, shown: Option<String>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(shown) = shown {
            request = request.header(AUTHORIZATION, shown);
        }
        send(&router, request.body(Body::empty()).unwrap()).await
    };
    for (method, path) in [
        (Method::POST, GENERATE),
        (Method::POST, ROUTE),
        (Method::POST, ANALYTICS),
        (Method::GET, "/api/v1/browser/models"),
        (Method::GET, "/api/v1/browser/models/scribe-low-Q8_0/shard-00001-of-00001"),
    ] {
        for shown in [None, Some("Bearer wrong-horse-battery".to_owned())] {
            let answer = ask(&method, path, shown).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.problem(), "unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let let_in = ask(&method, path, Some(format!("Bearer {key}"))).await;
        assert_ne!(let_in.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/healthz", "/api/v1/openapi.json"] {
        assert_eq!(get(&router, path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn pages_call_only_from_allowed_origins() {
    let ours = "https://app.example";
    let ask = async |router: &Router, method: Method, origin: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/healthz")
            .header(ORIGIN, origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization,content-type");
        send(router, request.body(Body::empty()).unwrap()).await
    };
    let closed = router(options()).unwrap();
    let answer = ask(&closed, Method::GET, ours).await;
    assert_eq!(answer.problem(), "origin-not-allowed");
    let preflight = ask(&closed, Method::OPTIONS, ours).await;
    assert_eq!(preflight.header("access-control-allow-origin"), "");

    let allow_origins = vec![HeaderValue::from_static(ours)];
    let open = router(Options { allow_origins, ..options() }).unwrap();
    let answer = ask(&open, Method::GET, ours).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), ours);
    assert!(answer.header("vary").to_lowercase().contains("origin"));
    let preflight = ask(&open, Method::OPTIONS, ours).await;
    assert_eq!(preflight.header("access-control-allow-origin"), ours);
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        "authorization,content-type,range"
    );
    let foreign = ask(&open, Method::GET, "https://evil.example").await;
    assert_eq!(foreign.problem(), "origin-not-allowed");
    assert_eq!(foreign.header("access-control-allow-origin"), "");
}

#[test]
fn kinds_of_problems_are_distinguished() {
    let urns: BTreeSet<_> = ProblemKind::ALL.into_iter().map(ProblemKind::urn).collect();
    assert_eq!(urns.len(), ProblemKind::ALL.len());
    assert!(ProblemKind::ALL.into_iter().all(|kind| kind.status().as_u16() >= 400));
}

#[test]
fn models_need_names_that_tell_them_apart() {
    let setup = |names: &[&str]| {
        let models = names.iter().map(|name| model(name)).collect();
        router(Options { models, ..options() }).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(setup(&[]), "no model is on offer, expected one or more");
    assert_eq!(setup(&["a", "b", "a"]), "two models are called `a`, expected each name once");
    assert!(setup(&["a b"]).starts_with("model `a b` is on offer, expected a name of letters"));
}
