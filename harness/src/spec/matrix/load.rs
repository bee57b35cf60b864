//! From files to a [`Matrix`]: its own, the fixtures', and the tolerance classes that all matrices
//! share.

use std::path::Path;

use jiff::civil::Date;

use super::engines::EngineFacts;
use super::resolved::{Known, Matrix, ModelFacts, Tolerance};
use super::{coverage, read, resolve};
use crate::spec::document::{self, InvalidConfiguration, InvalidDocument};
use crate::spec::scenario::Fixtures;

impl Matrix {
    /// Reads and resolves the matrix at `path`, with the fixtures under `root`. `today` decides
    /// which known failures have expired.
    ///
    /// # Errors
    /// Every problem of the matrix and of the fixtures.
    pub fn load(
        path: &Path,
        root: &Path,
        models: &[ModelFacts],
        engines: &[EngineFacts],
        today: Date,
    ) -> Result<(Self, Fixtures), InvalidConfiguration> {
        let name = path.display().to_string();
        let (fixtures, mut invalid) = Fixtures::load(root);
        let known = Known { fixtures: &fixtures, models, engines, today, tolerances: &[] };
        let tolerances = Tolerance::shared(root, &known).unwrap_or_else(|error| {
            invalid.push(error);
            Vec::new()
        });
        let known = Known { tolerances: &tolerances, ..known };
        let matrix = match fs_err::read_to_string(path) {
            // Without the shared classes, every cell would lack one.
            Ok(_) if tolerances.is_empty() && !invalid.is_empty() => {
                return Err(InvalidConfiguration::new(invalid));
            }
            Ok(text) => Self::parse(&name, &text, &known),
            Err(error) => Err(InvalidDocument::unreadable(&name, &error)),
        };
        match matrix {
            Ok(matrix) if invalid.is_empty() => Ok((matrix, fixtures)),
            Ok(_) => Err(InvalidConfiguration::new(invalid)),
            Err(error) => {
                invalid.insert(0, error);
                Err(InvalidConfiguration::new(invalid))
            }
        }
    }

    /// Reads and resolves the text of a matrix; `name` is for messages.
    ///
    /// # Errors
    /// Every problem, with its place.
    pub fn parse(name: &str, text: &str, known: &Known<'_>) -> Result<Self, InvalidDocument> {
        document::read(name, text, |table, problems| {
            let spec = read::matrix(table);
            let (matrix, origins) = resolve::matrix(name, &spec, known, problems);
            // With an axis half resolved, checks of the whole matrix would report false problems.
            if problems.is_empty() {
                coverage::check(&matrix, &origins, known.fixtures, problems);
            }
            Some(matrix)
        })
    }
}

impl Tolerance {
    /// The file of the classes that matrices share, under the workspace root.
    const SHARED: &str = "fixtures/tolerances.toml";

    /// The shared classes; none if the file does not exist.
    pub(super) fn shared(root: &Path, known: &Known<'_>) -> Result<Vec<Self>, InvalidDocument> {
        match fs_err::read_to_string(root.join(Self::SHARED)) {
            Ok(text) => Self::parse(Self::SHARED, &text, known),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(InvalidDocument::unreadable(Self::SHARED, &error)),
        }
    }

    /// Reads and resolves a file of classes; `name` is for messages.
    pub(super) fn parse(
        name: &str,
        text: &str,
        known: &Known<'_>,
    ) -> Result<Vec<Self>, InvalidDocument> {
        document::read(name, text, |table, problems| {
            let written = table.tables("tolerance", read::tolerance);
            Some(resolve::tolerances(&written, known, problems))
        })
    }
}
