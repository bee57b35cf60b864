use super::*;
use crate::protocol::CapabilityReport;

#[test]
fn a_name_has_its_gpu_class() {
    for (name, class) in [
        ("ANGLE (Apple, ANGLE Metal Renderer: Apple M1, Unspecified Version)", Some(GpuClass::Mid)),
        (
            "ANGLE (Apple, ANGLE Metal Renderer: Apple M1 Pro, Unspecified Version)",
            Some(GpuClass::High),
        ),
        ("Apple M4 Max", Some(GpuClass::High)),
        ("Apple GPU", None),
        ("ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 Direct3D11)", Some(GpuClass::High)),
        ("NVIDIA GeForce RTX 3050 Laptop GPU", Some(GpuClass::Mid)),
        ("NVIDIA GeForce GTX 1080 Ti", Some(GpuClass::Mid)),
        ("AMD Radeon RX 7900 XT", Some(GpuClass::High)),
        ("AMD Radeon RX 6600", Some(GpuClass::Mid)),
        ("AMD Radeon RX 580", Some(GpuClass::Mid)),
        ("AMD Radeon(TM) Graphics", Some(GpuClass::Low)),
        ("Intel(R) Iris(R) Xe Graphics", Some(GpuClass::Low)),
        ("Intel(R) Arc(TM) A770 Graphics", Some(GpuClass::Mid)),
        ("Adreno (TM) 740", Some(GpuClass::Mid)),
        ("Adreno (TM) 619", Some(GpuClass::Low)),
        ("Mali-G715", Some(GpuClass::Mid)),
        ("Mali-T880", Some(GpuClass::Low)),
        ("Google SwiftShader", Some(GpuClass::Software)),
        ("llvmpipe, or similar", Some(GpuClass::Software)),
        ("Microsoft Basic Render Driver", Some(GpuClass::Software)),
        ("", None),
    ] {
        assert_eq!(class_by_name(name), class, "{name}");
    }
}

#[test]
fn a_browser_is_recognised_by_its_own_token() {
    for (agent, name, version) in [
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
            "edge",
            Some(156),
        ),
        (
            "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
            "safari",
            Some(26),
        ),
        (
            "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/150.0 Mobile/15E148 Safari/604.1",
            "chrome",
            Some(150),
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
            "firefox",
            Some(153),
        ),
        ("Mozilla/5.0 Chrome/150.0 Safari/537.36 OPR/120.0", "opera", Some(120)),
        ("something else", "unknown", None),
        ("", "unknown", None),
    ] {
        let report = CapabilityReport { user_agent: agent.into(), ..CapabilityReport::default() };
        let browser = Capabilities { report, ..Capabilities::default() }.browser();
        assert_eq!((browser.name.as_str(), browser.version), (name, version), "{agent}");
    }
}

#[test]
fn an_unknown_device_counts_as_a_modest_desktop() {
    let nothing: Capabilities = serde_json::from_str("{}").unwrap();
    assert_eq!(nothing.form(), Form::Desktop);
    assert_eq!(nothing.gpu_class(), None);
    assert!((nothing.memory_budget_gib() - 4.0).abs() < 1e-9);
    assert!(!nothing.connection.wants_consent());
}
