//! A file over HTTP, resumable: the bytes so far are kept in a `.part` file, and the next attempt,
//! in this run or a later one, continues there.
//!
//! The caller checks the bytes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use ureq::tls::{RootCerts, TlsConfig};

/// Consecutive attempts without a new byte before a download is given up.
const FRUITLESS_ATTEMPTS: u32 = 3;
/// The longest duration of one connection. After that the download continues on another.
const ATTEMPT_LIMIT: Duration = Duration::from_mins(10);

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server answered with an error status.
    #[error("`{url}`: expected status 200 or 206, found {status}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// The connection failed again and again.
    #[error(
        "`{url}` broke off at {got} of {expected} bytes: {reason}\n  (hint: run the same command again, it continues from there)"
    )]
    Interrupted {
        /// The address.
        url: String,
        /// Bytes so far.
        got: u64,
        /// Bytes in total.
        expected: u64,
        /// The last error.
        reason: String,
    },
    /// The server has more bytes than the file should have.
    #[error("`{url}`: expected {expected} bytes, found more")]
    TooLong {
        /// The address.
        url: String,
        /// Bytes in total.
        expected: u64,
    },
    /// The server announced another size.
    #[error("`{url}`: expected {expected} bytes, but the server announced {found}")]
    Length {
        /// The address.
        url: String,
        /// Bytes in total.
        expected: u64,
        /// Bytes that the server announced.
        found: u64,
    },
    /// A web page, such as a login or a dialogue.
    #[error(
        "`{url}`: expected a file, found an HTML page\n  (hint: it may ask for a login or an agreement; fetch the file by hand and give its path)"
    )]
    Html {
        /// The address.
        url: String,
    },
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What to do with a response, given the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// Its bytes continue the `.part` file.
    Append,
    /// It starts at the first byte: the server does not resume.
    Restart,
    /// It is not part of the file.
    Refuse,
}

/// Decides what to do with the response to a request from byte `from` on.
fn take(from: u64, status: u16, content_range: Option<&str>) -> Take {
    let starts_at =
        |range: &str| range.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok();
    match status {
        200 => Take::Restart,
        206 if content_range.and_then(starts_at) == Some(from) => Take::Append,
        _ => Take::Refuse,
    }
}

/// Fetches `expected` bytes into the file `part`, which may already contain the first of them.
pub(crate) fn download(
    url: &str,
    part: &Path,
    expected: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<(), DownloadError> {
    if let Some(path) = local_path(url) {
        fs::copy(path, part)?;
        progress(expected);
        return Ok(());
    }
    let agent = agent();
    let mut fruitless = 0;
    loop {
        let got = size(part)?;
        progress(got);
        if got == expected {
            return Ok(());
        }
        if got > expected {
            fs::remove_file(part)?;
            return Err(DownloadError::TooLong { url: url.to_owned(), expected });
        }
        let reason = match attempt(&agent, url, part, got, expected, progress) {
            Ok(()) => "the connection was closed early".to_owned(),
            Err(Attempt::Connection(reason)) => reason,
            Err(Attempt::Final(error)) => return Err(error),
        };
        let now = size(part)?;
        fruitless = if now > got { 0 } else { fruitless + 1 };
        if fruitless == FRUITLESS_ATTEMPTS {
            return Err(DownloadError::Interrupted {
                url: url.to_owned(),
                got: now,
                expected,
                reason,
            });
        }
    }
}

/// Why an attempt ended before the file was complete.
enum Attempt {
    /// Another attempt may help.
    Connection(String),
    /// Another attempt would not help.
    Final(DownloadError),
}

impl From<std::io::Error> for Attempt {
    fn from(error: std::io::Error) -> Self {
        Self::Final(error.into())
    }
}

fn attempt(
    agent: &ureq::Agent,
    url: &str,
    part: &Path,
    from: u64,
    expected: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Attempt> {
    // A compressed response would have other offsets.
    let mut request = agent.get(url).header("accept-encoding", "identity");
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let answer = request.call().map_err(|error| Attempt::Connection(error.to_string()))?;
    let status = answer.status().as_u16();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let range = header(CONTENT_RANGE);
    if status == 200 && header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(Attempt::Final(DownloadError::Html { url: url.to_owned() }));
    }
    let announced = match status {
        200 => header(CONTENT_LENGTH),
        206 => range.and_then(|range| range.rsplit('/').next()),
        _ => None,
    };
    let announced = announced.and_then(|length| length.parse::<u64>().ok());
    if let Some(found) = announced.filter(|&found| found != expected) {
        let url = url.to_owned();
        return Err(Attempt::Final(DownloadError::Length { url, expected, found }));
    }
    let (mut file, mut got) = match take(from, status, range) {
        Take::Append => (fs::OpenOptions::new().append(true).open(part)?, from),
        Take::Restart => (fs::File::create(part)?, 0),
        Take::Refuse if status >= 500 => {
            return Err(Attempt::Connection(format!("status {status}")));
        }
        Take::Refuse => {
            let url = url.to_owned();
            return Err(Attempt::Final(DownloadError::Status { url, status }));
        }
    };
    let (mut body, mut buffer) = (answer.into_body().into_reader(), vec![0; 1 << 16]);
    loop {
        let count =
            body.read(&mut buffer).map_err(|error| Attempt::Connection(error.to_string()))?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        file.write_all(chunk)?;
        got += count as u64;
        progress(got);
    }
    file.sync_all()?;
    Ok(())
}

/// Proxies come from the environment, certificates from the system.
fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_mins(1)))
        .timeout_recv_body(Some(ATTEMPT_LIMIT))
        .build();
    ureq::Agent::new_with_config(config)
}

fn size(path: &Path) -> std::io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// The path of a `file://` address, which pip reports if the user keeps wheels in a folder.
fn local_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://")?;
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
