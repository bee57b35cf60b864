// The greatest values of a row: one workgroup per slice of 1024, which it scans once for each
// requested value.
//
// Floats are compared as integers in the order of candidates: NaN above all, both zeros equal.
// Float arithmetic is avoided, since compilers may assume that there is no NaN.

struct Params {
    columns: u32,
    wanted: u32,
}

struct Candidate {
    key: u32, // 0 for none
    id: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> row: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;

var<workgroup> best: array<Candidate, 64>;

fn key(bits: u32) -> u32 {
    let rest = bits & 0x7fffffffu;
    if rest > 0x7f800000u {
        return 0xffffffffu;
    }
    if rest == 0u {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, bits > rest);
}

// Whether `a` comes before `b`.
fn is_before(a: Candidate, b: Candidate) -> bool {
    return a.key > b.key || (a.key == b.key && a.id < b.id);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let slice = flat(workgroup, grid);
    let start = slice * 1024u;
    if start >= params.columns {
        return;
    }
    let end = min(start + 1024u, params.columns);
    // Comes before everything: no value has so great a key with so low an id.
    var last = Candidate(0xffffffffu, 0u);
    var is_first = true;
    for (var place = 0u; place < params.wanted; place++) {
        var mine = Candidate(0u, 0xffffffffu);
        for (var id = start + thread; id < end; id += 64u) {
            let candidate = Candidate(key(row[id]), id);
            if is_before(candidate, mine) && (is_first || is_before(last, candidate)) {
                mine = candidate;
            }
        }
        best[thread] = mine;
        workgroupBarrier();
        for (var i = 0u; i < 64u; i++) {
            if is_before(best[i], mine) {
                mine = best[i];
            }
        }
        workgroupBarrier();
        last = mine;
        is_first = false;
        if thread == 0u {
            let at = (slice * params.wanted + place) * 2u;
            found[at] = mine.id;
            // The host drops an id beyond the row.
            found[at + 1u] = row[min(mine.id, params.columns - 1u)];
        }
    }
}
