//! Where tierproof runs, as far as commands behave differently for it.

/// Whether this is a run of a CI, by the variable `CI`. There nothing is asked and no golden is
/// written.
pub(crate) fn is_ci() -> bool {
    says_ci(std::env::var("CI").ok().as_deref())
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
        for (value, expected) in [
            (None, false),
            (Some(""), false),
            (Some("0"), false),
            (Some("false"), false),
            (Some("true"), true),
            (Some("1"), true),
        ] {
            assert_eq!(says_ci(value), expected, "{value:?}");
        }
    }
}
