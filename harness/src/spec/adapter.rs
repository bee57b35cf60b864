//! Which kind of adapter a matrix demands.

/// What a GPU tier has to have computed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdapterDemand {
    /// Whatever there is; reports say what it was.
    #[default]
    Any,
    /// A GPU that is named. One that the browser keeps to itself is none, since nobody can tell.
    Hardware,
    /// An adapter that computes on the CPU, for figures that other machines can repeat.
    Software,
}

impl AdapterDemand {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Any, Self::Hardware, Self::Software];

    /// The name as it stands in TOML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Hardware => "hardware",
            Self::Software => "software",
        }
    }
}
