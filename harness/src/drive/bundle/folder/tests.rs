//! What a folder is made of, and when it is made again. Building a bundle takes a toolchain and most
//! of a minute: that is `tests/`' business.

use inference_wasm::client::telemetry::TELEMETRY_VERSION;

use super::*;

fn manifest(inputs: &str, wasm: &[u8]) -> Manifest {
    let entry = |name| BundleEntry {
        name,
        sha256: hex::encode(Sha256::digest(wasm)),
        bytes: wasm.len() as u64,
        gzip_bytes: wasm.len() as u64,
    };
    Manifest {
        protocol: PROTOCOL_VERSION,
        engine: "0.0.0".into(),
        seeded_faults: false,
        bundles: vec![entry(BundleName::Base), entry(BundleName::Relaxed)],
        inputs_sha256: inputs.into(),
    }
}

/// A folder of two bundles, and the page that it was made of.
fn folder() -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    for bundle in ["base", "relaxed"] {
        fs::create_dir(dir.path().join(bundle)).unwrap();
        write(&format!("{bundle}/inference_wasm_bg.wasm"), b"module");
        write(&format!("{bundle}/inference_wasm.js"), b"glue");
    }
    write("index.html", b"page");
    write(MANIFEST, &serde_json::to_vec(&manifest("a1", b"module")).unwrap());
    (dir, vec![("index.html".into(), b"page".to_vec())])
}

#[test]
fn a_whole_folder_of_the_same_inputs_is_up_to_date() {
    let (dir, page) = folder();
    assert_eq!(up_to_date(dir.path(), "a1", &page), Some(manifest("a1", b"module")));
    assert_eq!(up_to_date(dir.path(), "b2", &page), None);
}

#[test]
fn a_damaged_folder_is_not() {
    type Damage = fn(&Path);
    let cases: [Damage; 5] = [
        |dir| fs::remove_file(dir.join("index.html")).unwrap(),
        |dir| fs::remove_file(dir.join("base/inference_wasm.js")).unwrap(),
        |dir| fs::write(dir.join("relaxed/inference_wasm_bg.wasm"), b"other").unwrap(),
        |dir| fs::write(dir.join(MANIFEST), b"{").unwrap(),
        |dir| fs::remove_file(dir.join(MANIFEST)).unwrap(),
    ];
    for (index, damage) in cases.into_iter().enumerate() {
        let (dir, page) = folder();
        damage(dir.path());
        assert_eq!(up_to_date(dir.path(), "a1", &page), None, "damage {index}");
    }
}

#[test]
fn every_input_changes_the_hash() {
    let page = |name: &str, bytes: &[u8]| vec![(name.to_owned(), bytes.to_vec())];
    let modules =
        |modules: &[&[u8]]| modules.iter().map(|bytes| bytes.to_vec()).collect::<Vec<_>>();
    let options = |bundles: &[BundleName], seeded_faults| BundleOptions {
        bundles: bundles.to_vec(),
        seeded_faults,
    };
    let base = options(&[BundleName::Base], false);
    let hashes = [
        hash_inputs(&modules(&[b"m"]), &page("a", b"bc"), &base),
        hash_inputs(&modules(&[b"n"]), &page("a", b"bc"), &base),
        hash_inputs(&modules(&[b"m", b"n"]), &page("a", b"bc"), &base),
        hash_inputs(&modules(&[b"m"]), &page("ab", b"c"), &base),
        hash_inputs(&modules(&[b"m"]), &page("a", b"bd"), &base),
        hash_inputs(&modules(&[b"m"]), &[], &base),
        hash_inputs(&modules(&[b"m"]), &page("a", b"bc"), &options(&[BundleName::Scalar], false)),
        hash_inputs(&modules(&[b"m"]), &page("a", b"bc"), &options(&[BundleName::Base], true)),
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
    assert_eq!(fs::read_dir(bundles.path()).unwrap().count(), 1, "no temporary folder is left");
}

/// The page says a few things of its own where there is no module to ask; they must be the same.
#[test]
fn the_page_agrees_on_what_it_repeats() {
    let page = page_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference-wasm/page"));
    let page = page.unwrap();
    let has = |name: &str, text: &str| {
        let (_, script) = page.iter().find(|(file, _)| file == name).unwrap();
        assert!(String::from_utf8_lossy(script).contains(text), "`{text}` in `{name}`");
    };
    has("page.js", &format!("const PROTOCOL = {PROTOCOL_VERSION};"));
    has("client/page.js", &format!("const PROTOCOL = {PROTOCOL_VERSION};"));
    has("client/plain.js", &format!("const TELEMETRY_VERSION = {TELEMETRY_VERSION};"));
    has("bundle.js", &format!("const MOST_THREADS = {};", crate::spec::bundle::MOST_THREADS));
    for bundle in BundleName::ALL {
        has("bundle.js", &format!("  {bundle}: () =>"));
    }
}
