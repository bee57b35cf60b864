//! Kernels: which there are, of which pieces of WGSL each is put together, and their pipelines.
//!
//! A pipeline is made once, when something that needs it is loaded or at the warm-up. What a kernel
//! is run on is for [`work`](super::work).

use std::collections::HashMap;
use std::rc::Rc;

use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType,
    BufferBindingType, ComputePipeline, ComputePipelineDescriptor, PipelineLayout,
    PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderSource, ShaderStages,
};

use super::packing::{GROUP, Packing};
use crate::engine::mutant::Faults;
use crate::engine::quant::Format;

/// Invocations of a workgroup of matrix products.
pub(super) const WIDTH: u32 = 64;
/// Invocations of every other workgroup, as its WGSL says.
pub(super) const THREADS: u32 = 64;
/// Values that a workgroup of [`Kernel::Best`] looks at, as its WGSL says.
pub(super) const SLICE: u32 = 1024;

/// A kernel, and what it is specialised to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    /// Rows of a table.
    Embed {
        /// The number of the table's format.
        format: u32,
    },
    /// A matrix product.
    Matmul {
        /// The number of the matrix's format.
        format: u32,
        /// Who does what.
        way: Way,
        /// Rows are whole groups of 32.
        is_whole: bool,
    },
    /// RMS norm from one tensor to another.
    Norm,
    /// RMS norm of heads, where they are.
    NormInPlace,
    /// Rotary positions.
    Rope,
    /// Keys and values into the cache.
    Append {
        /// The cache holds halves.
        is_half: bool,
    },
    /// Attention.
    Attention {
        /// The cache holds halves.
        is_half: bool,
        /// Floats of a head that an invocation sums.
        dims: u32,
    },
    /// An op on each element.
    Each(Element),
    /// The greatest values.
    Best,
}

/// How the work of a matrix product is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// An invocation an output and a row of x: no barriers, which a CPU pays dearly for.
    Alone,
    /// So many invocations an output, for a row of x.
    Together { threads: u32 },
    /// So many invocations an output, for up to so many rows of x.
    Rows { threads: u32, rows: u32 },
}

impl Way {
    /// Invocations that share an output.
    pub(super) fn threads(self) -> u32 {
        match self {
            Self::Alone => 1,
            Self::Together { threads } | Self::Rows { threads, .. } => threads,
        }
    }

    /// Rows of x that a workgroup takes.
    pub(super) fn rows(self) -> u32 {
        match self {
            Self::Alone | Self::Together { .. } => 1,
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
    fn value(self) -> &'static str {
        match self {
            Self::Add => "x[i] + y[i]",
            Self::AddBias => "x[i] + y[i % params.columns]",
            Self::Silu => "silu(x[i]) * y[i]",
            Self::GeluTanh => "gelu_tanh(x[i]) * y[i]",
            Self::Scale => "params.factor * x[i]",
            Self::SoftCap => "params.factor * precise_tanh(x[i] / params.factor)",
            Self::Rows => "y[params.first + i]",
        }
    }

    /// Whether there is a second tensor, `y`.
    fn has_other(self) -> bool {
        !matches!(self, Self::Scale | Self::SoftCap)
    }
}

impl Kernel {
    /// Buffers that it reads, and that it writes, bound in this order behind the parameters.
    fn bindings(self) -> [u32; 2] {
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

    /// Its WGSL.
    pub(super) fn source(self) -> String {
        let common = include_str!("shaders/common.wgsl").to_owned();
        match self {
            Self::Embed { format } => {
                common + &unpacking(format) + include_str!("shaders/embed.wgsl")
            }
            Self::Matmul { format, way, is_whole } => {
                common + &unpacking(format) + &product(way, is_whole)
            }
            Self::Norm => {
                common
                    + include_str!("shaders/norm.wgsl")
                    + "@group(0) @binding(2) var<storage, read> source: array<f32>;\n\
                       @group(0) @binding(3) var<storage, read_write> result: array<f32>;\n"
            }
            Self::NormInPlace => {
                let norm = include_str!("shaders/norm.wgsl").replace("result[", "source[");
                common
                    + &norm
                    + "@group(0) @binding(2) var<storage, read_write> source: array<f32>;\n"
            }
            Self::Rope => common + include_str!("shaders/rope.wgsl"),
            Self::Append { is_half } => {
                let packing = if is_half {
                    include_str!("shaders/pack_f16.wgsl")
                } else {
                    include_str!("shaders/pack_f32.wgsl")
                };
                common + include_str!("shaders/append.wgsl") + packing
            }
            Self::Attention { is_half, dims } => {
                let element = if is_half {
                    include_str!("shaders/cache_f16.wgsl")
                } else {
                    include_str!("shaders/cache_f32.wgsl")
                };
                let dims = format!("const DIMS: u32 = {dims}u;\n");
                common + &dims + include_str!("shaders/attention.wgsl") + element
            }
            Self::Each(element) => each(element, common),
            Self::Best => common + include_str!("shaders/best.wgsl"),
        }
    }
}

/// How weights of a format become numbers.
fn unpacking(format: u32) -> String {
    let shared = include_str!("shaders/unpack.wgsl");
    let groups = include_str!("shaders/weights/scale_and_least.wgsl");
    let Some(format) = Format::of(format) else { return String::new() };
    let own = match format.name {
        "F32" => include_str!("shaders/weights/f32.wgsl"),
        "F16" => include_str!("shaders/weights/f16.wgsl"),
        "BF16" => include_str!("shaders/weights/bf16.wgsl"),
        "Q4_0" => include_str!("shaders/weights/q4_0.wgsl"),
        "Q4_1" => include_str!("shaders/weights/q4_1.wgsl"),
        "Q5_0" => include_str!("shaders/weights/q5_0.wgsl"),
        "Q5_1" => include_str!("shaders/weights/q5_1.wgsl"),
        "Q8_0" => include_str!("shaders/weights/q8_0.wgsl"),
        "Q2_K" => include_str!("shaders/weights/q2_k.wgsl"),
        "Q3_K" => include_str!("shaders/weights/q3_k.wgsl"),
        "Q4_K" => &[groups, include_str!("shaders/weights/q4_k.wgsl")].concat(),
        "Q5_K" => &[groups, include_str!("shaders/weights/q5_k.wgsl")].concat(),
        "Q6_K" => include_str!("shaders/weights/q6_k.wgsl"),
        "IQ4_NL" => include_str!("shaders/weights/iq4_nl.wgsl"),
        // A format without its piece does not compile, and the load fails with that.
        _ => "",
    };
    let packing = Packing::of(format);
    let (groups, words) = (packing.weights / GROUP, packing.bytes / 4);
    format!("const GROUPS: u32 = {groups}u;\nconst BLOCK_WORDS: u32 = {words}u;\n{shared}{own}")
}

fn product(way: Way, is_whole: bool) -> String {
    let params = include_str!("shaders/matmul_params.wgsl");
    let x = if is_whole {
        include_str!("shaders/x_whole.wgsl")
    } else {
        include_str!("shaders/x_tail.wgsl")
    };
    let body = match way {
        Way::Alone => include_str!("shaders/matmul_per_output.wgsl").to_owned(),
        Way::Together { .. } => include_str!("shaders/matmul_split.wgsl").to_owned(),
        Way::Rows { threads: 1, rows } => {
            for_each_row(include_str!("shaders/matmul_rows_per_output.wgsl"), rows)
        }
        Way::Rows { rows, .. } => {
            for_each_row(include_str!("shaders/matmul_rows_split.wgsl"), rows)
        }
    };
    let (threads, rows) = (way.threads(), way.rows());
    format!(
        "const WIDTH: u32 = {WIDTH}u;\nconst THREADS: u32 = {threads}u;\n\
         const ROWS: u32 = {rows}u;\n{params}{x}{body}"
    )
}

/// Repeats the lines that are marked so for each row: an array of sums would lie in memory.
fn for_each_row(source: &str, rows: u32) -> String {
    let mut unrolled = String::new();
    for line in source.lines() {
        match line.split_once("/*each row*/") {
            None => unrolled.extend([line, "\n"]),
            Some((_, line)) => {
                for row in 0..rows {
                    let line = line.replace("_ROW", &format!("_{row}"));
                    unrolled.extend([&line.replace("ROWu", &format!("{row}u")), "\n"]);
                }
            }
        }
    }
    unrolled
}

fn each(element: Element, common: String) -> String {
    let other = "@group(0) @binding(1) var<storage, read> y: array<f32>;\n\
                 @group(0) @binding(2) var<storage, read_write> x: array<f32>;\n";
    let alone = "@group(0) @binding(1) var<storage, read_write> x: array<f32>;\n";
    let bindings = if element.has_other() { other } else { alone };
    common + &include_str!("shaders/each.wgsl").replace("VALUE", element.value()) + bindings
}

/// A kernel that can be run.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) raw: ComputePipeline,
    /// Which of the layouts its bind groups have.
    pub(super) bindings: [u32; 2],
    pub(super) layout: BindGroupLayout,
}

/// The pipelines that have been made.
#[derive(Debug)]
pub(super) struct Kernels {
    faults: Faults,
    made: HashMap<Kernel, Rc<Pipeline>>,
    layouts: HashMap<[u32; 2], (BindGroupLayout, PipelineLayout)>,
}

impl Kernels {
    /// None yet. All will have `faults`.
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults, made: HashMap::new(), layouts: HashMap::new() }
    }

    /// A kernel's pipeline.
    pub(super) fn get(&mut self, device: &wgpu::Device, kernel: Kernel) -> Rc<Pipeline> {
        if let Some(made) = self.made.get(&kernel) {
            return Rc::clone(made);
        }
        let bindings = kernel.bindings();
        let (layout, pipeline_layout) =
            self.layouts.entry(bindings).or_insert_with(|| layouts(device, bindings));
        let label = format!("{kernel:?}");
        let module = device.create_shader_module(ShaderModuleDescriptor {
            label: Some(&label),
            source: ShaderSource::Wgsl(self.faults.on_shader(kernel.source()).into()),
        });
        let raw = device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(&label),
            layout: Some(pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let made = Rc::new(Pipeline { raw, bindings, layout: layout.clone() });
        self.made.insert(kernel, Rc::clone(&made));
        made
    }
}

/// The layout of kernels with so many buffers to read and to write.
fn layouts(device: &wgpu::Device, [reads, writes]: [u32; 2]) -> (BindGroupLayout, PipelineLayout) {
    let entry = |binding, ty, has_dynamic_offset| BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let parameters = entry(0, BufferBindingType::Uniform, true);
    let buffers = (1..=reads + writes).map(|binding| {
        entry(binding, BufferBindingType::Storage { read_only: binding <= reads }, false)
    });
    let entries: Vec<_> = std::iter::once(parameters).chain(buffers).collect();
    let layout = device
        .create_bind_group_layout(&BindGroupLayoutDescriptor { label: None, entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    (layout, pipeline_layout)
}
