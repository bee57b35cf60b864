use super::*;
use crate::report::sample;

fn page(events: &[RunEvent]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.html");
    let mut html = Html::new(&path);
    for event in events {
        html.event(event).unwrap();
    }
    html.finish().unwrap();
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn every_cell_can_be_found_once() {
    let events = sample::large();
    let html = page(&events);
    for number in 1..=405 {
        assert_eq!(html.matches(&format!("id=\"c{number}\"")).count(), 1, "cell {number}");
    }
    assert_eq!(html.matches("class=\"cell item\"").count(), 135);
    for link in html.split("href=\"#").skip(1) {
        let anchor = link.split('"').next().unwrap();
        assert!(html.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
}

#[test]
fn a_large_run_stays_small() {
    let html = page(&sample::large());
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
}

#[test]
fn nothing_is_fetched() {
    let html = page(&sample::mixed());
    for fetching in ["src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!html.contains(fetching), "{fetching}");
    }
}

#[test]
fn text_of_a_page_stays_text() {
    let html = page(&sample::mixed());
    assert!(!html.contains("<script>alert(1)"), "a line of a driver's log became an element");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt; &amp; &quot;quotes&quot;"));
    assert_eq!(html.matches("<script>").count(), 1);
}

#[test]
fn a_failure_shows_its_evidence() {
    let html = page(&sample::run("chrome/wasm/tierproof/scribe-low-Q4_0/tokens/greedy: mismatch"));
    for shown in [
        "Not as expected: 1 unexpected of 1 cell that ran.",
        "First divergence at step 7",
        "<b>2.1511</b> logits: not a near tie",
        "14.8213",
        "<span class=\"del\">-Boys who once pulled rickshaws now pedal pedicabs.</span>",
        "Execution report (claimed, not proven)",
        "tierproof run matrices&#x2f;default.toml --filter chrome&#x2f;wasm",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    assert!(!html.contains("<summary>Tier proof"));
}

#[test]
fn any_part_of_a_stream_makes_a_page() {
    let events = sample::mixed();
    for to in (0..=events.len()).step_by(3) {
        let html = page(&events[..to]);
        assert!(html.ends_with("</html>"), "after {to} events");
    }
    let cut = page(&events[..20]);
    assert!(cut.contains("The run did not finish: "), "{cut}");
}

/// Writes the report of a large run: `REPORT_SAMPLE=FOLDER cargo test -p
/// tierproof --lib report::html::tests::sample -- --ignored`.
#[test]
#[ignore = "makes a page for people to look at"]
fn sample_to_look_at() {
    let folder = PathBuf::from(std::env::var_os("REPORT_SAMPLE").expect("REPORT_SAMPLE is set"));
    let mut log = crate::report::jsonl::Jsonl::create(&folder.join("run.jsonl")).unwrap();
    for event in &sample::large() {
        log.event(event).unwrap();
    }
    for (name, events) in [("index.html", sample::large()), ("mixed.html", sample::mixed())] {
        fs_err::write(folder.join(name), page(&events)).unwrap();
    }
}
