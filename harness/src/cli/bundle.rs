//! `tierproof bundle`, and the runner of wasm-bindgen tests.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Args;
use inference_wasm::protocol::BundleName;

use super::failure::{Answer, Failure, say};
use crate::drive::bundle::{self, BundleEntry, BundleOptions};
use crate::lab::Project;
use crate::run::exit::Exit;
use crate::spec::bundle::{BundleChoice, parse_bundle};

/// Arguments of `tierproof bundle`.
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// scalar, base, relaxed, threads [default: base]
    #[arg(value_name = "NAME", value_parser = parse_bundle)]
    bundles: Vec<BundleName>,
    /// All four
    #[arg(long, conflicts_with = "bundles")]
    all: bool,
    /// Include the defects that tests of the harness inject; never ship such a bundle
    #[arg(long)]
    seeded_faults: bool,
}

impl BuildArgs {
    /// In the order of all bundles, each once: the order is part of the folder's name.
    fn bundles(&self) -> Vec<BundleName> {
        let default = BundleChoice::default().built();
        let wanted = if self.bundles.is_empty() { &default } else { &self.bundles };
        BundleName::ALL.into_iter().filter(|name| self.all || wanted.contains(name)).collect()
    }
}

pub(super) fn run(project: &Project, args: &BuildArgs) -> Answer {
    let options = BundleOptions { bundles: args.bundles(), seeded_faults: args.seeded_faults };
    let folder = bundle::build(project.root(), &options, |line| anstream::eprintln!("{line}"))
        .map_err(Failure::setup)?;
    say(format!("{}\n{}", folder.dir.display(), table(&folder.manifest.bundles)))?;
    Ok(Exit::Expected)
}

/// The modules' sizes.
fn table(bundles: &[BundleEntry]) -> String {
    let mut text = format!("{:<10}{:>10}{:>10}\n", "bundle", "raw", "gzip");
    let size = |bytes: u64| format!("{:.2} MB", bytes as f64 / 1e6);
    for bundle in bundles {
        let (raw, gzip) = (size(bundle.bytes), size(bundle.gzip_bytes));
        // Writing to a string can't fail.
        let _ = writeln!(text, "{:<10}{raw:>10}{gzip:>10}", bundle.name);
    }
    text
}

/// Runs a test binary of the target, for cargo.
pub(super) fn test_runner(args: Vec<OsString>) -> Answer {
    match bundle::test_runner::run(args) {
        Ok(()) => Ok(Exit::Expected),
        Err(error) => Err(Failure { exit: Exit::Unexpected, report: miette::miette!("{error:#}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_aligned() {
        let entry = |name, bytes, gzip_bytes| BundleEntry {
            name,
            sha256: String::new(),
            bytes,
            gzip_bytes,
        };
        let bundles = [
            entry(BundleName::Base, 2_604_321, 901_234),
            entry(BundleName::Relaxed, 12_600_000, 4_899_999),
        ];
        insta::assert_snapshot!(table(&bundles), @r"
        bundle           raw      gzip
        base         2.60 MB   0.90 MB
        relaxed     12.60 MB   4.90 MB
        ");
    }
}
