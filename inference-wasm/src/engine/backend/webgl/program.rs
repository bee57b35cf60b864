//! Programs and their uniforms.

use web_sys::{WebGl2RenderingContext as Gl, WebGlProgram, WebGlShader, WebGlUniformLocation};

use super::shader::VERTEX;

/// Texture units that are tracked; no shader reads more textures.
pub(super) const UNITS: usize = 4;

/// The value of a uniform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number<'n> {
    Int(i32),
    Shape([i32; 3]),
    Float(f32),
    Ints(&'n [i32]),
}

/// A linked program and its uniforms.
pub(super) struct Program {
    pub(super) handle: WebGlProgram,
    pub(super) uniforms: Vec<Uniform>,
}

/// A uniform of a program.
pub(super) struct Uniform {
    pub(super) name: String,
    location: WebGlUniformLocation,
    /// The texture unit of a sampler.
    pub(super) unit: Option<usize>,
    last: Option<Number<'static>>,
}

impl Program {
    /// Compiles and links a fragment shader into `handle`; fails with the driver's log.
    pub(super) fn link(gl: &Gl, handle: WebGlProgram, fragment: &str) -> Result<Self, LinkError> {
        let compile = |kind, text: &str| -> Option<WebGlShader> {
            let part = gl.create_shader(kind)?;
            gl.shader_source(&part, text);
            gl.compile_shader(&part);
            gl.attach_shader(&handle, &part);
            Some(part)
        };
        let vertex = compile(Gl::VERTEX_SHADER, VERTEX);
        let fragment = compile(Gl::FRAGMENT_SHADER, fragment);
        gl.link_program(&handle);
        if !gl.get_program_parameter(&handle, Gl::LINK_STATUS).is_truthy() {
            let parts = [&vertex, &fragment].map(|part| {
                part.as_ref().and_then(|part| gl.get_shader_info_log(part)).unwrap_or_default()
            });
            let link = gl.get_program_info_log(&handle).unwrap_or_default();
            return Err(LinkError([parts.concat(), link].concat().trim().to_owned()));
        }
        gl.use_program(Some(&handle));
        let uniforms = uniforms_of(gl, &handle);
        Ok(Self { handle, uniforms })
    }
}

/// The driver's log of a program that does not link; empty if the context is lost.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LinkError(String);

impl Uniform {
    pub(super) fn set(&mut self, gl: &Gl, value: Number<'_>) {
        let location = Some(&self.location);
        let kept = match value {
            Number::Int(value) => Number::Int(value),
            Number::Shape(value) => Number::Shape(value),
            Number::Float(value) => Number::Float(value),
            Number::Ints(values) => return gl.uniform1iv_with_i32_array(location, values),
        };
        if self.last == Some(kept) {
            return;
        }
        match kept {
            Number::Int(value) => gl.uniform1i(location, value),
            Number::Shape([shift, lines, bands]) => gl.uniform3i(location, shift, lines, bands),
            Number::Float(value) => gl.uniform1f(location, value),
            Number::Ints(_) => {}
        }
        self.last = Some(kept);
    }
}

/// The uniforms of the current program; its samplers get a unit each.
fn uniforms_of(gl: &Gl, program: &WebGlProgram) -> Vec<Uniform> {
    let count = gl.get_program_parameter(program, Gl::ACTIVE_UNIFORMS).as_f64().unwrap_or(0.0);
    let mut units = 0..UNITS;
    let mut uniforms = Vec::new();
    for index in 0..count as u32 {
        let Some(info) = gl.get_active_uniform(program, index) else { continue };
        // An array is listed under its first element.
        let name = info.name().trim_end_matches("[0]").to_owned();
        let Some(location) = gl.get_uniform_location(program, &name) else { continue };
        let is_sampler = [Gl::SAMPLER_2D, Gl::UNSIGNED_INT_SAMPLER_2D].contains(&info.type_());
        let unit = if is_sampler { units.next() } else { None };
        if let Some(unit) = unit {
            gl.uniform1i(Some(&location), unit as i32);
        }
        uniforms.push(Uniform { name, location, unit, last: None });
    }
    uniforms
}
