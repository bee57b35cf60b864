//! Which cells share a browser, and in which order groups are taken.
//!
//! Pure: a plan in, groups out. Launching is the worker's business.

use crate::browser::LaunchProfile;
use crate::cell::CellId;

/// Cells that one launch serves, in the order of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What to launch.
    pub(crate) profile: LaunchProfile,
    /// What to run there; never empty.
    pub(crate) cells: Vec<CellId>,
}

/// Groups cells by what they need launched. A browser never runs in two groups at a time, which
/// also keeps to the one session that safaridriver allows.
pub(crate) fn groups<'c>(
    cells: impl IntoIterator<Item = &'c CellId>,
    is_headed: bool,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for cell in cells {
        let profile = LaunchProfile::new(cell.browser, is_headed);
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

    #[test]
    fn cells_of_one_profile_share_a_launch() {
        let id = |browser: &str, scenario: &str| -> CellId {
            format!("{browser}/wasm/tierproof/m/{scenario}").parse().expect("a cell id")
        };
        let cells = [id("chrome", "a/a"), id("firefox", "a/a"), id("chrome", "b/b")];
        let groups = groups(&cells, false);
        let counts: Vec<_> = groups
            .iter()
            .map(|group| (group.profile.browser.as_str(), group.cells.len()))
            .collect();
        assert_eq!(counts, [("chrome", 2), ("firefox", 1)]);
    }
}
