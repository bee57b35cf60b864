//! A model's chat template: Jinja as Hugging Face's `apply_chat_template` runs it.
//!
//! The environment is that one's: `trim_blocks`, `lstrip_blocks`, loop controls, Python's string
//! methods, `raise_exception`, and a `tojson` that leaves text readable. `strftime_now` is left
//! undefined on purpose: templates test for it and fall back to a fixed date, and a prompt that
//! changes with the day could not be compared between tiers.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, ErrorKind, Value, context};
use serde::Serialize;

use crate::protocol::{EngineError, EngineErrorKind, Message, Role};

const NAME: &str = "chat_template";

/// Steps that a rendering may take. The longest templates take some hundred for a message, so
/// this is room for thousands of them, and a template that loops for ever ends within a second.
const FUEL: u64 = 1_000_000;

/// A template that parsed.
#[derive(Debug)]
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Parses the source. `bos` and `eos` are the texts of those tokens, empty if there is none.
    pub(super) fn new(source: &str, bos: &str, eos: &str) -> Result<Self, EngineError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(syntax()?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| failed("can't be parsed", &error))?;
        Ok(Self { environment, bos: bos.to_owned(), eos: eos.to_owned() })
    }

    /// The conversation as text. `add_generation_prompt` opens the model's next turn.
    pub(super) fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, EngineError> {
        let template =
            self.environment.get_template(NAME).map_err(|error| failed("is gone", &error))?;
        template
            .render(context! {
                messages => messages.iter().cloned().map(Value::from_object).collect::<Value>(),
                add_generation_prompt => add_generation_prompt,
                bos_token => &self.bos,
                eos_token => &self.eos,
            })
            .map_err(|error| failed("failed", &error))
    }
}

/// A message as templates see it, its keys in the order in which Hugging Face's have them.
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

/// Lines that hold nothing but a block leave nothing behind.
fn syntax() -> Result<SyntaxConfig, EngineError> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| failed("has no syntax", &error))
}

/// What a template calls when it refuses a conversation.
fn raise_exception(message: String) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
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

fn failed(what: &str, error: &minijinja::Error) -> EngineError {
    let place = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    EngineError {
        kind: EngineErrorKind::ChatTemplate,
        message: format!("the chat template {what}{place}: {why}"),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.into() }
    }

    fn render(source: &str, messages: &[Message]) -> Result<String, EngineError> {
        ChatTemplate::new(source, "<s>", "</s>")?.render(messages, true)
    }

    #[test]
    fn blocks_leave_no_lines_behind() {
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
    fn a_rendering_ends() {
        let forever = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}\
                       {% endfor %}";
        let into_itself = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
        for (source, why) in [(forever, "fuel"), (into_itself, "recursion limit")] {
            let error = render(source, &[]).unwrap_err();
            assert!(error.message.contains(why), "{}", error.message);
        }
    }

    #[test]
    fn the_date_is_not_to_be_had() {
        let source = "{% if strftime_now is defined %}now{% else %}fixed{% endif %}";
        assert_eq!(render(source, &[]).unwrap(), "fixed");
    }
}
