//! The engine's errors for what goes wrong in WebGL2.

use web_sys::WebGl2RenderingContext as Gl;

use crate::protocol::EngineError;

/// The error of a code that `getError` returned.
pub(super) fn error_of(code: u32) -> EngineError {
    let name = match code {
        Gl::OUT_OF_MEMORY => {
            return EngineError::out_of_memory("WebGL2 has no memory left for textures")
                .with_hint("use a smaller model or a smaller context");
        }
        Gl::INVALID_ENUM => "INVALID_ENUM",
        Gl::INVALID_VALUE => "INVALID_VALUE",
        Gl::INVALID_OPERATION => "INVALID_OPERATION",
        Gl::INVALID_FRAMEBUFFER_OPERATION => "INVALID_FRAMEBUFFER_OPERATION",
        _ => return unexpected(&format!("WebGL2 reports error {code:#06x}")),
    };
    unexpected(&format!("WebGL2 reports {name}"))
}

/// The error of a WebGL2 that can't be used.
pub(super) fn unexpected(message: &str) -> EngineError {
    EngineError::unavailable(format!("backend `webgl`: {message}"))
}
