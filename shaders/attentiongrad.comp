// The gradients of attention, with the probabilities found again from lse.
// DQ: a work group has T queries and goes over the keys. DKV: it has T keys and
// goes over the queries. along is ⟨dy, y⟩ of every query, [batch, queries, heads].
// n: heads, queries, keys, batch·heads; blocks of what a group has; what the
// dispatch goes over, from and to. ACCUMULATE adds to what is there.
layout(local_size_x = T, local_size_y = T) in;
layout(std430, binding = 0) buffer Out { float dst[]; };
layout(std430, binding = 1) readonly buffer Q { float q[]; };
layout(std430, binding = 2) readonly buffer K { float k[]; };
layout(std430, binding = 3) readonly buffer V { float v[]; };
layout(std430, binding = 4) readonly buffer Lse { float lse[]; };
layout(std430, binding = 5) readonly buffer Lens { int lens[]; };
layout(std430, binding = 6) readonly buffer Dy { float dy[]; };
layout(std430, binding = 7) readonly buffer Along { float along[]; };
#ifdef DKV
layout(std430, binding = 8) buffer Out2 { float dst2[]; };
#endif

const int PER = (DIM + T - 1) / T;
shared float sq[T][DIM + 1];
shared float sk[T][DIM + 1];
shared float sv[T][DIM + 1];
shared float sy[T][DIM + 1];
shared vec2 sp[T][T + 1]; // probability and gradient of the score, [query][key]

int batch, h, keys;

void loadKeys(int first) {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int at = ((batch * n[2] + first + ty) * n[0] + h) * DIM;
    bool in_ = first + ty < keys;
    for (int c = tx; c < DIM; c += T) {
        sk[ty][c] = in_ ? k[off[2] + at + c] : 0.0;
        sv[ty][c] = in_ ? v[off[3] + at + c] : 0.0;
    }
}

void loadQueries(int first) {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int at = ((batch * n[1] + first + ty) * n[0] + h) * DIM;
    bool in_ = first + ty < n[1];
    for (int c = tx; c < DIM; c += T) {
        sq[ty][c] = in_ ? q[off[1] + at + c] : 0.0;
        sy[ty][c] = in_ ? dy[off[6] + at + c] : 0.0;
    }
}

// pair leaves the probability of a query and a key, and the score's gradient.
void pair(int query, int key) {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    bool visible = query < n[1] && key < keys;
#ifdef CAUSAL
    visible = visible && key <= query;
#endif
    float score = 0.0, dp = 0.0;
    for (int c = 0; c < DIM; c++) {
        score += sq[ty][c] * sk[tx][c];
        dp += sy[ty][c] * sv[tx][c];
    }
    vec2 r = vec2(0.0);
    if (visible) {
        r.x = exp(score * f[0] - lse[off[4] + (batch * n[0] + h) * n[1] + query]);
        r.y = r.x * (dp - along[off[7] + (batch * n[1] + query) * n[0] + h]) * f[0];
    }
    sp[ty][tx] = r;
}

void main() {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int item = group(), head = item / n[4], first = item % n[4] * T;
    if (head >= n[3]) return; // the whole group
    batch = head / n[0];
    h = head % n[0];
    keys = n[2];
#ifdef LENS
    keys = lens[batch];
#endif
    float sum[PER], sum2[PER];
    for (int i = 0; i < PER; i++) sum[i] = sum2[i] = 0.0;
#ifdef DQ
    loadQueries(first);
    int from = 0, end = keys;
#ifdef CAUSAL
    end = min(end, first + T);
#endif
#else
    loadKeys(first);
    int from = 0, end = n[1];
#ifdef CAUSAL
    from = first;
#endif
#endif
    from = max(from, n[5]);
    end = min(end, n[6]);
    for (int at = from; at < end; at += T) {
        barrier();
#ifdef DQ
        loadKeys(at);
        barrier();
        pair(first + ty, at + tx);
#else
        loadQueries(at);
        barrier();
        pair(at + ty, first + tx);
#endif
        barrier();
        for (int i = 0; i < PER; i++) {
            int c = tx + i * T;
            if (c >= DIM) break;
#ifdef DQ
            for (int j = 0; j < T; j++) sum[i] += sp[ty][j].y * sk[j][c];
#else
            for (int j = 0; j < T; j++) {
                sum[i] += sp[j][ty].y * sq[j][c];
                sum2[i] += sp[j][ty].x * sy[j][c];
            }
#endif
        }
    }
#ifdef DQ
    int rows = n[1];
#else
    int rows = n[2];
#endif
    int row = first + ty, to = ((batch * rows + row) * n[0] + h) * DIM;
    if (row >= rows) return;
    for (int i = 0; i < PER; i++) {
        int c = tx + i * T;
        if (c >= DIM) break;
#ifdef ACCUMULATE
        sum[i] += dst[off[0] + to + c];
#endif
        dst[off[0] + to + c] = sum[i];
#ifdef DKV
#ifdef ACCUMULATE
        sum2[i] += dst2[off[8] + to + c];
#endif
        dst2[off[8] + to + c] = sum2[i];
#endif
    }
}
