//! Whether a GPU was there when something was read from it.
//!
//! When Chromium's GPU process dies, `readPixels` neither fails nor writes, `getError` has nothing to
//! tell, and `isContextLost` is false until the browser tells of the loss, in a later turn of the
//! event loop: in six crashes of six a reading came back as all zeros, from a context that seemed well.
//! So a number is written to a texel and read back after each reading. Commands are carried out in
//! order: where the number comes back, so did all that was asked for before it.

use js_sys::Float32Array;
use web_sys::WebGl2RenderingContext as Gl;

use super::device::{Device, Target, Texels, Texture, lost};
use crate::protocol::EngineError;

/// A texel, and how often it was written.
pub(super) struct Pulse {
    target: Target,
    /// Lives as long as the target that draws to it.
    _texture: Texture,
    beats: u16,
}

impl Device {
    /// [`Device::check`], and `device-lost` unless a GPU has carried out all that was asked for
    /// before. Waits.
    pub(super) fn beat(&mut self) -> Result<(), EngineError> {
        let mut pulse = if let Some(pulse) = self.pulse.take() {
            pulse
        } else {
            let texture = self.texture(Texels::F32, (1, 1))?;
            Pulse { target: self.target(&[&texture])?, _texture: texture, beats: 0 }
        };
        pulse.beats = pulse.beats.wrapping_add(1);
        // Never what an untouched buffer holds.
        let written = f32::from(pulse.beats) + 0.5;
        self.bind_target(&pulse.target);
        self.gl.clear_bufferfv_with_f32_array(Gl::COLOR, 0, &[written; 4]);
        let found = self.texel();
        self.pulse = Some(pulse);
        if found.to_bits() != written.to_bits() {
            self.fail(lost(
                "the GPU did not carry out what was asked of it: it is gone".to_owned(),
            ));
        }
        self.check()
    }

    /// The first number of the first texel of the target that is bound; zero where none can be read.
    pub(super) fn texel(&self) -> f32 {
        let pixel = Float32Array::new_with_length(4);
        let (format, of, into) = (Gl::RGBA, Gl::FLOAT, Some(&*pixel));
        let read = self.gl.read_pixels_with_opt_array_buffer_view(0, 0, 1, 1, format, of, into);
        read.map_or(0.0, |()| pixel.get_index(0))
    }
}
