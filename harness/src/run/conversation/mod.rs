//! The conversation with a page: commands go in, events come out, and every wait has a deadline.

mod failure;
mod page;
#[cfg(test)]
mod tests;

pub(crate) use failure::wrong_result;
pub(crate) use page::{Conversation, End, TokenSeen, Watch};
