//! A model's chat template: Jinja as in Hugging Face's `apply_chat_template`.
//!
//! The environment is the same: `trim_blocks`, `lstrip_blocks`, loop controls, Python's string
//! methods, `raise_exception`, a `tojson` that leaves text readable, no tools and no documents.
//! `strftime_now` is undefined on purpose: templates test for it and fall back to a fixed date, and
//! a prompt that changes with the day can't be compared between tiers. A template that insists on
//! the date is refused.
//!
//! A template is an untrusted program: its steps, its depth and its output are limited.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, ErrorKind, Value, context};
use regex::Regex;
use serde::Serialize;

use super::nesting;
use crate::protocol::{EngineError, Message, Role};

const NAME: &str = "chat_template";
/// The most instructions of one rendering.
const MAX_STEPS: u64 = 5_000_000;
/// The most bytes of a prompt.
const MAX_BYTES: usize = 16 << 20;

/// A parsed template.
#[derive(Debug)]
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Parses the source. `bos` and `eos` are the texts of those tokens, empty if there are none.
    pub(super) fn new(source: &str, bos: &str, eos: &str) -> Result<Self, EngineError> {
        if let Some(what) = nesting::too_deep(source) {
            return Err(refused(&format!("can't be parsed: it has {what}")));
        }
        let mut environment = Environment::new();
        environment.set_syntax(syntax()?);
        environment.set_fuel(Some(MAX_STEPS));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        environment.add_test("iterable", is_iterable);
        environment
            .add_template_owned(NAME, without_generation_tags(source))
            .map_err(|error| failed("can't be parsed", &error))?;
        Ok(Self { environment, bos: bos.to_owned(), eos: eos.to_owned() })
    }

    /// Renders a conversation. `add_generation_prompt` opens the model's next turn.
    pub(super) fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, EngineError> {
        let template =
            self.environment.get_template(NAME).map_err(|error| failed("is gone", &error))?;
        let mut text = Bounded(Vec::new());
        let conversation = context! {
            messages => messages.iter().cloned().map(Value::from_object).collect::<Value>(),
            add_generation_prompt => add_generation_prompt,
            bos_token => &self.bos,
            eos_token => &self.eos,
            tools => (),
            documents => (),
        };
        template
            .render_captured_to(conversation, &mut text)
            .map_err(|error| failed("failed", &error))?;
        Ok(String::from_utf8_lossy(&text.0).into_owned())
    }
}

/// A buffer limited to [`MAX_BYTES`].
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BYTES {
            return Err(std::io::Error::other(format!("its text has more than {MAX_BYTES} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Hugging Face's `{% generation %}` marks text for training and writes nothing; the closest that
/// standard Jinja has is a condition that always holds.
fn without_generation_tags(source: &str) -> String {
    let tag = Regex::new(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}").expect("it compiles");
    let replaced = tag.replace_all(source, |found: &regex::Captures<'_>| {
        let what = if found.get(2).is_some() { "endif" } else { "if true" };
        format!("{{%{} {what} {}%}}", &found[1], &found[3])
    });
    replaced.into_owned()
}

/// A message as templates see it, with its keys in Hugging Face's order.
impl Object for Message {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "role" => Some(Value::from(role_name(self.role))),
            "content" => Some(Value::from(self.content.as_str())),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["role", "content"])
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// A line with nothing but a block leaves no output.
fn syntax() -> Result<SyntaxConfig, EngineError> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| failed("has no syntax", &error))
}

/// Called by a template to refuse a conversation.
fn raise_exception(message: String) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

/// In Python `none` is not iterable; here it would be, as an empty sequence.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// `json.dumps(value, ensure_ascii=False)`: a space after each comma and colon, nothing escaped
/// for HTML.
fn to_json(value: &Value) -> Result<Value, minijinja::Error> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, PythonSpaces);
    value
        .serialize(&mut serializer)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from_safe_string(String::from_utf8_lossy(&out).into_owned()))
}

/// The separators of Python's `json.dumps`.
struct PythonSpaces;

impl serde_json::ser::Formatter for PythonSpaces {
    fn begin_array_value<W>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W>(&mut self, writer: &mut W) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        writer.write_all(b": ")
    }
}

fn refused(why: &str) -> EngineError {
    EngineError::chat_template(format!("the chat template {why}"))
}

fn failed(what: &str, error: &minijinja::Error) -> EngineError {
    let place = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = match error.kind() {
        // The message of our own writer.
        ErrorKind::WriteFailure => std::error::Error::source(error).map(ToString::to_string),
        _ => error.detail().map(str::to_owned),
    };
    let why = detail.unwrap_or_else(|| error.kind().to_string());
    refused(&format!("{what}{place}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::EngineErrorKind;

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.into() }
    }

    fn render(source: &str, messages: &[Message]) -> Result<String, EngineError> {
        ChatTemplate::new(source, "<s>", "</s>")?.render(messages, true)
    }

    #[test]
    fn blocks_leave_no_empty_lines() {
        let source = "{{ bos_token }}\n{% for m in messages %}\n    {% if m.role == 'user' %}\n\
                      U: {{ m['content'] }}\n    {% endif %}\n{% endfor %}\n\
                      {% if add_generation_prompt %}A:{% endif %}";
        let text = render(source, &[message(Role::User, "a"), message(Role::User, "b")]).unwrap();
        assert_eq!(text, "<s>\nU: a\nU: b\nA:");
    }

    #[test]
    fn python_methods_and_namespaces_work() {
        let source = "{% set ns = namespace(n=0) %}{% for m in messages %}\
                      {% set ns.n = ns.n + 1 %}{{ m.content.strip().upper() }}{% endfor %}{{ ns.n }}";
        assert_eq!(render(source, &[message(Role::User, " hi ")]).unwrap(), "HI1");
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let text = render("{{ messages | tojson }}", &[message(Role::User, "é<\"")]).unwrap();
        assert_eq!(text, r#"[{"role": "user", "content": "é<\""}]"#);
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("a\n{% for %}", "the chat template can't be parsed in line 2: "),
            (
                "a\n\n{{ raise_exception('no system role') }}",
                "the chat template failed in line 3: no system role",
            ),
            ("{{ messages[0].content.nope() }}", "the chat template failed in line 1: "),
        ];
        for (source, message_start) in cases {
            let error = render(source, &[message(Role::User, "x")]).unwrap_err();
            assert_eq!(error.kind, EngineErrorKind::ChatTemplate);
            assert!(error.message.starts_with(message_start), "{}", error.message);
        }
    }

    #[test]
    fn a_template_has_limits() {
        let forever = "{% for i in range(9999) %}{% for j in range(9999) %}{{ i }}{% endfor %}\
                       {% endfor %}";
        let long = "{% set x = 'abcdefgh' * 99999 %}{% for i in range(99) %}{{ x }}{% endfor %}";
        let deep = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
        for (source, expected) in [
            (forever, "fuel"),
            (long, "its text has more than 16777216 bytes"),
            (deep, "recursion"),
        ] {
            let error = render(source, &[]).unwrap_err();
            assert_eq!(error.kind, EngineErrorKind::ChatTemplate);
            assert!(error.message.contains(expected), "{}", error.message);
        }
    }

    #[test]
    fn generation_tags_write_nothing() {
        let source = "a\n  {% generation %}\nb {%- endgeneration -%} \nc";
        assert_eq!(render(source, &[]).unwrap(), "a\nbc");
    }

    #[test]
    fn the_date_is_unavailable() {
        let source = "{% if strftime_now is defined %}now{% else %}fixed{% endif %}";
        assert_eq!(render(source, &[]).unwrap(), "fixed");
    }
}
