//! `index.html`: one self-contained page with the grid, every cell, and its evidence.
//!
//! No network, no script needed to read it. What is shown is prepared as plain values in
//! `page`, `cell`, `comparison` and `capability`; the template only lays it out and
//! escapes all of it. A cell that passed carries little, so that large runs stay usable; the
//! whole evidence is in `run.jsonl`.

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
    /// To be written to `path`.
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
    // Lines of the template that hold nothing but a tag leave nothing in the page.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // The name's ending turns escaping on.
    environment.add_template("index.html", TEMPLATE)?;
    environment.get_template("index.html")?.render(context! {
        page => Serde(page::of_run(record)),
        style => include_str!("style.css"),
        script => include_str!("script.js"),
    })
}

#[cfg(test)]
mod tests;
