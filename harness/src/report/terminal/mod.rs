//! The run on a terminal: live where there is one, plain lines in the log of a CI.
//!
//! Both views print the same lines, one for each settled cell, with the whole message for those
//! that want attention; the live one keeps what is running below them. The end is a grid, the
//! cells that want attention once more, and one line of counts. With
//! [`TerminalOptions::is_verbose`] cells that never ran and the steps of each attempt are told as
//! well.

mod ending;
mod lines;
mod live;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::record::RunRecord;
use super::{ReportError, Reporter};
use crate::run::event::RunEvent;
use live::Live;

/// How much is told, and where more is to be found.
#[derive(Debug, Clone, Default)]
pub struct TerminalOptions {
    /// Tell of everything.
    pub is_verbose: bool,
    /// The folder of the other reports, to point at.
    pub report_folder: Option<PathBuf>,
}

/// Tells of a run on a terminal, or into a CI's log.
pub struct Terminal {
    options: TerminalOptions,
    record: RunRecord,
    screen: Screen,
}

enum Screen {
    Plain(Box<dyn Write + Send>),
    Live(Live),
    /// Nobody reads any more.
    Closed,
}

impl Terminal {
    /// On standard output: live if that is a terminal. Colours are kept off where they are not
    /// wanted (`NO_COLOR`, `TERM=dumb`) or not seen.
    pub fn stdout(options: TerminalOptions) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let screen = if io::stdout().is_terminal() && !is_dumb {
            Screen::Live(Live::stdout())
        } else {
            Screen::Plain(Box::new(anstream::AutoStream::auto(io::stdout())))
        };
        Self { options, record: RunRecord::default(), screen }
    }

    /// Plain lines without colours, to anything.
    pub fn plain(out: impl Write + Send + 'static, options: TerminalOptions) -> Self {
        let screen = Screen::Plain(Box::new(Colourless(out)));
        Self { options, record: RunRecord::default(), screen }
    }

    fn print(&mut self, lines: &[String]) -> Result<(), ReportError> {
        if lines.is_empty() {
            return Ok(());
        }
        let printed = match &mut self.screen {
            Screen::Plain(out) => {
                lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush())
            }
            Screen::Live(live) => live.print(lines),
            Screen::Closed => Ok(()),
        };
        match printed {
            // `tierproof run | head`: the reader has had enough, which is no trouble of the run.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.screen = Screen::Closed;
                Ok(())
            }
            printed => printed.map_err(|error| ReportError::new("terminal", error)),
        }
    }
}

impl Reporter for Terminal {
    fn event(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        self.record.event(event);
        if let Screen::Live(live) = &mut self.screen {
            live.event(event, &self.record);
        }
        let lines = lines::of_event(event, &self.record, self.options.is_verbose);
        self.print(&lines)
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        if let Screen::Live(live) = &mut self.screen {
            live.clear();
        }
        let lines = ending::of_run(&self.record, self.options.report_folder.as_deref());
        self.print(&lines)
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Takes escape sequences off whatever is written. Every write is one whole line or more, so
/// that no sequence is ever split.
struct Colourless<W>(W);

impl<W: Write> Write for Colourless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&anstream::adapter::strip_bytes(bytes).into_vec())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests;
