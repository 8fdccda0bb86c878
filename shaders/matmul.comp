// dst[M, N] = op(a)·op(b) + bias, or dst += it. A work group of TY × TX invocations
// has RM·TY rows and RN·TX columns, each invocation RM × RN of them in registers; BK
// steps of k at a time go through shared memory, in blocks of 4 × 4 values. VEC says
// that rows begin at multiples of four values: they are loaded four at a time.
// PREFETCH loads the next step's blocks into registers while it computes this one.
// Parts of k may go to groups of their own, which write a dst each.
// n: M, N, K; first row of the dispatch; k from and to; k a part, groups of rows a part;
// first column, and where rows and columns of the dispatch end.
layout(local_size_x = TX, local_size_y = TY) in;

layout(std430, binding = 0) buffer Dst { FLOATS dst[]; };
#ifdef PACKED_A
layout(std430, binding = 1) readonly buffer A { WORDS a[]; };
#else
layout(std430, binding = 1) readonly buffer A { FLOATS a[]; };
#endif
#ifdef PACKED_B
layout(std430, binding = 2) readonly buffer B { WORDS b[]; };
#else
layout(std430, binding = 2) readonly buffer B { FLOATS b[]; };
#endif
layout(std430, binding = 3) readonly buffer Bias { float bias[]; };

vec4 left4(int i, int have) {
#ifdef PACKED_A
    return FOUR(PACKED, a, i, have);
#else
    return FOUR(PLAIN, a, i, have);
#endif
}

vec4 right4(int i, int have) {
#ifdef PACKED_B
    return FOUR(PACKED, b, i, have);
#else
    return FOUR(PLAIN, b, i, have);
#endif
}

// The blocks of a step, those of a before those of b. Those whose rows go along k
// are numbered along k, others across, so that neighbours read what lies together.
const uint BM = RM * TY, BN = RN * TX, DEEP = BK / 4;
const uint BLOCKS_A = DEEP * BM / 4, BLOCKS = BLOCKS_A + DEEP * BN / 4;
const uint PER = (BLOCKS + TX * TY - 1) / (TX * TY); // blocks an invocation
#ifdef TRANS_A
ivec2 placeA(uint i) { return ivec2(i / (BM / 4), i % (BM / 4)); } // k and m, by four
#else
ivec2 placeA(uint i) { return ivec2(i % DEEP, i / DEEP); }
#endif
#ifdef TRANS_B
ivec2 placeB(uint i) { return ivec2(i % DEEP, i / DEEP); }
#else
ivec2 placeB(uint i) { return ivec2(i / (BN / 4), i % (BN / 4)); }
#endif

// The column more makes neighbours that store along k meet in half of the banks
// only; all others meet in none.
shared vec4 sa[BK][BM / 4 + 1];
shared vec4 sb[BK][BN / 4 + 1];

int row, col, end; // of the group: first row and column; where its k end
mat4 block[PER];   // a row for each k

void fetch(int k0) {
    for (uint p = 0; p < PER; p++) {
        uint i = gl_LocalInvocationIndex + p * TX * TY;
        if (i < BLOCKS_A) {
            ivec2 at = placeA(i) * 4;
            int k = k0 + at.x, m = row + at.y;
#ifdef TRANS_A
            int have = n[9] - m, from = off[1] + k * n[0] + m;
            block[p] = mat4(left4(from, k < end ? have : 0), left4(from + n[0], k + 1 < end ? have : 0),
                left4(from + 2 * n[0], k + 2 < end ? have : 0), left4(from + 3 * n[0], k + 3 < end ? have : 0));
#else
            int have = end - k, from = off[1] + m * n[2] + k;
            block[p] = transpose(mat4(left4(from, m < n[9] ? have : 0), left4(from + n[2], m + 1 < n[9] ? have : 0),
                left4(from + 2 * n[2], m + 2 < n[9] ? have : 0), left4(from + 3 * n[2], m + 3 < n[9] ? have : 0)));
#endif
        } else if (i < BLOCKS) {
            ivec2 at = placeB(i - BLOCKS_A) * 4;
            int k = k0 + at.x, c = col + at.y;
#ifdef TRANS_B
            int have = end - k, from = off[2] + c * n[2] + k;
            block[p] = transpose(mat4(right4(from, c < n[10] ? have : 0), right4(from + n[2], c + 1 < n[10] ? have : 0),
                right4(from + 2 * n[2], c + 2 < n[10] ? have : 0), right4(from + 3 * n[2], c + 3 < n[10] ? have : 0)));
#else
            int have = n[10] - c, from = off[2] + k * n[1] + c;
            block[p] = mat4(right4(from, k < end ? have : 0), right4(from + n[1], k + 1 < end ? have : 0),
                right4(from + 2 * n[1], k + 2 < end ? have : 0), right4(from + 3 * n[1], k + 3 < end ? have : 0));
#endif
        }
    }
}

void share() {
    for (uint p = 0; p < PER; p++) {
        uint i = gl_LocalInvocationIndex + p * TX * TY;
        if (i < BLOCKS_A) {
            ivec2 at = placeA(i);
            sa[4 * at.x][at.y] = block[p][0];
            sa[4 * at.x + 1][at.y] = block[p][1];
            sa[4 * at.x + 2][at.y] = block[p][2];
            sa[4 * at.x + 3][at.y] = block[p][3];
        } else if (i < BLOCKS) {
            ivec2 at = placeB(i - BLOCKS_A);
            sb[4 * at.x][at.y] = block[p][0];
            sb[4 * at.x + 1][at.y] = block[p][1];
            sb[4 * at.x + 2][at.y] = block[p][2];
            sb[4 * at.x + 3][at.y] = block[p][3];
        }
    }
}

// Steps of loops are counted where they may be (see deepest in linear.go), so
// what is done for each k has none.
#if RN == 8
#define ROW(i, x) sum[i][0] += (x) * right0; sum[i][1] += (x) * right1
#else
#define ROW(i, x) sum[i][0] += (x) * right0
#endif
#define ROWS(i, left) ROW(i, left.x); ROW(i + 1, left.y); ROW(i + 2, left.z); ROW(i + 3, left.w)

void write(int r, int c, vec4 v, int to) {
    if (r >= n[9] || c >= n[10]) return;
    int at = to + r * n[1] + c;
#ifdef VEC
#ifdef ACCUMULATE
    v += dst[at >> 2];
#endif
    dst[at >> 2] = v;
#else
    for (int i = 0; i < min(4, n[10] - c); i++) {
#ifdef ACCUMULATE
        v[i] += dst[at + i];
#endif
        dst[at + i] = v[i];
    }
#endif
}

// added is what bias adds to four columns from c on.
vec4 added(int c) {
#ifdef BIAS
    ivec4 at = off[3] + min(c + ivec4(0, 1, 2, 3), n[1] - 1);
    return vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
#else
    return vec4(0.0);
#endif
}

void main() {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int part = int(gl_WorkGroupID.y) / n[7], from = n[4] + part * n[6];
    row = n[3] + int(gl_WorkGroupID.y) % n[7] * int(BM);
    col = n[8] + int(gl_WorkGroupID.x * BN);
    end = min(n[5], from + n[6]);
    vec4 sum[RM][RN / 4];
    for (int i = 0; i < RM; i++)
        for (int j = 0; j < RN / 4; j++) sum[i][j] = vec4(0.0);
#ifdef PREFETCH
    fetch(from);
#endif
    for (int k0 = from; k0 < end; k0 += BK) {
#ifndef PREFETCH
        fetch(k0);
#endif
        barrier(); // the last step has been read
        share();
        barrier();
#ifdef PREFETCH
        fetch(k0 + BK); // behind the end: nothing
#endif
        for (int k = 0; k < BK; k++) {
            vec4 right0 = sb[k][tx], left = sa[k][ty];
#if RN == 8
            vec4 right1 = sb[k][tx + TX];
#endif
            ROWS(0, left);
#if RM == 8
            left = sa[k][ty + TY];
            ROWS(4, left);
#endif
        }
    }
    int to = off[0] + part * n[0] * n[1];
    for (int j = 0; j < RN / 4; j++) {
        int c = col + (j * TX + tx) * 4;
        vec4 more = added(c);
        for (int i = 0; i < RM; i++) write(row + (i / 4 * TY + ty) * 4 + i % 4, c, sum[i][j] + more, to);
    }
}
