//! Constructors of the engine's error.

use crate::protocol::{EngineError, EngineErrorKind};

macro_rules! constructors {
    ($($name:ident: $kind:ident),+) => {$(
        #[doc = concat!("An error of the kind `", stringify!($kind), "`, without a hint.")]
        pub(crate) fn $name(message: impl Into<String>) -> Self {
            Self::new(EngineErrorKind::$kind, message)
        }
    )+};
}

impl EngineError {
    /// An error without a hint.
    pub(crate) fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    constructors!(
        chat_template: ChatTemplate,
        device_lost: DeviceLost,
        invalid_model: InvalidModel,
        invalid_request: InvalidRequest,
        out_of_memory: OutOfMemory,
        unavailable: BackendUnavailable,
        unsupported_model: UnsupportedModel
    );

    /// The same error, with advice.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
