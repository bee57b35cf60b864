//! What a bundle is made of, and when it is made again. Building one takes a toolchain and most
//! of a minute: that is `tests/`' business.

use super::*;

fn manifest(inputs: &str, wasm: &[u8]) -> Manifest {
    Manifest {
        name: "base".into(),
        protocol: PROTOCOL_VERSION,
        engine: "0.0.0".into(),
        features: Vec::new(),
        sha256: hex::encode(Sha256::digest(wasm)),
        bytes: wasm.len() as u64,
        inputs_sha256: inputs.into(),
    }
}

/// A bundle of three files, and the page that it was made of.
fn bundle() -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("inference_wasm_bg.wasm", b"module");
    write("inference_wasm.js", b"glue");
    write("index.html", b"page");
    write(MANIFEST, &serde_json::to_vec(&manifest("a1", b"module")).unwrap());
    (dir, vec![("index.html".into(), b"page".to_vec())])
}

#[test]
fn a_whole_bundle_of_the_same_inputs_is_up_to_date() {
    let (dir, page) = bundle();
    assert_eq!(up_to_date(dir.path(), "a1", &page), Some(manifest("a1", b"module")));
    assert_eq!(up_to_date(dir.path(), "b2", &page), None);
}

#[test]
fn a_damaged_bundle_is_not() {
    type Damage = fn(&Path);
    let cases: [Damage; 5] = [
        |dir| fs::remove_file(dir.join("index.html")).unwrap(),
        |dir| fs::remove_file(dir.join("inference_wasm.js")).unwrap(),
        |dir| fs::write(dir.join("inference_wasm_bg.wasm"), b"other").unwrap(),
        |dir| fs::write(dir.join(MANIFEST), b"{").unwrap(),
        |dir| fs::remove_file(dir.join(MANIFEST)).unwrap(),
    ];
    for (index, damage) in cases.into_iter().enumerate() {
        let (dir, page) = bundle();
        damage(dir.path());
        assert_eq!(up_to_date(dir.path(), "a1", &page), None, "damage {index}");
    }
}

#[test]
fn every_input_changes_the_hash() {
    let page = |name: &str, bytes: &[u8]| vec![(name.to_owned(), bytes.to_vec())];
    let base = BundleOptions::default();
    let faults = BundleOptions { seeded_faults: true };
    let hashes = [
        hash_inputs(b"m", &page("a", b"bc"), base),
        hash_inputs(b"n", &page("a", b"bc"), base),
        hash_inputs(b"m", &page("ab", b"c"), base),
        hash_inputs(b"m", &page("a", b"bd"), base),
        hash_inputs(b"m", &[], base),
        hash_inputs(b"m", &page("a", b"bc"), faults),
    ];
    let distinct: std::collections::BTreeSet<&String> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn a_fresh_folder_takes_the_place_of_the_old() {
    let bundles = tempfile::tempdir().unwrap();
    let dir = bundles.path().join("base");
    for round in ["first", "second"] {
        let fresh = tempfile::tempdir_in(bundles.path()).unwrap();
        fs::write(fresh.path().join(round), round).unwrap();
        replace(&dir, fresh, bundles.path()).unwrap();
        let names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [round]);
    }
    assert_eq!(fs::read_dir(bundles.path()).unwrap().count(), 1, "nothing is left behind");
}

/// The page says a version of its own only where there is no module to ask; it must be the same.
#[test]
fn the_page_speaks_this_protocol() {
    let page = page_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference-wasm/page"));
    let page = page.unwrap();
    let (_, script) = page.iter().find(|(name, _)| name == "page.js").unwrap();
    let script = String::from_utf8_lossy(script);
    assert!(script.contains(&format!("const PROTOCOL = {PROTOCOL_VERSION};")));
}
