//! Where tierproof runs, as far as commands behave differently for it.

/// Whether a CI runs this, by the variable `CI`. No golden is written there.
pub(crate) fn is_ci() -> bool {
    says_ci(std::env::var("CI").ok().as_deref())
}

/// Whether the variable `CI` agrees to installations in advance. Unlike [`is_ci`], this takes a plain
/// yes: in doubt, the user is asked.
pub(crate) fn ci_agrees() -> bool {
    agrees(std::env::var("CI").ok().as_deref())
}

/// `true` or `1`, as in the front door script.
fn agrees(value: Option<&str>) -> bool {
    matches!(value, Some("true" | "1"))
}

/// Set, and neither empty nor `0` nor `false`.
fn says_ci(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(value, "" | "0" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_counts_unless_it_denies_it() {
        for (value, is_ci, is_yes) in [
            (None, false, false),
            (Some(""), false, false),
            (Some("0"), false, false),
            (Some("false"), false, false),
            (Some("yes"), true, false),
            (Some("true"), true, true),
            (Some("1"), true, true),
        ] {
            assert_eq!((says_ci(value), agrees(value)), (is_ci, is_yes), "{value:?}");
        }
    }
}
