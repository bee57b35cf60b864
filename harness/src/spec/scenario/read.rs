//! From the text of a scenario file to [`Scenario`]. Steps that contradict themselves are rejected.

use inference_wasm::protocol::EngineErrorKind;
use toml::Spanned;
use toml::de::DeValue;

use super::client;
use super::definition::{
    GenerateExpectation, GenerateStep, Launch, Layer, LoadExpectation, LoadStep, OpsStep, Scenario,
    ScoreStep, Step,
};
use super::prompts::Cases;
use crate::spec::document::{
    self, FromValue, InvalidDocument, Named, Problem, Problems, Table, Unfit, one_of,
};

impl Scenario {
    /// Reads the text of a scenario file. `path` is for messages; `name` follows from the path.
    ///
    /// # Errors
    /// Every problem, with its place.
    pub fn parse(path: &str, name: &str, text: &str) -> Result<Self, InvalidDocument> {
        scenario(path, name, text)
    }
}

/// Reads one scenario file. `path` is for messages; `name` follows from the path.
pub(super) fn scenario(path: &str, name: &str, text: &str) -> Result<Scenario, InvalidDocument> {
    document::read(path, text, |table, problems| {
        let title = table.required("title").map(Spanned::into_inner);
        let why = table.required("why").map(Spanned::into_inner);
        let layer: Option<Spanned<Layer>> = table.required("layer");
        let golden = table.optional("golden").map(Spanned::into_inner);
        let launch = table.optional("launch").map_or(Launch::Default, Spanned::into_inner);
        let bugs = bugs(table, problems);
        let client = client::read(table, problems);
        belongs_together(layer.as_ref(), client.is_some(), launch, (table, problems));
        if client.is_some() {
            return Some(Scenario {
                name: name.to_owned(),
                title: title?,
                why: why?,
                layer: layer?.into_inner(),
                bugs,
                golden,
                launch,
                steps: Vec::new(),
                client: client.map(Box::new),
            });
        }
        table.require_tables("steps");
        let steps = table.tables("steps", |step_table| step(step_table, problems));
        if let Some(first) = steps.first()
            && !matches!(first.get_ref(), Step::Load(_) | Step::Ops(_))
        {
            let message = "the first step must load a model or run ops".to_owned();
            problems.push(Problem::at(first.span(), message, "nothing is loaded here"));
        }
        if launch == Launch::WithoutBackend {
            refuse_steps_that_compute(&steps, problems);
        }
        let steps = steps.into_iter().map(Spanned::into_inner).collect();
        Some(Scenario {
            name: name.to_owned(),
            title: title?,
            why: why?,
            layer: layer?.into_inner(),
            bugs,
            golden,
            launch,
            steps,
            client: None,
        })
    })
}

/// A scenario is in a layer of the hybrid client exactly if it has a `[client]` table.
fn belongs_together(
    layer: Option<&Spanned<Layer>>,
    is_client: bool,
    launch: Launch,
    (table, problems): (&Table<'_>, &Problems),
) {
    if let Some(layer) = layer
        && layer.get_ref().is_of_client() != is_client
    {
        let message =
            "`layer = \"resilience\"` or `\"soak\"` and a table `[client]` belong together"
                .to_owned();
        problems.push(Problem::at(layer.span(), message, "this layer"));
    }
    let is_wrong = match launch {
        Launch::Default => false,
        Launch::WithoutBackend => is_client,
        Launch::CrashableGpu => !is_client,
    };
    if is_wrong {
        let message = format!("`launch = \"{}\"` is not allowed in this layer", launch.as_str());
        let hint = "for a client, name a fault instead: `without-wasm`";
        let problem = Problem::at(table.head(), message, "this scenario");
        problems.push(problem.hint_if(is_client.then(|| hint.to_owned())));
    }
}

/// Reports, each as `owner/name#number`.
fn bugs(table: &Table<'_>, problems: &Problems) -> Vec<String> {
    let written = table.list::<String>("bugs").unwrap_or_default();
    for bug in &written {
        let is_report = bug.get_ref().split_once('#').is_some_and(|(project, number)| {
            !project.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        });
        if !is_report {
            let message = format!(
                "`bugs`: expected reports such as `onnxruntime#27596`, found `{}`",
                bug.get_ref()
            );
            problems.push(Problem::at(bug.span(), message, "this"));
        }
    }
    written.into_iter().map(Spanned::into_inner).collect()
}

/// Without its backend an engine can only report that.
fn refuse_steps_that_compute(steps: &[Spanned<Step>], problems: &Problems) {
    let expected = LoadExpectation::Error(EngineErrorKind::BackendUnavailable);
    for step in steps {
        if !matches!(step.get_ref(), Step::Load(load) if load.expect == expected) {
            let message = "with `launch = \"without-backend\"` a step can only load, and must \
                           expect `backend-unavailable`";
            problems.push(Problem::at(step.span(), message.to_owned(), "this step"));
        }
    }
}

/// What a step does.
#[derive(strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
enum Do {
    Load,
    Generate,
    Score,
    Ops,
    Release,
}

fn step(table: &Table<'_>, problems: &Problems) -> Option<Step> {
    let Some(does) = table.required::<Do>("do") else {
        table.accept_any_key();
        return None;
    };
    Some(match does.into_inner() {
        Do::Load => Step::Load(load(table, problems)),
        Do::Generate => Step::Generate(generate(table, problems)),
        Do::Score => {
            let cases = table.optional("cases").map_or(Cases::All, Spanned::into_inner);
            let _: Option<Spanned<LogitsExpectation>> = table.optional("expect");
            Step::Score(ScoreStep { cases })
        }
        Do::Ops => {
            let filter = table.optional("filter").map(Spanned::into_inner);
            Step::Ops(OpsStep { filter })
        }
        Do::Release => Step::Release,
    })
}

fn load(table: &Table<'_>, problems: &Problems) -> LoadStep {
    let context_tokens = table.positive("context_tokens");
    let shard_bytes = table.positive("shard_bytes");
    let server_fault = table.optional("server_fault");
    let expect = table.optional("expect");
    let succeeds =
        expect.as_ref().is_none_or(|expect| *expect.get_ref() == LoadExpectation::Loaded);
    if let Some(fault) = &server_fault
        && succeeds
    {
        let message = "a load with a `server_fault` can't succeed".to_owned();
        let hint = "name the error, for instance `expect = \"shard-unavailable\"`";
        problems.push(Problem::at(fault.span(), message, "this breaks the load").hint(hint));
    }
    LoadStep {
        context_tokens,
        shard_bytes,
        server_fault: server_fault.map(Spanned::into_inner),
        expect: expect.map_or(LoadExpectation::Loaded, Spanned::into_inner),
    }
}

fn generate(table: &Table<'_>, problems: &Problems) -> GenerateStep {
    let named_cases: Option<Spanned<Cases>> = table.optional("cases");
    let max_tokens = table.positive("max_tokens");
    let ignore_stop: Option<Spanned<bool>> = table.optional("ignore_stop");
    let cancel_after_tokens = table.positive("cancel_after_tokens");
    let reused_tokens_at_least = table.positive("reused_tokens_at_least");
    let prompt_tokens = table.positive("prompt_tokens");
    let expect: Option<Spanned<GenerateExpectation>> = table.optional("expect");
    let expected = expect.as_ref().map_or(GenerateExpectation::Tokens, |expect| *expect.get_ref());
    let ignores_stop = ignore_stop.as_ref().is_some_and(|flag| *flag.get_ref());
    let place = expect.as_ref().map_or_else(|| table.head(), Spanned::span);

    let refuse = |is_wrong: bool, message: &str| {
        if is_wrong {
            problems.push(Problem::at(place.clone(), message.to_owned(), "in this step"));
        }
    };
    let is_cancelled = expected == GenerateExpectation::Cancelled;
    refuse(
        is_cancelled != cancel_after_tokens.is_some(),
        "`expect = \"cancelled\"` and `cancel_after_tokens` belong together",
    );
    refuse(
        ignores_stop && expected == GenerateExpectation::Tokens,
        "with `ignore_stop` no golden has the tokens: expect a different end",
    );
    refuse(
        prompt_tokens.is_some() && expected == GenerateExpectation::Tokens,
        "a synthetic prompt (`prompt_tokens`) has no golden: expect a different end",
    );
    refuse(
        prompt_tokens.is_some() && named_cases.is_some(),
        "`prompt_tokens` makes a prompt, and `cases` chooses one: use only one of them",
    );
    GenerateStep {
        cases: named_cases.map_or(Cases::All, Spanned::into_inner),
        max_tokens,
        ignore_stop: ignores_stop,
        cancel_after_tokens,
        reused_tokens_at_least,
        prompt_tokens,
        expect: expected,
    }
}

impl Named for Do {
    const EXPECTED: &'static str = "the name of a step";
}

/// The errors that a command can end with, in the order of the protocol.
const ERRORS: [EngineErrorKind; 12] = [
    EngineErrorKind::ShardUnavailable,
    EngineErrorKind::ShardTruncated,
    EngineErrorKind::ShardCorrupt,
    EngineErrorKind::InvalidModel,
    EngineErrorKind::UnsupportedModel,
    EngineErrorKind::ChatTemplate,
    EngineErrorKind::ContextOverflow,
    EngineErrorKind::BackendUnavailable,
    EngineErrorKind::OutOfMemory,
    EngineErrorKind::DeviceLost,
    EngineErrorKind::GpuError,
    EngineErrorKind::InvalidRequest,
];

/// Reads the name of a successful end or of an error.
fn expectation<T: FromValue + Copy>(
    value: &DeValue<'_>,
    good: &[(T, &'static str)],
    error: impl Fn(EngineErrorKind) -> T,
) -> Result<T, Unfit> {
    let errors = ERRORS.map(|kind| (error(kind), kind.as_str()));
    let all: Vec<_> = good.iter().copied().chain(errors).collect();
    one_of(value, &all)
}

impl FromValue for LoadExpectation {
    const EXPECTED: &'static str = "`loaded` or the name of an error";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        expectation(value, &[(Self::Loaded, "loaded")], Self::Error)
    }
}

impl FromValue for GenerateExpectation {
    const EXPECTED: &'static str = "`tokens`, `cancelled` or the name of an error";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let good = [(Self::Tokens, "tokens"), (Self::Cancelled, "cancelled")];
        expectation(value, &good, Self::Error)
    }
}

/// The only expectation of a score; written for the reader's sake.
#[derive(Clone, Copy)]
struct LogitsExpectation;

impl FromValue for LogitsExpectation {
    const EXPECTED: &'static str = "`logits`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        one_of(value, &[(Self, "logits")])
    }
}
