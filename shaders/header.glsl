#version 430 core

// Where a tensor begins inside its binding, by binding; sizes; other numbers.
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

// group is the number of the work group: no dimension may have more than 65,535.
int group() { return int(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x); }
