//! How text is split into words before the merges: a table from `tokenizer.ggml.pre` to patterns.
//! An unknown name is an error, since a wrong split silently gives wrong ids.
//!
//! The patterns match `llama.cpp`'s (`src/llama-vocab.cpp`), which for text outside ASCII may
//! differ from the model's own tokenizer: its letters have no case there. They run on an engine
//! without backtracking, so that every text takes linear time; the one lookahead that all of them
//! have, `\s+(?!\S)`, is [`Space`].

use regex::Regex;

use crate::protocol::EngineError;

/// The row of one value of `tokenizer.ggml.pre`; `unsupported-model` if there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PreTokenizer {
    /// The values with this meaning.
    names: &'static [&'static str],
    /// Patterns, each applied to what the previous ones left unsplit.
    cuts: &'static [Cut],
    /// Whether a word that is a token is taken whole, whatever the merges give.
    pub(super) ignore_merges: bool,
    /// Whether a sequence begins with `bos` if the file does not say.
    pub(super) add_bos: bool,
}

/// One pattern. Each match is a word, and so is each text between matches.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    pattern: &'static str,
    space: Space,
}

/// How a run of white space before other text is split.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Space {
    /// As the pattern matches.
    Whole,
    /// Its last character goes to the next word: `\s+(?!\S)`.
    LastLeft,
    /// The same, unless that is a line break: the pattern has `\s*[\r\n]+` before it.
    LastLeftButBreaks,
}

const fn plain(pattern: &'static str) -> Cut {
    Cut { pattern, space: Space::Whole }
}

const fn words(pattern: &'static str) -> Cut {
    Cut { pattern, space: Space::LastLeft }
}

const fn words_and_breaks(pattern: &'static str) -> Cut {
    Cut { pattern, space: Space::LastLeftButBreaks }
}

const GPT2: Cut = words(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+");
const LLAMA3: Cut = words_and_breaks(
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
);
const QWEN2: Cut = words_and_breaks(
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
);
const QWEN35: Cut = words_and_breaks(
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
);
const TEKKEN: Cut = words_and_breaks(
    r"[^\r\n\p{L}\p{N}]?[\p{L}--a-z]*[\p{L}--A-Z]+|[^\r\n\p{L}\p{N}]?[\p{L}--a-z]+[\p{L}--A-Z]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
);
const GPT4O: Cut = words_and_breaks(
    r"[^\r\n\p{L}\p{N}]?[\p{L}--a-z]*[\p{L}--A-Z]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{L}--a-z]+[\p{L}--A-Z]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
);
const DEEPSEEK3: Cut = words_and_breaks(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+"##,
);
/// The letters of scripts with case, as the model's authors listed them.
#[rustfmt::skip]
const DEEPSEEK_LETTERS: Cut = plain(concat!(
    r"\s?[",
    r"A-Za-z\u{B5}\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{1BA}\u{1BC}-\u{1BF}\u{1C4}-\u{293}",
    r"\u{295}-\u{2AF}\u{370}-\u{373}\u{376}\u{377}\u{37B}-\u{37D}\u{37F}\u{386}",
    r"\u{388}-\u{38A}\u{38C}\u{38E}-\u{3A1}\u{3A3}-\u{3F5}\u{3F7}-\u{481}\u{48A}-\u{52F}",
    r"\u{531}-\u{556}\u{10A0}-\u{10C5}\u{13A0}-\u{13F5}\u{13F8}-\u{13FD}\u{1C90}-\u{1CBA}",
    r"\u{1CBD}-\u{1CBF}\u{1D00}-\u{1D2B}\u{1D6B}-\u{1D77}\u{1D79}-\u{1D9A}",
    r"\u{1E00}-\u{1F15}\u{1F18}-\u{1F1D}\u{1F20}-\u{1F45}\u{1F48}-\u{1F4D}",
    r"\u{1F50}-\u{1F57}\u{1F59}\u{1F5B}\u{1F5D}\u{1F5F}-\u{1F7D}\u{1F80}-\u{1FB4}",
    r"\u{1FB6}-\u{1FBC}\u{1FBE}\u{1FC2}-\u{1FC4}\u{1FC6}-\u{1FCC}\u{1FD0}-\u{1FD3}",
    r"\u{1FD6}-\u{1FDB}\u{1FE0}-\u{1FEC}\u{1FF2}-\u{1FF4}\u{1FF6}-\u{1FFC}\u{2102}\u{2107}",
    r"\u{210A}-\u{2113}\u{2115}\u{2119}-\u{211D}\u{2124}\u{2126}\u{2128}\u{212A}-\u{212D}",
    r"\u{212F}-\u{2134}\u{2139}\u{213C}-\u{213F}\u{2145}-\u{2149}\u{214E}\u{2183}\u{2184}",
    r"\u{2C00}-\u{2C7B}\u{2C7E}-\u{2CE4}\u{2CEB}-\u{2CEE}\u{2CF2}\u{2CF3}\u{A640}-\u{A66D}",
    r"\u{A680}-\u{A69B}\u{A722}-\u{A76F}\u{A771}-\u{A787}\u{A78B}-\u{A78E}",
    r"\u{AB70}-\u{ABBF}\u{FB00}-\u{FB06}\u{FB13}-\u{FB17}\u{FF21}-\u{FF3A}",
    r"\u{FF41}-\u{FF5A}\u{10400}-\u{1044F}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}",
    r"\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}",
    r"]+",
));
const HAN_TO_HANGUL: Cut = plain(r"[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+");
const HAN_AND_KANA: Cut = plain(r"[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+");
const DIGIT: Cut = plain(r"\p{N}");
const THREE_DIGITS: Cut = plain("[0-9][0-9][0-9]");

const fn pre(names: &'static [&'static str], cuts: &'static [Cut]) -> PreTokenizer {
    PreTokenizer { names, cuts, ignore_merges: false, add_bos: false }
}

const fn whole_words(names: &'static [&'static str], cuts: &'static [Cut]) -> PreTokenizer {
    PreTokenizer { names, cuts, ignore_merges: true, add_bos: false }
}

/// The names that share a row are those that `llama.cpp` treats alike.
const TABLE: &[PreTokenizer] = &[
    pre(
        // A file without the key is older than the key.
        &["default", ""],
        &[plain(r"[\p{P}\$\+<=>\^~\|]+"), GPT2, plain(r"\p{N}+"), THREE_DIGITS],
    ),
    pre(
        &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        &[GPT2],
    ),
    pre(
        &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        &[DIGIT, GPT2],
    ),
    PreTokenizer {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        cuts: &[LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    whole_words(&["glm4", "glm5"], &[LLAMA3]),
    pre(&["smaug-bpe", "dbrx", "chatglm-bpe"], &[LLAMA3]),
    pre(
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "megrez",
            "stablelm2",
            "hunyuan",
            "kormo",
            "solar-open",
            "grok-2",
        ],
        &[QWEN2],
    ),
    pre(&["qwen35"], &[QWEN35]),
    PreTokenizer { names: &["tekken"], cuts: &[TEKKEN], ignore_merges: true, add_bos: true },
    pre(&["gpt-4o", "llama4", "kanana2", "minimax-m2"], &[GPT4O]),
    pre(
        &["deepseek-llm"],
        &[
            plain(r"[\r\n]"),
            DEEPSEEK_LETTERS,
            plain(
                r"\s?[!-/:-~\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF5E}\u{2018}-\u{201F}\u{3001}\u{3002}]+",
            ),
            plain(r"\s+$"),
            HAN_TO_HANGUL,
            plain(r"\p{N}+"),
        ],
    ),
    pre(
        &["deepseek-coder"],
        &[plain(r"[\r\n]"), plain(r"\s?\p{L}+"), plain(r"\s?\p{P}+"), HAN_TO_HANGUL, DIGIT],
    ),
    pre(
        &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        &[plain(r"\p{N}{1,3}"), HAN_AND_KANA, DEEPSEEK3],
    ),
    pre(&["falcon"], &[plain(r"[\p{P}\$\+<=>\^~\|`]+"), GPT2, THREE_DIGITS]),
];

/// Lines, for `tokenizer.ggml.model = gemma4`, whose merges cross spaces.
pub(super) const LINES: PreTokenizer =
    PreTokenizer { names: &[], cuts: &[plain(r"[^\n]+")], ignore_merges: false, add_bos: true };

impl PreTokenizer {
    /// The row of one value of `tokenizer.ggml.pre`; `unsupported-model` if there is none.
    pub(super) fn named(name: &str) -> Result<Self, EngineError> {
        let known = || TABLE.iter().flat_map(|row| row.names).filter(|name| !name.is_empty());
        TABLE.iter().find(|row| row.names.contains(&name)).copied().ok_or_else(|| {
            EngineError::unsupported_model(format!("unknown `tokenizer.ggml.pre`: `{name}`"))
                .with_hint(format!("expected one of: {}", listed(known())))
        })
    }

    /// The patterns, compiled.
    pub(super) fn cutter(self) -> Cutter {
        let compiled = |cut: &Cut| {
            (Regex::new(cut.pattern).expect("every pattern of the table compiles"), cut.space)
        };
        Cutter(self.cuts.iter().map(compiled).collect())
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n &'static str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Splits text.
#[derive(Debug)]
pub(super) struct Cutter(Vec<(Regex, Space)>);

impl Cutter {
    /// The words of a text, in order; together they are the text.
    pub(super) fn cut<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut words = vec![text];
        for (pattern, space) in &self.0 {
            words = words.into_iter().flat_map(|word| pieces(pattern, *space, word)).collect();
        }
        words.retain(|word| !word.is_empty());
        words
    }
}

/// Splits one piece of text by one pattern.
fn pieces<'t>(pattern: &Regex, space: Space, text: &'t str) -> Vec<&'t str> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(found) = pattern.find_at(text, at) {
        let mut end = found.end();
        if end < text.len() {
            end -= space.left_of(found.as_str());
        }
        if end <= at {
            break;
        }
        pieces.extend([&text[at..found.start()], &text[found.start()..end]]);
        at = end;
    }
    pieces.push(&text[at..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

impl Space {
    /// Bytes at the end of a match that go to the next word.
    fn left_of(self, found: &str) -> usize {
        let mut characters = found.chars();
        let Some(last) = characters.next_back() else { return 0 };
        let is_left = match self {
            Self::Whole => false,
            Self::LastLeft => true,
            Self::LastLeftButBreaks => !matches!(last, '\r' | '\n'),
        };
        let is_run = !characters.as_str().is_empty() && found.chars().all(char::is_whitespace);
        if is_left && is_run { last.len_utf8() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::EngineErrorKind;

    fn words(pre: &str, text: &'static str) -> Vec<&'static str> {
        PreTokenizer::named(pre).unwrap().cutter().cut(text)
    }

    #[test]
    fn each_family_splits_its_own_way() {
        for (pre, text, expected) in [
            ("gpt-2", "in 2024 it's", vec!["in", " 2024", " it", "'s"]),
            ("gpt-2", "a \n b", vec!["a", " \n", " b"]),
            ("gpt-2", "a\n\nb", vec!["a", "\n", "\n", "b"]),
            ("qwen2", "a\n\nb", vec!["a", "\n\n", "b"]),
            ("smollm", "in 2024", vec!["in", " ", "2", "0", "2", "4"]),
            ("llama-bpe", "12345 it'S", vec!["123", "45", " it", "'S"]),
            ("llama-bpe", "a  \n  b", vec!["a", "  \n", " ", " b"]),
            ("qwen2", "12", vec!["1", "2"]),
            ("tekken", "camelCase ABCdef", vec!["camel", "Case", " ABCdef"]),
            ("falcon", "12345`", vec!["123", "45", "`"]),
            ("deepseek-llm", "a\n\nb  ", vec!["a", "\n", "\n", "b", "  "]),
        ] {
            assert_eq!(words(pre, text), expected, "{pre} {text:?}");
        }
    }

    #[test]
    fn every_pattern_compiles_and_every_name_is_unique() {
        let mut names: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().collect();
        for name in &names {
            PreTokenizer::named(name).unwrap().cutter();
        }
        LINES.cutter();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let error = PreTokenizer::named("nothing").unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::UnsupportedModel);
        assert!(error.hint.unwrap().starts_with("expected one of: `default`, `gpt-2`, "));
    }

    /// Nothing is lost, and a text that defeats a backtracking engine is handled like any other.
    #[test]
    fn the_words_together_are_the_text() {
        let long = [" ".repeat(30_000), "a".repeat(30_000), "é1 \n\t'".repeat(3_000)].concat();
        for row in TABLE {
            assert!(row.cutter().cut(&long).concat() == long, "{:?}", row.names);
        }
    }
}
