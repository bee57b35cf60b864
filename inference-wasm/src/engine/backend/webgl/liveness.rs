//! Whether the GPU was alive when something was read from it.
//!
//! When Chromium's GPU process dies, `readPixels` neither fails nor writes, `getError` reports
//! nothing, and `isContextLost` is false until the browser reports the loss, in a later turn of the
//! event loop: in six crashes of six a reading came back as all zeros, from a context that seemed
//! healthy. So after each reading a number is written to a texel and read back. Commands are
//! carried out in order: if the number comes back, so did everything requested before it.

use web_sys::WebGl2RenderingContext as Gl;

use super::device::Device;
use super::texture::{Target, Texels, Texture};
use crate::protocol::EngineError;

/// A texel that is written and read back; made when something is first read.
#[derive(Default)]
pub(super) struct Liveness {
    made: Option<Probe>,
    /// Numbers written so far.
    writes: u16,
}

struct Probe {
    target: Target,
    /// Lives as long as the target that draws to it.
    _texture: Texture,
}

impl Liveness {
    /// [`Device::check`], and `device-lost` unless the GPU has carried out every command so far.
    /// Blocks the thread.
    pub(super) fn check(&mut self, device: &mut Device) -> Result<(), EngineError> {
        let probe = if let Some(probe) = self.made.take() {
            probe
        } else {
            let texture = device.texture(Texels::F32, (1, 1))?;
            Probe { target: device.target(&[&texture])?, _texture: texture }
        };
        self.writes = self.writes.wrapping_add(1);
        // Never what an untouched buffer holds.
        let written = f32::from(self.writes) + 0.5;
        device.bind_target(&probe.target);
        device.gl.clear_bufferfv_with_f32_array(Gl::COLOR, 0, &[written; 4]);
        let found = device.texel();
        self.made = Some(probe);
        if found.to_bits() != written.to_bits() {
            device
                .fail(EngineError::device_lost("the GPU died before it carried out its commands"));
        }
        device.check()
    }
}
