//! A fake driver that records its requests and gives prepared answers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri, header};

use super::*;
use crate::drive::browser::vendor::Launch;
use crate::drive::browser::vendors::vendor;
use crate::spec::cell::BrowserName;
use crate::spec::launch::{Gpu, LaunchProfile, Variant};

/// How the fake driver answers a request.
type Answer = fn(&Method, &str) -> Option<(StatusCode, Value)>;

#[derive(Clone)]
struct FakeDriver {
    answer: Answer,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

/// Everything works.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the answers, of which some are none")]
fn obliging(method: &Method, path: &str) -> Option<(StatusCode, Value)> {
    let value = match (method.as_str(), path) {
        ("POST", "/session") => {
            json!({ "sessionId": "s1", "capabilities": { "browserVersion": "1.2.3" } })
        }
        ("GET", "/session/s1/url") => json!("about:blank"),
        ("POST", "/session/s1/execute/sync") => json!(42),
        _ => Value::Null,
    };
    Some((StatusCode::OK, value))
}

async fn handle(
    State(driver): State<FakeDriver>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    driver.seen.lock().unwrap().push((format!("{method} {}", uri.path()), body));
    match (driver.answer)(&method, uri.path()) {
        Some((status, value)) => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (status, json, json!({ "value": value }).to_string()).into_response()
        }
        None => std::future::pending().await,
    }
}

struct Fake {
    driver: FakeDriver,
    link: DriverLink,
    exit: watch::Sender<Option<Exit>>,
}

impl Fake {
    async fn start(answer: Answer) -> Self {
        let driver = FakeDriver { answer, seen: Arc::default() };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(handle).with_state(driver.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        let (exit, receiver) = watch::channel(None);
        let link = DriverLink { url, exit: receiver, log: "driver.log".into() };
        Self { driver, link, exit }
    }

    async fn session(&self) -> Result<Session, Trouble> {
        let limits = SessionLimits {
            new_session: Duration::from_millis(300),
            navigate: Duration::from_millis(300),
            request: Duration::from_millis(300),
            close: Duration::from_millis(300),
        };
        Session::create(self.link.clone(), &json!({ "browserName": "x" }), limits).await
    }

    fn seen(&self) -> Vec<(String, Value)> {
        self.driver.seen.lock().unwrap().clone()
    }
}

/// What the driver of a browser gets as its New Session request, over the wire.
async fn new_session_body(browser: BrowserName, is_headed: bool, is_unsandboxed: bool) -> Value {
    body_of(LaunchProfile::new(browser, is_headed), is_unsandboxed).await
}

async fn body_of(profile: LaunchProfile, is_unsandboxed: bool) -> Value {
    let fake = Fake::start(obliging).await;
    let vendor = vendor(profile.browser).unwrap();
    let launch = Launch {
        profile,
        browser: vendor.browser.as_ref().map(|_| Path::new("/the/browser")),
        is_unsandboxed,
    };
    let capabilities = (vendor.capabilities)(&launch);
    let limits = SessionLimits::default();
    let session = Session::create(fake.link.clone(), &capabilities, limits).await.unwrap();
    session.goto("http://127.0.0.1/").await.unwrap();
    let seen = fake.seen();
    let sessions: Vec<_> = seen.iter().filter(|(what, _)| what == "POST /session").collect();
    assert_eq!(
        sessions.len(),
        1,
        "one New Session request, and none of the client's own: {seen:?}"
    );
    sessions[0].1.clone()
}

#[tokio::test]
async fn chromedriver_gets_exactly_this() {
    insta::assert_json_snapshot!(new_session_body(BrowserName::Chrome, false, true).await);
}

#[tokio::test]
async fn chromedriver_gets_a_window_and_a_sandbox_where_they_can_be_had() {
    let body = new_session_body(BrowserName::Chrome, true, false).await.to_string();
    assert!(!body.contains("--headless"), "{body}");
    assert!(!body.contains("--no-sandbox"), "{body}");
}

#[tokio::test]
async fn geckodriver_gets_exactly_this() {
    insta::assert_json_snapshot!(new_session_body(BrowserName::Firefox, false, true).await);
    let headed = new_session_body(BrowserName::Firefox, true, true).await.to_string();
    assert!(!headed.contains("-headless"), "{headed}");
}

#[tokio::test]
async fn webkitwebdriver_gets_exactly_this() {
    insta::assert_json_snapshot!(new_session_body(BrowserName::Webkit, false, true).await);
}

/// It is known to refuse capabilities of other vendors, `goog:chromeOptions` for one.
#[tokio::test]
async fn safaridriver_gets_nothing_but_its_name() {
    assert_eq!(
        new_session_body(BrowserName::Safari, false, true).await,
        json!({ "capabilities": { "alwaysMatch": { "browserName": "safari" } } })
    );
    assert_eq!(crate::drive::browser::max_sessions(BrowserName::Safari), Some(1));
}

/// What takes a backend away differs from the default in these parts alone: what came, what went.
#[tokio::test]
async fn a_variant_switches_one_backend_off() {
    fn parts(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                object.iter().for_each(|(key, value)| parts(value, key, found));
            }
            Value::Array(items) => items.iter().for_each(|value| parts(value, path, found)),
            other => _ = found.insert(format!("{path} {other}")),
        }
    }
    async fn parts_of(profile: LaunchProfile) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        parts(&body_of(profile, false).await, "", &mut found);
        let env = (vendor(profile.browser).unwrap().env)(profile.variant);
        found.extend(env.iter().map(|(name, value)| format!("env {name}={value}")));
        found
    }
    let mut table = String::new();
    for browser in [BrowserName::Chrome, BrowserName::Firefox, BrowserName::Webkit] {
        let default = LaunchProfile::new(browser, false);
        let before = parts_of(default).await;
        for variant in [Variant::WithoutWebgpu, Variant::WithoutWebgl, Variant::WithoutWasm] {
            let after = parts_of(LaunchProfile { variant, ..default }).await;
            let came: Vec<_> = after.difference(&before).collect();
            let went: Vec<_> = before.difference(&after).collect();
            let variant = variant.as_str();
            let changes = format!("  came: {came:?}\n  went: {went:?}\n");
            table.extend([format!("{browser} {variant}\n"), changes]);
        }
        let after = parts_of(LaunchProfile { gpu: Gpu::Hardware, ..default }).await;
        let came: Vec<_> = after.difference(&before).collect();
        table.extend([format!("{browser} hardware\n  came: {came:?}\n")]);
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_session_does_what_it_is_asked() {
    let fake = Fake::start(obliging).await;
    let session = fake.session().await.unwrap();
    assert_eq!(session.browser_version(), "1.2.3");
    session.goto("http://127.0.0.1:1/page").await.unwrap();
    assert_eq!(session.execute("return 6 * 7", vec![json!("a")]).await.unwrap(), json!(42));
    session.is_alive(Duration::from_secs(5)).await.unwrap();
    session.close().await.unwrap();
    let seen = fake.seen();
    assert!(
        seen.contains(&("POST /session/s1/url".into(), json!({"url": "http://127.0.0.1:1/page"})))
    );
    let script = json!({ "script": "return 6 * 7", "args": ["a"] });
    assert!(seen.contains(&("POST /session/s1/execute/sync".into(), script)));
    assert_eq!(seen.last().map(|(what, _)| what.as_str()), Some("DELETE /session/s1"));
}

fn phase_and_kind<T: std::fmt::Debug>(result: Result<T, Trouble>) -> (&'static str, &'static str) {
    let trouble = result.unwrap_err();
    let kind = match trouble.kind {
        TroubleKind::NotFound(_) => "not found",
        TroubleKind::Start { .. } => "start",
        TroubleKind::TimedOut { .. } => "timed out",
        TroubleKind::DriverExited { .. } => "driver exited",
        TroubleKind::BrowserCrashed { .. } => "browser crashed",
        TroubleKind::Script { .. } => "script",
        TroubleKind::Refused { .. } => "refused",
        TroubleKind::Http { .. } => "http",
    };
    (trouble.phase, kind)
}

#[tokio::test]
async fn a_driver_that_hangs_is_timed_out_with_its_phase() {
    let fake = Fake::start(|_, _| None).await;
    assert_eq!(phase_and_kind(fake.session().await), ("new session", "timed out"));

    let fake =
        Fake::start(|method, path| if path == "/session" { obliging(method, path) } else { None })
            .await;
    let session = fake.session().await.unwrap();
    assert_eq!(phase_and_kind(session.goto("http://x/").await), ("navigate", "timed out"));
    assert_eq!(phase_and_kind(session.execute("", Vec::new()).await), ("execute", "timed out"));
    assert_eq!(phase_and_kind(session.about_blank().await), ("leave page", "timed out"));
    assert_eq!(phase_and_kind(session.screenshot().await), ("screenshot", "timed out"));
    assert_eq!(phase_and_kind(session.close().await), ("close session", "timed out"));
}

#[tokio::test]
async fn a_request_after_one_that_hangs_still_gets_through() {
    let fake = Fake::start(
        |method, path| {
            if path.ends_with("/url") { None } else { obliging(method, path) }
        },
    )
    .await;
    let session = fake.session().await.unwrap();
    assert_eq!(phase_and_kind(session.goto("http://x/").await), ("navigate", "timed out"));
    session.is_alive(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_driver_that_exits_is_distinguished_from_one_that_hangs() {
    let fake =
        Fake::start(|method, path| if path == "/session" { obliging(method, path) } else { None })
            .await;
    let session = fake.session().await.unwrap();
    let (goto, ()) = tokio::join!(session.goto("http://x/"), async {
        fake.exit.send(Some("signal: 9 (SIGKILL)".to_owned())).unwrap();
    });
    let trouble = goto.unwrap_err();
    insta::assert_snapshot!(trouble, @r"
    phase `navigate`: the driver ended: signal: 9 (SIGKILL)
      hint: its output is in `driver.log`
    ");
}

#[tokio::test]
async fn answers_of_a_driver_are_classed() {
    let answers: [(Answer, &str); 4] = [
        (|_, _| None, "timed out"),
        (|_, _| Some((StatusCode::OK, json!({ "no": "session" }))), "http"),
        (|_, _| Some((StatusCode::OK, Value::Null)), "http"),
        (
            |_, _| {
                let value = json!({ "error": "session not created", "message": "version" });
                Some((StatusCode::INTERNAL_SERVER_ERROR, value))
            },
            "refused",
        ),
    ];
    for (answer, kind) in answers {
        let fake = Fake::start(answer).await;
        assert_eq!(phase_and_kind(fake.session().await), ("new session", kind));
    }
    let gone: Answer = |method, path| {
        if path == "/session" {
            return obliging(method, path);
        }
        let value = json!({ "error": "invalid session id", "message": "gone", "stacktrace": "" });
        Some((StatusCode::NOT_FOUND, value))
    };
    let fake = Fake::start(gone).await;
    let session = fake.session().await.unwrap();
    assert_eq!(phase_and_kind(session.goto("http://x/").await), ("navigate", "browser crashed"));
    let alive = session.is_alive(Duration::from_secs(5)).await;
    assert_eq!(phase_and_kind(alive), ("check page", "browser crashed"));
}
