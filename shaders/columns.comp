// Sums of columns: 32 columns a work group, 8 rows at a time. NORM sums dy·x̂ into
// dst and dy into dst2 (LayerNorm). They are added to dst, or with PARTIAL, where
// rows are cut into parts for groups of their own, written, a row for each part.
// n: rows, columns, rows a part.
layout(local_size_x = 32, local_size_y = 8) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
#ifdef NORM
layout(std430, binding = 2) buffer Dst2 { float dst2[]; };
layout(std430, binding = 3) readonly buffer Dy { float dy[]; };
layout(std430, binding = 4) readonly buffer Mean { float mean[]; };
layout(std430, binding = 5) readonly buffer Rstd { float rstd[]; };
#endif

shared vec2 part[8][32];

void main() {
    int tx = int(gl_LocalInvocationID.x), ty = int(gl_LocalInvocationID.y);
    int wide = (n[1] + 31) / 32, c = group() % wide * 32 + tx, part_ = group() / wide;
    int end = min(n[0], (part_ + 1) * n[2]);
    vec2 sum = vec2(0.0);
    if (c < n[1]) {
        for (int r = part_ * n[2] + ty; r < end; r += 8) {
            float v = x[off[1] + r * n[1] + c];
#ifdef NORM
            float g = dy[off[3] + r * n[1] + c];
            sum += vec2(g * (v - mean[off[4] + r]) * rstd[off[5] + r], g);
#else
            sum.x += v;
#endif
        }
    }
    part[ty][tx] = sum;
    barrier();
    if (ty > 0 || c >= n[1]) return;
    for (int i = 1; i < 8; i++) sum += part[i][tx];
#ifdef PARTIAL
    c += part_ * n[1];
#else
    sum.x += dst[off[0] + c];
#ifdef NORM
    sum.y += dst2[off[2] + c];
#endif
#endif
    dst[off[0] + c] = sum.x;
#ifdef NORM
    dst2[off[2] + c] = sum.y;
#endif
}
