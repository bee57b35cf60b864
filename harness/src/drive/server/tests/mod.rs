//! The server as a client sees it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use inference_wasm::protocol::PROTOCOL_VERSION;
use serde_json::{Value, json};

use super::routes::EVENTS_LIMIT;
use super::*;
use crate::spec::fault::ShardFault;

mod site;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(method: Method, url: &str, range: Option<&str>, body: Vec<u8>) -> Answer {
    let client: Client<HttpConnector, Body> =
        Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut request = Request::builder().method(method).uri(url);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let response = client.request(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn get_url(url: &str) -> Answer {
    send(Method::GET, url, None, Vec::new()).await
}

/// A server with a little bundle and a model of 10 bytes in shards of 4.
struct Scene {
    server: Server,
    model: Arc<ServedModel>,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        fs_err::create_dir(&bundle).unwrap();
        for name in ["index.html", "page.js", "engine_bg.wasm"] {
            fs_err::write(bundle.join(name), name).unwrap();
        }
        let file = folder.path().join("secret.gguf");
        fs_err::write(&file, "0123456789").unwrap();
        let model = ModelShelf::default().model(&file, "m", 4).unwrap();
        Self { server: Server::start(bundle).await.unwrap(), model, folder }
    }

    fn open(&self, fault: Option<ShardFault>) -> PageHandle {
        self.server.open(PageSetup { model: Some(self.model.clone()), fault }).unwrap()
    }
}

fn event(seq: u64) -> Value {
    json!({ "seq": seq, "at_ms": 1.5, "command": null, "kind": { "type": "heartbeat" } })
}

async fn post_events(page: &PageHandle, events: &[Value]) -> StatusCode {
    let url = format!("{}events", page.url);
    send(Method::POST, &url, None, json!(events).to_string().into()).await.status
}

fn signals(page: &mut PageHandle) -> Vec<String> {
    std::iter::from_fn(|| page.signals.try_recv().ok())
        .map(|signal| match signal {
            PageSignal::Event(event) => event.seq.to_string(),
            PageSignal::Protocol(message) => message,
        })
        .collect()
}

#[test]
fn a_manifest_has_the_hashes_of_the_parts_and_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m");
    fs_err::write(&file, "abcabc").unwrap();
    let model = ServedModel::read(&file, "m", 3).unwrap();
    // `printf abc | sha256sum`, `printf abcabc | sha256sum`
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let whole = "bbb59da3af939f7af5f360f2ceb80a496e3bae1cd87dde426db0ae40677e1c2c";
    assert_eq!(model.manifest.sha256, whole);
    let shards: Vec<_> =
        model.manifest.shards.iter().map(|shard| (shard.bytes, shard.sha256.as_str())).collect();
    assert_eq!(shards, [(3, abc), (3, abc)]);

    fs_err::write(&file, "").unwrap();
    let empty = ServedModel::read(&file, "m", 3).unwrap();
    assert_eq!((empty.manifest.bytes, empty.manifest.shards.len()), (0, 0));
    assert!(ServedModel::read(&file, "m", 0).is_err());
    assert!(ServedModel::read(&folder.path().join("none"), "m", 3).is_err());
}

#[tokio::test]
async fn files_come_with_their_type_and_isolation() {
    let scene = Scene::new().await;
    let page = scene.open(None);
    for (path, content_type, body) in [
        ("", "text/html", "index.html"),
        ("index.html", "text/html", "index.html"),
        ("page.js", "text/javascript", "page.js"),
        ("engine_bg.wasm", "application/wasm", "engine_bg.wasm"),
    ] {
        let answer = get_url(&format!("{}{path}", page.url)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.body, body, "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-embedder-policy"), "require-corp");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    for path in ["none.js", "../secret.gguf", "%2e%2e/secret.gguf", "..%2fsecret.gguf", "models/x"]
    {
        let status = get_url(&format!("{}{path}", page.url)).await.status;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn shards_come_whole_and_in_ranges() {
    let scene = Scene::new().await;
    let page = scene.open(None);
    let mut whole = Vec::new();
    for shard in &scene.model.manifest.shards {
        let answer = get_url(&format!("{}{}", page.url, shard.url)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("cross-origin-embedder-policy"), "require-corp");
        whole.extend_from_slice(&answer.body);
    }
    assert_eq!(whole, b"0123456789");
    let url = format!("{}{}", page.url, scene.model.manifest.shards[1].url);
    for (range, status, content_range, body) in [
        ("bytes=1-2", StatusCode::PARTIAL_CONTENT, "bytes 1-2/4", "56"),
        ("bytes=2-", StatusCode::PARTIAL_CONTENT, "bytes 2-3/4", "67"),
        ("bytes=-1", StatusCode::PARTIAL_CONTENT, "bytes 3-3/4", "7"),
        ("bytes=0-0", StatusCode::PARTIAL_CONTENT, "bytes 0-0/4", "4"),
        ("bytes=4-", StatusCode::RANGE_NOT_SATISFIABLE, "bytes */4", ""),
        ("nonsense", StatusCode::OK, "", "4567"),
    ] {
        let answer = send(Method::GET, &url, Some(range), Vec::new()).await;
        assert_eq!(answer.status, status, "{range}");
        assert_eq!(answer.header("content-range"), content_range, "{range}");
        assert_eq!(answer.body, body, "{range}");
    }
}

#[tokio::test]
async fn faults_are_what_a_user_would_meet() {
    let scene = Scene::new().await;
    let fetch = async |fault, index: usize| {
        let page = scene.open(Some(fault));
        get_url(&format!("{}{}", page.url, scene.model.manifest.shards[index].url)).await
    };
    assert_eq!(fetch(ShardFault::MissingShard, 0).await.body, "0123");
    assert_eq!(fetch(ShardFault::MissingShard, 1).await.status, StatusCode::NOT_FOUND);
    let truncated = fetch(ShardFault::Truncated, 2).await;
    assert_eq!((truncated.status, &truncated.body[..]), (StatusCode::OK, &b"8"[..]));
    assert_eq!(truncated.header("content-length"), "1");
    let html = fetch(ShardFault::Html, 0).await;
    assert_eq!(html.status, StatusCode::OK);
    assert!(html.header("content-type").starts_with("text/html"));
    assert!(html.body.starts_with(b"<!doctype html>"));
}

#[tokio::test]
async fn events_arrive_once_and_in_order_and_gaps_are_reported() {
    let scene = Scene::new().await;
    let mut page = scene.open(None);
    assert_eq!(post_events(&page, &[event(0), event(1)]).await, StatusCode::NO_CONTENT);
    // The answer got lost, so the page sends the batch again, with more in it.
    assert_eq!(post_events(&page, &[event(0), event(1), event(2)]).await, StatusCode::NO_CONTENT);
    assert_eq!(signals(&mut page), ["0", "1", "2"]);
    assert_eq!(post_events(&page, &[event(5)]).await, StatusCode::NO_CONTENT);
    assert_eq!(signals(&mut page), ["events are lost: expected number 3, found 5", "5"]);

    let url = format!("{}events", page.url);
    let answer = send(Method::POST, &url, None, b"[{\"seq\":".to_vec()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let reported = signals(&mut page).remove(0);
    assert!(reported.starts_with("a batch of events can't be read"), "{reported}");
}

#[tokio::test]
async fn a_page_of_another_version_is_reported() {
    let scene = Scene::new().await;
    let mut page = scene.open(None);
    let ready = json!({ "seq": 0, "at_ms": 0, "kind": {
        "type": "ready", "protocol": PROTOCOL_VERSION + 1, "user_agent": "",
        "cross_origin_isolated": true } });
    post_events(&page, &[ready]).await;
    let reported = signals(&mut page);
    assert!(reported[0].contains("hint: build the bundle again"), "{reported:?}");
    assert_eq!(reported[1], "0");
    assert!(page.signals.try_recv().is_err());
}

#[tokio::test]
async fn logits_arrive_bit_for_bit() {
    let scene = Scene::new().await;
    let mut page = scene.open(None);
    let rows = [1.0f32, f32::NAN, f32::NEG_INFINITY, 1e-45];
    let body: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    let url = format!("{}logits/7", page.url);
    assert_eq!(send(Method::POST, &url, None, body).await.status, StatusCode::NO_CONTENT);
    assert_eq!(page.take_logits(6), None);
    let taken: Vec<u32> = page.take_logits(7).unwrap().iter().map(|v| v.to_bits()).collect();
    assert_eq!(taken, rows.map(f32::to_bits));
    assert_eq!(page.take_logits(7), None);

    assert_eq!(send(Method::POST, &url, None, vec![0; 5]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        signals(&mut page),
        ["the logits of command 7 are 5 bytes, not a whole number of f32"]
    );
}

#[tokio::test]
async fn an_attempt_reaches_no_other_and_ends_with_its_handle() {
    let scene = Scene::new().await;
    let mut first = scene.open(None);
    let second = scene.open(None);
    assert_ne!(first.url, second.url);
    assert_eq!(post_events(&second, &[event(0)]).await, StatusCode::NO_CONTENT);
    assert_eq!(signals(&mut first), [""; 0]);

    let url = second.url.clone();
    drop(second);
    let shard = &scene.model.manifest.shards[0].url;
    for path in ["", "page.js", shard.as_str()] {
        assert_eq!(get_url(&format!("{url}{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["events", "logits/1"] {
        let answer = send(Method::POST, &format!("{url}{path}"), None, b"[]".to_vec()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let guess = format!("{}{}", &first.url[..first.url.len() - 33], "0".repeat(32));
    assert_eq!(get_url(&format!("{guess}/page.js")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_batch_of_events_has_a_limit() {
    let scene = Scene::new().await;
    let page = scene.open(None);
    let url = format!("{}events", page.url);
    let answer = send(Method::POST, &url, None, vec![b' '; EVENTS_LIMIT + 1]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
