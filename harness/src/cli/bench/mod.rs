//! `tierproof bench`; the work is in [`crate::bench`].

mod arguments;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Answer, Failure, note, say};
use super::runtime;
use crate::bench::entry::Entry;
use crate::bench::floor::{self, Floors};
use crate::bench::record::{BenchRecord, FORMAT, Settings};
use crate::bench::{self, Contender, Method, Prompts, Subject, Surroundings, html, quiet, table};
use crate::drive::browser::supervise::Supervisor;
use crate::drive::server::{DEFAULT_SHARD_BYTES, ServedModel};
use crate::engines::{self, Installer, Missing};
use crate::fetch::models::{FetchProgress, Model};
use crate::lab::{Project, Session};
use crate::run::exit::Exit;
use crate::spec::cell::BrowserName;
use crate::spec::launch::LaunchProfile;

pub(super) use arguments::BenchArgs;
use arguments::{check, method};

pub(super) fn run(project: &Project, args: &BenchArgs) -> Answer {
    let baseline = args.baseline.as_deref().map(BenchRecord::load).transpose();
    let baseline = baseline.map_err(Failure::invalid)?;
    let entries = check(args)?;
    let choice = args.choice()?;
    let lab = args.launch.lab(project)?;
    let cache = Project::cache()?;
    let bar = progress_bar();
    let mut step = |step: String| show(&bar, &step);
    let chosen = chosen_models(project, args, &cache, &mut step)?;

    let bundle = if entries.iter().any(|entry| *entry.engine == engines::TIERPROOF) {
        Some(lab.bundle(choice, false, &mut note)?)
    } else {
        None
    };
    let (cache, onnx) = (cache.join("bench"), project.join("fixtures/models/onnx"));
    let installer = Installer { cache, onnx, bundle };
    consent(args, &entries, &installer)?;
    let contenders = prepare(&entries, &installer, &bar)?;
    let eval = fs_err::read_to_string(project.join("fixtures/models/eval.jsonl"))
        .map_err(Failure::setup)?;

    fs_err::create_dir_all(&args.out).map_err(Failure::setup)?;
    let method = method(args, choice);
    let measured = runtime::on_runtime(async {
        let session = lab.session(None, &args.out, method.timeouts.launch).await?;
        let measured = tokio::select! {
            measured = measure(args, &method, &session, &contenders, &chosen, &installer.onnx, &eval, &bar) => {
                measured.map(Some)
            }
            () = runtime::interrupted() => Ok(None),
        };
        session.shutdown().await;
        measured
    });
    bar.finish_and_clear();
    let Some(record) = measured? else { return Ok(Exit::Interrupted) };
    report(args, &record, baseline.as_ref())?;
    Ok(judge(&record, &args.require))
}

/// A model to measure.
struct Chosen {
    /// Its GGUF.
    file: PathBuf,
    name: String,
}

/// The models, each with its conversions.
fn chosen_models(
    project: &Project,
    args: &BenchArgs,
    cache: &Path,
    progress: &mut dyn FnMut(String),
) -> Result<Vec<Chosen>, Failure> {
    let catalogue = project.catalogue()?;
    let mut chosen = Vec::new();
    for name in &args.model {
        let resolved = catalogue.resolve(name, cache);
        let Model { name, path, .. } = resolved.map_err(Failure::invalid)?;
        if !path.is_file() {
            return Err(Failure::setup(format!(
                "model `{name}` is not on this machine\n  (hint: `tierproof models fetch {name}`)"
            )));
        }
        let made = if args.requantize.is_empty() {
            Vec::new()
        } else {
            let whole = ServedModel::read(&path, &name, u64::MAX).map_err(Failure::setup)?;
            let make = |target: &String| {
                let reference = project.join("fixtures/reference");
                let sha256 = &whole.manifest.sha256;
                bench::requantized(cache, &reference, &path, sha256, target, progress)
                    .map(|file| Chosen { file, name: format!("{name}-{target}") })
                    .map_err(Failure::setup)
            };
            args.requantize.iter().map(make).collect::<Result<_, _>>()?
        };
        chosen.push(Chosen { file: path, name });
        chosen.extend(made);
    }
    Ok(chosen)
}

/// Lists the packages to fetch, and asks if they are large.
fn consent(args: &BenchArgs, entries: &[Entry], installer: &Installer) -> Result<(), Failure> {
    let is_measured =
        |engine: &&&engines::Engine| entries.iter().any(|entry| entry.engine == **engine);
    let engines = engines::ENGINES.iter().filter(is_measured);
    let missing: Vec<_> = engines.flat_map(|engine| installer.missing(engine)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    for Missing { what, bytes, licence, registry } in &missing {
        anstream::eprintln!(
            "to fetch from {registry}: {what}, {:.1} MB, {licence}",
            megabytes(*bytes)
        );
    }
    let bytes: u64 = missing.iter().map(|missing| missing.bytes).sum();
    if args.yes || bytes <= engines::UNASKED_BYTES {
        return Ok(());
    }
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(Failure::usage(miette::miette!(
            help = "pass `--yes`, or leave the engine out with `--engine`",
            "{:.1} MB would be fetched, and standard input is not a terminal to ask on",
            megabytes(bytes)
        )));
    }
    let asked = dialoguer::Confirm::new()
        .with_prompt(format!("fetch {:.1} MB into the cache?", megabytes(bytes)))
        .default(true)
        .interact()
        .map_err(Failure::setup)?;
    if asked { Ok(()) } else { Err(Failure::invalid("nothing was fetched")) }
}

fn prepare(
    entries: &[Entry],
    installer: &Installer,
    bar: &ProgressBar,
) -> Result<Vec<Contender>, Failure> {
    let mut progress = |progress: FetchProgress| match progress {
        FetchProgress::Step(step) => show(bar, &step),
        FetchProgress::Bytes(bytes, total) => {
            bar.set_prefix(format!("{}%", bytes * 100 / total.max(1)));
        }
    };
    let prepare = |entry: &Entry| match installer.prepare(entry.engine, &mut progress) {
        Ok(prepared) => Ok(Contender { entry: *entry, prepared }),
        Err(error) => Err(Failure::setup(format!("engine `{entry}` can't be prepared: {error}"))),
    };
    let contenders = entries.iter().map(prepare).collect();
    bar.set_prefix("");
    contenders
}

#[expect(clippy::too_many_arguments, reason = "everything that was prepared meets here")]
async fn measure(
    args: &BenchArgs,
    method: &Method,
    session: &Session,
    contenders: &[Contender],
    chosen: &[Chosen],
    onnx: &Path,
    eval: &str,
    bar: &ProgressBar,
) -> Result<BenchRecord, Failure> {
    let began = jiff::Zoned::now().to_string();
    show(bar, "checking whether the machine is quiet");
    let busy_cores = quiet::busy_cores(quiet::LONG_LOOK).await;
    quiet::check(busy_cores, args.allow_busy).map_err(Failure::setup)?;
    let was_busy = quiet::check(busy_cores, false).is_err();
    let supervisor = Supervisor::this_executable().map_err(Failure::setup)?;
    let logs = args.out.join("drivers");
    let surroundings = Surroundings { launcher: &session.launcher, supervisor: &supervisor, logs };
    let needs_browser = contenders.iter().any(|one| one.entry.engine.needs_browser());
    let profiles: Vec<Option<LaunchProfile>> = if needs_browser {
        let profile = |browser: &BrowserName| Some(args.gpu.profile(*browser, &args.launch));
        args.browser.iter().map(profile).collect()
    } else {
        vec![None]
    };
    let mut series = Vec::new();
    for model in chosen {
        let read = |shard_bytes| {
            ServedModel::read(&model.file, &model.name, shard_bytes)
                .map(Arc::new)
                .map_err(Failure::setup)
        };
        let (sharded, whole) = (read(DEFAULT_SHARD_BYTES)?, read(u64::MAX)?);
        let onnx = engines::onnx_name(onnx, &model.name);
        for profile in &profiles {
            // The file's bytes are freed before memory is measured.
            let (prompts, read_bytes) = {
                let gguf = fs_err::read(&model.file).map_err(Failure::setup)?;
                let prompts = Prompts::of(&gguf, eval).map_err(Failure::setup)?;
                (prompts, bench::read_bytes(&gguf).map_err(Failure::setup)?)
            };
            let subject = Subject {
                contenders,
                profile: *profile,
                model: sharded.clone(),
                whole: whole.clone(),
                onnx: onnx.clone(),
                read_bytes,
            };
            let mut progress = |step: String| show(bar, &step);
            let measured = bench::series(&surroundings, method, &subject, prompts, &mut progress);
            series.push(measured.await.map_err(Failure::setup)?);
        }
    }
    Ok(BenchRecord {
        format: FORMAT,
        tierproof: env!("CARGO_PKG_VERSION").to_owned(),
        began,
        machine: bench::machine(busy_cores, was_busy).map_err(Failure::setup)?,
        settings: Settings {
            pairs: args.pairs,
            tokens: args.tokens,
            threads: args.threads.first().copied().unwrap_or(1),
            other_threads: args.threads.iter().skip(1).copied().collect(),
            allow_busy: args.allow_busy,
            bandwidth_gb_s: args.bandwidth,
        },
        series,
    })
}

fn report(
    args: &BenchArgs,
    record: &BenchRecord,
    baseline: Option<&BenchRecord>,
) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(record).map_err(Failure::setup)?;
    let path = args.out.join("bench.json");
    fs_err::write(&path, format!("{json}\n")).map_err(Failure::setup)?;
    let changes = baseline.map(|baseline| table::render_changes(record, baseline));
    let page = args.out.join("index.html");
    let html = html::render(record, changes.as_deref()).map_err(Failure::setup)?;
    fs_err::write(&page, html).map_err(Failure::setup)?;
    if args.json {
        say(format!("{json}\n"))?;
    } else {
        say(table::render(record))?;
        say(changes.unwrap_or_default())?;
    }
    anstream::eprintln!("\n{} has every sample, {} the charts", path.display(), page.display());
    Ok(())
}

fn judge(record: &BenchRecord, floors: &[Floors]) -> Exit {
    let checked = floor::check(record, floors);
    for line in checked.missed.iter().chain(&checked.unmeasured) {
        anstream::eprintln!("missed floor: {line}");
    }
    let engines = record.series.iter().flat_map(|series| &series.engines);
    let has_measured = engines.flat_map(|engine| &engine.samples).next().is_some();
    if !checked.missed.is_empty() {
        Exit::Unexpected
    } else if !checked.unmeasured.is_empty() || !has_measured {
        Exit::NothingRan
    } else {
        Exit::Expected
    }
}

fn progress_bar() -> ProgressBar {
    // indicatif hides it if standard error is not a terminal.
    let style = ProgressStyle::with_template("{spinner} {msg} {prefix}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn show(bar: &ProgressBar, step: &str) {
    if bar.is_hidden() {
        anstream::eprintln!("{step}");
    }
    bar.set_message(step.to_owned());
    bar.tick();
}
