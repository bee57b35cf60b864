//! The run on a terminal: live on a real one, plain lines in the log of a CI service.
//!
//! Both views print one line for each settled cell, with the full message for those that need
//! attention; the live view keeps running cells below them. The end is a grid, the cells that need
//! attention again, and a line of counts. [`TerminalOptions::is_verbose`] adds cells that never ran
//! and the steps of each attempt.

mod ending;
mod lines;
mod live;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::record::RunRecord;
use super::{ReportError, Reporter};
use crate::run::event::RunEvent;
use live::Live;

/// The level of detail, and the place of the other reports.
#[derive(Debug, Clone, Default)]
pub struct TerminalOptions {
    /// Print every cell and every step.
    pub is_verbose: bool,
    /// The folder of the other reports, to print.
    pub report_folder: Option<PathBuf>,
}

/// Prints a run on a terminal, or into the log of a CI service.
pub struct Terminal {
    options: TerminalOptions,
    record: RunRecord,
    screen: Screen,
}

enum Screen {
    Plain(Box<dyn Write + Send>),
    Live(Live),
    /// The reader has closed the pipe.
    Closed,
}

impl Terminal {
    /// Prints to standard output, live if that is a terminal, and without colours if they are not
    /// wanted (`NO_COLOR`, `TERM=dumb`) or not visible.
    pub fn stdout(options: TerminalOptions) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let screen = if io::stdout().is_terminal() && !is_dumb {
            Screen::Live(Live::stdout())
        } else {
            Screen::Plain(Box::new(anstream::AutoStream::auto(io::stdout())))
        };
        Self { options, record: RunRecord::default(), screen }
    }

    /// Prints plain lines without colours to any writer.
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
            // `tierproof run | head`: the reader has closed the pipe, which is not an error.
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

/// Removes escape sequences. Every write is at least one whole line, so no sequence is split.
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
