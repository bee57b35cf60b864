//! Opens a WebGL2 context that computes correctly, or reports why there is none.
//!
//! The assumptions of the passes are checked by drawing them once and comparing bit by bit.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use js_sys::{Float32Array, Object, Reflect, Uint32Array};
use sha2::{Digest, Sha256};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Document, Event, EventTarget, HtmlCanvasElement, OffscreenCanvas, WebGl2RenderingContext as Gl,
};

use super::device::{Device, Pass};
use super::errors::unexpected;
use super::layout::Rectangle;
use super::shader::Shader;
use super::texture::Texels;
use crate::engine::backend::Adapter;
use crate::protocol::EngineError;
use crate::protocol::adapter::is_software;

/// `UNMASKED_RENDERER_WEBGL` of `WEBGL_debug_renderer_info`.
const UNMASKED_RENDERER: u32 = 0x9246;

/// Limits that distinguish adapters.
const LIMITS: [(&str, u32); 7] = [
    ("max-color-attachments", Gl::MAX_COLOR_ATTACHMENTS),
    ("max-draw-buffers", Gl::MAX_DRAW_BUFFERS),
    ("max-fragment-uniform-vectors", Gl::MAX_FRAGMENT_UNIFORM_VECTORS),
    ("max-renderbuffer-size", Gl::MAX_RENDERBUFFER_SIZE),
    ("max-texture-image-units", Gl::MAX_TEXTURE_IMAGE_UNITS),
    ("max-texture-size", Gl::MAX_TEXTURE_SIZE),
    ("max-uniform-block-size", Gl::MAX_UNIFORM_BLOCK_SIZE),
];

/// A listener for one event of a canvas; removed on drop.
pub(super) struct Listener {
    target: EventTarget,
    name: &'static str,
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Keeps the message of the last event.
    fn new(target: &EventTarget, name: &'static str, into: Rc<RefCell<Option<String>>>) -> Self {
        let closure = Closure::new(move |event: Event| {
            let message = Reflect::get(&event, &"statusMessage".into()).ok();
            *into.borrow_mut() =
                Some(message.and_then(|text| text.as_string()).unwrap_or_default());
        });
        // A canvas takes any listener.
        let _ = target.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        Self { target: target.clone(), name, closure }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let callback = self.closure.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback(self.name, callback);
    }
}

/// Opens a device on a canvas of its own.
pub(super) fn open() -> Result<(Device, Listener, Adapter), EngineError> {
    let (canvas, gl) = context()?;
    // Makes RGBA32F and RGBA16F drawable.
    if gl.get_extension("EXT_color_buffer_float").ok().flatten().is_none() {
        let message = "EXT_color_buffer_float is missing: nothing can be drawn to float textures";
        return Err(unexpected(message));
    }
    let precision = gl.get_shader_precision_format(Gl::FRAGMENT_SHADER, Gl::HIGH_FLOAT);
    let bits = precision.map_or(0, |precision| precision.precision());
    if bits < 23 {
        return Err(unexpected(&format!("`highp` floats have {bits} bits, expected 23 or more")));
    }
    let lost = Rc::new(RefCell::new(None));
    let listener = Listener::new(&canvas, "webglcontextlost", lost.clone());
    let adapter = adapter_of(&gl);
    let mut device = Device::new(gl, lost);
    probe(&mut device)?;
    Ok((device, listener, adapter))
}

/// The first canvas that gives a context, and the context.
fn context() -> Result<(EventTarget, Gl), EngineError> {
    let place = if document().is_some() { "on the page's main thread" } else { "in this worker" };
    let mut reasons = Vec::new();
    for canvas in canvases() {
        let refused = Rc::new(RefCell::new(None));
        let _listener = Listener::new(&canvas, "webglcontextcreationerror", refused.clone());
        match context_of(&canvas) {
            Ok(Some(gl)) => return Ok((canvas, gl)),
            Ok(None) => reasons.extend(refused.take().filter(|reason| !reason.is_empty())),
            Err(error) => reasons.push(format!("{error:?}")),
        }
    }
    let none = format!("the browser gives no WebGL2 context {place}");
    reasons.insert(0, none);
    Err(unexpected(&reasons.join(": ")))
}

fn document() -> Option<Document> {
    let document = Reflect::get(&js_sys::global(), &"document".into()).ok()?;
    document.dyn_into().ok()
}

/// Canvases that are never shown. A worker can have only the first; some browsers don't have even
/// that.
fn canvases() -> impl Iterator<Item = EventTarget> {
    let offscreen = OffscreenCanvas::new(1, 1).ok().map(EventTarget::from);
    let element = document().and_then(|document| document.create_element("canvas").ok());
    offscreen.into_iter().chain(element.map(EventTarget::from))
}

fn context_of(canvas: &EventTarget) -> Result<Option<Gl>, JsValue> {
    let options = Object::new();
    let is_off = ["alpha", "antialias", "depth", "stencil", "failIfMajorPerformanceCaveat"];
    for name in is_off {
        Reflect::set(&options, &name.into(), &false.into())?;
    }
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into())?;
    let context = match canvas.dyn_ref::<OffscreenCanvas>() {
        Some(canvas) => canvas.get_context_with_context_options("webgl2", &options)?,
        None => canvas
            .unchecked_ref::<HtmlCanvasElement>()
            .get_context_with_context_options("webgl2", &options)?,
    };
    Ok(context.map(JsCast::unchecked_into))
}

fn adapter_of(gl: &Gl) -> Adapter {
    // Some browsers hide the name, some reveal it only through the extension.
    let names = gl.get_extension("WEBGL_debug_renderer_info").ok().flatten();
    let name = if names.is_some() { UNMASKED_RENDERER } else { Gl::RENDERER };
    let name = gl.get_parameter(name).ok().and_then(|name| name.as_string()).unwrap_or_default();
    let is_software = is_software(&name);
    let extensions = gl.get_supported_extensions().unwrap_or_default();
    let mut lines: BTreeSet<String> = extensions
        .iter()
        .filter_map(|extension| extension.as_string())
        .map(|extension| format!("extension.{extension}=true"))
        .collect();
    for (limit, parameter) in LIMITS {
        let value = gl.get_parameter(parameter).ok().and_then(|value| value.as_f64());
        lines.insert(format!("limit.{limit}={}", value.unwrap_or(-1.0)));
    }
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    let limits_sha256 = hex::encode(Sha256::digest(text));
    Adapter { name, is_software, limits_sha256 }
}

/// Draws four fragments and compares each with the exact result.
fn probe(device: &mut Device) -> Result<(), EngineError> {
    let floats = [1.0 + f32::EPSILON, 4097.0, f32::MAX, f32::MIN_POSITIVE];
    // 1 and 2⁻²⁴; the greatest half and −2⁻¹⁵, which is subnormal.
    let words = [0x0001_3c00, 0x8200_7bff, 0x00ff_ffff, 0x0012_3457];
    let one = Rectangle { x: 0, y: 0, width: 1, height: 1 };
    let float_texture = device.texture(Texels::F32, (1, 1))?;
    let values = Float32Array::from(floats.as_slice());
    device.upload(&float_texture, Texels::F32, one, &values);
    let word_texture = device.texture(Texels::Words, (1, 1))?;
    let values = Uint32Array::from(words.as_slice());
    device.upload(&word_texture, Texels::Words, one, &values);
    let texture = device.texture(Texels::F32, (4, 1))?;
    let target = device.target(&[&texture])?;
    let rectangle = Rectangle { width: 4, ..one };
    device.draw(&Pass {
        shader: Shader::Probe,
        target: &target,
        rectangle,
        textures: &[("floats", &float_texture), ("bits", &word_texture)],
        numbers: &[],
    });
    let mut found = Vec::new();
    device.read_now(&target, rectangle, &mut found)?;
    device.check()?;
    let masked = words.map(|word| (word & 0x00ff_ffff) as f32);
    let half = [1.0, 0.5_f32.powi(24), 65504.0, -(0.5_f32.powi(15))];
    let sums = [f32::EPSILON, 4097.0 * 4095.0, 1.0, 4097.0];
    let expected = [floats, sums, masked, half].concat();
    let what = ["a float's bits", "an f32 sum", "integers", "half-precision numbers"];
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        // Division and square root may be off by some units in the last place.
        let is_rounded = i == 6 || i == 7;
        let is_right = if is_rounded {
            (found - expected).abs() <= 4.0 * f32::EPSILON * expected
        } else {
            found.to_bits() == expected.to_bits()
        };
        if !is_right {
            let what = what[i / 4];
            return Err(unexpected(&format!(
                "the precision probe fails: {what}: expected {expected:e}, found {found:e}"
            )));
        }
    }
    Ok(())
}
