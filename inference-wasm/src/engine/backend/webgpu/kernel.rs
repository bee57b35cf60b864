//! The kernels: what each is specialised to, and the buffers that it binds.

/// Invocations of a workgroup of matrix products.
pub(super) const WIDTH: u32 = 64;
/// Invocations of every other workgroup; matches the WGSL.
pub(super) const THREADS: u32 = 64;
/// Values that a workgroup of [`Kernel::Best`] searches; matches the WGSL.
pub(super) const SLICE: u32 = 1024;

/// A kernel and its specialisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    /// Rows of a table.
    Embed {
        /// The number of the table's format.
        format: u32,
    },
    Matmul {
        format: u32,
        /// How the work is divided.
        strategy: MatmulStrategy,
        /// Rows are whole groups of 32.
        is_whole: bool,
    },
    Norm,
    NormInPlace,
    Rope,
    /// Writes keys and values into the cache.
    Append {
        is_half: bool,
    },
    Attention {
        is_half: bool,
        /// Floats of a head that an invocation sums.
        dims: u32,
    },
    /// An op on each element.
    Each(Element),
    Best,
}

/// How the work of a matrix product is divided among invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum MatmulStrategy {
    /// One invocation per output and row of x: no barriers, which are expensive on a CPU.
    PerOutput,
    /// `threads` invocations per output, for one row of x.
    Split { threads: u32 },
    /// `threads` invocations per output, for up to `rows` rows of x.
    Rows { threads: u32, rows: u32 },
}

impl MatmulStrategy {
    /// Invocations that share an output.
    pub(super) fn threads(self) -> u32 {
        match self {
            Self::PerOutput => 1,
            Self::Split { threads } | Self::Rows { threads, .. } => threads,
        }
    }

    /// Rows of x per workgroup.
    pub(super) fn rows(self) -> u32 {
        match self {
            Self::PerOutput | Self::Split { .. } => 1,
            Self::Rows { rows, .. } => rows,
        }
    }
}

/// An op on each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Element {
    Add,
    AddBias,
    Silu,
    GeluTanh,
    Scale,
    SoftCap,
    Rows,
}

impl Element {
    /// Whether there is a second tensor, `y`.
    pub(super) fn has_other(self) -> bool {
        !matches!(self, Self::Scale | Self::SoftCap)
    }
}

impl Kernel {
    /// The number of buffers that it reads and writes, bound in this order after the parameters.
    pub(super) fn bindings(self) -> [u32; 2] {
        match self {
            Self::Matmul { .. } | Self::Norm => [2, 1],
            Self::Append { .. } => [2, 2],
            Self::Attention { .. } => [3, 1],
            Self::Each(element) if !element.has_other() => [0, 1],
            Self::Each(_) | Self::Embed { .. } | Self::NormInPlace | Self::Rope | Self::Best => {
                [1, 1]
            }
        }
    }
}
