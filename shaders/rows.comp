// One row a work group: LayerNorm, Normalize and their gradients.
// n: rows, columns.
layout(local_size_x = 128) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer W { float w[]; };
layout(std430, binding = 3) readonly buffer B { float b[]; };
layout(std430, binding = 4) buffer Mean { float mean[]; };
layout(std430, binding = 5) buffer Rstd { float rstd[]; };

shared vec2 part[128];

// total is the sum of v over the work group, the same in every invocation.
vec2 total(vec2 v) {
    int lane = int(gl_LocalInvocationID.x);
    barrier(); // the last total has been read
    part[lane] = v;
    barrier();
    for (int half_ = 64; half_ > 0; half_ >>= 1) {
        if (lane < half_) part[lane] += part[lane + half_];
        barrier();
    }
    return part[0];
}

void main() {
    int r = group(), lane = int(gl_LocalInvocationID.x), cols = n[1];
    if (r >= n[0]) return; // the whole group: barriers stay in uniform flow
    int at = r * cols;
#if defined(LAYERNORM)
    vec2 sum = vec2(0.0);
    for (int c = lane; c < cols; c += 128) sum.x += x[off[1] + at + c];
    float mu = total(sum).x / float(cols);
    sum = vec2(0.0);
    for (int c = lane; c < cols; c += 128) {
        float d = x[off[1] + at + c] - mu;
        sum.x += d * d;
    }
    float rs = 1.0 / sqrt(total(sum).x / float(cols) + f[0]);
    for (int c = lane; c < cols; c += 128)
        dst[off[0] + at + c] = (x[off[1] + at + c] - mu) * rs * w[off[2] + c] + b[off[3] + c];
#ifdef KEEP_MEAN
    if (lane == 0) mean[off[4] + r] = mu;
#endif
#ifdef KEEP_RSTD
    if (lane == 0) rstd[off[5] + r] = rs;
#endif
#elif defined(LAYERNORMGRAD) // x at 1, w at 2, dy at 3
    float mu = mean[off[4] + r], rs = rstd[off[5] + r];
    vec2 sum = vec2(0.0);
    for (int c = lane; c < cols; c += 128) {
        float h = b[off[3] + at + c] * w[off[2] + c];
        sum += vec2(h, h * (x[off[1] + at + c] - mu) * rs);
    }
    vec2 means = total(sum) / float(cols);
    for (int c = lane; c < cols; c += 128) {
        float h = b[off[3] + at + c] * w[off[2] + c];
        dst[off[0] + at + c] = rs * (h - means.x - (x[off[1] + at + c] - mu) * rs * means.y);
    }
#elif defined(NORMALIZE) // norm at 4
    vec2 sum = vec2(0.0);
    for (int c = lane; c < cols; c += 128) {
        float v = x[off[1] + at + c];
        sum.x += v * v;
    }
    float square = total(sum).x;
    float norm = isnan(square) ? square : max(sqrt(square), 1e-12);
    for (int c = lane; c < cols; c += 128) dst[off[0] + at + c] = x[off[1] + at + c] / norm;
#ifdef KEEP_MEAN
    if (lane == 0) mean[off[4] + r] = norm;
#endif
#elif defined(NORMALIZEGRAD) // dy at 1, y at 2, norm at 4
    vec2 sum = vec2(0.0);
    for (int c = lane; c < cols; c += 128) sum.x += x[off[1] + at + c] * w[off[2] + at + c];
    float along = total(sum).x;
    for (int c = lane; c < cols; c += 128)
        dst[off[0] + at + c] = (x[off[1] + at + c] - along * w[off[2] + at + c]) / mean[off[4] + r];
#endif
}
