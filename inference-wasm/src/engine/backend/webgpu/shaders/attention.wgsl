// Attention: one workgroup per row and head, 64 positions at a time.
//
// Online softmax: with each 64 positions the greatest score so far may grow, and the earlier sums
// shrink accordingly.

struct Params {
    rows: u32,
    heads: u32,
    kv_heads: u32,
    size: u32, // floats of a head
    row_words: u32, // of the cache
    first: u32, // position of the first row
    window: u32, // positions that a row sees; 0 for all
    scale: f32,
    cap: f32, // of the scores; 0 for none
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> cached_keys: array<u32>;
@group(0) @binding(3) var<storage, read> cached_values: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> scores: array<f32, 64>;
var<workgroup> shares: array<f32, 64>;

fn score(query: u32, position: u32, start: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < params.size; i++) {
        sum += queries[query + i] * cached_key(position, start + i);
    }
    let scaled = sum * params.scale;
    if params.cap > 0.0 {
        return params.cap * precise_tanh(scaled / params.cap);
    }
    return scaled;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat(workgroup, grid);
    if index >= params.rows * params.heads {
        return;
    }
    let row = index / params.heads;
    let query = index * params.size;
    let start = index % params.heads * params.kv_heads / params.heads * params.size;
    let end = params.first + row + 1u;
    var position = 0u;
    if params.window > 0u && end > params.window {
        position = end - params.window;
    }

    var greatest = -3.0e38;
    var total = 0.0;
    var sums = array<f32, DIMS>();
    for (; position < end; position += 64u) {
        let count = min(64u, end - position);
        if thread < count {
            scores[thread] = score(query, position + thread, start);
        }
        workgroupBarrier();
        var top = greatest;
        for (var i = 0u; i < count; i++) {
            top = max(top, scores[i]);
        }
        if thread < count {
            shares[thread] = decay(scores[thread] - top);
        }
        workgroupBarrier();
        // There are no earlier sums before the first 64.
        let kept = select(0.0, decay(greatest - top), total > 0.0);
        greatest = top;
        total *= kept;
        for (var i = 0u; i < count; i++) {
            total += shares[i];
        }
        for (var j = 0u; j < DIMS; j++) {
            let dim = thread + j * 64u;
            if dim < params.size {
                var sum = sums[j] * kept;
                for (var i = 0u; i < count; i++) {
                    sum += shares[i] * cached_value(position + i, start + dim);
                }
                sums[j] = sum;
            }
        }
    }
    for (var j = 0u; j < DIMS; j++) {
        let dim = thread + j * 64u;
        if dim < params.size {
            out[query + dim] = sums[j] / total;
        }
    }
}
