// dst[M, N] = op(a)·op(b) + bias, or dst += it: TY × TX invocations a work group,
// RM × RN values an invocation, BK deep at a time in shared memory.
// n: M, N, K; first row of the dispatch; k from and to.
layout(local_size_x = TX, local_size_y = TY) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
#ifdef PACKED_A
layout(std430, binding = 1) readonly buffer A { uint a[]; };
float left_(int i) { return stored(a[i / 2], i % 2); }
#else
layout(std430, binding = 1) readonly buffer A { float a[]; };
float left_(int i) { return a[i]; }
#endif
#ifdef PACKED_B
layout(std430, binding = 2) readonly buffer B { uint b[]; };
float right_(int i) { return stored(b[i / 2], i % 2); }
#else
layout(std430, binding = 2) readonly buffer B { float b[]; };
float right_(int i) { return b[i]; }
#endif
layout(std430, binding = 3) readonly buffer Bias { float bias[]; };

const int BM = RM * TY, BN = RN * TX;
shared float sa[BK][BM + 1];
shared float sb[BK][BN + 1];

void load(int row, int col, int k0) {
    int lane = int(gl_LocalInvocationIndex);
    for (int i = lane; i < BM * BK; i += TX * TY) {
#ifdef TRANS_A
        int k = i / BM, m = i % BM, at = (k0 + k) * n[0] + row + m;
#else
        int k = i % BK, m = i / BK, at = (row + m) * n[2] + k0 + k;
#endif
        sa[k][m] = row + m < n[0] && k0 + k < n[5] ? left_(off[1] + at) : 0.0;
    }
    for (int i = lane; i < BN * BK; i += TX * TY) {
#ifdef TRANS_B
        int k = i % BK, c = i / BK, at = (col + c) * n[2] + k0 + k;
#else
        int k = i / BN, c = i % BN, at = (k0 + k) * n[1] + col + c;
#endif
        sb[k][c] = col + c < n[1] && k0 + k < n[5] ? right_(off[2] + at) : 0.0;
    }
}

void main() {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int row = n[3] + int(gl_WorkGroupID.y) * BM, col = int(gl_WorkGroupID.x) * BN;
    float sum[RM][RN];
    for (int i = 0; i < RM; i++)
        for (int j = 0; j < RN; j++) sum[i][j] = 0.0;
    for (int k0 = n[4]; k0 < n[5]; k0 += BK) {
        load(row, col, k0);
        barrier();
        for (int k = 0; k < BK; k++) {
            float right[RN];
            for (int j = 0; j < RN; j++) right[j] = sb[k][tx + j * TX];
            for (int i = 0; i < RM; i++) {
                float left = sa[k][ty + i * TY];
                for (int j = 0; j < RN; j++) sum[i][j] += left * right[j];
            }
        }
        barrier();
    }
    for (int i = 0; i < RM; i++) {
        int r = row + ty + i * TY;
        for (int j = 0; j < RN; j++) {
            int c = col + tx + j * TX;
            if (r >= n[0] || c >= n[1]) continue;
            float v = sum[i][j];
#ifdef BIAS
            v += bias[off[3] + c];
#endif
#ifdef ACCUMULATE
            v += dst[off[0] + r * n[1] + c];
#endif
            dst[off[0] + r * n[1] + c] = v;
        }
    }
}
