//! Phrases that must not come back, in everything that a person reads: documentation, comments,
//! messages, names.
//!
//! A machine can't judge style. This finds the words that made the text hard to read, and says what
//! to write instead. To keep a line that uses a word well, list a part of it in [`ALLOWED`].

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the phrases are banned: paths that begin with one of these; `""` is everywhere.
const CHECKED: &[&str] = &[""];

/// Text of models, recorded history, and what other programs write.
const UNCHECKED: &[&str] = &[
    "CHANGELOG.md",
    "bench/",
    "fixtures/models/",
    // Hashed into goldens, so a new comment would make them stale.
    "fixtures/reference/architectures.py",
    "fixtures/prompts/",
    "fixtures/tokenizer/",
    "fuzz/corpus/",
    "fuzz/findings/",
    "golden/",
    "inference-wasm/tests/data/",
    "tests/gates/package-lock.json",
];

/// Kinds of files that hold sentences.
const KINDS: &[&str] = &["css", "html", "js", "md", "py", "rs", "sh", "toml", "ts"];

/// Files without an ending that do, too.
const SCRIPTS: &[&str] = &["tierproof", ".ci/run"];

/// A phrase, in small letters unless only this spelling is meant, and what to write instead.
struct Phrase {
    words: &'static str,
    better: &'static str,
    /// Words before it that make it plain English.
    not_after: &'static [&'static str],
    /// Words after it that do.
    not_before: &'static [&'static str],
}

const fn phrase(words: &'static str, better: &'static str) -> Phrase {
    Phrase { words, better, not_after: &[], not_before: &[] }
}

/// "There is no file" and "it is no longer there" are what an English speaker says.
const fn negation(words: &'static str) -> Phrase {
    Phrase {
        words,
        better: "`is not a …`, `has no …` or a word for it, as in `invalid`",
        not_after: &["there"],
        not_before: &["better", "fewer", "larger", "later", "less", "longer", "more", "one"],
    }
}

const PHRASES: &[Phrase] = &[
    phrase("so many", "the name of the number, as in `n threads`"),
    negation("is no"),
    negation("are no"),
    negation("was no"),
    negation("were no"),
    phrase("told", "`reported`, `printed`, `returned`, `given`"),
    phrase("tells", "`reports`, `says`, `prints`, `returns`"),
    phrase("nobody", "the name of who doesn't, as in `no caller`, or the passive"),
    phrase("whatever it was", "the name of it"),
    phrase("Shop", "`RunContext`"),
    phrase("behind", "`after`; for a place, list the line in `ALLOWED`"),
];

/// Parts of lines in which a phrase is right: a word of the protocol, a place.
const ALLOWED: &[(&str, &str)] = &[
    // Sent by pages: `{"of":"client-told"}`.
    ("told", "client-told"),
    ("told", "ClientTold"),
    // A place: a server, hardware or a process out of sight.
    ("behind", "for other machines, behind TLS"),
    ("behind", "hardware behind a renderer"),
    ("behind", "The host behind it"),
    // Something that remains.
    ("behind", "leaves_nothing_behind"),
    ("behind", "nothing is left behind"),
    // Names of scenarios and lines of their recorded traces.
    ("behind", "never-behind-an-open-breaker"),
    ("behind", "behind {} tokens"),
];

#[test]
fn the_text_is_plain_english() {
    let mut found = Vec::new();
    for file in tracked_files() {
        // This file names them.
        if !is_checked(&file) || file == "tests/tests/language.rs" {
            continue;
        }
        let text = fs_err::read_to_string(root().join(&file)).expect("a tracked file can be read");
        found.extend(offences(&text).into_iter().map(|offence| format!("{file}:{offence}")));
    }
    assert!(
        found.is_empty(),
        "{} phrases to be put into plain English:\n  {}",
        found.len(),
        found.join("\n  ")
    );
}

fn is_checked(file: &str) -> bool {
    let begins = |paths: &[&str]| paths.iter().any(|path| file.starts_with(path));
    let kind = Path::new(file).extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    begins(CHECKED) && !begins(UNCHECKED) && (KINDS.contains(&kind) || SCRIPTS.contains(&file))
}

/// One word of a text.
struct Word<'a> {
    text: &'a str,
    /// Where it begins, in bytes.
    at: usize,
    /// Only space, marks of comments or `_` lie between it and the word before it.
    continues: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '\'';
    let mut words: Vec<Word<'_>> = Vec::new();
    let (mut at, mut end) = (0, 0);
    while let Some(begin) = text[at..].find(is_letter).map(|offset| at + offset) {
        let rest = &text[begin..];
        let length = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        let continues =
            text[end..begin].chars().all(|c| c.is_whitespace() || "_/!#*\\".contains(c));
        words.push(Word { text: &rest[..length], at: begin, continues });
        (at, end) = (begin + length, begin + length);
    }
    words
}

/// `LINE: phrase → what is better`, for each in a text.
fn offences(text: &str) -> Vec<String> {
    let words = words(text);
    let mut found = Vec::new();
    for phrase in PHRASES {
        let wanted: Vec<_> = phrase.words.split(' ').collect();
        for (first, window) in words.windows(wanted.len()).enumerate() {
            let is_here = window.iter().zip(&wanted).enumerate().all(|(nth, (word, wanted))| {
                is_word(word.text, wanted) && (nth == 0 || word.continues)
            });
            if !is_here || is_plain(phrase, &words, first, wanted.len(), text) {
                continue;
            }
            let number = text[..window[0].at].matches('\n').count();
            let line = text.lines().nth(number).unwrap_or_default();
            let is_allowed =
                |(words, part): &(&str, &str)| *words == phrase.words && line.contains(part);
            if !ALLOWED.iter().any(is_allowed) {
                found.push((number, format!("`{}` → {}", phrase.words, phrase.better)));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(number, text)| format!("{}: {text}", number + 1)).collect()
}

fn is_word(found: &str, wanted: &str) -> bool {
    let is_name = wanted.chars().any(char::is_uppercase);
    if is_name { found == wanted } else { found.eq_ignore_ascii_case(wanted) }
}

/// Whether the words around a phrase make it plain English.
fn is_plain(phrase: &Phrase, words: &[Word<'_>], first: usize, count: usize, text: &str) -> bool {
    let before = first.checked_sub(1).map(|before| words[before].text.to_lowercase());
    let after = words.get(first + count);
    // As in `no-op`.
    let last = &words[first + count - 1];
    let is_compound = count > 1 && text[last.at + last.text.len()..].starts_with('-');
    is_compound
        || before.is_some_and(|word| phrase.not_after.contains(&word.as_str()))
        || after.is_some_and(|word| phrase.not_before.contains(&word.text.to_lowercase().as_str()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn tracked_files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .current_dir(root())
        .output()
        .expect("`git` starts");
    let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files = text.lines().filter(|file| root().join(PathBuf::from(file)).is_file());
    let files: Vec<_> = files.map(ToOwned::to_owned).collect();
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files
}

#[test]
fn a_phrase_is_found_across_lines_and_in_names_and_not_in_other_words() {
    for (text, expected) in [
        ("// It is\n/// no answer.", vec!["1: `is no`"]),
        ("fn a_page_is_no_place() {}", vec!["1: `is no`"]),
        ("a\n\"a message that is \\\n no JSON\"", vec!["2: `is no`"]),
        ("There is no file, and it is no longer a no-op. He is. No.", vec![]),
        ("There\n/// is no file; this is no-op.", vec![]),
        ("So many words, retold, tells-all, untold", vec!["1: `so many`", "1: `tells`"]),
        ("let told = 1; // {\"of\":\"client-told\"}", vec![]),
        ("struct Shop; // a workshop, a shop, a Shopper", vec!["1: `Shop`"]),
        (
            "Nobody is behind it,\nwhatever it was.",
            vec!["1: `behind`", "1: `nobody`", "2: `whatever it was`"],
        ),
    ] {
        let found = offences(text);
        let found: Vec<_> =
            found.iter().filter_map(|line| Some(line.split_once(" →")?.0)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn the_parts_of_the_tree_that_hold_sentences_are_checked() {
    for (file, expected) in [
        ("inference-wasm/page/page.js", true),
        ("inference-wasm/page/index.html", true),
        ("tests/gates/package-lock.json", false),
        ("golden/traces/a.txt", false),
    ] {
        assert_eq!(is_checked(file), expected, "{file}");
    }
    // A path that was renamed must not drop out in silence.
    for path in CHECKED.iter().chain(UNCHECKED) {
        assert!(root().join(path).exists(), "`{path}` is listed here and does not exist");
    }
}
