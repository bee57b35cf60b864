//! The misbehaviour of the fake driver; see `src/bin/fake-driver.rs`.

use std::str::FromStr;

/// How the fake driver and its page behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Honest,
    /// Every batch of events comes twice, as after an answer that got lost.
    RepeatsEvents,
    /// An event never comes.
    LosesEvents,
    /// A batch is not JSON.
    SpeaksGarbage,
    /// The page is one of another version.
    OtherProtocol,
    /// The page is loaded again in the middle.
    LoadsTwice,
    /// After the first token only heartbeats come.
    Hangs,
    /// After the first token nothing comes.
    FallsSilent,
    /// The page answers from another backend, and says so.
    FallsBack,
    /// A token is another one in the stream than in the result.
    ChangesTokens,
    /// The driver ends at once the first time that it is started, as when its port is taken.
    StartsAtSecondTry,
    /// The driver never listens.
    NeverStarts,
    /// The driver ends when a generation is asked for.
    DriverExits,
    /// The driver says that the tab has crashed when a generation is asked for.
    TabCrashes,
    /// The driver opens no session.
    RefusesSession,
    /// The backend is off, and the engine says so.
    SwitchedOff,
    /// The backend is said to be off, but the page's probe still sees it.
    SwitchedOffInVain,
    /// The backend is off, but a load works.
    LoadsElsewhere,
    /// The backend is off, the engine says so, and answers nevertheless.
    AnswersElsewhere,
}

impl Behaviour {
    /// The variable that carries it.
    pub const VARIABLE: &str = "FAKE_BEHAVIOUR";

    /// The variable with a file whose presence means that the driver was started before.
    pub const STARTED: &str = "FAKE_STARTED";

    /// Whether the backend counts as switched off.
    pub fn is_off(self) -> bool {
        matches!(
            self,
            Self::SwitchedOff
                | Self::SwitchedOffInVain
                | Self::LoadsElsewhere
                | Self::AnswersElsewhere
        )
    }

    /// Every one.
    pub const ALL: [Self; 19] = [
        Self::Honest,
        Self::RepeatsEvents,
        Self::LosesEvents,
        Self::SpeaksGarbage,
        Self::OtherProtocol,
        Self::LoadsTwice,
        Self::Hangs,
        Self::FallsSilent,
        Self::FallsBack,
        Self::ChangesTokens,
        Self::StartsAtSecondTry,
        Self::NeverStarts,
        Self::DriverExits,
        Self::TabCrashes,
        Self::RefusesSession,
        Self::SwitchedOff,
        Self::SwitchedOffInVain,
        Self::LoadsElsewhere,
        Self::AnswersElsewhere,
    ];
}

impl FromStr for Behaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|behaviour| format!("{behaviour:?}") == text);
        found.ok_or_else(|| format!("no behaviour `{text}`, expected one of {:?}", Self::ALL))
    }
}
