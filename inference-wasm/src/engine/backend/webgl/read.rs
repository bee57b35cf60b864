//! Reading back: from a target to floats in memory, and how the time is accounted.
//!
//! `readPixels` waits for queued work, and blocks the thread meanwhile. Polling a fence in turns of
//! the event loop would not, but then the browser spends the processor on polling that a software
//! adapter computes on: a token of scribe-low took 80 ms in place of 22 in Chromium, 26 in place of
//! 15 in Firefox, and reading through a buffer wasn't faster. The engine yields to messages between
//! tokens.

use super::passes::Webgl;
use super::tensor::Tensor;
use crate::protocol::EngineError;

impl Webgl {
    /// Waits until the GPU has finished all queued work, or the context is lost.
    pub(super) fn wait(&mut self) -> Result<(), EngineError> {
        self.time.encode_ms += self.device.end_encoding();
        let start = self.device.now();
        self.device.wait();
        self.time.compute_ms += self.device.now() - start;
        self.device.check()
    }

    /// Appends the first rows of a tensor to `into`, whether or not they have been written.
    pub(super) fn read_rows(
        &mut self,
        x: &Tensor,
        rows: usize,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.time.encode_ms += self.device.end_encoding();
        for rectangle in x.shape.rectangles(0..rows) {
            let mut texels = Vec::new();
            let start = self.device.now();
            self.device.read_now(&x.front.target, rectangle, &mut texels)?;
            let read = self.device.now();
            for row in 0..x.shape.rows_of(rectangle) {
                into.extend_from_slice(x.shape.row(&texels, row));
            }
            // Waiting and reading are one call.
            self.time.compute_ms += read - start;
            self.time.readback_ms += self.device.now() - read;
        }
        self.liveness.check(&mut self.device)
    }
}
