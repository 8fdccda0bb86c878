// Sums over everything. n: elements, first of the dispatch, elements a group.
// SQUARES: each group sums x² of its part into one element of dst.
// TOTAL: one group adds up n partial sums, vectors of WIDTH, into dst, dst2, dst3.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) buffer Dst2 { float dst2[]; };
layout(std430, binding = 3) buffer Dst3 { float dst3[]; };

shared vec3 part[256];

void main() {
    int lane = int(gl_LocalInvocationID.x);
    vec3 sum = vec3(0.0);
#if defined(SQUARES)
    int from = group() * n[2], to = min(from + n[2], n[0]);
    for (int i = from + lane; i < to; i += 256) {
        float v = x[off[1] + i];
        sum.x += v * v;
    }
#else
    for (int i = lane; i < n[0]; i += 256) {
        int at = off[1] + i * WIDTH;
        sum.x += x[at];
#if WIDTH == 3
        sum.yz += vec2(x[at + 1], x[at + 2]);
#endif
    }
#endif
    part[lane] = sum;
    barrier();
    for (int h = 128; h > 0; h >>= 1) {
        if (lane < h) part[lane] += part[lane + h];
        barrier();
    }
    if (lane > 0) return;
#if defined(SQUARES)
    if (group() * n[2] < n[0]) dst[off[0] + group()] = part[0].x;
#else
    dst[off[0]] += part[0].x;
#if WIDTH == 3
    dst2[off[2]] += part[0].y;
    dst3[off[3]] += part[0].z;
#endif
#endif
}
