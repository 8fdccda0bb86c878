// The softmax loss of CLIP on a tile of cosines. A line is a row or a column of
// the logits: [top, Σ exp(logit − top), targets, Σ logits of targets], and after
// WEIGH [top, weight / Σ, weight / targets, 0], with all weights 0 in lines
// without a target. n: rows and columns of the tile, first line of the tile.
const float LOWEST = -3.4e38;

#if defined(LINES) // a line a group; COLUMNS takes columns
layout(local_size_x = 128) in;
layout(std430, binding = 0) buffer Lines { vec4 lines[]; };
layout(std430, binding = 1) readonly buffer Labels { int label[]; };
layout(std430, binding = 2) readonly buffer Tile { float tile[]; };
layout(std430, binding = 3) readonly buffer Scale { float t[]; };

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
    int count = n[1], length_ = n[0], step_ = n[1], from = line;
#else
    int count = n[0], length_ = n[1], step_ = 1, from = line * n[1];
#endif
    if (line >= count) return; // the whole group
    float scale = exp(t[off[3]]), top = LOWEST;
    for (int i = lane; i < length_; i += 128)
        if (label[off[1] + from + i * step_] != 0) top = max(top, scale * tile[off[2] + from + i * step_]);
    vec4 all = vec4(top, 0.0, 0.0, 0.0);
    for (int i = lane; i < length_; i += 128) {
        int at = from + i * step_, z = label[off[1] + at];
        if (z == 0) continue;
        float logit = scale * tile[off[2] + at];
        all.y += exp(logit - top);
        if (z > 0) all.zw += vec2(1.0, logit);
    }
    part[lane] = all;
    barrier();
    for (int h = 64; h > 0; h >>= 1) {
        if (lane < h) part[lane] = joined(part[lane], part[lane + h]);
        barrier();
    }
    if (lane == 0) lines[n[2] + line] = joined(lines[n[2] + line], part[0]);
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
#else // cosines become gradients by the cosine; sums of each group: dt'
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer Labels { int label[]; };
layout(std430, binding = 1) buffer Tile { float tile[]; };
layout(std430, binding = 2) readonly buffer Scale { float t[]; };
layout(std430, binding = 3) readonly buffer Rows { vec4 rows[]; };
layout(std430, binding = 4) readonly buffer Cols { vec4 cols[]; };
layout(std430, binding = 5) buffer Sums { float sums[]; };

shared float part[256];

float grad(vec4 line, float logit, float target) { return line.y * exp(logit - line.x) - line.z * target; }

void main() {
    int lane = int(gl_LocalInvocationID.x), i = group() * 256 + lane;
    float sum = 0.0;
    if (i < n[0] * n[1]) {
        int z = label[off[0] + i];
        float scale = exp(t[off[2]]), logit = scale * tile[off[1] + i], g = 0.0;
        if (z != 0) {
            float target = z > 0 ? 1.0 : 0.0;
            g = grad(rows[n[2] + i / n[1]], logit, target) + grad(cols[n[3] + i % n[1]], logit, target);
        }
        sum = g * logit;
        tile[off[1] + i] = g * scale;
    }
    part[lane] = sum;
    barrier();
    for (int h = 128; h > 0; h >>= 1) {
        if (lane < h) part[lane] += part[lane + h];
        barrier();
    }
    if (lane == 0 && group() * 256 < n[0] * n[1]) sums[group()] = part[0];
}
#endif
