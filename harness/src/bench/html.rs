//! A record as one self-contained page: charts, tables and the method, without network or scripts,
//! in the style of a run's report.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;

use super::chart::{Chart, chart};
use super::comparison::agreement;
use super::gpu::{adapter, bandwidth_bound, token_time};
use super::record::{BenchRecord, Engine, Metric, Series};
use super::table::with_interval;

const TEMPLATE: &str = include_str!("bench.html");
const STYLE: &str = concat!(include_str!("../report/html/style.css"), include_str!("chart.css"));

#[derive(Debug, Serialize)]
struct View {
    title: String,
    engines: Vec<EngineView>,
    charts: Vec<Chart>,
    comparisons: Vec<[String; 5]>,
    gpu: Vec<GpuView>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct EngineView {
    name: String,
    version: String,
    build: String,
    threads: u32,
    load: String,
    memory: String,
    unsupported: Option<String>,
}

/// A row of the GPU table: an engine with one prompt length.
#[derive(Debug, Serialize)]
struct GpuView {
    name: String,
    adapter: String,
    context: u32,
    /// Milliseconds a token: total, encode, GPU, readback, rest.
    times: [String; 5],
    dispatches: String,
    /// Percent of the rate that the bandwidth allows.
    share: Option<String>,
}

/// Renders the page. `changes` are the lines of the comparison with a baseline.
pub fn render(record: &BenchRecord, changes: Option<&str>) -> Result<String, minijinja::Error> {
    let bandwidth = record.settings.bandwidth_gb_s;
    let mut environment = Environment::new();
    // A line of the template with only a tag adds nothing to the page.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // The extension turns escaping on.
    environment.add_template("bench.html", TEMPLATE)?;
    environment.get_template("bench.html")?.render(context! {
        record => Serde(record),
        series => Serde(record.series.iter().map(|series| view(series, bandwidth)).collect::<Vec<_>>()),
        changes => changes.map(str::trim),
        style => STYLE,
    })
}

fn view(series: &Series, bandwidth_gb_s: Option<f64>) -> View {
    let version = &series.browser_version;
    let mut notes = series.left_out.clone();
    if let Some((subject, peers)) = series.engines.split_first() {
        for peer in peers {
            let agreement = agreement(subject, peer);
            if agreement.answers > 0 {
                let (name, same, answers) = (&peer.name, agreement.same, agreement.answers);
                let difference = agreement.difference.map_or_else(String::new, |difference| {
                    format!("; first difference: {difference}")
                });
                notes.push(format!("{name}: {same} of {answers} answers are the same{difference}"));
            }
        }
    }
    View {
        title: format!("{} in {} {version}", series.model.name, series.browser),
        engines: series.engines.iter().map(engine_view).collect(),
        charts: Metric::ALL.into_iter().filter_map(|metric| chart(series, metric)).collect(),
        comparisons: series
            .comparisons
            .iter()
            .map(|comparison| {
                [
                    format!("{} : {}", comparison.subject, comparison.peer),
                    comparison.context.to_string(),
                    comparison.metric.as_str().to_owned(),
                    with_interval(&comparison.estimate, 2),
                    comparison.estimate.verdict().as_str().to_owned(),
                ]
            })
            .collect(),
        gpu: series.engines.iter().flat_map(|engine| gpu(series, engine, bandwidth_gb_s)).collect(),
        notes,
    }
}

fn gpu(series: &Series, engine: &Engine, bandwidth_gb_s: Option<f64>) -> Vec<GpuView> {
    let bound = bandwidth_gb_s
        .filter(|_| engine.is_ours())
        .and_then(|gb_s| bandwidth_bound(&series.model, gb_s));
    let rows = series.contexts().into_iter().filter_map(|context| {
        let time = token_time(engine, context)?;
        let ms = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.2}"));
        let parts = time.parts;
        Some(GpuView {
            name: engine.name.clone(),
            adapter: adapter(engine)?,
            context,
            times: [
                Some(time.total_ms),
                parts.map(|parts| parts.encode_ms),
                parts.map(|parts| parts.compute_ms),
                parts.map(|parts| parts.readback_ms),
                parts.map(|parts| parts.rest_ms),
            ]
            .map(ms),
            dispatches: format!("{:.0}", time.dispatches),
            share: bound.map(|bound| format!("{:.2} %", 100.0 * 1000.0 / time.total_ms / bound)),
        })
    });
    rows.collect()
}

fn engine_view(engine: &Engine) -> EngineView {
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let ms = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.0} ms"));
    let resident = engine.memory.rss_most_bytes.saturating_sub(engine.memory.rss_before_bytes);
    let wasm = engine.memory.wasm_bytes.map(|bytes| format!("; WASM {}", mib(bytes)));
    EngineView {
        name: engine.name.clone(),
        version: engine.version.clone(),
        build: engine.build.clone(),
        threads: engine.effective_threads,
        load: format!("{} / {}", ms(engine.load.cold_ms), ms(engine.load.warm_ms)),
        memory: format!("{}{}", mib(resident), wasm.unwrap_or_default()),
        unsupported: engine.unsupported.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    #[test]
    fn charts_have_descriptions_and_the_page_needs_no_script() {
        let html = render(&fixture::record(), Some("a line")).unwrap();
        assert_eq!(html.matches("<svg").count(), 2);
        assert_eq!(html.matches("role=\"img\"").count(), 2);
        assert_eq!(html.matches("<desc").count(), 2);
        assert!(!html.contains("<script"));
        assert!(html.contains("prefers-color-scheme: dark"));
        assert!(html.contains("there is no ONNX export of `tiny`"));
        assert!(html.contains("Example Rasterizer, software"));
        assert!(!html.contains("of the bandwidth"));
    }

    #[test]
    fn the_share_of_a_bandwidth_is_reported() {
        let mut record = fixture::record();
        record.settings.bandwidth_gb_s = Some(4.0);
        let html = render(&record, None).unwrap();
        assert!(html.contains("of the bandwidth") && html.contains("0.40 %"), "{html}");
    }

    #[test]
    fn an_engines_text_is_escaped() {
        let mut record = fixture::record();
        record.series[0].engines[1].unsupported = Some("<b>no</b>".to_owned());
        let html = render(&record, None).unwrap();
        assert!(html.contains("&lt;b&gt;no"), "{html}");
    }
}
