//! Against a server on loopback that cuts connections.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::mpsc;

use super::*;

const CONTENT: &[u8] = b"0123456789abcdefghij";

/// Serves one connection for each entry, in order: the status line's code, and how many bytes of
/// the body are sent before the connection is cut. Returns the requested ranges.
fn serve(script: Vec<(u16, usize)>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/m.whl", listener.local_addr().unwrap());
    let (sender, ranges) = mpsc::channel();
    std::thread::spawn(move || {
        for (status, cut) in script {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let range = head.iter().find_map(|line| {
                line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned)
            });
            let range = range.unwrap_or_default();
            let from = range.trim_end_matches('-').parse().unwrap_or(0);
            let from = if status == 206 { from } else { 0 };
            let body = &CONTENT[from..];
            let length = CONTENT.len();
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{}/{length}\r\n\
                 connection: close\r\n\r\n",
                body.len(),
                length - 1
            );
            sender.send(range).unwrap();
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[..cut.min(body.len())]);
        }
    });
    (url, ranges)
}

fn part() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.part");
    (folder, path)
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let (_folder, part) = part();
    let (url, ranges) = serve(vec![(200, 7), (206, 5), (206, 99)]);
    let mut reported = Vec::new();
    download(&url, &part, 20, &mut |bytes| reported.push(bytes)).unwrap();
    assert_eq!(fs::read(&part).unwrap(), CONTENT);
    assert_eq!(ranges.iter().collect::<Vec<_>>(), ["", "7-", "12-"]);
    assert_eq!(reported.last(), Some(&20));
}

#[test]
fn a_later_run_goes_on_from_the_part_file() {
    let (_folder, part) = part();
    fs::write(&part, &CONTENT[..11]).unwrap();
    let (url, ranges) = serve(vec![(206, 99)]);
    download(&url, &part, 20, &mut |_| {}).unwrap();
    assert_eq!(fs::read(&part).unwrap(), CONTENT);
    assert_eq!(ranges.iter().collect::<Vec<_>>(), ["11-"]);
}

#[test]
fn a_server_that_can_not_resume_starts_over() {
    let (_folder, part) = part();
    fs::write(&part, "stale").unwrap();
    let (url, _ranges) = serve(vec![(200, 99)]);
    download(&url, &part, 20, &mut |_| {}).unwrap();
    assert_eq!(fs::read(&part).unwrap(), CONTENT);
}

#[test]
fn what_has_arrived_is_kept_when_it_is_given_up() {
    let (_folder, part) = part();
    let (url, _ranges) = serve(vec![(200, 7), (503, 0), (206, 0), (206, 0)]);
    let error = download(&url, &part, 20, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("broke off at 7 of 20 bytes"), "{error}");
    assert!(
        error.contains("(hint: run the same command again, it continues from there)"),
        "{error}"
    );
    assert_eq!(fs::read(&part).unwrap(), &CONTENT[..7]);
}

#[test]
fn a_refusal_is_final() {
    let (_folder, part) = part();
    let (url, _ranges) = serve(vec![(404, 99)]);
    let error = download(&url, &part, 20, &mut |_| {}).unwrap_err().to_string();
    assert_eq!(error, format!("`{url}`: expected status 200 or 206, found 404"));
    assert!(!part.exists());
}

#[test]
fn another_size_is_reported_before_anything_is_kept() {
    let (_folder, part) = part();
    let (url, _ranges) = serve(vec![(200, 99)]);
    let error = download(&url, &part, 10, &mut |_| {}).unwrap_err().to_string();
    assert_eq!(error, format!("`{url}`: expected 10 bytes, but the server announced 20"));
    assert!(!part.exists());
}

/// Serves one connection with these headers and this body.
fn serve_once(head: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/m", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let _ = stream.read(&mut [0; 4096]);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n{body}");
    });
    url
}

#[test]
fn more_bytes_than_expected_are_not_kept() {
    let (_folder, part) = part();
    let url = serve_once("", "0123456789abcdefghij");
    let error = download(&url, &part, 10, &mut |_| {}).unwrap_err();
    assert!(matches!(error, DownloadError::TooLong { expected: 10, .. }), "{error}");
    assert!(!part.exists());
}

#[test]
fn a_web_page_is_not_a_file() {
    let (_folder, part) = part();
    let url = serve_once("content-type: text/html; charset=utf-8\r\n", "<!doctype html>");
    let error = download(&url, &part, 15, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("expected a file, found an HTML page"), "{error}");
    assert!(!part.exists());
}

#[test]
fn a_response_continues_or_restarts_the_file() {
    for (from, status, range, expected) in [
        (0, 200, None, Take::Restart),
        (5, 200, None, Take::Restart),
        (5, 206, Some("bytes 5-19/20"), Take::Append),
        (5, 206, Some("bytes 4-19/20"), Take::Refuse),
        (5, 206, None, Take::Refuse),
        (5, 416, None, Take::Refuse),
    ] {
        assert_eq!(take(from, status, range), expected, "{from} {status} {range:?}");
    }
}

#[test]
fn wheels_in_a_folder_have_file_addresses() {
    assert_eq!(local_path("file:///a%20b/c.whl"), Some(PathBuf::from("/a b/c.whl")));
    assert_eq!(local_path("http://a/b"), None);
    assert_eq!(local_path("file:///a%2"), None);
}
