//! `index.html`: one self-contained page with the grid, every cell, and its evidence.
//!
//! It can be read without a network and without scripts. `page`, `cell`, `comparison` and
//! `capability` prepare plain values; the template lays them out and escapes them. A cell that
//! passed shows little, so that large runs stay usable; all evidence is in `run.jsonl`.

mod capability;
mod cell;
mod comparison;
mod page;

use std::path::PathBuf;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, context};

use super::record::RunRecord;
use super::{ReportError, Reporter, write_whole};
use crate::run::event::RunEvent;

/// Macros first: minijinja is built without templates that include others.
const TEMPLATE: &str = concat!(include_str!("cell.html"), include_str!("page.html"));

/// Writes `index.html` at the end of a run.
#[derive(Debug)]
pub struct Html {
    path: PathBuf,
    record: RunRecord,
}

impl Html {
    /// The page will be written to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), record: RunRecord::default() }
    }
}

impl Reporter for Html {
    fn event(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        self.record.event(event);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        let html = render(&self.record).map_err(|error| ReportError::new("html", error))?;
        write_whole(&self.path, html.as_bytes()).map_err(|error| ReportError::new("html", error))
    }
}

fn render(record: &RunRecord) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // Template lines with only a tag leave no blank lines in the page.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // The suffix of the name turns escaping on.
    environment.add_template("index.html", TEMPLATE)?;
    environment.get_template("index.html")?.render(context! {
        page => Serde(page::of_run(record)),
        style => include_str!("style.css"),
        script => include_str!("script.js"),
    })
}

#[cfg(test)]
mod tests;
