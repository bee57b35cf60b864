//! The WebGL2 context: drawing, reading, errors.
//!
//! Knows no ops and no tensors. The first error is kept, nothing is drawn after it, and
//! [`Device::check`] returns it. State is set only where it changes, since each call crosses from
//! WebAssembly to JavaScript, and usually to another process.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Float32Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Performance, WebGl2RenderingContext as Gl, WebglLoseContext};

use super::errors::{error_of, unexpected};
use super::layout::Rectangle;
use super::program::{Number, Program, UNITS};
use super::shader::Shader;
use super::texture::{Target, Texels, Texture};
use crate::engine::backend::Loss;
use crate::engine::memory::zeros;
use crate::protocol::{EngineError, LossReason};

/// A context and the objects made in it.
pub(super) struct Device {
    pub(super) gl: Gl,
    /// `MAX_TEXTURE_SIZE`, in texels.
    pub(super) max_texels: usize,
    /// The browser's message when it took the context away.
    lost: Rc<RefCell<Option<String>>>,
    programs: Vec<(Shader, Program)>,
    bound: Bound,
    /// The last id given to a texture or a framebuffer.
    last_id: u32,
    error: Option<EngineError>,
    clock: Option<Performance>,
    /// When the first draw since the last wait was made.
    encoding_since: Option<f64>,
    /// Draws since the device was made.
    pub(super) draws: u64,
}

impl Drop for Device {
    /// Frees the context at once: otherwise its memory would wait for the garbage collector, and a
    /// browser takes away the oldest of too many contexts.
    fn drop(&mut self) {
        if let Ok(Some(extension)) = self.gl.get_extension("WEBGL_lose_context") {
            extension.unchecked_into::<WebglLoseContext>().lose_context();
        }
    }
}

/// The current state of the context.
#[derive(Default)]
struct Bound {
    program: Option<usize>,
    framebuffer: u32,
    viewport: Option<Rectangle>,
    unit: usize,
    textures: [u32; UNITS],
}

/// One draw.
pub(super) struct Pass<'p> {
    pub(super) shader: Shader,
    pub(super) target: &'p Target,
    /// The part of the target to draw.
    pub(super) rectangle: Rectangle,
    /// Samplers of the shader, by name.
    pub(super) textures: &'p [(&'static str, &'p Texture)],
    /// Its other uniforms; those that the shader does not use are ignored.
    pub(super) numbers: &'p [(&'static str, Number<'p>)],
}

impl Device {
    /// Takes over a context. Its owner writes into `lost` why it was lost.
    pub(super) fn new(gl: Gl, lost: Rc<RefCell<Option<String>>>) -> Self {
        let most = gl.get_parameter(Gl::MAX_TEXTURE_SIZE).ok().and_then(|most| most.as_f64());
        gl.disable(Gl::DITHER);
        // Rows of 16-bit texels have no padding.
        gl.pixel_storei(Gl::UNPACK_ALIGNMENT, 1);
        Self {
            gl,
            max_texels: most.unwrap_or(0.0) as usize,
            lost,
            programs: Vec::new(),
            bound: Bound::default(),
            last_id: 0,
            error: None,
            clock: js_sys::Reflect::get(&js_sys::global(), &"performance".into())
                .ok()
                .and_then(|clock| clock.dyn_into().ok()),
            encoding_since: None,
            draws: 0,
        }
    }

    /// Milliseconds on the thread's clock.
    pub(super) fn now(&self) -> f64 {
        self.clock.as_ref().map_or(0.0, Performance::now)
    }

    /// Milliseconds since the first draw after the last call.
    pub(super) fn end_encoding(&mut self) -> f64 {
        let since = self.encoding_since.take();
        since.map_or(0.0, |since| self.now() - since)
    }

    fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// Keeps an error, unless there is one already.
    pub(super) fn fail(&mut self, error: EngineError) {
        self.error.get_or_insert(error);
    }

    /// Whether an error is known.
    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Asks the context for errors, and fails with the first error since the device was made. An
    /// error is permanent: what was computed after it must not be used.
    pub(super) fn check(&mut self) -> Result<(), EngineError> {
        let found = self.gl.get_error();
        if found == Gl::CONTEXT_LOST_WEBGL {
            return Err(self.taken_away().error());
        }
        if let Some(loss) = self.loss() {
            return Err(loss.error());
        }
        if found != Gl::NO_ERROR {
            self.fail(error_of(found));
        }
        self.error.clone().map_or(Ok(()), Err)
    }

    /// A texture of `width` × `height` texels.
    pub(super) fn texture(
        &mut self,
        texels: Texels,
        (width, height): (usize, usize),
    ) -> Result<Texture, EngineError> {
        let handle = self.gl.create_texture().ok_or_else(|| self.gone("a texture"))?;
        let texture = Texture { gl: self.gl.clone(), id: self.next_id(), handle };
        self.bind(0, &texture);
        let (width, height) = (width as i32, height as i32);
        self.gl.tex_storage_2d(Gl::TEXTURE_2D, 1, texels.internal(), width, height);
        // Other modes need filtering, which these texels don't support.
        for name in [Gl::TEXTURE_MIN_FILTER, Gl::TEXTURE_MAG_FILTER] {
            self.gl.tex_parameteri(Gl::TEXTURE_2D, name, Gl::NEAREST as i32);
        }
        Ok(texture)
    }

    /// Writes a rectangle of a texture. `values` is a typed array that matches `texels`.
    pub(super) fn upload(
        &mut self,
        texture: &Texture,
        texels: Texels,
        rectangle: Rectangle,
        values: &js_sys::Object,
    ) {
        self.bind(0, texture);
        let (format, of) = texels.upload();
        let Rectangle { x, y, width, height } = rectangle;
        let written =
            self.gl.tex_sub_image_2d_with_i32_and_i32_and_u32_and_type_and_opt_array_buffer_view(
                Gl::TEXTURE_2D,
                0,
                x,
                y,
                width,
                height,
                format,
                of,
                Some(values),
            );
        if let Err(error) = written {
            self.fail(unexpected(&format!("a texture could not be written: {error:?}")));
        }
    }

    /// A target that draws to these textures, one for each output of a shader.
    pub(super) fn target(&mut self, textures: &[&Texture]) -> Result<Target, EngineError> {
        let handle = self.gl.create_framebuffer().ok_or_else(|| self.gone("a framebuffer"))?;
        let target = Target { gl: self.gl.clone(), id: self.next_id(), handle };
        self.bind_target(&target);
        let buffers = js_sys::Array::new();
        for (attachment, texture) in (Gl::COLOR_ATTACHMENT0..).zip(textures) {
            let (of, texture) = (Gl::TEXTURE_2D, Some(&texture.handle));
            self.gl.framebuffer_texture_2d(Gl::FRAMEBUFFER, attachment, of, texture, 0);
            buffers.push(&JsValue::from(attachment));
        }
        self.gl.draw_buffers(&buffers);
        let status = self.gl.check_framebuffer_status(Gl::FRAMEBUFFER);
        if status == Gl::FRAMEBUFFER_COMPLETE {
            return Ok(target);
        }
        self.check()?;
        Err(unexpected(&format!("a framebuffer of float textures is not complete: {status:#06x}")))
    }

    /// Draws, unless there was an error before.
    pub(super) fn draw(&mut self, pass: &Pass<'_>) {
        if self.has_failed() {
            return;
        }
        if self.encoding_since.is_none() {
            self.encoding_since = Some(self.now());
        }
        let index = match self.program(pass.shader) {
            Ok(index) => index,
            Err(error) => return self.fail(error),
        };
        if self.bound.program != Some(index) {
            self.gl.use_program(Some(&self.programs[index].1.handle));
            self.bound.program = Some(index);
        }
        for (name, texture) in pass.textures {
            let uniforms = &self.programs[index].1.uniforms;
            let unit = uniforms.iter().find(|uniform| uniform.name == *name);
            if let Some(unit) = unit.and_then(|uniform| uniform.unit) {
                self.bind(unit, texture);
            }
        }
        for (name, value) in pass.numbers {
            let uniforms = &mut self.programs[index].1.uniforms;
            if let Some(uniform) = uniforms.iter_mut().find(|uniform| uniform.name == *name) {
                uniform.set(&self.gl, *value);
            }
        }
        self.bind_target(pass.target);
        if self.bound.viewport != Some(pass.rectangle) {
            let Rectangle { x, y, width, height } = pass.rectangle;
            self.gl.viewport(x, y, width, height);
            self.bound.viewport = Some(pass.rectangle);
        }
        self.gl.draw_arrays(Gl::TRIANGLES, 0, 3);
        self.draws += 1;
    }

    /// Copies a whole texture from one target to another of the same size.
    pub(super) fn copy(&mut self, from: &Target, to: &Target, (width, height): (usize, usize)) {
        let (width, height) = (width as i32, height as i32);
        self.gl.bind_framebuffer(Gl::READ_FRAMEBUFFER, Some(&from.handle));
        self.gl.bind_framebuffer(Gl::DRAW_FRAMEBUFFER, Some(&to.handle));
        let (mask, filter) = (Gl::COLOR_BUFFER_BIT, Gl::NEAREST);
        self.gl.blit_framebuffer(0, 0, width, height, 0, 0, width, height, mask, filter);
        // Neither target is bound for both reading and drawing.
        self.bound.framebuffer = 0;
    }

    /// Waits for all queued work, by reading a texel of the last target that was drawn to.
    pub(super) fn wait(&mut self) {
        // Nothing can be read if nothing was drawn; then there is nothing to wait for.
        let _ = self.texel();
    }

    /// Waits for all queued work and appends a rectangle to `into`: line after line, four floats
    /// per texel. Blocks the thread.
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
        // The one format and type in which every browser reads a float target.
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

    /// The first number of the first texel of the bound target; zero if it can't be read.
    pub(super) fn texel(&self) -> f32 {
        let pixel = Float32Array::new_with_length(4);
        let (format, of, into) = (Gl::RGBA, Gl::FLOAT, Some(&*pixel));
        let read = self.gl.read_pixels_with_opt_array_buffer_view(0, 0, 1, 1, format, of, into);
        read.map_or(0.0, |()| pixel.get_index(0))
    }

    pub(super) fn bind_target(&mut self, target: &Target) {
        if self.bound.framebuffer != target.id {
            self.gl.bind_framebuffer(Gl::FRAMEBUFFER, Some(&target.handle));
            self.bound.framebuffer = target.id;
        }
    }

    fn bind(&mut self, unit: usize, texture: &Texture) {
        if self.bound.textures[unit] == texture.id {
            // An upload goes to the active unit.
            self.activate(unit);
            return;
        }
        self.activate(unit);
        self.gl.bind_texture(Gl::TEXTURE_2D, Some(&texture.handle));
        self.bound.textures[unit] = texture.id;
    }

    fn activate(&mut self, unit: usize) {
        if self.bound.unit != unit {
            self.gl.active_texture(Gl::TEXTURE0 + unit as u32);
            self.bound.unit = unit;
        }
    }

    /// The index of a shader's program, which is linked on first use.
    fn program(&mut self, shader: Shader) -> Result<usize, EngineError> {
        if let Some(index) = self.programs.iter().position(|(made, _)| *made == shader) {
            return Ok(index);
        }
        let program = self.link(shader)?;
        self.programs.push((shader, program));
        self.bound.program = None;
        Ok(self.programs.len() - 1)
    }

    fn link(&mut self, shader: Shader) -> Result<Program, EngineError> {
        let handle = self.gl.create_program().ok_or_else(|| self.gone("a program"))?;
        match Program::link(&self.gl, handle, &shader.text()) {
            Ok(program) => Ok(program),
            Err(log) => {
                // A lost context fails everything, without a log.
                self.check()?;
                Err(unexpected(&format!("shader `{shader:?}` can't be used: {log}")))
            }
        }
    }

    /// Why the context is lost, if it is. Does not wait for the GPU.
    pub(super) fn loss(&self) -> Option<Loss> {
        // A browser may restore a context, but without its contents.
        let is_lost = self.lost.borrow().is_some() || self.gl.is_context_lost();
        is_lost.then(|| self.taken_away())
    }

    fn taken_away(&self) -> Loss {
        let message = self.lost.borrow().clone().unwrap_or_default();
        let why = if message.is_empty() { "no reason given" } else { message.as_str() };
        let message = format!("the browser has taken away the WebGL2 context: {why}");
        Loss { reason: LossReason::Unknown, message }
    }

    /// The error of an object that could not be made.
    fn gone(&self, what: &str) -> EngineError {
        let reason = self.lost.borrow().clone().unwrap_or_default();
        EngineError::device_lost(format!("the WebGL2 context can't make {what}: {reason}"))
    }
}
