//! The JSON Schema of a matrix, for editors, generated from the types that the file is read into.
//! `matrices/schema.json` is a copy that a test keeps up to date.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use super::spec::MatrixSpec;

/// The JSON Schema, draft 2020-12.
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<MatrixSpec>()
}
