// Attention without a quadratic buffer (Dao et al. 2022): a work group has 4·TY
// queries of one head and goes over the keys 4·TX at a time, an invocation over 4
// queries and 4 keys, then over 4 queries and vectors of four values. DIM is the
// width of a head. VEC says that rows begin at multiples of four values.
// n: heads, queries, keys, batch·heads; blocks of queries; the keys of this
// dispatch, from and to. MERGE joins what it finds with dst and lse.
layout(local_size_x = TX, local_size_y = TY) in;
layout(std430, binding = 0) buffer Dst { FLOATS dst[]; };
layout(std430, binding = 1) readonly buffer Q { FLOATS q[]; };
layout(std430, binding = 2) readonly buffer K { FLOATS k[]; };
layout(std430, binding = 3) readonly buffer V { FLOATS v[]; };
layout(std430, binding = 4) buffer Lse { float lse[]; };
layout(std430, binding = 5) readonly buffer Lens { int lens[]; };

const uint FOURS = (DIM + 3) / 4;           // vectors of a row
const uint PER = (FOURS + TX - 1) / TX;     // of these an invocation
const int BQ = 4 * TY, BK = 4 * TX;
const float LOWEST = -3.4e38;
// An odd number of vectors a row: neighbours that read one row each meet in no bank.
shared vec4 sq[BQ][FOURS | 1];
shared vec4 sk[BK][FOURS | 1]; // keys, then values
shared vec4 sp[BK][TY + 1]; // probabilities of 4 queries
shared float part[BQ][TX + 1];

// BRING loads count rows of a head into shared memory, and zeros behind those that
// are there: four vectors an invocation at a time, which are under way together.
const uint MANY = 4 * TX * TY;
#define BRING(to, from, at, count, have) \
    for (uint i = gl_LocalInvocationIndex; i < (count) * FOURS; i += MANY) { \
        vec4 some[4]; \
        for (uint u = 0; u < 4; u++) { \
            int r = int((i + u * TX * TY) / FOURS), c = int((i + u * TX * TY) % FOURS) * 4; \
            some[u] = FOUR(PLAIN, from, (at) + r * width + c, r < min(count, have) ? DIM - c : 0); \
        } \
        for (uint u = 0; u < 4; u++) { \
            uint r = (i + u * TX * TY) / FOURS; \
            if ((count) * FOURS % MANY == 0 || r < (count)) to[r][(i + u * TX * TY) % FOURS] = some[u]; \
        } \
    }

// highestOf is the highest of a row of part.
float highestOf(int row) {
    float top = part[row][0];
    for (int i = 1; i < TX; i++) top = max(top, part[row][i]);
    return top;
}

void main() {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int item = group(), head = item / n[4];
    if (head >= n[3]) return; // the whole group
    int batch = head / n[0], h = head % n[0], first = item % n[4] * BQ;
    int width = n[0] * DIM, atQ = (batch * n[1] + first) * width + h * DIM;
    BRING(sq, q, off[1] + atQ, BQ, n[1] - first)
    int keys = n[2];
#ifdef LENS
    keys = lens[batch];
#endif
    int end = keys; // of the keys that any query of the group sees
#ifdef CAUSAL
    end = min(end, first + BQ);
#endif
    float highest[4], sum[4], old[4];
    vec4 y[4][PER];
    for (int i = 0; i < 4; i++) {
#ifdef MERGE // read before any of the group writes it
        old[i] = first + 4 * ty + i < n[1] ? lse[off[4] + head * n[1] + first + 4 * ty + i] : 0.0;
#endif
        highest[i] = LOWEST;
        sum[i] = 0.0;
        for (int u = 0; u < PER; u++) y[i][u] = vec4(0.0);
    }
    end = min(end, n[6]);
    for (int k0 = n[5]; k0 < end; k0 += BK) {
        int atK = (batch * n[2] + k0) * width + h * DIM;
        barrier(); // the last values have been read
        BRING(sk, k, off[2] + atK, BK, keys - k0)
        barrier();
        vec4 score[4]; // of a query with keys tx, tx + TX, ...
        for (int i = 0; i < 4; i++) score[i] = vec4(0.0);
        for (int c = 0; c < FOURS; c++) {
            vec4 k0_ = sk[tx][c], k1 = sk[tx + TX][c], k2 = sk[tx + 2 * TX][c], k3 = sk[tx + 3 * TX][c];
            for (int i = 0; i < 4; i++) {
                vec4 query = sq[4 * ty + i][c];
                score[i] += vec4(dot(query, k0_), dot(query, k1), dot(query, k2), dot(query, k3));
            }
        }
        ivec4 key = k0 + tx + ivec4(0, TX, 2 * TX, 3 * TX);
        for (int i = 0; i < 4; i++) {
#ifdef CAUSAL
            int seen = min(keys, first + 4 * ty + i + 1);
#else
            int seen = keys;
#endif
            score[i] = mix(vec4(LOWEST), score[i] * f[0], lessThan(key, ivec4(seen)));
            part[4 * ty + i][tx] = max(max(score[i].x, score[i].y), max(score[i].z, score[i].w));
        }
        barrier();
        BRING(sk, v, off[3] + atK, BK, keys - k0)
        for (int i = 0; i < 4; i++) {
            int row = 4 * ty + i;
            float top = max(highest[i], highestOf(row)), shrink = exp(highest[i] - top);
            highest[i] = top;
            // What is not seen is LOWEST, and so is top where nothing is.
            vec4 p = mix(exp(score[i] - top), vec4(0.0), equal(score[i], vec4(LOWEST)));
            sum[i] = sum[i] * shrink + p.x + p.y + p.z + p.w;
            score[i] = p;
            for (int u = 0; u < PER; u++) y[i][u] *= shrink;
        }
        for (int j = 0; j < 4; j++) sp[tx + j * TX][ty] = vec4(score[0][j], score[1][j], score[2][j], score[3][j]);
        barrier();
        for (int j = 0; j < BK; j++) {
            vec4 p = sp[j][ty];
            for (int u = 0; u < PER; u++) {
                vec4 value = sk[j][min(tx + u * TX, int(FOURS) - 1)];
                y[0][u] += p.x * value;
                y[1][u] += p.y * value;
                y[2][u] += p.z * value;
                y[3][u] += p.w * value;
            }
        }
    }
    for (int i = 0; i < 4; i++) part[4 * ty + i][tx] = sum[i];
    barrier();
    for (int i = 0; i < 4; i++) {
        int query = first + 4 * ty + i, row = head * n[1] + query;
        if (query >= n[1]) break;
        float all = 0.0;
        for (int j = 0; j < TX; j++) all += part[4 * ty + i][j];
        float total = all, log_ = isnan(all) ? all : all > 0.0 ? highest[i] + log(all) : LOWEST;
#ifdef MERGE
        float top = max(old[i], log_);
        float both = isnan(old[i]) || isnan(log_) ? old[i] + log_ : top + log(exp(old[i] - top) + exp(log_ - top));
        float part_ = exp(old[i] - both);
        total = all > 0.0 ? all * exp(both - log_) : 1.0; // without keys y is 0
        log_ = both;
#endif
        for (int u = 0; u < PER; u++) {
            int c = (tx + u * TX) * 4, at = off[0] + atQ + (4 * ty + i) * width + c;
            if (c >= DIM) break;
            vec4 value = y[i][u] / total;
#ifdef VEC
#ifdef MERGE
            value += dst[at / 4] * part_;
#endif
            dst[at / 4] = value;
#else
            for (int j = 0; j < min(4, DIM - c); j++) {
#ifdef MERGE
                value[j] += dst[at + j] * part_;
#endif
                dst[at + j] = value[j];
            }
#endif
        }
#ifdef KEEP_LSE
        if (tx == 0) lse[off[4] + row] = log_;
#endif
    }
}
