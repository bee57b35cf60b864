//! Limits of a chat template's nesting.
//!
//! The template engine limits nested blocks, but parses and compiles chains recursively: an
//! operator after an operator, an `elif` after an `elif`. Thousands of them overflow the stack,
//! which nothing can catch. So they are counted before the source is parsed, without interpreting
//! it.

/// The most operators and brackets of one tag. Real templates have some dozens.
const MAX_OPERATORS: usize = 500;
/// The most `elif` of a template.
const MAX_BRANCHES: usize = 200;

/// What is too deep in a source, if anything.
pub(super) fn too_deep(source: &str) -> Option<String> {
    let branches = source.matches("elif").count();
    if branches > MAX_BRANCHES {
        return Some(format!("{branches} `elif`, expected {MAX_BRANCHES} at most"));
    }
    let mut rest = source;
    while let Some(at) = ["{{", "{%"].iter().filter_map(|open| rest.find(open)).min() {
        let (operators, bytes) = tag(&rest[at..]);
        if operators > MAX_OPERATORS {
            let line = source[..source.len() - rest.len() + at].matches('\n').count() + 1;
            return Some(format!(
                "{operators} operators and brackets in the tag of line {line}, \
                 expected {MAX_OPERATORS} at most"
            ));
        }
        rest = &rest[at + bytes..];
    }
    None
}

/// Operators that are words, by their first characters.
const OPERATORS: [&str; 5] = ["not", "and", "or ", "if ", "is "];

/// Counts the operators of the tag at the start of a text, outside of quotes; returns the count and
/// the tag's length in bytes.
fn tag(text: &str) -> (usize, usize) {
    let close = if text.starts_with("{{") { "}}" } else { "%}" };
    let (mut operators, mut quote, mut escaped) = (0, None, false);
    for (at, c) in text.char_indices().skip(2) {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if text[at..].starts_with(close) => return (operators, at + 2),
            (None, 'a'..='z') if OPERATORS.iter().any(|word| text[at..].starts_with(word)) => {
                operators += 1;
            }
            (
                None,
                '+' | '-' | '*' | '/' | '%' | '~' | '(' | '[' | '{' | '<' | '>' | '=' | '|' | '.',
            ) => operators += 1,
            _ => {}
        }
    }
    (operators, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_counted_and_strings_are_not() {
        let cases = [
            (format!("{{{{ {}1 }}}}", "-".repeat(500)), None),
            (
                format!("a\n{{{{ {}1 }}}}", "-".repeat(501)),
                Some("501 operators and brackets in the tag of line 2, expected 500 at most"),
            ),
            (format!("{{% set x = 1{} %}}", " + 1".repeat(400)), None),
            (
                format!("{{% set x = {} true %}}", "not ".repeat(600)),
                Some("601 operators and brackets in the tag of line 1, expected 500 at most"),
            ),
            (format!("{{{{ '{}' }}}}{}", "-".repeat(900), "+".repeat(900)), None),
            (format!("{{{{ '\\'{}' }}}}", "(".repeat(900)), None),
            (
                format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(201)),
                Some("201 `elif`, expected 200 at most"),
            ),
            ("{{ never closed".to_owned(), None),
        ];
        for (source, expected) in cases {
            assert_eq!(too_deep(&source).as_deref(), expected, "{source:.60}");
        }
    }
}
