// Between float32 and 16 bits, two values a word. n: elements; PACK has the first
// element in the binding at off[0], which may be the second half of a word.
layout(local_size_x = 256) in;

#if defined(PACK) // a word an invocation: halves that are not written stay
layout(std430, binding = 0) buffer Dst { uint dst[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };

uint rounded(float v) {
#ifdef F16
    return packHalf2x16(vec2(v, 0.0));
#else // to nearest, ties to even; NaN stays one
    uint bits = floatBitsToUint(v);
    return isnan(v) ? 0x7fc0u : bits + 0x7fffu + (bits >> 16 & 1u) >> 16;
#endif
}

void main() {
    int word = off[0] / 2 + group() * 256 + int(gl_LocalInvocationID.x), i = 2 * word - off[0];
    if (i >= n[0]) return;
    uint v = dst[word];
    if (i >= 0) v = v & 0xffff0000u | rounded(x[off[1] + i]);
    if (i + 1 < n[0]) v = v & 0xffffu | rounded(x[off[1] + i + 1]) << 16;
    dst[word] = v;
}
#else
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer X { uint x[]; };

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x), at = off[1] + i;
    if (i < n[0]) dst[off[0] + i] = stored(x[at / 2], at % 2);
}
#endif
