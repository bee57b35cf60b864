
// A word is a float.

fn key_word(row: u32, word: u32) -> u32 {
    return bitcast<u32>(keys[row + word]);
}

fn value_word(row: u32, word: u32) -> u32 {
    return bitcast<u32>(values[row + word]);
}
