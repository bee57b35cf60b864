//! Which cells share a browser, and in which order groups are taken.
//!
//! Pure: a plan in, groups out. Launching is the worker's business.

use crate::spec::cell::CellId;
use crate::spec::launch::LaunchProfile;

/// Cells that one launch serves, in the order of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What to launch.
    pub(crate) profile: LaunchProfile,
    /// What to run there; never empty.
    pub(crate) cells: Vec<CellId>,
}

/// Groups cells by what they need launched. Safari has one profile, so it never runs in two groups
/// at a time, which keeps to the one session that safaridriver allows.
pub(crate) fn groups<'c>(
    cells: impl IntoIterator<Item = &'c CellId>,
    profile: impl Fn(&CellId) -> LaunchProfile,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for cell in cells {
        let profile = profile(cell);
        match groups.iter_mut().find(|group| group.profile == profile) {
            Some(group) => group.cells.push(cell.clone()),
            None => groups.push(Group { profile, cells: vec![cell.clone()] }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::matrix::expand;
    use crate::spec::matrix::tests::parse;

    #[test]
    fn cells_of_one_profile_share_a_launch() {
        let matrix = parse(
            r#"
browsers = ["chrome", "firefox"]
backends = ["webgpu", "wasm"]
models = ["scribe-low-F16"]
scenarios = ["tokens/greedy", "backend/disabled", "logits/*"]
tolerance = [{ name = "t", mean_kld = 1, max_kld = 1, max_abs = 1, flip_margin = 1, reason = "test" }]
"#,
        )
        .expect("a matrix");
        let cells = expand(&matrix).cells;
        let groups = groups(&cells, |cell| matrix.profile(cell, false));
        let counts: Vec<_> =
            groups.iter().map(|group| (group.profile.to_string(), group.cells.len())).collect();
        let counts: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(
            counts,
            [
                ("chrome-default", 4),
                ("chrome-without-webgpu", 1),
                ("chrome-without-wasm", 1),
                ("firefox-default", 4),
                ("firefox-without-webgpu", 1),
                ("firefox-without-wasm", 1),
            ]
        );
    }
}
