
// A cache whose words hold two halves each.

fn half_of(word: u32, column: u32) -> f32 {
    return half((word >> (column % 2u * 16u)) & 0xffffu);
}

fn cached_key(position: u32, column: u32) -> f32 {
    return half_of(cached_keys[position * params.row_words + column / 2u], column);
}

fn cached_value(position: u32, column: u32) -> f32 {
    return half_of(cached_values[position * params.row_words + column / 2u], column);
}
