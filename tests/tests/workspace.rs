//! What holds for the workspace as a whole: directions of dependency, versions that go together,
//! and contents that no tracked file may have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        // Offline, too: the whole graph takes crates of platforms that were never built here.
        .no_deps()
        .exec()
        .expect("`cargo metadata` reads this workspace")
}

/// What a member names in its manifest, of the workspace itself.
fn members_that(member: &str, kinds: &[DependencyKind]) -> Vec<String> {
    let metadata = metadata();
    let members: Vec<_> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let package = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == member)
        .unwrap_or_else(|| panic!("`{member}` is a member"));
    package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind))
        .map(|dependency| dependency.name.clone())
        .filter(|name| members.contains(name))
        .collect()
}

const ALL: &[DependencyKind] =
    &[DependencyKind::Normal, DependencyKind::Development, DependencyKind::Build];

#[test]
fn the_harness_depends_on_the_engine_and_never_the_other_way_round() {
    assert!(members_that("inference-wasm", ALL).is_empty());
    assert_eq!(members_that("tierproof", ALL), ["inference-wasm"]);
    assert!(members_that("tierproof-tests", ALL).contains(&"tierproof".to_owned()));
}

/// A version of the glue's generator other than that of the glue gives a page that doesn't load.
#[test]
fn the_wasm_bindgen_family_is_of_one_pinned_version() {
    let pins: BTreeMap<_, _> = metadata()
        .workspace_packages()
        .iter()
        .flat_map(|package| package.dependencies.clone())
        .filter(|dependency| {
            ["wasm-bindgen", "wasm-bindgen-cli", "wasm-bindgen-cli-support"]
                .contains(&dependency.name.as_str())
        })
        .map(|dependency| (dependency.name, dependency.req.to_string()))
        .collect();
    assert_eq!(pins.len(), 3, "all three are dependencies: {pins:?}");
    let pin = &pins["wasm-bindgen"];
    assert!(pin.starts_with('='), "`wasm-bindgen` must be pinned, found `{pin}`");
    assert!(pins.values().all(|other| other == pin), "the pins differ: {pins:?}");
}

/// `./tierproof` builds the command with `--workspace --bins`; `cargo test --workspace` must want
/// every dependency with the same features, or half of them compile twice.
#[test]
fn the_command_and_the_tests_agree_on_features() {
    let command = features(&["-e", "no-dev"]);
    let tests = features(&[]);
    let differing: Vec<_> = command
        .iter()
        .filter(|(package, features)| tests.get(*package) != Some(features))
        .map(|(package, features)| {
            format!("{package}: `{features:?}` and `{:?}`", tests.get(package))
        })
        .collect();
    assert!(
        differing.is_empty(),
        "a dev-dependency changes the features of a dependency:\n  {}\n  \
         hint: name it in `[dependencies]` of `tests/Cargo.toml`",
        differing.join("\n  ")
    );
    assert!(command.len() > 100, "`cargo tree` listed only {} packages", command.len());
}

/// Every package of the graph with the sets of features that it is built with.
fn features(more: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut arguments =
        vec!["tree", "--workspace", "--locked", "--prefix", "none", "-f", "{p}|{f}"];
    arguments.extend(more);
    let text = printed("cargo", &arguments);
    let mut packages = BTreeMap::<String, Vec<String>>::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.split_once('|').expect("the format has a bar");
        let sets = packages.entry(package.replace(" (*)", "")).or_default();
        sets.push(features.replace(" (*)", ""));
        sets.sort();
        sets.dedup();
    }
    packages
}

#[test]
fn no_tracked_file_names_a_registry_host_or_somebodys_home() {
    // Put together, so that this file holds none of them.
    let hosts = [("crates", "io"), ("pypi", "org"), ("npmjs", "org"), ("npmjs", "com")];
    let more = [("pythonhosted", "org"), ("debian", "org"), ("ubuntu", "com")];
    let hosts = hosts.into_iter().chain(more).map(|(name, end)| format!("{name}.{end}"));
    let prefixes = ["", "index.", "static.", "registry.", "files.", "deb.", "archive."];
    let mut forbidden: Vec<_> =
        hosts.flat_map(|host| prefixes.map(|prefix| format!("://{prefix}{host}"))).collect();
    forbidden.extend(["root", "home", "Users"].map(|folder| format!("/{folder}/")));

    let mut found = Vec::new();
    for file in tracked_text_files() {
        // cargo writes it, and cannot but name where packages come from.
        if file.ends_with("Cargo.lock") {
            continue;
        }
        let text = fs_err::read(root().join(&file)).expect("a tracked file exists");
        let text = String::from_utf8_lossy(&text);
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = forbidden.iter().find(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: `{word}`", file.display(), number + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "these lines tie the project to a machine:\n  {}",
        found.join("\n  ")
    );
}

/// Facts of which a second copy would drift away from the first: only the owner may contain the text.
#[test]
fn some_facts_have_one_owner() {
    let owners = [
        ("strsim::", "harness/src/spec/naming.rs"),
        ("env::var(\"CI\")", "harness/src/spec/environment.rs"),
        ("which(\"npm\")", "harness/src/fetch/npm.rs"),
    ];
    let sources: Vec<_> = tracked_text_files()
        .into_iter()
        .filter(|file| file.starts_with("harness/src"))
        .map(|file| (fs_err::read_to_string(root().join(&file)).expect("it is text"), file))
        .collect();
    for (text, owner) in owners {
        let users: Vec<_> = sources
            .iter()
            .filter(|(source, _)| source.contains(text))
            .map(|(_, file)| file)
            .collect();
        assert_eq!(users, [Path::new(owner)], "`{text}` belongs in `{owner}` alone");
    }
}

/// A map that names files which were moved leads nowhere.
#[test]
fn documents_name_files_that_exist() {
    let roots = ["harness/", "inference-wasm/", "tests/", "fixtures/", "matrices/", "golden/"];
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs_err::read_to_string(root().join(document)).expect("a tracked file is there");
        // Every second part lies between backticks.
        for path in text.split('`').skip(1).step_by(2) {
            let is_path = roots.iter().any(|folder| path.starts_with(folder))
                && !path.contains(|c: char| "*{<\n ".contains(c))
                && !path.contains("NAME");
            if is_path && !root().join(path).exists() {
                missing.push(format!("{document}: `{path}`"));
            }
        }
    }
    assert!(missing.is_empty(), "these paths lead nowhere:\n  {}", missing.join("\n  "));
}

/// Files that git tracks, without those that it calls binary.
fn tracked_text_files() -> Vec<PathBuf> {
    // A pattern that every line matches: `git grep -I` leaves binary files out.
    let files = printed("git", &["grep", "-I", "--name-only", "--cached", "-e", ""]);
    let files: Vec<_> = files.lines().map(PathBuf::from).collect();
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("`{program}` starts: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{program} {}`: {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("paths and features are UTF-8")
}
