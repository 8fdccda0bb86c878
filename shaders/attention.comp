// Attention without a quadratic buffer (Dao et al. 2022): a work group has T
// queries of one head and goes over the keys T at a time. DIM is the width of a
// head. n: heads, queries, keys, batch·heads; blocks of queries; the keys of this
// dispatch, from and to. MERGE joins what it finds with dst and lse.
layout(local_size_x = T, local_size_y = T) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer Q { float q[]; };
layout(std430, binding = 2) readonly buffer K { float k[]; };
layout(std430, binding = 3) readonly buffer V { float v[]; };
layout(std430, binding = 4) buffer Lse { float lse[]; };
layout(std430, binding = 5) readonly buffer Lens { int lens[]; };

const int PER = (DIM + T - 1) / T; // values of a row an invocation
const float LOWEST = -3.4e38;
shared float sq[T][DIM + 1];
shared float sk[T][DIM + 1]; // keys, then values
shared float sp[T][T + 1];

void main() {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int item = group(), head = item / n[4];
    if (head >= n[3]) return; // the whole group
    int batch = head / n[0], h = head % n[0], first = item % n[4] * T;
    int query = first + ty, width = n[0] * DIM;
    int atQ = (batch * n[1] + query) * width + h * DIM;
    for (int c = tx; c < DIM; c += T) sq[ty][c] = query < n[1] ? q[off[1] + atQ + c] : 0.0;

    int keys = n[2];
#ifdef LENS
    keys = lens[batch];
#endif
    int end = keys; // of the keys that any query of the group sees
#ifdef CAUSAL
    end = min(end, first + T);
    int seen = min(keys, query + 1);
#else
    int seen = keys;
#endif
    int row = head * n[1] + query;
#ifdef MERGE
    float old = query < n[1] ? lse[off[4] + row] : 0.0; // before any of the group writes it
#endif
    float highest = LOWEST, sum = 0.0, y[PER];
    for (int i = 0; i < PER; i++) y[i] = 0.0;
    end = min(end, n[6]);
    for (int k0 = n[5]; k0 < end; k0 += T) {
        int atK = (batch * n[2] + k0 + ty) * width + h * DIM;
        barrier();
        for (int c = tx; c < DIM; c += T) sk[ty][c] = k0 + ty < keys ? k[off[2] + atK + c] : 0.0;
        barrier();
        float score = 0.0;
        for (int c = 0; c < DIM; c++) score += sq[ty][c] * sk[tx][c];
        bool visible = k0 + tx < seen;
        sp[ty][tx] = score = visible ? score * f[0] : LOWEST;
        barrier();
        float top = highest;
        for (int j = 0; j < T; j++) top = max(top, sp[ty][j]);
        barrier();
        sp[ty][tx] = visible ? exp(score - top) : 0.0;
        for (int c = tx; c < DIM; c += T) sk[ty][c] = k0 + ty < keys ? v[off[3] + atK + c] : 0.0;
        barrier();
        float shrink = exp(highest - top);
        highest = top;
        sum *= shrink;
        for (int j = 0; j < T; j++) sum += sp[ty][j];
        for (int i = 0; i < PER; i++) {
            int c = tx + i * T;
            if (c >= DIM) break;
            float add = 0.0;
            for (int j = 0; j < T; j++) add += sp[ty][j] * sk[j][c];
            y[i] = y[i] * shrink + add;
        }
    }
    if (query >= n[1]) return;
    float all = isnan(sum) ? sum : sum > 0.0 ? highest + log(sum) : LOWEST;
#ifdef MERGE
    float top = max(old, all), part = 0.0;
    float both = isnan(old) || isnan(all) ? old + all : top + log(exp(old - top) + exp(all - top));
    part = exp(old - both);
    sum = sum > 0.0 ? sum * exp(both - all) : 1.0; // without keys y is 0
    all = both;
#endif
    for (int i = 0; i < PER; i++) {
        if (tx + i * T >= DIM) break;
        int at = off[0] + atQ + tx + i * T;
        float v = y[i] / sum;
#ifdef MERGE
        v += dst[at] * part;
#endif
        dst[at] = v;
    }
#ifdef KEEP_LSE
    if (tx == 0) lse[off[4] + row] = all;
#endif
}
