// One element an invocation: sums, activations, copies. OP says which.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Dst { float dst[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer Y { float y[]; };

#if defined(GELU) || defined(GELUGRAD)
float logistic(float v) {
    float e = exp(-abs(v));
    return (v >= 0.0 ? 1.0 : e) / (1.0 + e);
}

// erfc by the Chebyshev fit of Press et al., Numerical Recipes (section 6.2):
// 1.2e-7 of the value, also far out.
float erfc(float v) {
    float a = abs(v), t = 1.0 / (1.0 + 0.5 * a);
    float p = 0.17087277;
    p = p * t - 0.82215223;
    p = p * t + 1.48851587;
    p = p * t - 1.13520398;
    p = p * t + 0.27886807;
    p = p * t - 0.18628806;
    p = p * t + 0.09678418;
    p = p * t + 0.37409196;
    p = p * t + 1.00002368;
    p = p * t - 1.26551223;
    float tail = t * exp(p - a * a);
    return v >= 0.0 ? tail : 2.0 - tail;
}

// gate is Φ(x) and Φ'(x): see backend/ref.
vec2 gate(float v) {
#if KIND == 1
    return vec2(0.5 * erfc(-v * 0.70710678), exp(-0.5 * v * v) * 0.39894228);
#elif KIND == 2
    float p = logistic(1.702 * v);
    return vec2(p, 1.702 * p * (1.0 - p));
#else
    const float a = 0.044715, c = 1.5957691;
    float p = logistic(c * (v + a * v * v * v));
    return vec2(p, c * (1.0 + 3.0 * a * v * v) * p * (1.0 - p));
#endif
}
#endif

// NaN is kept where min and max would swallow it.
float clamped(float v) { return isnan(v) ? v : min(max(v, 0.0), 6.0); }

void main() {
    int i = group() * 256 + int(gl_LocalInvocationID.x);
    if (i >= n[0]) return;
#if defined(ADD)
    dst[off[0] + i] = x[off[1] + i] + y[off[2] + i % n[1]];
#elif defined(COPY) // n: elements, columns, strides of dst and x
    int r = i / n[1], c = i % n[1];
    dst[off[0] + r * n[2] + c] = x[off[1] + r * n[3] + c];
#elif defined(PARTS) // n: elements, parts of x that are summed
    float sum = 0.0;
    for (int p = 0; p < n[1]; p++) sum += x[off[1] + p * n[0] + i];
#ifdef ACCUMULATE
    sum += dst[off[0] + i];
#endif
    dst[off[0] + i] = sum;
#elif defined(GELU)
    float v = x[off[1] + i];
    dst[off[0] + i] = v * gate(v).x;
#elif defined(GELUGRAD)
    float v = y[off[2] + i];
    vec2 g = gate(v);
    dst[off[0] + i] = x[off[1] + i] * (g.x + v * g.y);
#elif defined(RELU6)
    dst[off[0] + i] = clamped(x[off[1] + i]);
#endif
}
