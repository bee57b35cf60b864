//! Decoding allocates nothing once the first token is out.

#![expect(unsafe_code, reason = "an allocator is unsafe by nature; this one only counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use futures::executor::block_on;
use inference_wasm::engine::backend::Cpu;
use inference_wasm::engine::session::{LoadOptions, Session};
use inference_wasm::protocol::CacheType;

thread_local! {
    /// Only of this thread: the test harness has threads of its own.
    static ALLOCATIONS: Cell<u32> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // Not while the thread is ending.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

fn allocations() -> u32 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(vec![1_u8]));
    assert_eq!(allocations(), before + 1);
}

#[test]
fn a_decoded_token_allocates_nothing() {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models");
    for (model, cache_type) in
        [("scribe-low-Q4_0", CacheType::F16), ("scribe-low-F16", CacheType::F32)]
    {
        let file = fs_err::read(format!("{models}/{model}.gguf")).unwrap();
        let mut options = LoadOptions::default();
        options.cache_type = cache_type;
        let mut session = Session::load(Cpu::default(), file, options).unwrap();
        let mut logits = Vec::new();
        session.begin(&[1, 2, 3], 16).unwrap();
        session.feed(&[1, 2, 3]);
        block_on(session.last_logits(&mut logits)).unwrap();
        session.feed(&[4]);
        let before = allocations();
        for token in 5..13 {
            logits.clear();
            block_on(session.last_logits(&mut logits)).unwrap();
            session.feed(&[token]);
        }
        assert_eq!(allocations() - before, 0, "{model}");
    }
}
