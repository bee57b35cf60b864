//! From generated ids to text, one token at a time.
//!
//! Text is held back for two reasons: a character whose bytes are incomplete, and a piece that may
//! become a stop string. The final text does not depend on how tokens split it.

use super::Tokenizer;
use crate::protocol::EngineError;

/// The text of one generation. Feed it each id, show the text it returns, and end with
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    decoder: Utf8Decoder,
    stop: StopScanner,
}

impl<'t> TextStream<'t> {
    /// A stream that ends before the first of the `stop` strings. An empty stop string is an error.
    pub fn new(tokenizer: &'t Tokenizer, stop: &[String]) -> Result<Self, EngineError> {
        if stop.iter().any(String::is_empty) {
            return Err(EngineError::invalid_request("a stop string is empty")
                .with_hint("leave it out: an empty string matches everywhere"));
        }
        Ok(Self { tokenizer, decoder: Utf8Decoder::default(), stop: StopScanner::new(stop) })
    }

    /// The text that this id completes; empty for control tokens, inside a character, while a stop
    /// string is possible, and after one was found.
    pub fn push(&mut self, id: u32) -> String {
        let text = self.decoder.push(self.tokenizer.token_bytes(id));
        self.stop.push(&text)
    }

    /// Whether a stop string was found. It and the text after it are not shown.
    pub fn is_stopped(&self) -> bool {
        self.stop.stopped
    }

    /// The rest: a possible start of a stop string, and U+FFFD for an incomplete character.
    pub fn finish(&mut self) -> String {
        let text = self.decoder.finish();
        let mut shown = self.stop.push(&text);
        shown.push_str(&self.stop.finish());
        shown
    }
}

/// Decodes UTF-8 in pieces. The whole output is `String::from_utf8_lossy` of the whole input.
#[derive(Debug, Default)]
struct Utf8Decoder {
    /// The bytes of an incomplete character; at most three.
    open: Vec<u8>,
}

impl Utf8Decoder {
    /// Returns the complete characters; bytes that can't become one are U+FFFD at once.
    fn push(&mut self, bytes: &[u8]) -> String {
        self.open.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.open.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    // No length: the input ends inside a character.
                    let Some(invalid) = error.error_len() else {
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = rest.split_at(invalid).1;
                }
            }
        }
        self.open = rest.to_vec();
        text
    }

    /// Returns U+FFFD for an incomplete character.
    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.open)).into_owned()
    }
}

/// Finds the stop string that ends first; of several that end together, the longest.
#[derive(Debug)]
struct StopScanner {
    stop: Vec<String>,
    /// Text that may be the start of a stop string.
    held: String,
    stopped: bool,
}

impl StopScanner {
    fn new(stop: &[String]) -> Self {
        Self { stop: stop.to_vec(), held: String::new(), stopped: false }
    }

    /// Returns the text that can no longer be part of a stop string.
    fn push(&mut self, text: &str) -> String {
        if self.stop.is_empty() {
            return text.to_owned();
        }
        let mut shown = String::new();
        // Character by character, so that the result does not depend on the pieces.
        for c in text.chars() {
            if self.stopped {
                break;
            }
            self.held.push(c);
            let found = self.stop.iter().filter(|stop| self.held.ends_with(stop.as_str()));
            if let Some(length) = found.map(String::len).max() {
                shown.push_str(&self.held[..self.held.len() - length]);
                self.held.clear();
                self.stopped = true;
            } else {
                let free = self.held.len() - self.possible_beginning();
                shown.extend(self.held.drain(..free));
            }
        }
        shown
    }

    /// The length in bytes of the longest suffix of `held` that a stop string begins with.
    fn possible_beginning(&self) -> usize {
        self.held
            .char_indices()
            .map(|(at, _)| &self.held[at..])
            .find(|end| self.stop.iter().any(|stop| stop.starts_with(end)))
            .map_or(0, str::len)
    }

    fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cuts `bytes` at the places named by `cuts`, in any order.
    fn pieces<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }

    /// Bytes with valid, truncated and invalid characters.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            any::<char>().prop_map(|c| {
                let mut bytes = c.to_string().into_bytes();
                bytes.pop();
                bytes
            }),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_text_of_the_whole(
            bytes in bytes(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut decoder = Utf8Decoder::default();
            let mut text = String::new();
            for piece in pieces(&bytes, &cuts) {
                text.push_str(&decoder.push(piece));
                // Only bytes that could still become a character are held.
                prop_assert!(decoder.open.len() < 4);
            }
            text.push_str(&decoder.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }

        /// Compared with the plain definition: the match that ends first, the longest of those.
        #[test]
        fn stop_strings_do_not_depend_on_the_cuts(
            text in "[abc]{0,16}",
            stop in prop::collection::vec("[abc]{1,4}", 1..4),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let first = (1..=text.len()).find_map(|end| {
                let ends = stop.iter().filter(|s| text[..end].ends_with(s.as_str()));
                ends.map(String::len).max().map(|length| end - length)
            });
            let expected = &text[..first.unwrap_or(text.len())];

            let mut scanner = StopScanner::new(&stop);
            let mut shown = String::new();
            for piece in pieces(text.as_bytes(), &cuts) {
                shown.push_str(&scanner.push(std::str::from_utf8(piece).unwrap()));
                prop_assert!(expected.starts_with(&shown), "showed too much");
            }
            shown.push_str(&scanner.finish());
            prop_assert_eq!(shown, expected);
            prop_assert_eq!(scanner.stopped, first.is_some());
        }
    }

    #[test]
    fn an_incomplete_character_is_held_and_an_invalid_one_is_not() {
        let mut decoder = Utf8Decoder::default();
        assert_eq!(decoder.push(&[0xf0, 0x9f]), "");
        assert_eq!(decoder.push(&[0x98]), "");
        assert_eq!(decoder.push(&[0x80, b'!']), "😀!");
        // 0xff can't begin a character, and 0x28 can't follow 0xc3.
        assert_eq!(decoder.push(&[0xff]), "\u{fffd}");
        assert_eq!(decoder.push(&[0xc3]), "");
        assert_eq!(decoder.push(&[0x28]), "\u{fffd}(");
        assert_eq!(decoder.push(&[0xe2, 0x82]), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }

    #[test]
    fn only_what_may_become_a_stop_string_is_held() {
        let mut scanner = StopScanner::new(&["\n\nUser:".into(), "END".into()]);
        let steps =
            [("a\n", "a"), ("\nU", ""), ("se", ""), ("e", "\n\nUsee"), ("E", ""), ("N", "")];
        for (text, shown) in steps {
            assert_eq!(scanner.push(text), shown);
        }
        assert_eq!(scanner.push("D and more"), "");
        assert!(scanner.stopped);
        assert_eq!(scanner.finish(), "");
    }
}
