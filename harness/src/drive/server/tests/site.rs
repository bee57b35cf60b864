//! A client's site as a page sees it: weights with their faults, shims, the server tier.

use axum::routing::post;
use std::time::{Duration, Instant};

use super::*;
use crate::spec::fault::{Fault, FaultPhase, FaultPlan};

/// A place for a visit, and the answer that it serves.
fn open(scene: &Scene, tier: Option<Router>) -> (PageHandle, Arc<ClientSite>) {
    let site = Arc::new(ClientSite::new(scene.model.clone(), tier));
    (scene.server.open_client(site.clone()).unwrap(), site)
}

fn arm(site: &ClientSite, fault: Fault, value: Option<u64>) {
    let plan = FaultPlan { fault, at: FaultPhase::Fetch, token: 0, times: 1, value };
    site.network().arm("f", plan);
}

fn at(page: &PageHandle, path: &str) -> String {
    page.url.replacen("client.html", path, 1)
}

/// The status, what came of the body, and whether it came to its end; `None` where the connection
/// broke off before.
async fn fetch(url: &str, range: Option<&str>) -> Option<(u16, Vec<u8>, bool)> {
    use axum::body::HttpBody;
    let client: Client<HttpConnector, Body> =
        Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut request = Request::builder().uri(url);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let response = client.request(request.body(Body::empty()).unwrap()).await.ok()?;
    let status = response.status().as_u16();
    let mut body = Body::new(response.into_body());
    let mut bytes = Vec::new();
    loop {
        let frame =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context));
        match frame.await {
            Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap()),
            Some(Err(_)) => return Some((status, bytes, false)),
            None => return Some((status, bytes, true)),
        }
    }
}

const SHARD: &str = "models/shard-00001-of-00003";

#[tokio::test]
async fn weights_fail_as_planned_and_only_so_often() {
    let scene = Scene::new().await;
    let html = crate::drive::server::fault::HTML.as_bytes().to_vec();
    for (fault, value, expected) in [
        (Fault::WeightsOffline, None, None),
        (Fault::WeightsCut, Some(3), Some((200, b"012".to_vec(), false))),
        (Fault::WeightsFail, None, Some((500, Vec::new(), true))),
        (Fault::WeightsMissing, None, Some((404, Vec::new(), true))),
        (Fault::WeightsHtml, None, Some((200, html, true))),
        (Fault::WeightsShort, None, Some((200, b"01".to_vec(), true))),
        (Fault::WeightsSlow, Some(60), Some((200, b"0123".to_vec(), true))),
    ] {
        let (page, site) = open(&scene, None);
        arm(&site, fault, value);
        let began = Instant::now();
        assert_eq!(fetch(&at(&page, SHARD), None).await, expected, "{fault:?}");
        let is_late = began.elapsed() >= Duration::from_millis(60);
        assert!(is_late || fault != Fault::WeightsSlow);
        assert_eq!(site.network().strikes("f").len(), 1, "{fault:?}");
        let healthy = fetch(&at(&page, SHARD), None).await;
        assert_eq!(healthy, Some((200, b"0123".to_vec(), true)), "{fault:?}");
        let traffic = site.network().traffic().shards[&0];
        assert_eq!((traffic.requests, traffic.is_complete), (2, true), "{fault:?}");
    }
}

#[tokio::test]
async fn a_shard_that_broke_off_is_resumed() {
    let scene = Scene::new().await;
    let (page, site) = open(&scene, None);
    arm(&site, Fault::WeightsCut, Some(3));
    let cut = fetch(&at(&page, SHARD), None).await;
    assert_eq!(cut, Some((200, b"012".to_vec(), false)));
    assert!(!site.network().traffic().shards[&0].is_complete);
    let rest = fetch(&at(&page, SHARD), Some("bytes=3-")).await;
    assert_eq!(rest, Some((206, b"3".to_vec(), true)));
    let traffic = site.network().traffic().shards[&0];
    assert_eq!((traffic.bytes, traffic.resumed, traffic.is_complete), (4, 1, true));
    assert_eq!(fetch(&at(&page, "models/other"), None).await.unwrap().0, 404);
}

#[tokio::test]
async fn a_page_may_come_without_isolation() {
    let scene = Scene::new().await;
    let folder = scene.folder.path().join("bundle/client.html");
    fs_err::write(folder, "client").unwrap();
    let (page, site) = open(&scene, None);
    assert_eq!(get_url(&page.url).await.header("cross-origin-opener-policy"), "same-origin");
    arm(&site, Fault::NotIsolated, None);
    let answer = get_url(&page.url).await;
    assert_eq!(answer.body, "client");
    for name in ["cross-origin-opener-policy", "cross-origin-embedder-policy"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(site.network().strikes("f").len(), 1);
}

#[tokio::test]
async fn shims_are_there_for_the_client_alone() {
    let scene = Scene::new().await;
    let (page, _) = open(&scene, None);
    let answer = get_url(&at(&page, "fault/gpu.js")).await;
    assert!(answer.header("content-type").starts_with("text/javascript"));
    assert!(String::from_utf8_lossy(&answer.body).contains("export function install("));
    assert_eq!(get_url(&at(&page, "fault/none.js")).await.status, StatusCode::NOT_FOUND);
    let engine = scene.open(None);
    assert_eq!(get_url(&format!("{}fault/gpu.js", engine.url)).await.status, StatusCode::NOT_FOUND);
}

/// A server tier that says three tokens and an answer.
fn tier() -> Router {
    let events = "event: token\ndata: {}\n\n";
    let pieces: Vec<_> = [events, events, events, "event: answer\ndata: {}\n\n"].into();
    let answer = move || {
        let pieces = pieces.clone();
        async move {
            let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
            axum::response::Response::new(Body::from_stream(futures::stream::iter(pieces)))
        }
    };
    Router::new().route("/api/v1/generate", post(answer))
}

#[tokio::test]
async fn the_server_tier_is_asked_below_the_page_and_its_answers_are_counted() {
    let scene = Scene::new().await;
    for (fault, value, status, tokens, answers) in [
        (None, None, 200, 3, 1),
        (Some(Fault::ServerDown), None, 503, 0, 0),
        (Some(Fault::ServerHalf), Some(2), 200, 2, 0),
        (Some(Fault::ServerSlow), Some(60), 200, 3, 1),
    ] {
        let (page, site) = open(&scene, Some(tier()));
        if let Some(fault) = fault {
            arm(&site, fault, value);
        }
        let url = at(&page, "tier/api/v1/generate");
        let began = Instant::now();
        let answer = send(Method::POST, &url, None, b"{}".to_vec()).await;
        assert!(fault != Some(Fault::ServerSlow) || began.elapsed().as_millis() >= 60);
        assert_eq!(answer.status.as_u16(), status, "{fault:?}");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(body.matches("event: token").count(), tokens, "{fault:?}");
        let traffic = site.network().traffic().clone();
        assert_eq!((traffic.server_requests, traffic.server_answers), (1, answers), "{fault:?}");
    }
    let (page, _) = open(&scene, None);
    let url = at(&page, "tier/api/v1/generate");
    assert_eq!(send(Method::POST, &url, None, Vec::new()).await.status, StatusCode::NOT_FOUND);
}
