
// From one tensor to another.
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

fn put(i: u32, value: f32) {
    result[i] = value;
}
