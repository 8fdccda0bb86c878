// The pairwise sigmoid loss (Zhai et al. 2023) on a tile of cosines, which become
// gradients by the cosine, PER an invocation; sums of each group: loss, dt', db.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Tile { float tile[]; };
layout(std430, binding = 1) readonly buffer Scale { float t[]; };
layout(std430, binding = 2) readonly buffer Bias { float b[]; };
layout(std430, binding = 3) buffer Sums { float sums[]; };

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
    int lane = int(gl_LocalInvocationID.x), from = group() * 256 * PER, end = min(from + 256 * PER, n[0] * n[1]);
    float scale = exp(t[off[1]]), bias = b[off[2]];
    vec3 sum = vec3(0.0);
    for (int i = from + lane; i < end; i += 256) {
        float z = float(label(i / n[1], i % n[1])), cosine = tile[off[0] + i];
        float u = -z * (scale * cosine + bias); // loss is softplus(u)
        float e = exp(-abs(u));
        float grad = -z * (u >= 0.0 ? 1.0 : e) / (1.0 + e) * f[0];
        if (z != 0.0) sum += vec3((max(u, 0.0) + log1p(e)) * f[0], grad * scale * cosine, grad);
        if (isnan(u)) sum = vec3(u);
        tile[off[0] + i] = grad * scale;
    }
    part[lane] = sum;
    barrier();
    for (int h = 128; h > 0; h >>= 1) {
        if (lane < h) part[lane] += part[lane + h];
        barrier();
    }
    if (lane > 0 || from >= n[0] * n[1]) return;
    sums[group() * 3] = part[0].x;
    sums[group() * 3 + 1] = part[0].y;
    sums[group() * 3 + 2] = part[0].z;
}
