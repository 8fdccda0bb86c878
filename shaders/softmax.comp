// The softmax loss of CLIP on a tile of cosines. A line is a row or a column of
// the logits: [top, Σ exp(logit − top), targets, Σ logits of targets], and after
// WEIGH [top, weight / Σ, weight / targets, 0], with all weights 0 in lines
// without a target.
const float LOWEST = -3.4e38;

#if defined(LINES) // a line a group; COLUMNS takes columns
layout(local_size_x = 128) in;
layout(std430, binding = 0) buffer Lines { vec4 lines[]; };
layout(std430, binding = 1) readonly buffer Tile { float tile[]; };
layout(std430, binding = 2) readonly buffer Scale { float t[]; };

shared vec4 part[128];

vec4 joined(vec4 a, vec4 b) {
    if (a.y == 0.0) return vec4(b.xy, a.zw + b.zw);
    if (b.y == 0.0) return vec4(a.xy, a.zw + b.zw);
    float top = max(a.x, b.x);
    return vec4(top, a.y * exp(a.x - top) + b.y * exp(b.x - top), a.zw + b.zw);
}

void main() {
    int lane = int(gl_LocalInvocationID.x), line = group();
#ifdef COLUMNS
    int count = n[1], others = n[0], first = n[3];
#define ROW i
#define COLUMN line
#else
    int count = n[0], others = n[1], first = n[2];
#define ROW line
#define COLUMN i
#endif
    if (line >= count) return; // the whole group
    float scale = exp(t[off[2]]), top = LOWEST;
    for (int i = lane; i < others; i += 128)
        if (label(ROW, COLUMN) != 0) top = max(top, scale * tile[off[1] + ROW * n[1] + COLUMN]);
    vec4 all = vec4(top, 0.0, 0.0, 0.0);
    for (int i = lane; i < others; i += 128) {
        int z = label(ROW, COLUMN);
        if (z == 0) continue;
        float logit = scale * tile[off[1] + ROW * n[1] + COLUMN];
        all.y += exp(logit - top);
        if (z > 0) all.zw += vec2(1.0, logit);
    }
    part[lane] = all;
    barrier();
    for (int h = 64; h > 0; h >>= 1) {
        if (lane < h) part[lane] = joined(part[lane], part[lane + h]);
        barrier();
    }
    if (lane == 0) lines[first + line] = joined(lines[first + line], part[0]);
}
#elif defined(WEIGH) // one group, n[0] lines; their loss is added to dst
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Lines { vec4 lines[]; };
layout(std430, binding = 1) buffer Dst { float dst[]; };

shared float part[256];

float total(float v) {
    int lane = int(gl_LocalInvocationID.x);
    barrier();
    part[lane] = v;
    barrier();
    for (int h = 128; h > 0; h >>= 1) {
        if (lane < h) part[lane] += part[lane + h];
        barrier();
    }
    return part[0];
}

void main() {
    int lane = int(gl_LocalInvocationID.x);
    float with = 0.0, loss = 0.0;
    for (int i = lane; i < n[0]; i += 256)
        if (lines[i].z > 0.0) with += 1.0;
    float weight = 0.5 / max(total(with), 1.0);
    for (int i = lane; i < n[0]; i += 256) {
        vec4 l = lines[i];
        if (l.z > 0.0) {
            loss += weight * (l.x - l.w / l.z + log(l.y));
            lines[i] = vec4(l.x, weight / l.y, weight / l.z, 0.0);
        } else {
            lines[i] = vec4(l.x, 0.0, 0.0, 0.0);
        }
    }
    loss = total(loss);
    if (lane == 0) dst[off[1]] += loss;
}
#else // cosines become gradients by the cosine, PER an invocation; sums of each group: dt'
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Tile { float tile[]; };
layout(std430, binding = 1) readonly buffer Scale { float t[]; };
layout(std430, binding = 2) readonly buffer Rows { vec4 rows[]; };
layout(std430, binding = 3) readonly buffer Cols { vec4 cols[]; };
layout(std430, binding = 4) buffer Sums { float sums[]; };

shared float part[256];

float grad(vec4 line, float logit, float target) { return line.y * exp(logit - line.x) - line.z * target; }

void main() {
    int lane = int(gl_LocalInvocationID.x), from = group() * 256 * PER, end = min(from + 256 * PER, n[0] * n[1]);
    float scale = exp(t[off[1]]), sum = 0.0;
    for (int i = from + lane; i < end; i += 256) {
        int r = i / n[1], c = i % n[1], z = label(r, c);
        float logit = scale * tile[off[0] + i], g = 0.0;
        if (z != 0) {
            float target = z > 0 ? 1.0 : 0.0;
            g = grad(rows[n[2] + r], logit, target) + grad(cols[n[3] + c], logit, target);
        }
        sum += g * logit;
        tile[off[0] + i] = g * scale;
    }
    part[lane] = sum;
    barrier();
    for (int h = 128; h > 0; h >>= 1) {
        if (lane < h) part[lane] += part[lane + h];
        barrier();
    }
    if (lane == 0 && from < n[0] * n[1]) sums[group()] = part[0];
}
#endif
