// The gradients of attention, with the probabilities found again from lse. A work
// group has 4·TY rows of its own, queries with DQ and else keys, and goes over the
// others 4·TX at a time: an invocation over 4 rows and 4 others, then over 4 rows and
// vectors of four values. FIRST sums the gradients of the scores times the others
// (dq or dk), SECOND the probabilities times the gradients of the result (dv).
// DEEP is how many vectors of a row are multiplied at a time; DIM is the width of a
// head. VEC says that rows begin at multiples of four values.
// n: heads, queries, keys, batch·heads; blocks of rows; the others of this dispatch,
// from and to. ACCUMULATE adds to what is there.
const int FOURS = (DIM + 3) / 4; // vectors of a row

#ifdef DOTS // of a query an invocation: lse and ⟨dy, y⟩, [batch, heads, queries]
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Stats { vec2 stats[]; };
layout(std430, binding = 1) readonly buffer Dy { FLOATS dy[]; };
layout(std430, binding = 2) readonly buffer Y { FLOATS y[]; };
layout(std430, binding = 3) readonly buffer Lse { float lse[]; };

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x);
    if (i >= n[3] * n[1]) return;
    float along = 0.0;
    for (int c = 0; c < DIM; c += 4)
        along += dot(FOUR(PLAIN, dy, off[1] + i * DIM + c, DIM - c), FOUR(PLAIN, y, off[2] + i * DIM + c, DIM - c));
    int head = i / n[0] / n[1] * n[0] + i % n[0], row = head * n[1] + i / n[0] % n[1];
    stats[off[0] / 2 + row] = vec2(lse[off[3] + row], along);
}
#else
layout(local_size_x = TX, local_size_y = TY) in;
layout(std430, binding = 0) buffer Dst { FLOATS dst[]; };
layout(std430, binding = 1) readonly buffer Own { FLOATS own[]; };            // q, or k
layout(std430, binding = 2) readonly buffer OwnToo { FLOATS ownToo[]; };      // dy, or v
layout(std430, binding = 3) readonly buffer Others { FLOATS others[]; };      // k, or q
layout(std430, binding = 4) readonly buffer OthersToo { FLOATS othersToo[]; }; // v, or dy
layout(std430, binding = 5) readonly buffer Lens { int lens[]; };
layout(std430, binding = 6) readonly buffer Stats { vec2 stats[]; };
layout(std430, binding = 7) buffer Second { FLOATS second[]; };

const int PER = (FOURS + TX - 1) / TX; // vectors of a row an invocation
const int OWN = 4 * TY, OTHERS = 4 * TX;
// An odd number of vectors a row: neighbours that read one row each meet in no bank.
const int NARROW = DEEP | 1, WIDE = FOURS | 1;
const int SPACE = (OWN + OTHERS) * NARROW > OTHERS * WIDE ? (OWN + OTHERS) * NARROW : OTHERS * WIDE;
shared vec4 rows[SPACE];           // parts of all rows, or the others
shared vec4 factors[OWN][TX | 1];  // of a row with others i, i + TX, ...

int tx, ty;
int mine, first, atOwn;    // rows that there are; of the group: first row, and where
int end, width;            // of the others; of a row of all heads
bool busy;                 // some of the invocation's rows are there
vec4 pairs[4];             // products of a row with others tx, tx + TX, ...

#define PAIRS(i) a = rows[at + (i) * NARROW]; pairs[i] += vec4(dot(a, o0), dot(a, o1), dot(a, o2), dot(a, o3))

// multiply adds the products of a part of all rows to pairs.
void multiply() {
    for (int c = 0; c < DEEP; c++) {
        int at = (OWN + tx) * NARROW + c;
        vec4 o0 = rows[at], o1 = rows[at + TX * NARROW], o2 = rows[at + 2 * TX * NARROW], o3 = rows[at + 3 * TX * NARROW], a;
        at = 4 * ty * NARROW + c;
        PAIRS(0); PAIRS(1); PAIRS(2); PAIRS(3);
    }
}

// BRING loads count rows into shared memory, and zeros behind those that are there:
// wide vectors of each from the c0-th on. Up to four an invocation are under way
// together.
#define BRING(to, stride, x, at, count, have, wide, c0) { \
    const uint all_ = uint(count) * uint(wide), some_ = clamp(all_ / uint(TX * TY), 1u, 4u), step_ = some_ * TX * TY; \
    for (uint i = gl_LocalInvocationIndex; i < all_; i += step_) { \
        vec4 v[some_]; \
        for (uint u = 0; u < some_; u++) { \
            uint j = i + u * TX * TY; \
            int r = int(j / uint(wide)), c = (int(j % uint(wide)) + (c0)) * 4; \
            v[u] = FOUR(PLAIN, x, (at) + r * width + c, r < min(count, have) ? DIM - c : 0); \
        } \
        for (uint u = 0; u < some_; u++) { \
            uint j = i + u * TX * TY; \
            if (all_ % step_ == 0 || j < all_) rows[(to) + int(j / uint(wide)) * (stride) + int(j % uint(wide))] = v[u]; \
        } \
    } }

// MULTIPLY has in pairs the products of the group's rows of x, whose offset is offX,
// with the others of y from k0 on.
#define MULTIPLY(x, offX, y, offY) \
    for (int i = 0; i < 4; i++) pairs[i] = vec4(0.0); \
    for (int c0 = 0; c0 < FOURS; c0 += DEEP) { \
        barrier(); /* what was there has been read */ \
        BRING(0, NARROW, x, offX + atOwn, OWN, mine - first, DEEP, c0) \
        BRING(OWN * NARROW, NARROW, y, offY + atOthers, OTHERS, end - k0, DEEP, c0) \
        barrier(); \
        if (busy) multiply(); \
    }

#define SUM(sum, u) { vec4 v = rows[at + (u) * TX * WIDE]; \
    sum[0][p] += f0[u] * v; sum[1][p] += f1[u] * v; sum[2][p] += f2[u] * v; sum[3][p] += f3[u] * v; }

// ADD adds factor times the others of y to sum.
#define ADD(sum, factor, y, offY) \
    barrier(); \
    for (int i = 0; i < 4; i++) factors[4 * ty + i][tx] = factor[i]; \
    BRING(0, WIDE, y, offY + atOthers, OTHERS, end - k0, FOURS, 0) \
    barrier(); \
    for (int j = 0, to = busy ? min(TX, end - k0) : 0; j < to; j++) { \
        vec4 f0 = factors[4 * ty][j], f1 = factors[4 * ty + 1][j], f2 = factors[4 * ty + 2][j], f3 = factors[4 * ty + 3][j]; \
        for (int p = 0; p < PER; p++) { \
            int at = j * WIDE + min(tx + p * TX, FOURS - 1); \
            SUM(sum, 0) SUM(sum, 1) SUM(sum, 2) SUM(sum, 3) \
        } \
    }

#ifdef ACCUMULATE
#define BEFORE(x, at) x[at]
#else
#define BEFORE(x, at) 0.0
#endif
#ifdef VEC
#define WRITE(x, at, v) x[(at) >> 2] = v + BEFORE(x, (at) >> 2)
#else
#define WRITE(x, at, v) for (int j = 0; j < min(4, DIM - c); j++) x[at + j] = v[j] + BEFORE(x, at + j)
#endif

void main() {
    tx = int(gl_LocalInvocationID.x);
    ty = int(gl_LocalInvocationID.y);
    int item = group(), head = item / n[4];
    if (head >= n[3]) return; // the whole group
    int batch = head / n[0], h = head % n[0], keys = n[2], from = n[5];
#ifdef LENS
    keys = lens[batch];
#endif
    width = n[0] * DIM;
    first = item % n[4] * OWN;
#ifdef DQ
    int all = n[1], over = n[2];
    mine = all;
    end = min(keys, n[6]);
#ifdef CAUSAL
    end = min(end, first + OWN);
#endif
    vec2 stat[4];
    for (int i = 0; i < 4; i++) stat[i] = first + 4 * ty + i < mine ? stats[off[6] / 2 + head * n[1] + first + 4 * ty + i] : vec2(0.0);
#else
    int all = n[2], over = n[1];
    mine = keys;
    end = first < mine ? min(over, n[6]) : 0; // keys that nobody sees have zeros
#ifdef CAUSAL
    from = max(from, first / OTHERS * OTHERS);
#endif
#endif
    busy = first + 4 * ty < mine;
    atOwn = (batch * all + first) * width + h * DIM;
    vec4 sum[4][PER], sum2[4][PER];
    for (int i = 0; i < 4; i++)
        for (int p = 0; p < PER; p++) sum[i][p] = sum2[i][p] = vec4(0.0);
    for (int k0 = from; k0 < end; k0 += OTHERS) {
        int atOthers = (batch * over + k0) * width + h * DIM;
        ivec4 other = k0 + tx + ivec4(0, TX, 2 * TX, 3 * TX);
#ifndef DQ
        vec4 lse, along;
        for (int i = 0; i < 4; i++) {
            vec2 stat = other[i] < end ? stats[off[6] / 2 + head * n[1] + other[i]] : vec2(0.0);
            lse[i] = stat.x;
            along[i] = stat.y;
        }
#endif
        MULTIPLY(own, off[1], others, off[3])
        vec4 probability[4];
        for (int i = 0; i < 4; i++) {
            int row = first + 4 * ty + i, to = row < mine ? end : 0, least = 0;
#ifdef DQ
            vec4 lse = vec4(stat[i].x);
#endif
#if defined(CAUSAL) && defined(DQ)
            to = min(to, row + 1);
#elif defined(CAUSAL)
            least = row;
#endif
            vec4 p = mix(vec4(0.0), exp(pairs[i] * f[0] - lse), lessThan(other, ivec4(to)));
            probability[i] = mix(vec4(0.0), p, greaterThanEqual(other, ivec4(least)));
        }
#ifdef SECOND
        ADD(sum2, probability, othersToo, off[4])
#endif
#ifdef FIRST
        MULTIPLY(ownToo, off[2], othersToo, off[4])
        for (int i = 0; i < 4; i++) {
#ifdef DQ
            vec4 along = vec4(stat[i].y);
#endif
            pairs[i] = probability[i] * (pairs[i] - along) * f[0];
        }
        ADD(sum, pairs, others, off[3])
#endif
    }
    for (int i = 0; i < 4; i++) {
        if (first + 4 * ty + i >= all) break;
        for (int p = 0; p < PER; p++) {
            int c = (tx + p * TX) * 4, at = atOwn + (4 * ty + i) * width + c;
            if (c >= DIM) break;
#ifdef FIRST
            WRITE(dst, off[0] + at, sum[i][p]);
#endif
#ifdef SECOND
            WRITE(second, off[7] + at, sum2[i][p]);
#endif
        }
    }
}
#endif
