
// A word holds two halves; the last one of a row of odd width is half empty.

fn key_word(row: u32, word: u32) -> u32 {
    let low = to_half(keys[row + word * 2u]);
    if word * 2u + 1u >= params.width {
        return low;
    }
    return low | (to_half(keys[row + word * 2u + 1u]) << 16u);
}

fn value_word(row: u32, word: u32) -> u32 {
    let low = to_half(values[row + word * 2u]);
    if word * 2u + 1u >= params.width {
        return low;
    }
    return low | (to_half(values[row + word * 2u + 1u]) << 16u);
}
