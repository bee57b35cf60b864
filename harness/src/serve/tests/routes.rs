//! Routing, models, analytics, health, and the document against what is really answered.

use inference_wasm::client::registry::{ModelVariant, validate};
use sha2::{Digest, Sha256};

use super::refusals::record;
use super::*;

/// A desktop whose browser has all that a small model needs.
fn device() -> Value {
    json!({ "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/153.0",
        "device_memory_gib": 8, "hardware_concurrency": 8, "wasm": { "present": true },
        "webgl2": { "present": true, "renderer": "NVIDIA GeForce GTX 1080 Ti",
            "highp_bits": 23, "float_readback": true } })
}

#[tokio::test]
async fn a_request_is_routed_by_the_rules_of_the_client() {
    let open = router(options()).unwrap();
    let router_config = RouterConfig { enable_browser_inference: false, ..RouterConfig::default() };
    let closed = router(Options { router: router_config, ..options() }).unwrap();
    for (server, changes, reason) in [
        (&open, json!({}), "optimal_for_browser"),
        (&closed, json!({}), "browser_inference_disabled"),
        (&open, json!({ "capabilities": {} }), "insufficient_device_capabilities"),
        (&open, json!({ "prompt_length": 5000 }), "request_too_complex"),
        (&open, json!({ "max_tokens": 501 }), "request_too_complex"),
        (&open, json!({ "complexity": "complex" }), "request_too_complex"),
        (&open, json!({ "capability": "code" }), "no_compatible_browser_model"),
        (&open, json!({ "preference": "never" }), "user_preference"),
        (&open, json!({ "preference": "always", "complexity": "complex" }), "optimal_for_browser"),
    ] {
        let mut body = json!({ "capabilities": device(), "prompt_length": 40, "max_tokens": 50 });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let answer = post(server, "/api/v1/browser/route", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let decision = answer.json();
        assert_eq!(decision["reason"], reason, "{changes}");
        let is_browser = reason == "optimal_for_browser";
        assert_eq!(decision["use_browser"], is_browser);
        // The finer quantization of two models of one size.
        assert_eq!(
            decision["model_info"]["id"],
            if is_browser { json!(MODEL) } else { Value::Null }
        );
    }
}

#[tokio::test]
async fn the_models_on_offer_can_be_fetched_and_are_what_they_say() {
    let router = router(options()).unwrap();
    let list = get(&router, "/api/v1/browser/models").await.json();
    let models: Vec<ModelVariant> = serde_json::from_value(list["models"].clone()).unwrap();
    assert_eq!(validate(&models), Ok(()));
    let ids: Vec<_> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, [MODEL, "scribe-low-Q4_0"]);
    // As the catalogue has it.
    let ModelVariant { parameters, context_window, quantization, capabilities, file, .. } =
        &models[0];
    assert_eq!((*parameters, *context_window), (1_311_872, 512));
    assert_eq!(quantization, "Q8_0");
    assert_eq!(*capabilities, ["completion", "chat"]);
    // One tokenizer and one template for both, and weights of their own.
    let [first, second] = [&models[0].versions, &models[1].versions];
    assert_eq!(first.tokenizer, second.tokenizer);
    assert_eq!(first.prompt_template, second.prompt_template);
    assert_ne!(first.weights, second.weights);

    let mut whole = Vec::new();
    for shard in &file.shards {
        let path = format!("/api/v1/browser/{}", shard.url);
        let request = Request::get(&path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        whole.extend_from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap());
    }
    assert_eq!(hex::encode(Sha256::digest(&whole)), file.sha256);
    let path = format!("/api/v1/browser/{}", file.shards[0].url);
    let request = Request::get(&path).header("range", "bytes=0-3").body(Body::empty()).unwrap();
    let part = send(&router, request).await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "GGUF"));
}

#[tokio::test]
async fn records_are_added_to_the_file_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    fs_err::write(&path, "{\"earlier\":true}\n").unwrap();
    let router = router(Options { analytics: Some(path.clone()), ..options() }).unwrap();
    for _ in 0..2 {
        let answer = post(&router, "/api/v1/browser/analytics", &record()).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""));
    }
    assert_eq!(health_of(&router, "analytics_records").await, 2);
    let text = fs_err::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [json!({ "earlier": true }), record(), record()]);
}

#[tokio::test]
async fn health_says_what_is_on_offer() {
    let router = router(options()).unwrap();
    let health = get(&router, "/healthz").await.json();
    assert_eq!(
        health,
        json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"),
            "models": [MODEL, "scribe-low-Q4_0"], "running": 0, "answered": 0, "cancelled": 0,
            "failed": 0, "refused": 0, "analytics_records": 0 })
    );
}

#[tokio::test]
async fn the_document_is_valid_and_every_route_is_as_it_says() {
    let router = router(options()).unwrap();
    let document = get(&router, "/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let listed: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |m| format!("{m} {path}"))
        })
        .collect();
    insta::assert_snapshot!(listed.join("\n"));
    // Every reference leads somewhere, and every schema is one.
    let text = document.to_string();
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let validators = Validators::new(&document).unwrap();

    let prompt = json!({ "prompt": { "text": "Sentiment: I love this lamp." }, "max_tokens": 4 });
    let routing = json!({ "capabilities": device(), "prompt_length": 9, "max_tokens": 9 });
    let bodies = [
        ("/api/v1/browser/route", routing),
        ("/api/v1/browser/analytics", record()),
        ("/api/v1/generate", prompt),
    ];
    let mut checked = 0;
    for (path, item) in paths {
        let called = path.replace("{id}", MODEL).replace("{shard}", "shard-00001-of-00001");
        for (method, operation) in item.as_object().unwrap() {
            let body = bodies.iter().find(|(name, _)| name == path).map(|(_, body)| body);
            assert_eq!(body.is_some(), operation.get("requestBody").is_some(), "{path}");
            let answer = match body {
                Some(body) => post(&router, &called, body).await,
                None => get(&router, &called).await,
            };
            let status = answer.status.as_u16().to_string();
            let described = &operation["responses"][&status];
            assert!(described.is_object(), "{method} {path} answered {status}");
            let schema = &described["content"]["application/json"]["schema"]["$ref"];
            if let Some(name) = schema.as_str().and_then(|name| name.rsplit('/').next()) {
                assert_eq!(validators.errors(name, &answer.json()), [], "{path}");
                checked += 1;
            }
            // The other methods are not there.
            let other = if method == "get" { Method::POST } else { Method::GET };
            let request = Request::builder().method(other).uri(&called).body(Body::empty());
            let answer = send(&router, request.unwrap()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }
    assert_eq!(checked, 4, "routing, models, answer, health");
}

#[tokio::test]
async fn problems_are_as_the_document_says() {
    let router = router(options()).unwrap();
    let document = get(&router, "/api/v1/openapi.json").await.json();
    let validators = Validators::new(&document).unwrap();
    let operation = &document["paths"]["/api/v1/generate"]["post"];
    let refused = generate(&router, &json!({})).await;
    let described = &operation["responses"]["422"];
    assert!(
        described["description"].as_str().unwrap().contains("urn:tierproof:problem:invalid-body")
    );
    let schema = described["content"][Problem::MEDIA_TYPE]["schema"]["$ref"].as_str().unwrap();
    let name = schema.rsplit('/').next().unwrap();
    assert_eq!(validators.errors(name, &refused.json()), []);
}
