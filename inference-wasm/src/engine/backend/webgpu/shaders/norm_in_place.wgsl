
// In place.
@group(0) @binding(2) var<storage, read_write> source: array<f32>;

fn put(i: u32, value: f32) {
    source[i] = value;
}
