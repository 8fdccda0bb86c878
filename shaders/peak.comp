// Multiply-adds on registers: what a device can do at best. n[0]: rounds of 16
// vectors of four an invocation.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };

void main() {
    int lane = int(gl_LocalInvocationID.x);
    vec4 a[16];
    for (int i = 0; i < 16; i++) a[i] = vec4(float(lane + i), 1.0, 2.0, 3.0);
    vec4 x = vec4(0.999, 0.998, 0.997, 0.996), y = vec4(0.001 * float(lane));
    for (int r = 0; r < n[0]; r++)
        for (int i = 0; i < 16; i++) a[i] = a[i] * x + y;
    vec4 sum = vec4(0.0);
    for (int i = 0; i < 16; i++) sum += a[i];
    // Never true, and the compiler cannot know.
    if (sum.x + sum.y + sum.z + sum.w == 1234.5) dst[off[0]] = sum.x;
}
