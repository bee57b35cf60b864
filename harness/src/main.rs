//! The `tierproof` command; everything is in the library.

fn main() -> std::process::ExitCode {
    tierproof::cli::main()
}
