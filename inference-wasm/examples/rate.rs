use futures::executor::block_on;
use inference_wasm::engine::{backend::*, session::Session};
use inference_wasm::protocol::Prompt;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let f = std::fs::read(&a[1]).unwrap();
    if a.get(3).map(|s| s == "reference").unwrap_or(false) {
        go(Reference::default(), f, &a[2])
    } else {
        go(Cpu::default(), f, &a[2])
    }
}
fn go<B: Backend>(b: B, f: Vec<u8>, p: &str) {
    let t = Instant::now();
    let mut s = Session::load(b, f, Some(512)).unwrap();
    println!("load {:?} {:?}", t.elapsed(), s.backend().counters());
    let ids = s.tokenizer().prompt_ids(&Prompt::Text(p.into())).unwrap();
    let n = 48;
    s.begin(&ids, n).unwrap();
    let t = Instant::now();
    let mut r = &ids[..];
    while !r.is_empty() {
        let k = s.feed(r);
        r = &r[k..];
    }
    let e = t.elapsed();
    println!(
        "prefill {} tokens {:.1} tok/s",
        ids.len(),
        ids.len() as f64 / e.as_secs_f64()
    );
    let t = Instant::now();
    let mut out = vec![];
    let mut row = vec![];
    for _ in 0..n {
        row.clear();
        block_on(s.last_logits(&mut row)).unwrap();
        let best = (0..row.len())
            .max_by(|&a, &b| row[a].total_cmp(&row[b]))
            .unwrap() as u32;
        out.push(best);
        if s.tokenizer().is_stop(best) {
            break;
        };
        s.feed(&[best]);
    }
    println!(
        "decode {} tokens {:.1} tok/s\n{:?}\n{}",
        out.len(),
        out.len() as f64 / t.elapsed().as_secs_f64(),
        out,
        s.tokenizer().decode(&out)
    );
}
