//! The `tierproof` command again, so that tests run what was compiled with them: cargo builds the
//! binaries of a test's own package for it, and those of other packages not.

fn main() -> std::process::ExitCode {
    tierproof::cli::main()
}
