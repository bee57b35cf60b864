use std::sync::{Arc, Mutex};

use super::*;
use crate::report::sample;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn printed(events: &[RunEvent], is_verbose: bool) -> String {
    let out = Shared::default();
    let options = TerminalOptions { is_verbose, report_folder: Some("report".into()) };
    let mut terminal = Terminal::plain(out.clone(), options);
    for event in events {
        terminal.event(event).unwrap();
    }
    terminal.finish().unwrap();
    let bytes = out.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

const ALL_GREEN: &str = "chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: pass
     chrome/webgpu/tierproof/scribe-low-Q8_0/tokens/greedy: unsupported this browser has no WebGPU adapter
     firefox/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: pass
     firefox/wasm/tierproof/scribe-low-Q8_0/lifecycle/cancel: known-failure panicked";

#[test]
fn all_green() {
    insta::assert_snapshot!(printed(&sample::run(ALL_GREEN), false));
}

#[test]
fn all_green_verbose() {
    insta::assert_snapshot!(printed(&sample::run(ALL_GREEN), true));
}

#[test]
fn a_mismatch_with_its_divergence() {
    insta::assert_snapshot!(printed(
        &sample::run(
            "chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: pass
             chrome/wasm/tierproof/scribe-low-Q4_0/tokens/greedy: mismatch"
        ),
        false
    ));
}

#[test]
fn a_page_that_hangs() {
    insta::assert_snapshot!(printed(
        &sample::run("firefox/wasm/tierproof/scribe-low-Q8_0/lifecycle/cancel: hung"),
        false
    ));
}

#[test]
fn infrastructure_trouble_retried() {
    insta::assert_snapshot!(printed(
        &sample::run(
            "chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: infrastructure pass
             firefox/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: infrastructure infrastructure"
        ),
        false
    ));
}

#[test]
fn interrupted() {
    insta::assert_snapshot!(printed(
        &sample::run(
            "chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: pass
             firefox/wasm/tierproof/scribe-low-Q8_0/tokens/greedy:
             interrupted"
        ),
        false
    ));
}

#[test]
fn nothing_ran() {
    insta::assert_snapshot!(printed(
        &sample::run(
            "chrome/webgpu/tierproof/m/tokens/greedy: unsupported this browser has no WebGPU adapter
             firefox/wasm/tierproof/m/tokens/greedy: unavailable geckodriver is not installed: run `tierproof setup`
             floor: `firefox` must run 1 cell, ran 0"
        ),
        false
    ));
}

#[test]
fn everything_at_once() {
    insta::assert_snapshot!(printed(&sample::mixed(), false));
}

#[test]
fn a_log_that_breaks_off() {
    let events = sample::mixed();
    insta::assert_snapshot!(printed(&events[..20], false));
}

#[test]
fn page_text_can_t_control_the_terminal() {
    let text = lines::harmless("a\u{1b}[2Jb\tc\r");
    assert_eq!(text, "a\u{fffd}[2Jb c\u{fffd}");
}

#[test]
fn a_reader_that_closes_the_pipe_is_not_an_error() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut terminal = Terminal::plain(Broken, TerminalOptions::default());
    for event in &sample::mixed() {
        terminal.event(event).unwrap();
    }
    terminal.finish().unwrap();
}

/// Plays a run on the terminal that it is called from: `cargo test -p tierproof --lib
/// report::terminal::tests::live -- --ignored --nocapture`.
#[test]
#[ignore = "plays a run for people to look at"]
fn live_to_look_at() {
    let mut terminal = Terminal::stdout(TerminalOptions::default());
    for event in &sample::mixed() {
        terminal.event(event).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(60));
    }
    terminal.finish().unwrap();
}
