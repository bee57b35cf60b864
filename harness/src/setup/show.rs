//! What `doctor` prints, and the plan that `setup` prints before it asks.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use owo_colors::OwoColorize;
use serde::Serialize;

use super::check::{Finding, State};
use super::fix::fix;
use super::machine::Machine;
use super::models::{ModelRow, ModelState};
use super::plan::Plan;
use super::requirement::{Part, Purpose};

/// The versions that the programs print, by path.
pub(crate) type Versions = BTreeMap<PathBuf, String>;

/// `tierproof doctor --json`, format 1.
#[derive(Debug, Serialize)]
pub(crate) struct Doctor {
    /// The version of this format.
    format: u32,
    /// Whether everything that `run` needs, and that this platform can have, is installed.
    is_ready_to_run: bool,
    requirements: Vec<Entry>,
    models: Vec<ModelRow>,
}

#[derive(Debug, Serialize)]
struct Entry {
    id: &'static str,
    title: &'static str,
    why: &'static str,
    needed_for: &'static [Purpose],
    is_optional: bool,
    #[serde(flatten)]
    state: EntryState,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum EntryState {
    Found { parts: Vec<EntryPart> },
    Missing { parts: Vec<EntryPart> },
    Impossible { reason: &'static str },
}

#[derive(Debug, Serialize)]
struct EntryPart {
    name: &'static str,
    path: Option<PathBuf>,
    version: Option<String>,
    /// The command that installs it, or what the user has to do; absent where it is found.
    fix: Option<String>,
}

impl Doctor {
    pub(crate) fn new(
        machine: &dyn Machine,
        findings: &[Finding],
        versions: &Versions,
        models: Vec<ModelRow>,
    ) -> Self {
        let part = |(part, path): &(&'static Part, Option<PathBuf>)| EntryPart {
            name: part.name,
            version: path.as_ref().and_then(|path| versions.get(path).cloned()),
            fix: path.is_none().then(|| fix(machine, part).describe(machine.platform())),
            path: path.clone(),
        };
        let requirements = findings.iter().map(|finding| {
            let requirement = finding.requirement;
            Entry {
                id: requirement.id,
                title: requirement.title,
                why: requirement.why,
                needed_for: requirement.needed_for,
                is_optional: requirement.optional,
                state: match &finding.state {
                    State::Impossible(reason) => EntryState::Impossible { reason },
                    State::Possible(parts) if finding.missing().next().is_none() => {
                        EntryState::Found { parts: parts.iter().map(part).collect() }
                    }
                    State::Possible(parts) => {
                        EntryState::Missing { parts: parts.iter().map(part).collect() }
                    }
                },
            }
        });
        Self {
            format: 1,
            is_ready_to_run: !findings.iter().any(|finding| finding.is_wanting(Purpose::Run))
                && models.iter().all(|row| row.is_optional || row.state == ModelState::Found),
            requirements: requirements.collect(),
            models,
        }
    }

    pub(crate) fn is_ready_to_run(&self) -> bool {
        self.is_ready_to_run
    }

    /// Prints the table for people.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for (heading, purpose) in [
            ("for a run", Purpose::Run),
            ("for goldens", Purpose::Reference),
            ("for the bundle `threads`", Purpose::Threads),
        ] {
            writeln!(out, "{}", heading.bold())?;
            for entry in self.requirements.iter().filter(|e| e.needed_for.contains(&purpose)) {
                entry.print(out)?;
            }
            writeln!(out)?;
        }
        writeln!(out, "{}", "models".bold())?;
        for row in &self.models {
            row.print(out)?;
        }
        writeln!(out)?;
        if self.is_ready_to_run {
            writeln!(out, "`tierproof run` has everything that it needs")
        } else {
            writeln!(out, "`tierproof setup` installs missing programs")
        }
    }
}

impl Entry {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let (mark, parts): (_, &[EntryPart]) = match &self.state {
            EntryState::Found { parts } => ("found".green().to_string(), parts),
            EntryState::Missing { parts } if self.is_optional => {
                ("optional".yellow().to_string(), parts)
            }
            EntryState::Missing { parts } => ("missing".red().to_string(), parts),
            EntryState::Impossible { reason } => {
                return writeln!(out, "  {:8}  {:16}  {reason}", "not here".dimmed(), self.title);
            }
        };
        // Padded by hand: colour codes have a length but no width.
        let padding = 8_usize.saturating_sub(match &self.state {
            EntryState::Found { .. } => 5,
            EntryState::Missing { .. } if self.is_optional => 8,
            EntryState::Missing { .. } | EntryState::Impossible { .. } => 7,
        });
        write!(out, "  {mark}{:padding$}  {:16}", "", self.title)?;
        for (index, part) in parts.iter().enumerate() {
            let indent = if index == 0 { 2 } else { 30 };
            write!(out, "{:indent$}{:22}  ", "", part.name)?;
            match (&part.path, &part.version) {
                (Some(path), Some(version)) => writeln!(out, "{} ({version})", path.display())?,
                (Some(path), None) => writeln!(out, "{}", path.display())?,
                (None, _) => writeln!(out, "{}", part.fix.as_deref().unwrap_or("not found"))?,
            }
        }
        if let EntryState::Missing { .. } = self.state {
            writeln!(out, "{:30}{}", "", self.why.dimmed())?;
        }
        Ok(())
    }
}

impl ModelRow {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mark = match self.state {
            ModelState::Found => format!("{}   ", "found".green()),
            ModelState::Missing if self.is_optional => "optional".yellow().to_string(),
            ModelState::Missing => format!("{} ", "missing".red()),
            ModelState::Damaged { .. } => format!("{} ", "damaged".red()),
        };
        let size = format!("{:.1} MB", self.bytes as f64 / 1e6);
        write!(out, "  {mark}  {:20}  {size:>8}  ", self.name)?;
        if let ModelState::Damaged { found_bytes } = self.state {
            write!(out, "expected {} bytes, found {found_bytes}: ", self.bytes)?;
        }
        match &self.fix {
            Some(fix) => writeln!(out, "{fix}"),
            None => writeln!(out, "{}", self.path.display()),
        }
    }
}

/// Prints what `setup` is about to do.
pub(crate) fn print_plan(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    if !plan.steps.is_empty() {
        writeln!(out, "{}", "commands to run:".bold())?;
    }
    for step in &plan.steps {
        writeln!(out, "  {}", step.line())?;
        if !step.installs.is_empty() {
            let names: Vec<_> = step.installs.iter().map(|part| part.name).collect();
            writeln!(out, "    {}", format!("for {}", names.join(", ")).dimmed())?;
        }
    }
    if !plan.by_hand.is_empty() {
        writeln!(out, "{}", "left to you:".bold())?;
    }
    for (what, names) in &plan.by_hand {
        writeln!(out, "  {}: {what}", names.join(", "))?;
    }
    Ok(())
}
