//! The bundle that a page must load, and its number of threads: the user's choice, and what it
//! means for the build, for the page's address and for a browser that can't run it.

use std::fmt;
use std::str::FromStr;

use inference_wasm::protocol::{BackendName, BundleName, WasmReport};

use crate::spec::naming::UnknownName;

/// The word that leaves the choice to the page.
pub(crate) const AUTO: &str = "auto";

/// The most threads that can be requested. The page has the same limit.
pub const MOST_THREADS: u32 = 64;

/// What a page is asked to load. By default the best bundle that runs there, with one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleChoice {
    /// The bundle that must run; with `None` the page takes the best that it can run.
    pub bundle: Option<BundleName>,
    /// Threads to compute with, at least 1.
    pub threads: u32,
}

/// A choice that nothing can satisfy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bundle `{bundle}` has one thread, found {threads}, expected bundle `threads` or `auto`")]
pub struct TooManyThreads {
    bundle: BundleName,
    threads: u32,
}

impl Default for BundleChoice {
    fn default() -> Self {
        Self { bundle: None, threads: 1 }
    }
}

impl BundleChoice {
    /// A choice that a page can satisfy.
    ///
    /// # Errors
    /// If more than one thread is asked of a bundle that has one.
    pub fn new(bundle: Option<BundleName>, threads: u32) -> Result<Self, TooManyThreads> {
        match bundle {
            Some(bundle) if threads > 1 && bundle != BundleName::Threads => {
                Err(TooManyThreads { bundle, threads })
            }
            _ => Ok(Self { bundle, threads }),
        }
    }

    /// The bundles that must be built for the page.
    pub fn built(self) -> Vec<BundleName> {
        match self.bundle {
            Some(bundle) => vec![bundle],
            None if self.threads > 1 => vec![BundleName::Base, BundleName::Threads],
            None => vec![BundleName::Base],
        }
    }

    /// The query of the page's address.
    pub fn query(self) -> String {
        let bundle = self.bundle.map_or(AUTO, BundleName::as_str);
        format!("?bundle={bundle}&threads={}", self.threads)
    }

    /// The threads that a load asks for; `None` where the page chooses them with the bundle, and on
    /// a backend that doesn't use a bundle's threads.
    pub fn threads_of_load(self, backend: BackendName) -> Option<u32> {
        let is_demanded = backend == BackendName::Wasm && self.bundle == Some(BundleName::Threads);
        is_demanded.then_some(self.threads)
    }

    /// The capability that a browser lacks for it, if any.
    pub fn obstacle(self, wasm: &WasmReport) -> Option<&'static str> {
        let bundle = self.bundle.unwrap_or(BundleName::Base);
        let needs = match bundle {
            BundleName::Scalar => &[][..],
            BundleName::Base => &[(wasm.simd128, "SIMD")],
            BundleName::Relaxed => &[(wasm.relaxed_simd, "relaxed SIMD")],
            BundleName::Threads => &[(wasm.threads, "threads"), (wasm.simd128, "SIMD")],
        };
        needs.iter().find(|(has_it, _)| !has_it).map(|(_, capability)| *capability)
    }
}

/// A bundle's name or `auto`, as written on the command line and in a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleWord(pub Option<BundleName>);

impl FromStr for BundleWord {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if text == AUTO {
            return Ok(Self(None));
        }
        parse_bundle(text).map(|bundle| Self(Some(bundle))).map_err(|unknown| UnknownName {
            expected: format!("`{AUTO}`, {}", unknown.expected),
            ..unknown
        })
    }
}

impl fmt::Display for BundleWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.map_or(AUTO, BundleName::as_str))
    }
}

/// Reads a bundle's name.
pub fn parse_bundle(text: &str) -> Result<BundleName, UnknownName> {
    let known = BundleName::ALL.into_iter().find(|name| name.as_str() == text);
    known.ok_or_else(|| UnknownName::new("bundle", text, &BundleName::ALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_decides_the_build_and_the_address() {
        for (bundle, threads, built, query) in [
            ("auto", 1, "base", "?bundle=auto&threads=1"),
            ("auto", 4, "base threads", "?bundle=auto&threads=4"),
            ("scalar", 1, "scalar", "?bundle=scalar&threads=1"),
            ("relaxed", 1, "relaxed", "?bundle=relaxed&threads=1"),
            ("threads", 2, "threads", "?bundle=threads&threads=2"),
        ] {
            let word: BundleWord = bundle.parse().unwrap();
            let choice = BundleChoice::new(word.0, threads).unwrap();
            let names: Vec<_> = choice.built().into_iter().map(BundleName::as_str).collect();
            assert_eq!((names.join(" ").as_str(), choice.query().as_str()), (built, query));
        }
        assert_eq!(BundleChoice::new(None, 1), Ok(BundleChoice::default()));
    }

    #[test]
    fn only_one_bundle_has_several_threads() {
        for bundle in BundleName::ALL {
            let is_possible = BundleChoice::new(Some(bundle), 2).is_ok();
            assert_eq!(is_possible, bundle == BundleName::Threads, "{bundle}");
        }
        let error = BundleChoice::new(Some(BundleName::Base), 3).unwrap_err().to_string();
        assert!(error.starts_with("bundle `base` has one thread, found 3"), "{error}");
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_known_ones() {
        let error = "fast".parse::<BundleWord>().unwrap_err().to_string();
        let names = "`auto`, `scalar`, `base`, `relaxed`, `threads`";
        assert_eq!(error, format!("unknown bundle `fast`, expected one of {names}"));
    }

    #[test]
    fn each_bundle_needs_the_capabilities_it_is_built_with() {
        let all = WasmReport {
            simd128: true,
            relaxed_simd: true,
            threads: true,
            ..WasmReport::default()
        };
        let obstacle =
            |bundle, report: &WasmReport| BundleChoice { bundle, threads: 1 }.obstacle(report);
        for bundle in BundleName::ALL {
            assert_eq!(obstacle(Some(bundle), &all), None);
        }
        let none = WasmReport::default();
        assert_eq!(obstacle(Some(BundleName::Scalar), &none), None);
        assert_eq!(obstacle(Some(BundleName::Base), &none), Some("SIMD"));
        assert_eq!(obstacle(Some(BundleName::Relaxed), &none), Some("relaxed SIMD"));
        assert_eq!(obstacle(Some(BundleName::Threads), &none), Some("threads"));
        assert_eq!(obstacle(None, &none), Some("SIMD"));
    }
}
