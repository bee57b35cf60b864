//! Which cells share a browser, and which groups of cells run at the same time.

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::plan::ResolvedCell;
use crate::spec::cell::BrowserName;
use crate::spec::launch::LaunchProfile;

/// Cells that one launch serves, in the order of the plan.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    /// What to launch.
    pub(crate) profile: LaunchProfile,
    /// What to run there; never empty.
    pub(crate) cells: Vec<&'a ResolvedCell<'a>>,
}

/// Groups cells by their launch profile.
pub(crate) fn groups<'a>(cells: &'a [ResolvedCell<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for cell in cells {
        let profile = cell.profile;
        match groups.iter_mut().find(|group| group.profile == profile) {
            Some(group) => group.cells.push(cell),
            None => groups.push(Group { profile, cells: vec![cell] }),
        }
    }
    groups
}

/// Runs every group, at most `jobs` at a time and never more of one browser than
/// `max_sessions` allows; `None` allows any number. Groups start in order where these limits
/// permit it.
pub(crate) async fn run_all<'a, F: Future<Output = ()>>(
    mut groups: Vec<Group<'a>>,
    jobs: usize,
    max_sessions: impl Fn(BrowserName) -> Option<usize>,
    work: impl Fn(Group<'a>) -> F,
) {
    let mut running: Vec<BrowserName> = Vec::new();
    let mut works = FuturesUnordered::new();
    loop {
        while running.len() < jobs.max(1) {
            let has_session = |group: &Group<'_>| {
                let browser = group.profile.browser;
                let sessions = running.iter().filter(|name| **name == browser).count();
                max_sessions(browser).is_none_or(|most| sessions < most.max(1))
            };
            let Some(index) = groups.iter().position(has_session) else { break };
            let group = groups.remove(index);
            let browser = group.profile.browser;
            running.push(browser);
            let work = work(group);
            works.push(async move {
                work.await;
                browser
            });
        }
        let Some(done) = works.next().await else { return };
        if let Some(index) = running.iter().position(|name| *name == done) {
            running.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::drive::browser::max_sessions;
    use crate::plan::expectation::Facts;
    use crate::plan::{Plan, tests::resolved};
    use crate::spec::matrix::tests::parse;

    const MATRIX: &str = r#"
browsers = ["chrome", "safari"]
backends = ["webgpu", "wasm"]
models = ["scribe-low-F16"]
scenarios = ["tokens/greedy", "backend/disabled", "logits/*"]
tolerance = [{ name = "t", mean_kld = 1, max_kld = 1, max_abs = 1, flip_margin = 1, reason = "test" }]
"#;

    /// Groups of two browsers. Safari has no launch profile but its default one, so one of
    /// Chrome's groups is given to it.
    fn with_groups<T>(test: impl FnOnce(Vec<Group<'_>>) -> T) -> T {
        let matrix = parse(MATRIX).expect("a matrix");
        let facts = Facts { is_macos: true, ..Facts::default() };
        let plan = Plan::new(&matrix, &[], &facts).expect("a plan");
        resolved(&plan, &matrix, |cells| test(groups(cells)))
    }

    #[test]
    fn cells_of_one_profile_share_a_launch() {
        let counts: Vec<(String, usize)> = with_groups(|groups| {
            groups.iter().map(|group| (group.profile.to_string(), group.cells.len())).collect()
        });
        let counts: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(
            counts,
            [
                ("chrome-default", 4),
                ("chrome-without-webgpu", 1),
                ("chrome-without-wasm", 1),
                ("safari-default", 4),
            ]
        );
    }

    /// Runs the groups, and reports for each moment at which one began how many of Safari and how
    /// many in all were running.
    fn running(groups: Vec<Group<'_>>, jobs: usize) -> Vec<(usize, usize)> {
        let (at_work, seen) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let work = |group: Group<'_>| {
            let browser = group.profile.browser;
            at_work.borrow_mut().push(browser);
            let all = at_work.borrow();
            let safari = all.iter().filter(|name| **name == BrowserName::Safari).count();
            seen.borrow_mut().push((safari, all.len()));
            drop(all);
            let at_work = &at_work;
            async move {
                futures::pending!();
                let mut all = at_work.borrow_mut();
                let index = all.iter().position(|name| *name == browser).unwrap();
                all.swap_remove(index);
            }
        };
        futures::executor::block_on(run_all(groups, jobs, max_sessions, work));
        seen.into_inner()
    }

    #[test]
    fn a_browser_never_has_more_sessions_than_its_vendor_allows() {
        with_groups(|mut groups| {
            for group in groups.iter_mut().skip(1) {
                group.profile.browser = BrowserName::Safari;
            }
            let seen = running(groups.clone(), 4);
            assert_eq!(seen, [(0, 1), (1, 2), (1, 1), (1, 1)]);
            for group in &mut groups {
                group.profile.browser = BrowserName::Chrome;
            }
            assert_eq!(running(groups.clone(), 4), [(0, 1), (0, 2), (0, 3), (0, 4)]);
            assert_eq!(running(groups, 1), [(0, 1); 4]);
        });
    }
}
