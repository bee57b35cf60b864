//! `tierproof serve` as a process: its address, its answers over a socket, its key, and its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tierproof_tests::command::{Ended, tierproof};
use ureq::Agent;

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const MODEL: &str = "scribe-low-Q8_0";

const KEY: &str = "correct-horse-battery";

/// A server that is under way.
struct Server {
    child: Child,
    address: String,
    agent: Agent,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::of(tierproof(COMMAND, &[&["serve", "--model", MODEL], arguments].concat()))
    }

    fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut address = String::new();
        stdout.read_line(&mut address).expect("a line");
        // `end` reads the text after the line.
        child.stdout = Some(stdout.into_inner());
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Self { child, address: address.trim_end().to_owned(), agent }
    }

    fn post(&self, path: &str, key: Option<&str>, body: &Value) -> http::Response {
        let mut request = self.agent.post(format!("{}{path}", self.address));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        request.content_type("application/json").send(body.to_string()).expect("it answers")
    }

    fn health(&self) -> Value {
        let mut answer = self.agent.get(format!("{}/healthz", self.address)).call().expect("alive");
        json_of(&mut answer)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the command runs");
    }

    /// Waits for the end: the exit code, and what else was on standard output.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it can be waited for").code();
        let mut rest = String::new();
        let stdout = self.child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_to_string(&mut rest).expect("UTF-8");
        (code, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failing test leaves no process either.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What ureq calls a response.
mod http {
    pub(crate) type Response = ureq::http::Response<ureq::Body>;
}

fn json_of(response: &mut http::Response) -> Value {
    let text = response.body_mut().read_to_string().expect("a body");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The lines of a stream, as they come.
fn lines(response: http::Response) -> impl Iterator<Item = String> {
    BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok)
}

fn prompt() -> Value {
    json!({ "prompt": { "text": "Sentiment: I love this lamp." } })
}

/// A request that goes on for as long as the context lasts.
fn endless() -> Value {
    json!({ "prompt": { "ids": [1] }, "max_tokens": 500, "ignore_stop": true, "stream": true })
}

#[test]
fn it_prints_its_address_answers_and_ends_in_order() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let server = Server::start(&[]);
        assert!(server.address.starts_with("http://127.0.0.1:"), "{}", server.address);
        let mut answer = server.post("/api/v1/generate", None, &prompt());
        assert_eq!(answer.status(), 200);
        let answer = json_of(&mut answer);
        assert_eq!((&answer["text"], &answer["tier"]), (&json!("positive"), &json!("server")));
        assert_eq!(server.health()["answered"], 1);
        server.signal(signal);
        assert_eq!(server.end(), (Some(0), String::new()), "{signal}");
    }
}

#[test]
fn running_requests_finish_before_the_server_ends() {
    let server = Server::start(&[]);
    let mut lines = lines(server.post("/api/v1/generate", None, &endless()));
    assert_eq!(lines.next().as_deref(), Some("event: token"));
    server.signal(Signal::SIGINT);
    assert!(lines.any(|line| line == "event: answer"), "the stream has its end");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_caller_who_hangs_up_is_noticed() {
    // The slowest of the small models, so that nothing ends by itself meanwhile.
    let server = Server::start(&["--model", "scribe-flagship-Q8_0", "--concurrency", "1"]);
    let mut body = endless();
    body["model"] = "scribe-flagship-Q8_0".into();
    let mut lines = lines(server.post("/api/v1/generate", None, &body));
    assert_eq!(lines.next().as_deref(), Some("event: token"));
    drop(lines);
    while server.health()["cancelled"] != 1 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // The one engine that there is.
    let answer = json_of(&mut server.post("/api/v1/generate", None, &prompt()));
    assert_eq!(answer["text"], "positive");
}

#[test]
fn a_key_comes_from_a_file_or_the_environment() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("key");
    fs_err::write(&file, format!("{KEY}\n")).expect("a file");
    let with_file = Server::start(&["--key-file", file.to_str().expect("UTF-8")]);
    let mut command = tierproof(COMMAND, &["serve", "--model", MODEL]);
    command.env("TIERPROOF_API_KEY", KEY);
    for server in [with_file, Server::of(command)] {
        let status = |key| server.post("/api/v1/generate", key, &prompt()).status().as_u16();
        assert_eq!(status(None), 401);
        assert_eq!(status(Some("wrong-horse-battery")), 401);
        assert_eq!(status(Some(KEY)), 200);
    }
}

#[test]
fn wrong_arguments_are_reported_before_anything_is_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let short = folder.path().join("key");
    fs_err::write(&short, "short\n").expect("a file");
    let short = short.to_str().expect("UTF-8");
    for (arguments, complaint) in [
        (&["--address", "0.0.0.0"][..], "is open to other machines, expected a key"),
        (&["--key-file", short], "the key has 5 characters, expected 16 or more"),
        (&["--key-file", "none"], "none"),
        (&["--model", "scribe-low-q8"], "did you mean `scribe-low-Q8_0`?"),
        (&["--model", MODEL, "--model", MODEL], "expected each name once"),
        (&["--allow-origin", "*"], "expected an origin such as"),
        (&["--concurrency", "0"], "0 is not in 1..=256"),
        (&["--port", "65536"], "65536 is not in 0..=65535"),
        (&["--key", KEY], "unexpected argument"),
    ] {
        let ended = Ended::of(tierproof(COMMAND, &[&["serve"], arguments].concat()), "").with(2);
        assert!(ended.complaint().contains(complaint), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}
