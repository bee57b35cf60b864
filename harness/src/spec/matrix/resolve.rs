//! From the matrix as written to the matrix as resolved: names looked up, globs expanded,
//! defaults filled in. Every problem is collected.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use inference_wasm::engine::quant::FORMATS;
use inference_wasm::protocol::BackendName;
use jiff::civil::Date;
use toml::Spanned;

use super::floors::Floors;
use super::pattern::{Pattern, When};
use super::resolved::{Block, Exclude, Known, KnownFailure, Matrix, Tolerance};
use super::spec::{IncludeSpec, MatrixSpec, TimeoutsSpec, ToleranceSpec, WhenSpec};
use super::timeouts::Timeouts;
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::{BundleChoice, BundleWord, MOST_THREADS};
use crate::spec::cell::BrowserName;
use crate::spec::document::{Problem, Problems, within};
use crate::spec::launch::Gpu;
use crate::spec::naming::{did_you_mean, names};

/// The places of a resolved matrix's names and entries in its text.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// The first mention of each model, by name or by a glob.
    pub(super) models: BTreeMap<String, Range<usize>>,
    /// The first mention of each scenario.
    pub(super) scenarios: BTreeMap<String, Range<usize>>,
    /// In the order of [`Matrix::excludes`].
    pub(super) excludes: Vec<Range<usize>>,
    /// In the order of [`Matrix::known_failures`].
    pub(super) known_failures: Vec<Range<usize>>,
}

/// Resolves a matrix. Names that can't be resolved are reported and left out.
pub(super) fn matrix(
    name: &str,
    spec: &MatrixSpec,
    known: &Known<'_>,
    problems: &Problems,
) -> (Matrix, Origins) {
    let mut resolver =
        Resolver { vocabulary: Vocabulary::new(known), problems, origins: Origins::default() };
    let product = Block {
        browsers: values(&spec.browsers),
        backends: values(&spec.backends),
        engines: match &spec.engines {
            Some(entries) => resolver.engines(entries),
            None => judged(known),
        },
        models: resolver.models(&spec.models),
        scenarios: resolver.scenarios(&spec.scenarios),
    };
    let includes = spec.include.iter().map(|include| resolver.include(include.get_ref(), &product));
    let includes: Vec<_> = includes.collect();
    resolver.origins.excludes = spec.exclude.iter().map(Spanned::span).collect();
    resolver.origins.known_failures = spec.known_failure.iter().map(Spanned::span).collect();
    let matrix = Matrix {
        name: name.to_owned(),
        blocks: std::iter::once(product).chain(includes).collect(),
        excludes: resolver.excludes(spec),
        floors: Floors::resolve(spec.require.as_ref(), problems),
        timeouts: timeouts(spec.timeouts.as_ref(), problems),
        retries: within(spec.retries.as_ref(), "retries", &(0..=5), 1, problems),
        jobs: within(spec.jobs.as_ref(), "jobs", &(1..=64), 1, problems),
        bundle: bundle(spec, problems),
        gpu: spec.gpu.as_ref().map_or(Gpu::Any, |gpu| *gpu.get_ref()),
        adapter: spec.adapter.as_ref().map_or(AdapterDemand::Any, |demand| *demand.get_ref()),
        tolerances: resolver
            .tolerances(&spec.tolerance, known.today)
            .into_iter()
            .chain(known.tolerances.iter().cloned())
            .collect(),
        known_failures: resolver.known_failures(spec, known.today),
        models: known.models.iter().map(|model| (model.name.clone(), model.clone())).collect(),
        engines: known.engines.iter().map(|one| (one.name.clone(), one.clone())).collect(),
        server_cost_per_1k_tokens: spec
            .routing
            .as_ref()
            .and_then(|routing| routing.server_cost_per_1k_tokens),
        launches: known
            .fixtures
            .scenarios
            .iter()
            .map(|(name, scenario)| (name.clone(), scenario.launch))
            .collect(),
        clients: known
            .fixtures
            .scenarios
            .iter()
            .filter_map(|(name, scenario)| Some((name.clone(), *scenario.client.clone()?)))
            .collect(),
    };
    (matrix, resolver.origins)
}

/// Resolves the shared classes.
pub(super) fn tolerances(
    written: &[Spanned<ToleranceSpec>],
    known: &Known<'_>,
    problems: &Problems,
) -> Vec<Tolerance> {
    let resolver =
        Resolver { vocabulary: Vocabulary::new(known), problems, origins: Origins::default() };
    resolver.tolerances(written, known.today)
}

/// The engines of a matrix that names none: those that can be judged.
fn judged(known: &Known<'_>) -> Vec<String> {
    let judged = known.engines.iter().filter(|engine| engine.not_judged.is_none());
    judged.map(|engine| engine.name.clone()).collect()
}

fn values<T: Copy>(spanned: &[Spanned<T>]) -> Vec<T> {
    spanned.iter().map(|value| *value.get_ref()).collect()
}

/// The names that each axis may have.
struct Vocabulary {
    browsers: Vec<String>,
    backends: Vec<String>,
    engines: Vec<String>,
    models: Vec<String>,
    scenarios: Vec<String>,
    /// Scenarios that exist but are broken, which is reported for their own file.
    broken: Vec<String>,
    weights: Vec<String>,
}

impl Vocabulary {
    fn new(known: &Known<'_>) -> Self {
        let weights = known.models.iter().map(|model| model.weights.clone());
        Self {
            browsers: BrowserName::ALL.map(|name| name.to_string()).to_vec(),
            backends: BackendName::ALL.map(|name| name.to_string()).to_vec(),
            engines: known.engines.iter().map(|engine| engine.name.clone()).collect(),
            models: known.models.iter().map(|model| model.name.clone()).collect(),
            scenarios: known.fixtures.scenarios.keys().cloned().collect(),
            broken: known.fixtures.broken.iter().cloned().collect(),
            // A `when` may name a type that no model of the catalogue has yet.
            weights: weights.chain(FORMATS.map(|format| format.name.to_owned())).collect(),
        }
    }
}

struct Resolver<'a> {
    vocabulary: Vocabulary,
    problems: &'a Problems,
    origins: Origins,
}

impl Resolver<'_> {
    /// Compiles a glob and checks that it names something. `what` is the singular of the axis.
    fn pattern(&self, what: &str, entry: &Spanned<String>, known: &[String]) -> Option<Pattern> {
        let text = entry.get_ref();
        let pattern = match Pattern::new(text) {
            Ok(pattern) => pattern,
            Err(reason) => {
                let message = format!("`{text}` is not a glob: {reason}");
                self.problems.push(Problem::at(entry.span(), message, "this glob"));
                return None;
            }
        };
        if !known.iter().any(|name| pattern.matches(name)) {
            if self.vocabulary.broken.iter().any(|name| pattern.matches(name)) {
                return None;
            }
            let (message, label) = if pattern.is_name() {
                (format!("unknown {what} `{text}`"), "not known")
            } else {
                (format!("no {what} matches `{text}`"), "matches nothing")
            };
            let hint = did_you_mean(text, known)
                .unwrap_or_else(|| format!("the known names are {}", names(known.iter())));
            self.problems.push(Problem::at(entry.span(), message, label).hint(hint));
            return None;
        }
        Some(pattern)
    }

    /// Expands names and globs of an axis, in the order of the list, each name once.
    fn expand(
        &self,
        what: &str,
        entries: &[Spanned<String>],
        known: &[String],
    ) -> Vec<(String, Range<usize>)> {
        let mut expanded: Vec<(String, Range<usize>)> = Vec::new();
        for entry in entries {
            let Some(pattern) = self.pattern(what, entry, known) else { continue };
            for name in known.iter().filter(|name| pattern.matches(name)) {
                if !expanded.iter().any(|(earlier, _)| earlier == name) {
                    expanded.push((name.clone(), entry.span()));
                }
            }
        }
        expanded
    }

    fn engines(&mut self, entries: &[Spanned<String>]) -> Vec<String> {
        let expanded = self.expand("engine", entries, &self.vocabulary.engines);
        expanded.into_iter().map(|(name, _)| name).collect()
    }

    fn models(&mut self, entries: &[Spanned<String>]) -> Vec<String> {
        let expanded = self.expand("model", entries, &self.vocabulary.models);
        remember(expanded, &mut self.origins.models)
    }

    fn scenarios(&mut self, entries: &[Spanned<String>]) -> Vec<String> {
        let expanded = self.expand("scenario", entries, &self.vocabulary.scenarios);
        remember(expanded, &mut self.origins.scenarios)
    }

    fn include(&mut self, spec: &IncludeSpec, product: &Block) -> Block {
        Block {
            browsers: spec.browsers.as_deref().map_or_else(|| product.browsers.clone(), values),
            backends: spec.backends.as_deref().map_or_else(|| product.backends.clone(), values),
            engines: match &spec.engines {
                Some(entries) => self.engines(entries),
                None => product.engines.clone(),
            },
            models: match &spec.models {
                Some(entries) => self.models(entries),
                None => product.models.clone(),
            },
            scenarios: match &spec.scenarios {
                Some(entries) => self.scenarios(entries),
                None => product.scenarios.clone(),
            },
        }
    }

    fn when(&self, spec: &WhenSpec) -> When {
        let axis = |what: &str, entries: &Option<Vec<Spanned<String>>>, known: &[String]| {
            let entries = entries.iter().flatten();
            entries.filter_map(|entry| self.pattern(what, entry, known)).collect::<Vec<_>>()
        };
        let vocabulary = &self.vocabulary;
        When {
            browsers: axis("browser", &spec.browsers, &vocabulary.browsers),
            backends: axis("backend", &spec.backends, &vocabulary.backends),
            engines: axis("engine", &spec.engines, &vocabulary.engines),
            models: axis("model", &spec.models, &vocabulary.models),
            scenarios: axis("scenario", &spec.scenarios, &vocabulary.scenarios),
            weights: axis("type of weights", &spec.weights, &vocabulary.weights),
            adapters: spec
                .adapters
                .iter()
                .flatten()
                .filter_map(|glob| self.adapter(glob))
                .collect(),
        }
    }

    /// A glob over adapters' names, which can't be looked up.
    fn adapter(&self, glob: &Spanned<String>) -> Option<Pattern> {
        let text = glob.get_ref();
        Pattern::new(&text.to_lowercase())
            .map_err(|reason| {
                let message = format!("`{text}` is not a glob: {reason}");
                self.problems.push(Problem::at(glob.span(), message, "this glob"));
            })
            .ok()
    }

    fn excludes(&self, spec: &MatrixSpec) -> Vec<Exclude> {
        let excludes = spec.exclude.iter().map(Spanned::get_ref);
        excludes
            .map(|exclude| Exclude {
                when: self.when(&exclude.when),
                reason: exclude.reason.clone(),
            })
            .collect()
    }

    fn tolerances(&self, written: &[Spanned<ToleranceSpec>], today: Date) -> Vec<Tolerance> {
        let mut tolerances: Vec<Tolerance> = Vec::new();
        for written in written.iter().map(Spanned::get_ref) {
            let class = written.class();
            if tolerances.iter().any(|earlier| earlier.class.name == class.name) {
                let message = format!("two tolerance classes are called `{}`", class.name);
                self.problems.push(Problem::at(written.name.span(), message, "the second one"));
            }
            if class.mean_kld > class.max_kld {
                let message = format!(
                    "`max_kld`: expected at least `mean_kld`, which is {}, found {}",
                    class.mean_kld, class.max_kld
                );
                let label = "the largest value is at least the mean";
                self.problems.push(Problem::at(written.max_kld.span(), message, label));
            }
            self.relaxation(written, today);
            let when = written.when.as_ref().map(|when| self.when(when)).unwrap_or_default();
            tolerances.push(Tolerance { when, class, reason: written.reason.clone() });
        }
        tolerances
    }

    /// A class for some adapters represents a defect of theirs: it needs a report and a last day.
    fn relaxation(&self, written: &ToleranceSpec, today: Date) {
        let is_relaxation = written.when.as_ref().is_some_and(|when| when.adapters.is_some());
        let name = written.name.get_ref();
        let place = |span: Option<Range<usize>>| span.unwrap_or_else(|| written.name.span());
        let keys = [
            ("link", written.link.as_ref().map(Spanned::span)),
            ("expires", written.expires.as_ref().map(Spanned::span)),
        ];
        for (key, span) in keys {
            let (message, label) = match (is_relaxation, &span) {
                (true, None) => {
                    (format!("class `{name}` is for adapters, and needs `{key}`"), "this class")
                }
                (false, Some(_)) => (
                    format!("`{key}` is for classes with `adapters`, and class `{name}` has none"),
                    "this",
                ),
                (true, Some(_)) | (false, None) => continue,
            };
            self.problems.push(Problem::at(place(span), message, label));
        }
        if let Some(link) = &written.link {
            self.web_address(link);
        }
        if let Some(expires) = &written.expires {
            let message = format!("this relaxation expired on {}", expires.get_ref());
            let hint = "check whether the adapter still needs it: if so, set a new date, otherwise remove it";
            self.in_future(expires, today, (message, hint));
        }
    }

    fn web_address(&self, link: &Spanned<String>) {
        let text = link.get_ref();
        if !(text.starts_with("https://") || text.starts_with("http://")) {
            let message = format!("`link`: expected a web address, found `{text}`");
            self.problems.push(Problem::at(link.span(), message, "this"));
        }
    }

    fn in_future(&self, expires: &Spanned<Date>, today: Date, (message, hint): (String, &str)) {
        if *expires.get_ref() < today {
            let problem = Problem::at(expires.span(), message, "in the past");
            self.problems.push(problem.hint(hint));
        }
    }

    fn known_failures(&self, spec: &MatrixSpec, today: Date) -> Vec<KnownFailure> {
        let entries = spec.known_failure.iter().map(Spanned::get_ref);
        entries
            .map(|written| {
                self.web_address(&written.link);
                let expires = *written.expires.get_ref();
                let message = format!("this known failure expired on {expires}");
                let hint =
                    "check whether it still fails: if so, set a new date, otherwise remove it";
                self.in_future(&written.expires, today, (message, hint));
                KnownFailure {
                    when: self.when(&written.when),
                    reason: written.reason.clone(),
                    link: written.link.get_ref().clone(),
                    expires,
                }
            })
            .collect()
    }
}

fn remember(
    expanded: Vec<(String, Range<usize>)>,
    origins: &mut BTreeMap<String, Range<usize>>,
) -> Vec<String> {
    expanded
        .into_iter()
        .map(|(name, span)| {
            origins.entry(name.clone()).or_insert(span);
            name
        })
        .collect()
}

fn bundle(spec: &MatrixSpec, problems: &Problems) -> BundleChoice {
    let threads = within(spec.threads.as_ref(), "threads", &(1..=MOST_THREADS), 1, problems);
    let Some(word) = &spec.bundle else { return BundleChoice { bundle: None, threads } };
    let word_or_problem = word.get_ref().parse::<BundleWord>();
    let choice = word_or_problem.map_err(|unknown| unknown.to_string()).and_then(|word| {
        BundleChoice::new(word.0, threads).map_err(|too_many| too_many.to_string())
    });
    choice.unwrap_or_else(|message| {
        problems.push(Problem::at(word.span(), message, "this bundle"));
        BundleChoice::default()
    })
}

/// The page's main thread sends a heartbeat every second. One or two missing ones are noise.
const SHORTEST_SILENCE: Duration = Duration::from_secs(3);

fn timeouts(spec: Option<&TimeoutsSpec>, problems: &Problems) -> Timeouts {
    let default = Timeouts::default();
    let Some(spec) = spec else { return default };
    let or = |written: &Option<Spanned<Duration>>, default: Duration| {
        written.as_ref().map_or(default, |written| *written.get_ref())
    };
    let timeouts = Timeouts {
        launch: or(&spec.launch, default.launch),
        ready: or(&spec.ready, default.ready),
        probe: or(&spec.probe, default.probe),
        fetch: or(&spec.fetch, default.fetch),
        prepare: or(&spec.prepare, default.prepare),
        prefill: or(&spec.prefill, default.prefill),
        decode: or(&spec.decode, default.decode),
        score: or(&spec.score, default.score),
        ops: or(&spec.ops, default.ops),
        release: or(&spec.release, default.release),
        silence: or(&spec.silence, default.silence),
        attempt: or(&spec.attempt, default.attempt),
    };
    if let Some(silence) = &spec.silence
        && *silence.get_ref() < SHORTEST_SILENCE
    {
        let message = "`silence`: expected at least 3s, since heartbeats are a second apart";
        problems.push(Problem::at(silence.span(), message.to_owned(), "this"));
    }
    timeouts
}
