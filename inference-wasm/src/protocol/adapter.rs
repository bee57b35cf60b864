//! Which adapters are software: the one table of renderers that compute on the CPU.

/// Parts of the names of software renderers: lower case, every other character than a letter or
/// digit written as a space. Spaces at both ends of an entry ask for a whole word.
const SOFTWARE: [&str; 7] = [
    "swiftshader",
    "llvmpipe",
    "lavapipe",
    "softpipe",
    "software",
    "basic render",
    // Windows' rasterizer; as part of a word it may be a product name.
    " warp ",
];

/// Whether the name of an adapter or renderer is one of a software renderer. An empty name is not:
/// a browser that reports no name says nothing about the hardware.
///
/// ```
/// # use inference_wasm::protocol::adapter::is_software;
/// assert!(is_software("llvmpipe (LLVM 19.1.7, 256 bits)"));
/// assert!(!is_software("NVIDIA GeForce RTX 3060"));
/// ```
pub fn is_software(name: &str) -> bool {
    let words = name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " ");
    let words = format!(" {words} ");
    SOFTWARE.iter().any(|software| words.contains(software))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn software_renderers_are_recognised_and_hardware_is_not() {
        for (name, expected) in [
            ("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)))", true),
            ("google swiftshader", true),
            ("llvmpipe (LLVM 19.1.7, 256 bits)", true),
            ("llvmpipe, or similar", true),
            ("lavapipe", true),
            ("softpipe", true),
            ("Apple Software Renderer", true),
            ("ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11)", true),
            ("microsoft warp", true),
            ("Microsoft WARP", true),
            ("NVIDIA Warpspeed 100", false),
            ("Timewarp GPU", false),
            ("Basic 3D Renderer", false),
            ("ANGLE (NVIDIA, NVIDIA GeForce RTX 3060, OpenGL 4.5)", false),
            ("nvidia hopper", false),
            ("Apple GPU", false),
            ("", false),
        ] {
            assert_eq!(is_software(name), expected, "{name}");
        }
    }

    fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, into);
            } else {
                into.push(path);
            }
        }
    }

    /// The lines of a source that run outside tests, without comments.
    fn code(text: &str) -> impl Iterator<Item = &str> {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        text.lines().map(|line| line.split("//").next().unwrap_or_default())
    }

    #[test]
    fn no_other_source_has_a_list_of_software_renderers() {
        // A name that a report is made up of, and the name of a package, decide nothing.
        let excepted = ["protocol/adapter.rs", "/sample/", "/setup/table.rs"];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for folder in ["harness/src", "inference-wasm/src", "inference-wasm/page"] {
            sources(&root.join(folder), &mut files);
        }
        let mut found = Vec::new();
        for file in files {
            let path = file.to_string_lossy().replace('\\', "/");
            let is_test = path.contains("/tests/") || path.ends_with("tests.rs");
            let is_source =
                [".rs", ".js", ".mjs", ".py", ".html"].iter().any(|e| path.ends_with(e));
            if !is_source || is_test || excepted.iter().any(|part| path.contains(part)) {
                continue;
            }
            let text = fs_err::read_to_string(&file).unwrap();
            for line in code(&text) {
                let line = line.to_lowercase();
                if ["swiftshader", "llvmpipe", "lavapipe", "softpipe"]
                    .iter()
                    .any(|n| line.contains(n))
                {
                    found.push(format!("{path}: {}", line.trim()));
                }
            }
        }
        assert!(found.is_empty(), "ask `is_software` instead:\n{}", found.join("\n"));
    }
}
