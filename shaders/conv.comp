// Depthwise convolution: one value of the result an invocation.
// n: elements, height, width, channels, kernel, stride, height and width of the
// result, rows above, columns left.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer W { float w[]; };
layout(std430, binding = 3) readonly buffer Bias { float bias[]; };

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x);
    if (i >= n[0]) return;
    int c = i % n[3], out_ = i / n[3];
    int col = out_ % n[7], row = out_ / n[7] % n[6], batch = out_ / n[7] / n[6];
    float sum = 0.0;
    for (int ky = 0; ky < n[4]; ky++) {
        int y = row * n[5] - n[8] + ky;
        if (y < 0 || y >= n[1]) continue;
        for (int kx = 0; kx < n[4]; kx++) {
            int z = col * n[5] - n[9] + kx;
            if (z < 0 || z >= n[2]) continue;
            sum += w[off[2] + (ky * n[4] + kx) * n[3] + c] * x[off[1] + ((batch * n[1] + y) * n[2] + z) * n[3] + c];
        }
    }
    dst[off[0] + i] = sum + bias[off[3] + c];
}
