//! A prompt set: the cases that goldens are made from, in `fixtures/prompts/`.
//!
//! A model's entry in the catalogue names its set. The model's chat template turns a conversation
//! into a prompt.

use inference_wasm::protocol::{Message, Role};
use toml::Spanned;
use toml::de::DeValue;

use crate::spec::document::{
    self, FromValue, InvalidDocument, Problem, Problems, Table, Unfit, one_of,
};

/// The cases of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptSet {
    /// Name of the file, without the extension: `scribe`.
    pub name: String,
    /// In the order of the file; ids are unique.
    pub cases: Vec<PromptCase>,
}

/// A conversation for a model to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptCase {
    /// Its id, the key in goldens.
    pub id: String,
    /// The golden keys (names of scenarios) that use it.
    pub scenarios: Vec<String>,
    /// The most tokens to generate.
    pub max_tokens: u32,
    /// The conversation; the last message is the user's.
    pub messages: Vec<Message>,
}

/// Which cases of the prompt set a step runs, of those that list the scenario's golden key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cases {
    /// All of them, one after the other.
    All,
    /// The first.
    First,
    /// The one with this id.
    Id(String),
}

impl PromptSet {
    /// The cases of a golden key, in the order of the file.
    pub fn cases_of<'s>(&'s self, golden_key: &'s str) -> impl Iterator<Item = &'s PromptCase> {
        self.cases.iter().filter(move |case| case.scenarios.iter().any(|name| name == golden_key))
    }
}

/// Reads one prompt set. `path` is for messages.
pub(super) fn prompt_set(path: &str, name: &str, text: &str) -> Result<PromptSet, InvalidDocument> {
    document::read(path, text, |table, problems| {
        table.require_tables("case");
        let cases = table.tables("case", |case_table| case(case_table, problems));
        for (index, case) in cases.iter().enumerate() {
            let id = &case.get_ref().id;
            if cases.iter().take(index).any(|earlier| earlier.get_ref().id == *id) {
                let message = format!("two cases have the id `{id}`");
                problems.push(Problem::at(case.span(), message, "the second one"));
            }
        }
        let cases = cases.into_iter().map(Spanned::into_inner).collect();
        Some(PromptSet { name: name.to_owned(), cases })
    })
}

fn case(table: &Table<'_>, problems: &Problems) -> Option<PromptCase> {
    let id = table.required("id").map(Spanned::into_inner);
    let scenarios = table.required_list("scenarios");
    table.require_any("max_tokens", u32::EXPECTED);
    let max_tokens = table.positive("max_tokens");
    let user: Option<Spanned<String>> = table.optional("user");
    let messages = table.tables("messages", |message| {
        let role = message.required("role").map(Spanned::into_inner);
        let content = message.required("content").map(Spanned::into_inner);
        Some(Message { role: role?, content: content? })
    });
    if user.is_some() != messages.is_empty() {
        let message = "a case has either `user` or `messages`".to_owned();
        problems.push(Problem::at(table.head(), message, "this case"));
    }
    if let Some(last) = messages.last()
        && last.get_ref().role != Role::User
    {
        let message = "the last message must be the user's".to_owned();
        problems.push(Problem::at(last.span(), message, "there is nothing to answer"));
    }
    let messages = match user {
        Some(user) => vec![Message { role: Role::User, content: user.into_inner() }],
        None => messages.into_iter().map(Spanned::into_inner).collect(),
    };
    Some(PromptCase {
        id: id?,
        scenarios: scenarios.into_iter().map(Spanned::into_inner).collect(),
        max_tokens: max_tokens?,
        messages,
    })
}

impl FromValue for Cases {
    const EXPECTED: &'static str = "`all`, `first` or a case's id";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        Ok(match String::from_value(value)?.as_str() {
            "all" => Self::All,
            "first" => Self::First,
            id => Self::Id(id.to_owned()),
        })
    }
}

impl FromValue for Role {
    const EXPECTED: &'static str = "`system`, `user` or `assistant`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let roles =
            [(Self::System, "system"), (Self::User, "user"), (Self::Assistant, "assistant")];
        one_of(value, &roles)
    }
}
