//! Reading back: from a target to floats in memory, without blocking the thread, and where the time
//! goes.

use js_sys::Float32Array;
use web_sys::WebGl2RenderingContext as Gl;

use super::device::{Device, Target, unexpected};
use super::layout::Rectangle;
use super::ops::Webgl;
use super::tensor::Tensor;
use crate::engine::backend::zeros;
use crate::protocol::EngineError;

impl Device {
    /// Waits for all that is queued and appends a rectangle to `into`: line after line, four floats
    /// a texel. Blocks the thread.
    pub(super) fn read_now(
        &mut self,
        target: &Target,
        rectangle: Rectangle,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.bind_target(target);
        let Rectangle { x, y, width, height } = rectangle;
        let count = 4 * width as usize * height as usize;
        let pixels = Float32Array::new_with_length(count as u32);
        // The one format and type that a float target can be read as everywhere.
        let read = self.gl.read_pixels_with_opt_array_buffer_view(
            x,
            y,
            width,
            height,
            Gl::RGBA,
            Gl::FLOAT,
            Some(&pixels),
        );
        if let Err(error) = read {
            self.fail(unexpected(&format!("a target could not be read: {error:?}")));
        }
        let start = into.len();
        into.extend(zeros::<f32>(Some(count), "what is read back")?);
        pixels.copy_to(&mut into[start..]);
        Ok(())
    }
}

impl Webgl {
    /// Waits until the GPU is through with all that is queued, or the context is gone.
    pub(super) async fn wait(&mut self) {
        let gl = self.device.gl.clone();
        let Some(fence) = gl.fence_sync(Gl::SYNC_GPU_COMMANDS_COMPLETE, 0) else { return };
        gl.flush();
        loop {
            // The browser looks only between turns.
            self.turn.pass().await;
            let status = gl.get_sync_parameter(&fence, Gl::SYNC_STATUS).as_f64();
            if status != Some(f64::from(Gl::UNSIGNALED)) || gl.is_context_lost() {
                break;
            }
        }
        gl.delete_sync(Some(&fence));
    }

    /// Appends the first rows of a tensor to `into`, whether they have been written or not.
    pub(super) async fn read_rows(
        &mut self,
        x: &Tensor,
        rows: usize,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        for rectangle in x.shape.rectangles(0..rows) {
            let mut texels = Vec::new();
            let start = self.now();
            self.reads += 1;
            match self.reads % 3 {
                0 => {
                    self.wait().await;
                    self.device.read_now(&x.front.target, rectangle, &mut texels)?;
                    self.time.encode_ms += self.now() - start;
                }
                1 => {
                    self.device.read_now(&x.front.target, rectangle, &mut texels)?;
                    self.time.compute_ms += self.now() - start;
                }
                _ => {
                    self.read_buffered(&x.front.target, rectangle, &mut texels).await?;
                    self.time.readback_ms += self.now() - start;
                }
            }
            for row in 0..x.shape.rows_of(rectangle) {
                into.extend_from_slice(x.shape.row(&texels, row));
            }
        }
        self.device.check()
    }

    async fn read_buffered(
        &mut self,
        target: &Target,
        rectangle: Rectangle,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.device.bind_target(target);
        let gl = self.device.gl.clone();
        let Rectangle { x, y, width, height } = rectangle;
        let count = 4 * width as usize * height as usize;
        let Some(buffer) = gl.create_buffer() else { return self.device.check() };
        gl.bind_buffer(Gl::PIXEL_PACK_BUFFER, Some(&buffer));
        gl.buffer_data_with_i32(Gl::PIXEL_PACK_BUFFER, 4 * count as i32, Gl::STREAM_READ);
        let read = gl.read_pixels_with_i32(x, y, width, height, Gl::RGBA, Gl::FLOAT, 0);
        gl.bind_buffer(Gl::PIXEL_PACK_BUFFER, None);
        if let Err(error) = read {
            self.device.fail(unexpected(&format!("a target could not be read: {error:?}")));
        }
        self.wait().await;
        let pixels = Float32Array::new_with_length(count as u32);
        gl.bind_buffer(Gl::PIXEL_PACK_BUFFER, Some(&buffer));
        gl.get_buffer_sub_data_with_i32_and_array_buffer_view(Gl::PIXEL_PACK_BUFFER, 0, &pixels);
        gl.bind_buffer(Gl::PIXEL_PACK_BUFFER, None);
        gl.delete_buffer(Some(&buffer));
        let start = into.len();
        into.extend(zeros::<f32>(Some(count), "what is read back")?);
        pixels.copy_to(&mut into[start..]);
        Ok(())
    }

    /// Milliseconds on the page's clock.
    fn now(&self) -> f64 {
        self.clock.as_ref().map_or(0.0, web_sys::Performance::now)
    }
}
