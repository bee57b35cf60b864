//! Answers: the right tokens, whole, streamed, continued and cancelled.

use futures::StreamExt;

use super::*;

const PROMPT: &str = "Fix the caption: please film teh tutorial beore Friday.";

/// Cases of a golden of the independent reference.
fn golden() -> Vec<Value> {
    let path = fixture(&format!("golden/{MODEL}/tokens/greedy.json"));
    let golden: Value = serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

/// Names and data of server-sent events.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("event:"));
    blocks
        .map(|block| {
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.strip_prefix(name));
                lines.next().unwrap_or_else(|| panic!("no `{name}` in {block}")).trim().to_owned()
            };
            (field("event:"), serde_json::from_str(&field("data:")).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn tokens_are_those_of_the_reference_whole_and_streamed() {
    let router = router(options()).unwrap();
    let cases = golden();
    assert!(cases.len() >= 4);
    for case in cases {
        let mut body = json!({
            "request": 7,
            "prompt": { "messages": case["messages"] },
            "max_tokens": case["max_tokens"],
        });
        let answer = generate(&router, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let whole = answer.json();
        assert_eq!(whole["tokens"], case["generated_ids"], "{}", case["id"]);
        assert_eq!(whole["text"], case["text"], "{}", case["id"]);
        assert_eq!(whole["finish_reason"], case["finish_reason"], "{}", case["id"]);
        let prompt = case["prompt_ids"].as_array().unwrap().len();
        let completion = case["generated_ids"].as_array().unwrap().len();
        let usage = json!({ "prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion });
        assert_eq!(whole["usage"], usage);

        body["stream"] = true.into();
        let answer = generate(&router, &body).await;
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let mut events = events(&answer.text);
        let (name, mut last) = events.pop().unwrap();
        assert_eq!(name, "answer");
        assert!(events.iter().all(|(name, _)| name == "token"));
        let column =
            |name: &str| events.iter().map(|(_, token)| token[name].clone()).collect::<Value>();
        assert_eq!(column("id"), case["generated_ids"]);
        assert_eq!(column("index"), (0..completion).collect::<Value>());
        let texts: String = events.iter().filter_map(|(_, token)| token["text"].as_str()).collect();
        assert_eq!(texts, case["text"].as_str().unwrap());
        // Time alone may differ.
        last["timings"] = whole["timings"].clone();
        assert_eq!(last, whole);
    }
}

#[tokio::test]
async fn an_answer_has_the_one_schema() {
    let router = router(options()).unwrap();
    let mut answer = generate(&router, &json!({ "prompt": { "text": PROMPT } })).await.json();
    let timings = answer["timings"].take();
    assert!(timings["total_ms"].as_u64() >= timings["first_token_ms"].as_u64(), "{timings}");
    let versions = answer["versions"].take();
    for name in ["weights", "tokenizer", "prompt_template"] {
        assert_eq!(versions[name].as_str().unwrap().len(), 16, "{versions}");
    }
    assert_eq!(versions["weights"], "5b7c8950de06f888", "what the catalogue says");
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
    serde_json::from_value::<inference_wasm::client::output::Answer>(
        generate(&router, &json!({ "prompt": { "text": PROMPT } })).await.json(),
    )
    .unwrap();
}

#[tokio::test]
async fn sampling_stops_and_limits_are_applied() {
    let router = router(options()).unwrap();
    let ask = async |more: Value| {
        let mut body = json!({ "prompt": { "text": PROMPT } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = generate(&router, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    };
    let stopped = ask(json!({ "stop": [" tutorial", "zebra"] })).await;
    assert_eq!(stopped["text"], "Please film the");
    assert_eq!(stopped["finish_reason"], "stop-string");
    let short = ask(json!({ "max_tokens": 2 })).await;
    assert_eq!(short["finish_reason"], "length");
    assert_eq!(short["tokens"].as_array().unwrap().len(), 2);
    let beyond = ask(json!({ "max_tokens": 40, "ignore_stop": true })).await;
    assert_eq!(beyond["tokens"].as_array().unwrap().len(), 40);

    let draw = async |seed: u64| {
        let sampling = json!({ "kind": "seeded", "seed": seed, "temperature": 1.5, "top_k": 0,
            "top_p": 1.0, "min_p": 0.0 });
        let prompt = json!({ "text": "Continue: The old library in the town" });
        ask(json!({ "sampling": sampling, "prompt": prompt, "max_tokens": 24 })).await["tokens"]
            .clone()
    };
    let first = draw(7).await;
    assert_eq!(draw(7).await, first, "a seed gives the same again");
    assert!(draw(8).await != first || draw(9).await != first, "the seed is ignored");
}

#[tokio::test]
async fn a_request_is_answered_by_the_model_that_it_names() {
    let router = router(options()).unwrap();
    for name in [MODEL, "scribe-low-Q4_0", MODEL] {
        let body = json!({ "prompt": { "text": PROMPT }, "model": name });
        assert_eq!(generate(&router, &body).await.json()["variant"], name);
    }
}

#[tokio::test]
async fn what_another_tier_began_is_continued() {
    let router = router(options()).unwrap();
    let whole = generate(&router, &json!({ "prompt": { "text": PROMPT } })).await.json();
    let ids = whole["tokens"].as_array().unwrap();
    let text = "Please film the";
    // The other model has two tokens for it.
    for (variant, seen) in [(MODEL, &ids[..3]), ("another", &[json!(9), json!(8)])] {
        let begin = json!({ "begin": "continue", "variant": variant, "ids": seen, "text": text });
        let body = json!({ "prompt": { "text": PROMPT }, "begin": begin, "stream": true });
        let answer = generate(&router, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let events = events(&answer.text);
        assert_eq!(events[0].1["index"], seen.len(), "indexes go on");
        let (_, answer) = events.last().unwrap();
        for field in ["text", "finish_reason"] {
            assert_eq!(answer[field], whole[field], "{variant} {field}");
        }
        let tokens = [seen, &ids[3..]].concat();
        assert_eq!(answer["usage"]["completion_tokens"], tokens.len(), "{variant}");
        assert_eq!(answer["usage"]["prompt_tokens"], whole["usage"]["prompt_tokens"]);
        assert_eq!(answer["tokens"], json!(tokens), "{variant}");
    }
    for begin in ["fresh", "replay"] {
        let body = json!({ "prompt": { "text": PROMPT }, "begin": { "begin": begin } });
        assert_eq!(generate(&router, &body).await.json()["tokens"], whole["tokens"], "{begin}");
    }
}

/// The slowest of the small models.
const SLOW: &str = "scribe-flagship-Q8_0";

fn slow(concurrency: usize) -> Options {
    Options { models: vec![model(SLOW), model(MODEL)], concurrency, ..options() }
}

/// A request that goes on for as long as the context lasts, whatever the model would like.
fn endless() -> Value {
    json!({ "prompt": { "ids": [1] }, "max_tokens": 500, "ignore_stop": true, "stream": true })
}

#[tokio::test]
async fn a_caller_who_goes_away_frees_the_engine() {
    let router = router(slow(1)).unwrap();
    let request = post_request("/api/v1/generate", &endless());
    let response = router.clone().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: token"), "{first:?}");
    assert_eq!(health_of(&router, "running").await, 1);
    drop(body);
    until(&router, "cancelled", 1).await;
    until(&router, "running", 0).await;
    // There is one engine, so that it must be this one.
    let body = json!({ "prompt": { "text": PROMPT }, "model": MODEL });
    let answer = generate(&router, &body).await;
    assert_eq!(answer.json()["text"], "Please film the tutorial before Friday.");
    assert_eq!(health_of(&router, "answered").await, 1);
}

#[tokio::test]
async fn a_request_ends_when_its_time_is_over() {
    // No time at all, so that no engine is fast enough.
    let options = Options { request_timeout: Duration::ZERO, ..options() };
    let router = router(options).unwrap();
    for is_stream in [false, true] {
        let mut body = endless();
        body["stream"] = is_stream.into();
        let answer = generate(&router, &body).await;
        assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(answer.problem(), "deadline-exceeded");
    }
    until(&router, "cancelled", 2).await;
}

#[tokio::test]
async fn a_full_server_says_when_to_come_again() {
    let options = Options { queue_timeout: Duration::from_millis(1), ..options() };
    let api = Arc::new(Api::new(options, operations::document()).unwrap());
    let router = routes(&api);
    let turn = api.engines.turn().await.unwrap();
    let refused = generate(&router, &json!({ "prompt": { "text": PROMPT } })).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.problem(), "busy");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(health_of(&router, "refused").await, 1);
    drop(turn);
    let answered = generate(&router, &json!({ "prompt": { "text": PROMPT } })).await;
    assert_eq!(answered.status, StatusCode::OK);
}

#[tokio::test]
async fn two_requests_compute_at_a_time_if_two_may() {
    let router = router(slow(2)).unwrap();
    let start = async || {
        let request = post_request("/api/v1/generate", &endless());
        router.clone().oneshot(request).await.unwrap()
    };
    // Each has begun to answer, and neither has ended.
    let both = (start().await, start().await);
    assert_eq!(health_of(&router, "running").await, 2);
    drop(both);
    until(&router, "running", 0).await;
    assert_eq!(health_of(&router, "cancelled").await, 2);
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_refused_before_a_stream_begins() {
    let router = router(options()).unwrap();
    for is_stream in [false, true] {
        let body = json!({ "prompt": { "text": PROMPT }, "max_tokens": 512, "stream": is_stream });
        let answer = generate(&router, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.problem(), "context-overflow");
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_read_is_not_blamed_on_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.gguf");
    fs_err::write(&path, "GGUF? no").unwrap();
    let broken = Model { name: "broken".to_owned(), path, entry: None };
    let router = router(Options { models: vec![model(MODEL), broken], ..options() }).unwrap();
    let body = json!({ "prompt": { "text": PROMPT }, "model": "broken" });
    let answer = generate(&router, &body).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.problem(), "engine-failed");
    let list = get(&router, "/api/v1/browser/models").await.json();
    assert_eq!(list["models"].as_array().unwrap().len(), 1, "the others are offered all the same");
}
