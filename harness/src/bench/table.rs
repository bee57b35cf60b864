//! A record as text: each engine's figures, then the subject compared with the others.

use std::fmt::Write as _;

use super::comparison::{Agreement, Change, agreement, changes, differences};
use super::gpu::{Parts, TokenTime, adapter, bandwidth_bound, token_time};
use super::record::{BenchRecord, Comparison, Engine, Metric, Series};
use super::statistics::Estimate;

/// The whole record.
pub fn render(record: &BenchRecord) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let machine = &record.machine;
    let _ = writeln!(
        text,
        "{}, {} cores, {}; tierproof {}; {} pairs of {} tokens, {}",
        machine.cpu,
        machine.cores,
        machine.system,
        record.tierproof,
        record.settings.pairs,
        record.settings.tokens,
        record.settings.threads_text(),
    );
    let _ = writeln!(
        text,
        "{:.2} cores were busy before the run, load average {:.2}{}",
        machine.busy_cores,
        machine.load_average,
        if machine.was_busy { ": BUSY, which was allowed; don't trust these figures" } else { "" }
    );
    for series in &record.series {
        text.push('\n');
        render_series(&mut text, series, record.settings.bandwidth_gb_s);
    }
    text
}

fn render_series(text: &mut String, series: &Series, bandwidth_gb_s: Option<f64>) {
    let version = &series.browser_version;
    let _ = writeln!(
        text,
        "{}{}{version}, {} ({:.1} MB)",
        series.browser,
        if version.is_empty() { "" } else { " " },
        series.model.name,
        series.model.bytes as f64 / 1e6
    );
    let width = series.engines.iter().map(|engine| engine.name.len()).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "  {:width$}  prompt  {:>24}  {:>24}  {:>11}",
        "engine", "prefill tokens/s", "decode tokens/s", "first token"
    );
    for engine in &series.engines {
        for context in series.contexts() {
            let rates = |metric: Metric| Estimate::of(&metric.rates(engine, context));
            let (Some(prefill), Some(decode)) = (rates(Metric::Prefill), rates(Metric::Decode))
            else {
                continue;
            };
            let first = first_token(engine, context).map_or(0.0, |estimate| estimate.median);
            let _ = writeln!(
                text,
                "  {:width$}  {context:>6}  {:>24}  {:>24}  {:>8.0} ms",
                engine.name,
                with_interval(&prefill, 1),
                with_interval(&decode, 1),
                first
            );
        }
    }
    let _ =
        writeln!(text, "  {:width$}    load cold    warm     wasm      rss  built as", "engine");
    for engine in &series.engines {
        render_engine(text, engine, width);
    }
    render_gpu(text, series, bandwidth_gb_s, width);
    for reason in &series.left_out {
        let _ = writeln!(text, "  left out: {reason}");
    }
    for comparison in &series.comparisons {
        let _ = writeln!(text, "  {}", compared(comparison));
    }
    render_agreement(text, series);
}

/// How far each peer's answers agree with the subject's.
fn render_agreement(text: &mut String, series: &Series) {
    let Some((subject, peers)) = series.engines.split_first() else { return };
    for peer in peers {
        let Agreement { same, answers, difference } = agreement(subject, peer);
        let name = &peer.name;
        let _ = match difference {
            None if answers == 0 => Ok(()),
            None => writeln!(text, "  {name}: all {answers} answers are the same"),
            Some(difference) => writeln!(
                text,
                "  {name}: {same} of {answers} answers are the same; first difference: {difference}"
            ),
        };
    }
}

/// The parts of the time after the first token on GPUs; nothing if no GPU was measured.
fn render_gpu(text: &mut String, series: &Series, bandwidth_gb_s: Option<f64>, width: usize) {
    let engines = || series.engines.iter().filter_map(|engine| Some((engine, adapter(engine)?)));
    if engines().next().is_none() {
        return;
    }
    let bound = bandwidth_gb_s.and_then(|gb_s| Some((gb_s, bandwidth_bound(&series.model, gb_s)?)));
    let _ = writeln!(
        text,
        "  {:width$}  prompt  ms a token  {:>8}  {:>8}  {:>8}  {:>8}  dispatches{}",
        "engine",
        "encode",
        "gpu",
        "readback",
        "rest",
        if bound.is_some() { "  of the bandwidth" } else { "" }
    );
    for (engine, _) in engines() {
        for context in series.contexts() {
            let Some(TokenTime { total_ms, parts, dispatches }) = token_time(engine, context)
            else {
                continue;
            };
            let part = |of: fn(Parts) -> f64| {
                parts.map_or("-".to_owned(), |parts| format!("{:.2}", of(parts)))
            };
            // A peer reads weights of another type.
            let share = bound.filter(|_| engine.is_ours()).map_or(String::new(), |(_, bound)| {
                format!("  {:>14.2} %", 100.0 * 1000.0 / total_ms / bound)
            });
            let _ = writeln!(
                text,
                "  {:width$}  {context:>6}  {total_ms:>10.2}  {:>8}  {:>8}  {:>8}  {:>8}  \
                 {dispatches:>10.0}{share}",
                engine.name,
                part(|parts| parts.encode_ms),
                part(|parts| parts.compute_ms),
                part(|parts| parts.readback_ms),
                part(|parts| parts.rest_ms),
            );
        }
    }
    for (engine, adapter) in engines() {
        let _ = writeln!(text, "  {:width$}  adapter: {adapter}", engine.name);
    }
    if let Some((gb_s, bound)) = bound {
        let megabytes = series.model.read_bytes as f64 / 1e6;
        let _ = writeln!(
            text,
            "  {gb_s} GB/s, as stated, allow {bound:.0} tokens/s: each reads {megabytes:.1} MB of \
             weights"
        );
    }
}

/// The median of an engine's times to the first token, in milliseconds.
fn first_token(engine: &Engine, context: u32) -> Option<Estimate> {
    let times: Vec<_> = engine.counted(context).map(|sample| sample.first_token_ms).collect();
    Estimate::of(&times)
}

fn render_engine(text: &mut String, engine: &Engine, width: usize) {
    let ms = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let name = &engine.name;
    if engine.load.cold_ms.is_some() {
        let _ = writeln!(
            text,
            "  {name:width$}  {:>10}  {:>8}  {:>8}  {:>8}  {} ({}), {} thread{}",
            ms(engine.load.cold_ms),
            ms(engine.load.warm_ms),
            engine.memory.wasm_bytes.map_or("-".to_owned(), mib),
            mib(engine.memory.rss_most_bytes.saturating_sub(engine.memory.rss_before_bytes)),
            engine.version,
            engine.build,
            engine.effective_threads,
            if engine.effective_threads == 1 { "" } else { "s" },
        );
    }
    if let Some(reason) = &engine.unsupported {
        let _ = writeln!(text, "  {name:width$}  unsupported: {}", reason.replace('\n', "\n    "));
    }
}

fn compared(comparison: &Comparison) -> String {
    let Comparison { subject, peer, context, metric, estimate, .. } = comparison;
    format!(
        "{subject} : {peer}, prompt of {context}: {} {} ({})",
        metric.as_str(),
        with_interval(estimate, 2),
        estimate.verdict().as_str()
    )
}

/// The changes since a baseline, and the other differences between the two.
pub fn render_changes(new: &BenchRecord, old: &BenchRecord) -> String {
    let mut text =
        format!("\ncompared with the baseline of {}, tierproof {}\n", old.began, old.tierproof);
    for difference in differences(new, old) {
        let _ = writeln!(text, "  different: {difference}");
    }
    let changes = changes(new, old);
    for Change { what, context, metric, estimate } in &changes {
        let _ = writeln!(
            text,
            "  {what}, prompt of {context}: {} {} ({})",
            metric.as_str(),
            with_interval(estimate, 2),
            estimate.verdict().as_str()
        );
    }
    if changes.is_empty() {
        text.push_str("  no engine was measured in both\n");
    }
    text
}

/// `12.3 [11.9, 12.8]`, or `12.3 [too few runs]`.
pub(super) fn with_interval(estimate: &Estimate, digits: usize) -> String {
    let median = estimate.median;
    match estimate.interval {
        Some(interval) => {
            format!("{median:.digits$} [{:.digits$}, {:.digits$}]", interval.low, interval.high)
        }
        None => format!("{median:.digits$} [too few runs]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    #[test]
    fn the_whole_record_is_reported() {
        insta::assert_snapshot!(render(&fixture::record()));
    }

    #[test]
    fn all_numbers_of_threads_are_reported() {
        let mut record = fixture::record();
        assert!(render(&record).contains("tokens, 1 thread\n"));
        record.settings.threads = 2;
        record.settings.other_threads = vec![1];
        assert!(render(&record).contains("tokens, 2, 1 threads\n"));
    }

    #[test]
    fn the_share_of_a_bandwidth_is_reported() {
        let mut record = fixture::record();
        record.settings.bandwidth_gb_s = Some(4.0);
        let text = render(&record);
        // 20 tokens a second of 5,000.
        assert!(text.contains("  40            0.40 %\n"), "{text}");
        assert!(
            text.contains("4 GB/s, as stated, allow 5000 tokens/s: each reads 0.8 MB"),
            "{text}"
        );
    }

    #[test]
    fn a_busy_machine_is_reported_with_the_figures() {
        let mut record = fixture::record();
        record.machine.was_busy = true;
        assert!(render(&record).contains("BUSY"));
    }

    #[test]
    fn changes_are_reported_with_other_differences() {
        let new = fixture::record();
        let mut old = fixture::record();
        old.machine.cpu = "Abacus".to_owned();
        for sample in &mut old.series[0].engines[0].samples {
            sample.decode_ms *= 2.0;
        }
        insta::assert_snapshot!(render_changes(&new, &old));
    }
}
