#version 430 core

// Where a tensor begins inside its binding, by binding; sizes, of which the last is
// the first work group of the dispatch; other numbers.
layout(location = 0) uniform int off[12];
layout(location = 16) uniform int n[16];
layout(location = 32) uniform float f[8];

// stored is one of the two values of a word that keeps weights in 16 bits.
float stored(uint word, int second) {
#ifdef F16
    return unpackHalf2x16(word)[second];
#else // bfloat16: the upper half of a float32
    return uintBitsToFloat(second == 1 ? word & 0xffff0000u : word << 16);
#endif
}

// group is the number of the work group, those of earlier dispatches counted.
int group() { return n[15] + int(gl_WorkGroupID.x); }

// With VEC a buffer has its values in fours, each row beginning with one. PLAIN and
// PACKED are element i of a buffer x, four with VEC; FOUR is the four values of a
// row from the i-th on, of which have are there, and zeros.
#ifdef VEC
#define FLOATS vec4
#define WORDS uvec2
vec4 unpacked(uvec2 w) { return vec4(stored(w.x, 0), stored(w.x, 1), stored(w.y, 0), stored(w.y, 1)); }
#define PLAIN(x, i) x[(i) / 4]
#define PACKED(x, i) unpacked(x[(i) / 4])
#define FOUR(at, x, i, have) ((have) > 0 ? at(x, i) : vec4(0.0))
#else
#define FLOATS float
#define WORDS uint
#define PLAIN(x, i) x[i]
#define PACKED(x, i) stored(x[(i) / 2], (i) % 2)
#define FOUR(at, x, i, have) vec4((have) > 0 ? at(x, i) : 0.0, (have) > 1 ? at(x, (i) + 1) : 0.0, \
    (have) > 2 ? at(x, (i) + 2) : 0.0, (have) > 3 ? at(x, (i) + 3) : 0.0)
#endif
