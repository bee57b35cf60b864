//! Opens the device and describes its adapter.
//!
//! Features and limits are those of the adapter, never assumed; everything works at WebGPU's
//! guaranteed minimum.

use sha2::{Digest, Sha256};
use wgpu::{DeviceDescriptor, DeviceType, Features, Limits, RequestAdapterOptions};

use super::errors::{Errors, unavailable};
use crate::engine::backend::Adapter;
use crate::protocol::EngineError;
use crate::protocol::adapter::is_software;

/// A device and the description of its adapter.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) errors: Errors,
    pub(super) adapter: Adapter,
    pub(super) limits: Limits,
}

impl Gpu {
    /// Opens a device on the adapter that the browser or the system offers, with the adapter's
    /// limits as changed by `lower`.
    pub(super) async fn open(lower: impl FnOnce(&mut Limits)) -> Result<Self, EngineError> {
        check_navigator()?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..RequestAdapterOptions::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|error| {
            unavailable(
                &format!("no adapter: {error}"),
                "check the browser's information about its GPU",
            )
        })?;
        let mut limits = adapter.limits();
        lower(&mut limits);
        let descriptor = DeviceDescriptor {
            label: Some("tierproof"),
            required_features: Features::empty(),
            required_limits: limits.clone(),
            ..DeviceDescriptor::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| {
            unavailable(&format!("the adapter gave no device: {error}"), "reload the page")
        })?;
        let errors = Errors::default();
        errors.watch(&device);
        let adapter = describe(&adapter, &device);
        Ok(Self { device, queue, errors, adapter, limits })
    }
}

impl Drop for Gpu {
    /// Frees the memory at once; a browser's garbage collector would take a while.
    fn drop(&mut self) {
        self.device.destroy();
    }
}

/// Fails if the browser has no WebGPU at all.
#[cfg(target_arch = "wasm32")]
fn check_navigator() -> Result<(), EngineError> {
    let get = |of: &js_sys::Object, key: &str| js_sys::Reflect::get(of, &key.into()).ok();
    let navigator = get(&js_sys::global(), "navigator").map(js_sys::Object::from);
    let gpu = navigator.and_then(|navigator| get(&navigator, "gpu"));
    if gpu.is_some_and(|gpu| gpu.is_object()) {
        return Ok(());
    }
    Err(unavailable(
        "this browser has no `navigator.gpu`",
        "WebGPU needs a secure context, and a browser that supports it and has it enabled",
    ))
}

#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::unnecessary_wraps, reason = "a page may have no WebGPU")]
fn check_navigator() -> Result<(), EngineError> {
    Ok(())
}

/// Describes the adapter.
fn describe(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Adapter {
    let info = adapter.get_info();
    let name = name(&info, device);
    let is_software = info.device_type == DeviceType::Cpu || is_software(&name);
    let limits_sha256 = limits_sha256(adapter.features(), &adapter.limits());
    Adapter { name, is_software, limits_sha256 }
}

#[cfg(not(target_arch = "wasm32"))]
fn name(info: &wgpu::AdapterInfo, _device: &wgpu::Device) -> String {
    info.name.clone()
}

/// A browser reveals vendor and architecture, but mostly not the name of the card.
#[cfg(target_arch = "wasm32")]
fn name(info: &wgpu::AdapterInfo, device: &wgpu::Device) -> String {
    let get = |of: &wasm_bindgen::JsValue, key: &str| js_sys::Reflect::get(of, &key.into()).ok();
    let browser = device.as_webgpu().and_then(|device| get(device.as_ref(), "adapterInfo"));
    let Some(browser) = browser.filter(wasm_bindgen::JsValue::is_object) else {
        return info.name.clone();
    };
    let parts = ["vendor", "architecture", "description"];
    let parts = parts.map(|part| get(&browser, part)?.as_string());
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// SHA-256 of lines `name=value`: each feature as `true`, then the limits.
fn limits_sha256(features: Features, limits: &Limits) -> String {
    let features = features.iter_names().map(|(name, _)| format!("{name}=true\n"));
    // The one list of limits that can't become stale is the structure's own.
    let limits = format!("{limits:#?}");
    let limits =
        limits.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let limits = limits.map(|(name, value)| format!("{name}={value}\n"));
    hex::encode(Sha256::digest(features.chain(limits).collect::<String>()))
}
