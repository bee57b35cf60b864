//! Pipelines: made once, when something that needs one is loaded, or at warm-up.
//! [`work`](super::work) runs them.

use std::collections::HashMap;
use std::rc::Rc;

use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType,
    BufferBindingType, ComputePipeline, ComputePipelineDescriptor, PipelineLayout,
    PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderSource, ShaderStages,
};

use super::kernel::Kernel;
use super::wgsl;
use crate::engine::mutant::Mutants;

/// A kernel that can be run.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) raw: ComputePipeline,
    /// The layout of its bind groups.
    pub(super) bindings: [u32; 2],
    pub(super) layout: BindGroupLayout,
}

/// The pipelines made so far.
#[derive(Debug)]
pub(super) struct Kernels {
    mutants: Mutants,
    made: HashMap<Kernel, Rc<Pipeline>>,
    layouts: HashMap<[u32; 2], (BindGroupLayout, PipelineLayout)>,
}

impl Kernels {
    /// No pipelines yet. All will have `mutants`.
    pub(super) fn new(mutants: Mutants) -> Self {
        Self { mutants, made: HashMap::new(), layouts: HashMap::new() }
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
            source: ShaderSource::Wgsl(self.mutants.on_shader(wgsl::source(kernel)).into()),
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

/// The layout of kernels with this many buffers to read and to write.
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
