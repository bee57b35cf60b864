//! The bundles of a plan's pages.

use std::path::{Path, PathBuf};

use inference_wasm::protocol::BundleName;

use super::LabError;
use crate::drive::bundle::{self, BundleOptions};
use crate::plan::Plan;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Matrix;

/// The bundles that the pages of a plan load; none if every runnable cell is native.
pub(super) fn needed(plan: &Plan, matrix: &Matrix) -> Vec<BundleName> {
    if plan.runnable().all(|planned| planned.cell.browser == BrowserName::Native) {
        return Vec::new();
    }
    let mut bundles = matrix.bundle.built();
    let has_client =
        plan.runnable().any(|planned| matrix.clients.contains_key(&planned.cell.scenario));
    // The hybrid client itself runs on one thread, however many its engines have.
    if has_client && bundles == [BundleName::Threads] {
        bundles.insert(0, BundleName::Base);
    }
    bundles
}

/// Builds bundles into one folder.
pub(super) fn build(
    root: &Path,
    bundles: Vec<BundleName>,
    has_mutants: bool,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, LabError> {
    let options = BundleOptions { bundles, seeded_faults: has_mutants };
    Ok(bundle::build(root, &options, progress)?.dir)
}
