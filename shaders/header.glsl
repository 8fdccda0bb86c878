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

#ifdef PAIRS // a tile of the pairs of a loss
// n: rows and columns of the tile, its first row and column, default label, whether
// the diagonal is +1, exceptions in the tile.
// list: for each row which exception is its first, and how many there are; then the
// exceptions by row and column: 4·column + label + 1, columns counted in the tile.
layout(std430, binding = 5) readonly buffer List { int list[]; };

int label(int r, int c) {
    int z = n[5] != 0 && n[2] + r == n[3] + c ? 1 : n[4];
    if (n[6] == 0) return z;
    int low = list[r], end = list[r + 1], high = end, at = n[0] + 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (list[at + middle] / 4 < c) low = middle + 1;
        else high = middle;
    }
    return low < end && list[at + low] / 4 == c ? list[at + low] % 4 - 1 : z;
}
#endif

// With VEC a buffer has its values in fours, each row beginning with one. PLAIN and
// PACKED are element i of a buffer x, four with VEC; FOUR is the four values of a
// row from the i-th on, of which have are there, and zeros. It loads always, the
// first value in place of what is not there: behind a branch a load would be waited
// for before the next is begun.
int place(int have, int i) { return have > 0 ? i : 0; }
#ifdef VEC
#define FLOATS vec4
#define WORDS uvec2
vec4 unpacked(uvec2 w) { return vec4(stored(w.x, 0), stored(w.x, 1), stored(w.y, 0), stored(w.y, 1)); }
#define PLAIN(x, i) x[(i) >> 2]
#define PACKED(x, i) unpacked(x[(i) >> 2])
vec4 there(int have, vec4 v) { return have > 0 ? v : vec4(0.0); }
#define FOUR(at, x, i, have) there(have, at(x, place(have, i)))
#else
#define FLOATS float
#define WORDS uint
#define PLAIN(x, i) x[i]
#define PACKED(x, i) stored(x[(i) >> 1], (i) & 1)
vec4 there(int have, vec4 v) { return mix(vec4(0.0), v, greaterThan(ivec4(have), ivec4(0, 1, 2, 3))); }
#define FOUR(at, x, i, have) there(have, vec4(at(x, place(have, i)), at(x, place((have) - 1, (i) + 1)), \
    at(x, place((have) - 2, (i) + 2)), at(x, place((have) - 3, (i) + 3))))
#endif
