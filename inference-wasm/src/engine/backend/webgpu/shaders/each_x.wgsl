
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
