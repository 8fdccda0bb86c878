// AdamW (Loshchilov & Hutter 2019), as backend/ref has it.
// f: lr, β1, β2, ε, decay factor 1 − lr·decay, scale, 1 − β1^step, 1 − β2^step.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer W { float w[]; };
layout(std430, binding = 1) readonly buffer G { float g[]; };
layout(std430, binding = 2) buffer M { float m[]; };
layout(std430, binding = 3) buffer V { float v[]; };

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x);
    if (i >= n[0]) return;
    float grad = g[off[1] + i] * f[5];
    float first = f[1] * m[off[2] + i] + (1.0 - f[1]) * grad;
    float second = f[2] * v[off[3] + i] + (1.0 - f[2]) * grad * grad;
    float change = first / f[6] / (sqrt(second / f[7]) + f[3]);
    w[off[0] + i] = w[off[0] + i] * f[4] - f[0] * change;
    m[off[2] + i] = first;
    v[off[3] + i] = second;
}
