//! The floors of both crates: which way imports run, and that no two files import each other.
//!
//! The order is the one in which `lib.rs` declares its modules. ARCHITECTURE.md shows the graph.

use std::path::{Path, PathBuf};

use tierproof_tests::modules::{Import, ModuleGraph};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn graph(name: &str) -> ModuleGraph {
    ModuleGraph::read(&root().join(name).join("src"))
}

/// What is wrong with a graph, ready to print; empty if nothing is.
fn findings(graph: &ModuleGraph) -> Vec<String> {
    let order: Vec<_> = graph.levels.iter().map(|level| level.join(", ")).collect();
    let against = graph.against_the_order().into_iter().map(|import| {
        format!(
            "{import}\n  rule: a floor imports only from earlier levels: {}\n  \
             hint: move the definition down, or pass the value in",
            order.join(" < ")
        )
    });
    let circles = graph.circles().into_iter().map(|circle| {
        format!(
            "these files import each other:\n  {}\n  \
             rule: no circles between files, those inside one room included\n  \
             hint: move what both need to a file of its own",
            lines(&circle).join("\n  ")
        )
    });
    against.chain(circles).collect()
}

fn lines(imports: &[&Import]) -> Vec<String> {
    imports.iter().map(ToString::to_string).collect()
}

#[test]
fn floors_import_only_from_earlier_levels_and_files_never_in_circles() {
    for name in ["inference-wasm", "harness"] {
        let graph = graph(name);
        assert!(graph.imports.len() > 400, "only {} imports were read", graph.imports.len());
        let findings = findings(&graph);
        assert!(findings.is_empty(), "in `{name}/src`:\n\n{}\n", findings.join("\n\n"));
    }
}

#[test]
fn architecture_shows_the_graph_as_it_is() {
    let document = fs_err::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    for name in ["inference-wasm", "harness"] {
        let block =
            format!("```mermaid\n%% {name}/src, from its sources\n{}```", graph(name).picture());
        assert!(
            document.contains(&block),
            "ARCHITECTURE.md does not show the module graph of `{name}`\n  hint: put this there:\n\n{block}\n"
        );
    }
}

/// A crate of a few files in a folder of its own.
struct Planted(tempfile::TempDir);

impl Planted {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path: PathBuf = folder.path().join(name);
            fs_err::create_dir_all(path.parent().expect("it is in the folder")).unwrap();
            fs_err::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn findings(&self) -> String {
        findings(&ModuleGraph::read(self.0.path())).join("\n\n")
    }
}

#[test]
fn an_import_from_a_later_floor_is_found_with_its_rule() {
    let planted = Planted::new(&[
        ("lib.rs", "pub mod spec;\n\npub mod run;\npub mod bench;\n"),
        ("spec/mod.rs", "use crate::run::start;\nfn cell() { start() }\n"),
        ("run/mod.rs", "mod worker;\npub use worker::start;\n"),
        ("run/worker.rs", "pub fn start() {}\n"),
        ("bench.rs", "fn measure() { println!(\"{:?}\", crate::run::start()) }\n"),
    ]);
    assert_eq!(
        planted.findings(),
        "bench.rs:1: `crate::run::start` is defined in run/worker.rs\n  \
         rule: a floor imports only from earlier levels: spec < run, bench\n  \
         hint: move the definition down, or pass the value in\n\n\
         spec/mod.rs:1: `crate::run::start` is defined in run/worker.rs\n  \
         rule: a floor imports only from earlier levels: spec < run, bench\n  \
         hint: move the definition down, or pass the value in"
    );
}

#[test]
fn a_circle_is_found_without_counting_re_exports_and_tests() {
    let planted = Planted::new(&[
        ("lib.rs", "mod room;\n"),
        ("room/mod.rs", "mod first;\nmod second;\nmod third;\npub use third::Third;\n"),
        ("room/first.rs", "pub struct First(super::second::Second);\n"),
        ("room/second.rs", "use super::*;\npub enum Second { A(Box<first::First>), B(Third) }\n"),
        (
            "room/third.rs",
            "pub struct Third;\n#[cfg(test)]\nmod tests { use crate::room::first::First; }\n",
        ),
    ]);
    assert_eq!(
        planted.findings(),
        "these files import each other:\n  \
         room/first.rs:1: `super::second::Second` is defined in room/second.rs\n  \
         room/second.rs:2: `first::First` is defined in room/first.rs\n  \
         rule: no circles between files, those inside one room included\n  \
         hint: move what both need to a file of its own"
    );
}
