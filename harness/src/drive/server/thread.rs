//! Which thread of a page its engine runs on.
//!
//! A worker, so that the page stays alive while the engine computes; the main thread where a
//! browser has WebGL2 nowhere else, as WebKitGTK. The page reads the choice in its address, as it
//! does that of the bundle, and every report says where the engine ran.

use inference_wasm::protocol::{BackendName, CapabilityReport};

/// A thread of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineThread {
    /// A worker.
    #[default]
    Worker,
    /// The page's own.
    Main,
}

impl EngineThread {
    /// Where a backend can run, as far as a browser's report says.
    pub fn of(backend: BackendName, report: Option<&CapabilityReport>) -> Self {
        let is_barred = |report: &CapabilityReport| {
            backend == BackendName::Webgl && report.webgl2.present && !report.webgl2.in_worker
        };
        if report.is_some_and(is_barred) { Self::Main } else { Self::Worker }
    }

    /// What it adds to a page's address.
    pub fn query(self) -> &'static str {
        match self {
            Self::Worker => "",
            Self::Main => "&thread=main",
        }
    }
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::WebGl2Report;

    use super::*;

    #[test]
    fn webgl_leaves_the_worker_only_where_it_must() {
        let mut report = CapabilityReport::default();
        report.webgl2.present = true;
        assert_eq!(EngineThread::of(BackendName::Webgl, Some(&report)), EngineThread::Main);
        assert_eq!(EngineThread::of(BackendName::Webgpu, Some(&report)), EngineThread::Worker);
        assert_eq!(EngineThread::of(BackendName::Wasm, Some(&report)), EngineThread::Worker);
        assert_eq!(EngineThread::of(BackendName::Webgl, None), EngineThread::Worker);
        report.webgl2.in_worker = true;
        assert_eq!(EngineThread::of(BackendName::Webgl, Some(&report)), EngineThread::Worker);
        report.webgl2 = WebGl2Report::default();
        assert_eq!(EngineThread::of(BackendName::Webgl, Some(&report)), EngineThread::Worker);
    }
}
