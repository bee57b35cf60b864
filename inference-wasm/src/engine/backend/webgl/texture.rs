//! Textures, and framebuffers that draw to them.

use web_sys::{WebGl2RenderingContext as Gl, WebGlFramebuffer, WebGlTexture};

/// A texture; deleted with its last owner.
#[derive(Debug)]
pub(super) struct Texture {
    pub(super) gl: Gl,
    pub(super) id: u32,
    pub(super) handle: WebGlTexture,
}

impl Drop for Texture {
    fn drop(&mut self) {
        self.gl.delete_texture(Some(&self.handle));
    }
}

/// Textures that are drawn to; deleted with its last owner.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) gl: Gl,
    pub(super) id: u32,
    pub(super) handle: WebGlFramebuffer,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.gl.delete_framebuffer(Some(&self.handle));
    }
}

/// The numbers in a texel: four, except for `Halves`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texels {
    F32,
    F16,
    Words,
    /// 1, 2 or 4 numbers of 16 bits.
    Halves(usize),
}

impl Texels {
    pub(super) fn internal(self) -> u32 {
        match self {
            Self::F32 => Gl::RGBA32F,
            Self::F16 => Gl::RGBA16F,
            Self::Words => Gl::RGBA32UI,
            Self::Halves(1) => Gl::R16UI,
            Self::Halves(2) => Gl::RG16UI,
            Self::Halves(_) => Gl::RGBA16UI,
        }
    }

    /// Format and type of uploaded data.
    pub(super) fn upload(self) -> (u32, u32) {
        match self {
            Self::F32 => (Gl::RGBA, Gl::FLOAT),
            Self::F16 => (Gl::RGBA, Gl::HALF_FLOAT),
            Self::Words => (Gl::RGBA_INTEGER, Gl::UNSIGNED_INT),
            Self::Halves(1) => (Gl::RED_INTEGER, Gl::UNSIGNED_SHORT),
            Self::Halves(2) => (Gl::RG_INTEGER, Gl::UNSIGNED_SHORT),
            Self::Halves(_) => (Gl::RGBA_INTEGER, Gl::UNSIGNED_SHORT),
        }
    }
}
