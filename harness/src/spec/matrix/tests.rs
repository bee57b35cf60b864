//! The shipped matrices are read, and broken ones are reported well.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use jiff::civil::Date;

use inference_wasm::protocol::BackendName;

use super::*;
use crate::judge::outcome::{Disposition, Verdict};
use crate::spec::adapter::AdapterDemand;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::document::InvalidDocument;
use crate::spec::scenario::Fixtures;
use crate::spec::tolerance::ToleranceClass;

/// The workspace root, where the fixtures are.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn today() -> Date {
    jiff::civil::date(2026, 11, 21)
}

/// The catalogue's facts, as far as matrices need them.
pub(crate) fn models() -> Vec<ModelFacts> {
    let model = |name: &str, weights: &str, prompts: &str, is_present: bool| ModelFacts {
        name: name.to_owned(),
        weights: weights.to_owned(),
        prompts: prompts.to_owned(),
        is_present,
    };
    vec![
        model("scribe-low-F16", "F16", "scribe", true),
        model("scribe-low-Q8_0", "Q8_0", "scribe", true),
        model("scribe-low-Q4_0", "Q4_0", "scribe", true),
        model("scribe-mid-Q8_0", "Q8_0", "scribe", true),
        model("scribe-mid-Q4_0", "Q4_0", "scribe", true),
        model("smollm2-135m", "Q4_1", "smollm2", false),
    ]
}

/// Ours, and one that has `wasm` alone and can't be judged.
pub(crate) fn engines() -> Vec<EngineFacts> {
    let missing = BackendName::ALL.into_iter().filter(|backend| *backend != BackendName::Wasm);
    let peer = EngineFacts {
        name: "peer".to_owned(),
        missing_backends: missing.map(|backend| (backend, "it has none".to_owned())).collect(),
        not_judged: Some("`peer` can't be judged yet".to_owned()),
    };
    let name = "tierproof".to_owned();
    vec![EngineFacts { name, missing_backends: BTreeMap::new(), not_judged: None }, peer]
}

/// A matrix out of its text, against the fixtures of the workspace.
pub(crate) fn parse(text: &str) -> Result<Matrix, InvalidDocument> {
    let (fixtures, invalid) = Fixtures::load(root());
    assert!(invalid.is_empty(), "{invalid:?}");
    parse_with(&fixtures, text)
}

fn parse_with(fixtures: &Fixtures, text: &str) -> Result<Matrix, InvalidDocument> {
    let known =
        Known { fixtures, models: &models(), engines: &engines(), today: today(), tolerances: &[] };
    Matrix::parse("m.toml", text, &known)
}

/// The whole report without colours or links.
pub(crate) fn plain(report: &dyn miette::Diagnostic) -> String {
    let mut text = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .with_links(false)
        .with_width(100)
        .without_syntax_highlighting()
        .render_report(&mut text, report)
        .expect("a string takes everything");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A shipped matrix.
pub(crate) fn load(name: &str) -> Matrix {
    let path = root().join("matrices").join(name);
    match Matrix::load(&path, root(), &models(), &engines(), today()) {
        Ok((matrix, _)) => matrix,
        Err(error) => panic!("{}", plain(&error)),
    }
}

#[test]
fn the_default_matrix_has_its_cells_and_classes() {
    let matrix = load("default.toml");
    let cells = expand(&matrix).cells;
    assert_eq!(cells.len(), 3 * 3 * (5 * 9 + 1) - 3 * 2 * 22);
    assert_eq!(matrix.timeouts, Timeouts::default(), "the manual names the defaults");
    assert_eq!((matrix.retries, matrix.jobs), (1, 1));
    for (cell, class) in [
        ("chrome/wasm/tierproof/scribe-low-F16/tokens/greedy", Some("float")),
        ("webkit/wasm/tierproof/scribe-mid-Q4_0/load/missing-shard", Some("q16-activations")),
        ("native/reference/tierproof/scribe-mid-Q4_0/tokens/greedy", Some("reference")),
        ("chrome/webgpu/tierproof/scribe-low-F16/tokens/greedy", Some("gpu-f32")),
    ] {
        let class_of = matrix.tolerance(&cell.parse().unwrap()).map(|class| class.name.as_str());
        assert_eq!(class_of, class, "{cell}");
    }
}

#[test]
fn the_real_matrix_has_its_cells_and_classes() {
    let matrix = load("real.toml");
    assert_eq!(expand(&matrix).cells.len(), 3 * 2 + 3 * 2);
    for (cell, class) in [
        ("chrome/wasm/tierproof/smollm2-135m/tokens/greedy", "q16-activations-deep"),
        ("chrome/webgl/tierproof/smollm2-135m/tokens/brief", "gpu-f32"),
    ] {
        let class_of = matrix.tolerance(&cell.parse().unwrap()).map(|class| class.name.as_str());
        assert_eq!(class_of, Some(class), "{cell}");
    }
}

#[test]
fn the_hardware_matrix_has_its_cells() {
    let matrix = load("hardware.toml");
    let cells = expand(&matrix).cells;
    assert_eq!(cells.len(), 3 * 6 * 2 + 2 * 5 * 7);
    assert_eq!(matrix.adapter, AdapterDemand::Hardware);
    for cell in &cells {
        assert_eq!(matrix.profile(cell, false).to_string(), "chrome-default-hardware");
    }
}

/// A cell without its backend needs a browser of its own.
#[test]
fn a_cell_without_its_backend_has_a_profile_of_its_own() {
    let matrix = load("default.toml");
    for (cell, profile) in [
        ("chrome/webgpu/tierproof/scribe-low-Q8_0/backend/disabled", "chrome-without-webgpu"),
        ("firefox/webgl/tierproof/scribe-low-Q8_0/backend/disabled", "firefox-without-webgl"),
        ("webkit/wasm/tierproof/scribe-low-Q8_0/backend/disabled", "webkit-without-wasm"),
        ("chrome/webgpu/tierproof/scribe-low-Q8_0/tokens/greedy", "chrome-default"),
        ("native/cpu/tierproof/scribe-low-Q8_0/backend/disabled", "native-default"),
    ] {
        assert_eq!(matrix.profile(&cell.parse().unwrap(), false).to_string(), profile, "{cell}");
    }
}

/// Relaxations apply only to their adapter. The own classes of a matrix come before the shared ones.
#[test]
fn a_relaxation_holds_on_its_adapter() {
    let class = |name: &str, when: &str, rest: &str| {
        format!(
            "[[tolerance]]\nname = \"{name}\"\nwhen = {{ {when} }}\nmean_kld = 1\nmax_kld = 1\nmax_abs = 1\nflip_margin = 1\nreason = \"r\"\n{rest}\n"
        )
    };
    let (fixtures, _) = Fixtures::load(root());
    let known = Known {
        fixtures: &fixtures,
        models: &models(),
        engines: &engines(),
        today: today(),
        tolerances: &[],
    };
    let link = "link = \"https://x.y/1\"\nexpires = 2026-11-21";
    let shared = class("general", "backends = [\"web*\"]", "")
        + &class("mali", "backends = [\"webgl\"], adapters = [\"*Mali-G?? *\"]", link);
    let shared =
        Tolerance::parse("t.toml", &shared, &known).map_err(|error| plain(&error)).unwrap();
    let known = Known { tolerances: &shared, ..known };
    let text = "browsers = [\"chrome\"]\nbackends = [\"webgpu\", \"webgl\", \"wasm\"]\nmodels = [\"scribe-low-F16\"]\nscenarios = [\"tokens/greedy\"]\n";
    let own = text.to_owned() + &class("own", "backends = [\"wasm\"]", "");
    let matrix = Matrix::parse("m.toml", &own, &known).map_err(|error| plain(&error)).unwrap();
    for (backend, general, on_mali) in
        [("webgpu", "general", None), ("webgl", "general", Some("mali")), ("wasm", "own", None)]
    {
        let cell = format!("chrome/{backend}/tierproof/scribe-low-F16/tokens/greedy");
        let cell: CellId = cell.parse().unwrap();
        let name = |class: Option<&ToleranceClass>| class.map(|class| class.name.clone());
        assert_eq!(name(matrix.tolerance(&cell)).as_deref(), Some(general));
        let relaxed = matrix.relaxation(&cell, "ANGLE (ARM, mali-g78 MP20, OpenGL ES 3.2)");
        assert_eq!(name(relaxed).as_deref(), on_mali);
        assert_eq!(name(matrix.relaxation(&cell, "llvmpipe")), None);
    }
}

#[test]
fn the_examples_of_the_manual_hold() {
    let text = fs_err::read_to_string(root().join("matrices/default.toml")).unwrap();
    let examples = text.replace("\n#| ", "\n");
    assert_ne!(examples, text, "the manual has examples");
    let (fixtures, _) = Fixtures::load(root());
    let known = Known {
        fixtures: &fixtures,
        models: &models(),
        engines: &engines(),
        today: today(),
        tolerances: &[],
    };
    let shared = Tolerance::shared(root(), &known).map_err(|error| plain(&error)).unwrap();
    let known = Known { tolerances: &shared, ..known };
    let matrix = Matrix::parse("m.toml", &examples, &known).map_err(|error| plain(&error)).unwrap();
    assert_eq!(
        (matrix.blocks.len(), matrix.excludes.len(), matrix.known_failures.len()),
        (3, 3, 1)
    );
    assert_eq!(matrix.tolerances.len(), 2 + shared.len());
}

/// The manual mentions every key of the schema.
#[test]
fn the_manual_names_every_key() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| keys(value, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let text = fs_err::read_to_string(root().join("matrices/default.toml")).unwrap();
    let mut found = Vec::new();
    keys(schema().as_value(), &mut found);
    assert!(found.contains(&"flip_margin".to_owned()));
    for key in found {
        assert!(text.contains(&key), "`{key}` is not in the manual");
    }
}

/// `TIERPROOF_UPDATE_SCHEMA=1 cargo test -p tierproof schema` updates it.
#[test]
fn the_schema_is_up_to_date() {
    let path = root().join("matrices/schema.json");
    let fresh = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("TIERPROOF_UPDATE_SCHEMA").is_some() {
        fs_err::write(&path, &fresh).unwrap();
    }
    let committed = fs_err::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, fresh, "regenerate it with TIERPROOF_UPDATE_SCHEMA=1");
}

/// A valid matrix, to break in one place at a time.
const GOOD: &str = r#"browsers = ["chrome", "native"]
backends = ["wasm", "cpu"]
models = ["scribe-low-Q8_0"]
scenarios = ["tokens/greedy"]
[[tolerance]]
name = "q8"
mean_kld = 1e-3
max_kld = 1e-2
max_abs = 0.2
flip_margin = 0.3
reason = "test"
"#;

/// Name, the text of [`GOOD`] to replace, and its replacement.
const BROKEN: &[(&str, &str, &str)] = &[
    ("syntax", "models = [", "models = "),
    ("duplicate key", "browsers", "browsers = []\nbrowsers"),
    ("unknown key", "browsers", "borwsers"),
    ("unknown key without a neighbour", "backends", "zzz = 1\nbackends"),
    ("unknown table", "[[tolerance]]", "[timeout]\nlaunch = \"1s\"\n[[tolerance]]"),
    ("unknown browser", "\"chrome\"", "\"chrme\""),
    ("unknown browser without a neighbour", "\"chrome\"", "\"lynx\""),
    ("unknown backend", "\"cpu\"", "\"gpu\""),
    ("unknown engine", "backends", "engines = [\"tierprof\"]\nbackends"),
    ("unknown model", "scribe-low-Q8_0", "scribe-low-Q8"),
    ("glob without a match", "scribe-low-Q8_0", "llama-*"),
    ("broken glob", "tokens/greedy", "tokens/[greedy"),
    ("unknown scenario", "tokens/greedy", "tokens/greed"),
    ("not a list", "[\"tokens/greedy\"]", "\"tokens/greedy\""),
    ("empty list", "[\"scribe-low-Q8_0\"]", "[]"),
    ("wrong types", "[[tolerance]]", "retries = \"two\"\njobs = -1\n[[tolerance]]"),
    ("out of range", "[[tolerance]]", "retries = 9\njobs = 0\n[[tolerance]]"),
    ("an unknown bundle", "[[tolerance]]", "bundle = \"fast\"\nthreads = 65\n[[tolerance]]"),
    ("threads without threads", "[[tolerance]]", "bundle = \"base\"\nthreads = 2\n[[tolerance]]"),
    (
        "durations",
        "[[tolerance]]",
        "[timeouts]\nlaunch = 30\nready = \"soon\"\nprobe = \"0s\"\nsilence = \"1s\"\n[[tolerance]]",
    ),
    (
        "floor of nothing",
        "[[tolerance]]",
        "[require]\ncells = 0\n[require.each]\nbrowsers = 1\n[[tolerance]]",
    ),
    ("missing keys of a tolerance", "max_kld = 1e-2\nmax_abs = 0.2\n", ""),
    ("negative tolerance", "max_abs = 0.2", "max_abs = -0.2"),
    ("tolerance that is not a number", "max_abs = 0.2", "max_abs = nan"),
    ("maximum below the mean", "max_kld = 1e-2", "max_kld = 1e-4"),
    (
        "a relaxation without a date and with half a link",
        "mean_kld",
        "when = { adapters = [\"*mali*\", \"[\"] }\nlink = \"BUG-1\"\nmean_kld",
    ),
    (
        "an expired relaxation",
        "reason = \"test\"",
        "when = { adapters = [\"*mali*\"] }\nlink = \"https://x.y/1\"\nexpires = 2026-11-20\nreason = \"test\"",
    ),
    (
        "a date on a class for every adapter",
        "reason = \"test\"",
        "link = \"https://x.y/1\"\nexpires = 2027-01-01\nreason = \"test\"",
    ),
    (
        "adapters in an exclude",
        "[[tolerance]]",
        "[[exclude]]\nwhen = { adapters = [\"*mali*\"] }\nreason = \"r\"\n[[tolerance]]",
    ),
    ("unknown adapters", "[[tolerance]]", "gpu = \"real\"\nadapter = \"hard\"\n[[tolerance]]"),
    ("missing class", "mean_kld", "when = { weights = [\"F16\"] }\nmean_kld"),
    ("unknown weights", "mean_kld", "when = { weights = [\"Q9_0\"] }\nmean_kld"),
    (
        "exclude without a reason",
        "[[tolerance]]",
        "[[exclude]]\nwhen = { models = [\"*\"] }\n[[tolerance]]",
    ),
    (
        "exclude of nothing",
        "[[tolerance]]",
        "[[exclude]]\nwhen = { browsers = [\"firefox\"] }\nreason = \"r\"\n[[tolerance]]",
    ),
    (
        "exclude of everything",
        "[[tolerance]]",
        "[[exclude]]\nwhen = {}\nreason = \"r\"\n[[tolerance]]",
    ),
    (
        "expired known failure",
        "[[tolerance]]",
        "[[known-failure]]\nwhen = { browsers = [\"chrome\"] }\nreason = \"r\"\nlink = \"BUG-1\"\nexpires = 2026-11-20\n[[tolerance]]",
    ),
    (
        "known failure with a wrong date",
        "[[tolerance]]",
        "[[known_failure]]\n[[known-failure]]\nwhen = { browser = [\"chrome\"] }\nreason = \"\"\nlink = \"https://x.y\"\nexpires = \"soon\"\n[[tolerance]]",
    ),
    (
        "no prompts for the scenario",
        "scribe-low-Q8_0\"]\nscenarios = [\"tokens/greedy",
        "smollm2-135m\"]\nscenarios = [\"lifecycle/second-turn",
    ),
    (
        "everything at once",
        GOOD,
        "browsers = [\"chrme\"]\nmodels = 1\nscenarios = [\"a\", \"tokens/*\"]\nfoo = 1\nretries = 6\n",
    ),
];

#[test]
fn broken_matrices_are_reported() {
    parse(GOOD).map_err(|error| plain(&error)).unwrap();
    let (mut fixtures, _) = Fixtures::load(root());
    // Without the many scenarios of the client, so that hints which list all scenarios stay short.
    fixtures.scenarios.retain(|_, scenario| !scenario.layer.is_of_client());
    let mut reports = String::new();
    for (name, from, to) in BROKEN {
        assert!(GOOD.contains(from), "{name}");
        let error = parse_with(&fixtures, &GOOD.replacen(from, to, 1)).expect_err(name);
        writeln!(reports, "==== {name}\n{}\n", plain(&error)).unwrap();
    }
    insta::assert_snapshot!(reports);
}

#[test]
fn a_missing_matrix_is_reported() {
    let error = Matrix::load(Path::new("nowhere.toml"), root(), &models(), &engines(), today())
        .unwrap_err();
    let text = plain(&error);
    assert!(text.contains("`nowhere.toml` can't be used"), "{text}");
    assert!(text.contains("it can't be read"), "{text}");
}

type Settled<'a> = (&'a str, &'a Disposition, &'a Verdict);

#[test]
fn floors_count_what_ran_as_expected() {
    let floors = Floors { cells: 3, each: vec![(Axis::Browser, 2)] };
    let cell = |browser: &str, n: u32| -> CellId {
        format!("{browser}/wasm/tierproof/m/tokens/s{n}").parse().unwrap()
    };
    let run = Disposition::Run;
    let gone = Disposition::Unavailable { reason: "r".to_owned() };
    let unsupported = Disposition::Unsupported { reason: "r".to_owned() };
    let not_run = Verdict::NotRun { reason: "r".to_owned() };
    let (good, bad) = (Verdict::Expected, Verdict::Unexpected);
    let table: [(&str, &[Settled<'_>], bool, &[&str]); 6] = [
        (
            "nothing ran",
            &[],
            false,
            &["the run: at least 3 cell(s) must be settled as expected, found 0"],
        ),
        (
            "nothing ran, narrowed",
            &[("chrome", &unsupported, &not_run)],
            true,
            &["the run: at least 1 cell(s) must be settled as expected, found 0"],
        ),
        (
            "a missing browser does not count against the rest",
            &[
                ("chrome", &run, &good),
                ("chrome", &run, &good),
                ("chrome", &run, &good),
                ("webkit", &gone, &not_run),
            ],
            false,
            &[],
        ),
        (
            "an installed browser must reach its floor",
            &[
                ("chrome", &run, &good),
                ("chrome", &run, &good),
                ("firefox", &run, &good),
                ("firefox", &run, &not_run),
            ],
            false,
            &["browser `firefox`: at least 2 cell(s) must be settled as expected, found 1"],
        ),
        (
            "failures do not count",
            &[("chrome", &run, &good), ("chrome", &run, &good), ("chrome", &run, &bad)],
            false,
            &["the run: at least 3 cell(s) must be settled as expected, found 2"],
        ),
        (
            "narrowed to one",
            &[("chrome", &run, &good), ("chrome", &unsupported, &not_run)],
            true,
            &[],
        ),
    ];
    for (name, settled, is_narrowed, missed) in table {
        let cells: Vec<_> =
            settled.iter().zip(0..).map(|((browser, ..), n)| cell(browser, n)).collect();
        let settled = cells
            .iter()
            .zip(settled)
            .map(|(cell, (_, disposition, verdict))| (cell, *disposition, *verdict));
        assert_eq!(crate::plan::floors::missed(&floors, settled, is_narrowed), missed, "{name}");
    }
}

#[test]
fn the_resilience_matrix_has_its_cells() {
    let matrix = load("resilience.toml");
    let expansion = expand(&matrix);
    for cell in &expansion.cells {
        let client = matrix.client(cell).expect("scenarios of the client alone");
        assert!(client.tiers.contains(&cell.backend), "{cell}");
    }
    let lost = |backend| {
        let is_it = |cell: &&CellId| {
            cell.scenario == "resilience/lost-decode"
                && cell.browser == BrowserName::Firefox
                && cell.backend == backend
        };
        expansion.cells.iter().filter(is_it).count()
    };
    assert_eq!((lost(BackendName::Webgl), lost(BackendName::Wasm)), (1, 0));
}
