
// A cache whose words are floats.

fn cached_key(position: u32, column: u32) -> f32 {
    return bitcast<f32>(cached_keys[position * params.row_words + column]);
}

fn cached_value(position: u32, column: u32) -> f32 {
    return bitcast<f32>(cached_values[position * params.row_words + column]);
}
