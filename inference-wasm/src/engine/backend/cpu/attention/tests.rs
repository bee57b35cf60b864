//! Attention compared with the oracle, and with itself in other batches and on other numbers of
//! threads.

use futures::executor::block_on;

use crate::engine::backend::{Backend, Cpu, Heads, Reference};
use crate::protocol::CacheType;

/// Numbers between −2 and 2, different for each seed.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

/// `[rows × heads · size]`: the result of the last rows of `positions`, in batches of `batch`.
fn attended<B: Backend>(
    mut backend: B,
    heads: Heads,
    cache_type: CacheType,
    positions: usize,
    batch: usize,
) -> Vec<f32> {
    let (width, columns) = (heads.kv * heads.size, heads.queries * heads.size);
    let mut cache = backend.cache(positions, width, cache_type).unwrap();
    let keys = numbers(positions * width, 1);
    let values = numbers(positions * width, 2);
    let queries = numbers((positions - heads.first) * columns, 3);
    let before = heads.first * width;
    let append = |backend: &mut B, cache: &mut B::Cache, from: usize, to: usize, first: usize| {
        let keys = backend.constant(width, &keys[from..to]).unwrap();
        let values = backend.constant(width, &values[from..to]).unwrap();
        backend.append(cache, &keys, &values, first);
    };
    append(&mut backend, &mut cache, 0, before, 0);
    let mut found = Vec::new();
    for (index, queries) in queries.chunks(batch * columns).enumerate() {
        let first = heads.first + index * batch;
        let end = first + queries.len() / columns;
        append(&mut backend, &mut cache, first * width, end * width, first);
        let queries = backend.constant(columns, queries).unwrap();
        let mut out = backend.tensor(batch, columns).unwrap();
        backend.attention(&queries, &cache, Heads { first, ..heads }, &mut out);
        block_on(backend.read(&out, &mut found)).unwrap();
    }
    found
}

/// Shapes with one query head for each key-value head and with several, sizes that no vector
/// divides, windows, caps, and both kinds of cache.
fn cases() -> impl Iterator<Item = (Heads, CacheType, usize)> {
    let shapes = [(1, 1, 4), (3, 1, 6), (6, 2, 10), (9, 3, 16), (4, 4, 33), (16, 2, 8)];
    shapes.into_iter().flat_map(|(queries, kv, size)| {
        let rest = [
            (None, None, CacheType::F32),
            (Some(5), None, CacheType::F16),
            (None, Some(1.5), CacheType::F16),
            (Some(11), Some(20.0), CacheType::F32),
        ];
        rest.map(|(window, soft_cap, cache_type)| {
            let scale = 1.0 / (size as f32).sqrt();
            let heads = Heads { queries, kv, size, first: 13, scale, window, soft_cap };
            (heads, cache_type, 13 + 9)
        })
    })
}

#[test]
fn attention_agrees_with_the_oracle() {
    for (heads, cache_type, positions) in cases() {
        let ours = attended(Cpu::default(), heads, cache_type, positions, 9);
        let oracle = attended(Reference::default(), heads, cache_type, positions, 9);
        assert_eq!(ours.len(), oracle.len());
        // Scores of some units, off by 33 roundings of them; weights by as much, relatively; and
        // values of 2 at most.
        let allowed = 64.0 * 4.0 * 2_f32.powi(-24) * 2.0;
        for (ours, oracle) in ours.iter().zip(&oracle) {
            assert!((ours - oracle).abs() <= allowed, "{ours} for {oracle}: {heads:?}");
        }
    }
}

#[test]
fn a_row_sees_the_same_alone_and_in_a_batch() {
    for (heads, cache_type, positions) in cases() {
        let together = attended(Cpu::default(), heads, cache_type, positions, 9);
        for batch in [1, 2, 5] {
            let apart = attended(Cpu::default(), heads, cache_type, positions, batch);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(bits(&together) == bits(&apart), "in {batch}s: {heads:?}");
        }
    }
}

#[cfg(feature = "threads")]
#[test]
fn any_number_of_threads_sees_the_same() {
    let heads = Heads {
        queries: 12,
        kv: 4,
        size: 32,
        first: 300,
        scale: 0.2,
        window: None,
        soft_cap: None,
    };
    for batch in [1, 11] {
        let alone = attended(Cpu::default(), heads, CacheType::F16, 311, batch);
        for threads in 2..4 {
            let team = Cpu::new(threads).unwrap();
            let shared = attended(team, heads, CacheType::F16, 311, batch);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(bits(&alone) == bits(&shared), "{threads} threads, {batch} rows");
        }
    }
}
