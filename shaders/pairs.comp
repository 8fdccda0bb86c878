// The pairwise sigmoid loss (Zhai et al. 2023) on a tile of cosines.
// n: rows and columns of the tile, its first row and column, default label,
// whether the diagonal is +1, exceptions in the list and the first of them.
layout(std430, binding = 0) buffer Labels { int label[]; };
#if defined(LABELS) // labels of the tile, but for exceptions
layout(local_size_x = 256) in;

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x);
    if (i >= n[0] * n[1]) return;
    bool same = n[2] + i / n[1] == n[3] + i % n[1];
    label[i] = n[5] != 0 && same ? 1 : n[4];
}
#elif defined(EXCEPT) // an exception an invocation, if it lies in the tile
layout(local_size_x = 256) in;
layout(std430, binding = 1) readonly buffer List { int list[]; }; // row, column, label

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x);
    if (i >= n[6]) return;
    int at = (n[7] + i) * 3, r = list[at] - n[2], c = list[at + 1] - n[3];
    if (r >= 0 && r < n[0] && c >= 0 && c < n[1]) label[r * n[1] + c] = list[at + 2];
}
#else // cosines become gradients by the cosine; sums of each group: loss, dt', db
layout(local_size_x = 256) in;
layout(std430, binding = 1) buffer Tile { float tile[]; };
layout(std430, binding = 2) readonly buffer Scale { float t[]; };
layout(std430, binding = 3) readonly buffer Bias { float b[]; };
layout(std430, binding = 4) buffer Sums { float sums[]; };

shared vec3 part[256];

// log1p for 0 ≤ e ≤ 1 by the series of 2·atanh(e/(2 + e)): GLSL has none, and
// log(1 + e) loses all digits of a small e.
float log1p(float e) {
    float s = e / (2.0 + e), q = s * s;
    float p = 1.0 / 13.0;
    p = p * q + 1.0 / 11.0;
    p = p * q + 1.0 / 9.0;
    p = p * q + 1.0 / 7.0;
    p = p * q + 1.0 / 5.0;
    p = p * q + 1.0 / 3.0;
    return 2.0 * s * (1.0 + q * p);
}

void main() {
    int lane = int(gl_LocalInvocationID.x), i = group() * 256 + lane;
    vec3 sum = vec3(0.0);
    if (i < n[0] * n[1]) {
        float z = float(label[i]), scale = exp(t[off[2]]), cosine = tile[i];
        float u = -z * (scale * cosine + b[off[3]]); // loss is softplus(u)
        float e = exp(-abs(u));
        float grad = -z * (u >= 0.0 ? 1.0 : e) / (1.0 + e) * f[0];
        if (z != 0.0) sum = vec3((max(u, 0.0) + log1p(e)) * f[0], grad * scale * cosine, grad);
        if (isnan(u)) sum = vec3(u);
        tile[i] = grad * scale;
    }
    part[lane] = sum;
    barrier();
    for (int h = 128; h > 0; h >>= 1) {
        if (lane < h) part[lane] += part[lane + h];
        barrier();
    }
    if (lane > 0 || group() * 256 >= n[0] * n[1]) return;
    sums[group() * 3] = part[0].x;
    sums[group() * 3 + 1] = part[0].y;
    sums[group() * 3 + 2] = part[0].z;
}
#endif
