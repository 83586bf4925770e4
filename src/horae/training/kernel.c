/* Local training of affine stacks (logistic regression, perceptrons): one client after the other, its weights in the cache.

   A layer's weights are a row per input of `out_pad` floats: outputs are padded to 16, inputs and batches to 4, with zeros, so that a row is
   whole vectors. Three products, each in blocks that fill the registers:

     forward    z = x w         rows of samples x columns of outputs, along the inputs; a stretch of inputs at a time, so that its weights stay near
     outer      w += x^T g      rows of inputs x columns of outputs, along the samples
     backward   h = g w^T       4 samples x 4 inputs, along the outputs

   Sums run in an order that depends on the shapes alone. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
#define COLUMNS 4 /* vectors of outputs in a block: 32 registers */
#define ROWS 6
#else
#define COLUMNS 2 /* 16 registers */
#define ROWS 6
#endif
#define STRETCH 64 /* inputs */
#define MOST 32    /* layers */
#define UNROLL _Pragma("GCC unroll 8")
#define INLINE static inline __attribute__((always_inline))

#if defined(__clang__) || __GNUC__ >= 12
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(a, b, ...) __builtin_shuffle(a, b, (ifour){__VA_ARGS__})
#endif

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4)));
typedef float four __attribute__((vector_size(16), aligned(4)));
typedef int32_t ifour __attribute__((vector_size(16), aligned(4)));

typedef struct { int64_t in, out, relu, has_bias, out_pad, weight, bias; } layer; /* weight, bias: where they lie */

INLINE vec load(const float *at) { return *(const vec *)at; }
INLINE vec all(float a) { return a - (vec){0}; }
INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Rows and columns become each other: 4 x 4. */
INLINE void turn(four t[4]) {
    four a = PICK(t[0], t[1], 0, 4, 1, 5), b = PICK(t[2], t[3], 0, 4, 1, 5), c = PICK(t[0], t[1], 2, 6, 3, 7), d = PICK(t[2], t[3], 2, 6, 3, 7);
    t[0] = PICK(a, b, 0, 1, 4, 5), t[1] = PICK(a, b, 2, 3, 6, 7), t[2] = PICK(c, d, 0, 1, 4, 5), t[3] = PICK(c, d, 2, 3, 6, 7);
}

/* A block of z += x w: R samples, V vectors of outputs, inputs from `from` to `to`. */
INLINE void forward_block(const int R, const int V, const float *w, int64_t width, const float *const *x, int64_t from, int64_t to, float *z) {
    vec acc[ROWS][COLUMNS];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = load(z + r * width + v * LANES);
    for (int64_t i = from; i < to; i++) {
        vec b[COLUMNS];
        UNROLL for (int v = 0; v < V; v++) b[v] = load(w + i * width + v * LANES);
        UNROLL for (int r = 0; r < R; r++) {
            vec a = all(x[r][i]);
            UNROLL for (int v = 0; v < V; v++) acc[r][v] += a * b[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) *(vec *)(z + r * width + v * LANES) = acc[r][v];
}

/* A block of w += x^T g: R inputs, V vectors of outputs, all samples. */
INLINE void outer_block(const int R, const int V, const float *g, int64_t width, const float *const *x, int64_t i, int64_t rows, float *w) {
    vec acc[ROWS][COLUMNS];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = load(w + r * width + v * LANES);
    for (int64_t s = 0; s < rows; s++) {
        vec b[COLUMNS];
        UNROLL for (int v = 0; v < V; v++) b[v] = load(g + s * width + v * LANES);
        UNROLL for (int r = 0; r < R; r++) {
            vec a = all(x[s][i + r]);
            UNROLL for (int v = 0; v < V; v++) acc[r][v] += a * b[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) *(vec *)(w + r * width + v * LANES) = acc[r][v];
}

/* Blocks of every size, each compiled by itself. */
#define ROW_CASES(name, V, ...) \
    switch (r) { \
    case 1: name(1, V, __VA_ARGS__); break; \
    case 2: name(2, V, __VA_ARGS__); break; \
    case 3: name(3, V, __VA_ARGS__); break; \
    case 4: name(4, V, __VA_ARGS__); break; \
    case 5: name(5, V, __VA_ARGS__); break; \
    default: name(6, V, __VA_ARGS__); \
    }
#if COLUMNS == 4
#define CASES(name, ...) \
    switch (v) { \
    case 1: ROW_CASES(name, 1, __VA_ARGS__) break; \
    case 2: ROW_CASES(name, 2, __VA_ARGS__) break; \
    case 3: ROW_CASES(name, 3, __VA_ARGS__) break; \
    default: ROW_CASES(name, 4, __VA_ARGS__) \
    }
#else
#define CASES(name, ...) \
    switch (v) { \
    case 1: ROW_CASES(name, 1, __VA_ARGS__) break; \
    default: ROW_CASES(name, 2, __VA_ARGS__) \
    }
#endif

static void forward_some(int r, int v, const float *w, int64_t width, const float *const *x, int64_t from, int64_t to, float *z) {
    CASES(forward_block, w, width, x, from, to, z)
}
static void outer_some(int r, int v, const float *g, int64_t width, const float *const *x, int64_t i, int64_t rows, float *w) {
    CASES(outer_block, g, width, x, i, rows, w)
}

/* z (rows, out_pad) = x (rows, in) w + bias, ReLU if asked. soon: samples that are needed next, fetched meanwhile. */
static void forward(const layer *l, const float *params, const float *const *x, int64_t rows, const float *const *soon, int64_t n_soon, float *z) {
    const float *w = params + l->weight;
    int64_t width = l->out_pad, blocks = (rows + ROWS - 1) / ROWS;
    for (int64_t r = 0; r < rows; r++) memcpy(z + r * width, params + l->bias, width * sizeof(float));
    for (int64_t from = 0; from < l->in; from += STRETCH) {
        int64_t to = least(from + STRETCH, l->in);
        for (int64_t s = 0; s < n_soon; s++)
            for (int64_t i = from; i < to; i += 16) __builtin_prefetch(soon[s] + i, 0, 2);
        for (int64_t b = 0; b < blocks; b++) {
            int64_t first = rows * b / blocks, end = rows * (b + 1) / blocks;
            for (int64_t o = 0; o < width; o += COLUMNS * LANES)
                forward_some((int)(end - first), (int)least(COLUMNS, (width - o) / LANES), w + o, width, x + first, from, to, z + first * width + o);
        }
    }
    if (l->relu)
        for (int64_t k = 0; k < rows * width; k++) z[k] = z[k] < 0.0f ? 0.0f : z[k]; /* NaN stays */
}

/* to (in, out_pad) += x^T g; g (rows, out_pad). */
static void outer(const layer *l, const float *g, const float *const *x, int64_t rows, float *params) {
    float *w = params + l->weight, *bias = params + l->bias;
    int64_t width = l->out_pad;
    for (int64_t i = 0; i < l->in; i += ROWS)
        for (int64_t o = 0; o < width; o += COLUMNS * LANES)
            outer_some((int)least(ROWS, l->in - i), (int)least(COLUMNS, (width - o) / LANES), g + o, width, x, i, rows, w + i * width + o);
    if (l->has_bias)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t o = 0; o < width; o++) bias[o] += g[r * width + o];
}

/* back (rows, in) = g w^T where h (the layer's input, as wide as back) is positive, else 0. */
static void backward(const layer *l, const float *params, const float *g, const float *const *h, int64_t rows, int relu, int64_t back_width, float *back) {
    const float *w = params + l->weight;
    int64_t width = l->out_pad;
    for (int64_t r = 0; r < rows; r += 4) {
        for (int64_t i = 0; i < l->in; i += 4) {
            vec acc[4][4] = {0};
            for (int64_t o = 0; o < width; o += LANES)
                for (int k = 0; k < 4; k++) {
                    vec b = load(w + (i + k) * width + o);
                    for (int j = 0; j < 4; j++) acc[j][k] += load(g + (r + j) * width + o) * b;
                }
            for (int j = 0; j < 4; j++) {
                four part[4];
                for (int k = 0; k < 4; k++) {
                    const float *at = (const float *)&acc[j][k];
                    part[k] = *(const four *)at;
                    for (int v = 4; v < LANES; v += 4) part[k] += *(const four *)(at + v);
                }
                turn(part);
                four own = (part[0] + part[1]) + (part[2] + part[3]);
                if (relu) own = (four)((ifour)own & (*(const four *)(h[r + j] + i) > 0.0f));
                *(four *)(back + (r + j) * back_width + i) = own;
            }
        }
        for (int64_t j = r; j < r + 4; j++)
            for (int64_t i = (l->in + 3) / 4 * 4; i < back_width; i++) back[j * back_width + i] = 0.0f;
    }
}

/* e^x for x <= 0, to two units in the last place; NaN stays NaN. */
static inline float power(float x) {
    x = x < -87.0f ? -87.0f : x;
    float n = __builtin_rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f; p = p * r + 8.3334519073e-3f; p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f; p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

INLINE float sum(vec a) {
    four part = *(const four *)&a;
    for (int v = 4; v < LANES; v += 4) part += *(const four *)((const float *)&a + v);
    return (part[0] + part[1]) + (part[2] + part[3]);
}

INLINE float largest(const float *row, int64_t n) { /* NaN may be passed over: whoever subtracts from it keeps it */
    float top = row[0];
    int64_t o = 0;
    if (n >= LANES) {
        vec most = load(row);
        for (o = LANES; o + LANES <= n; o += LANES) {
            vec a = load(row + o);
            ivec up = a > most;
            most = (vec)((up & (ivec)a) | (~up & (ivec)most));
        }
        for (int k = 0; k < LANES; k++) top = most[k] > top ? most[k] : top;
    }
    for (; o < n; o++) top = row[o] > top ? row[o] : top;
    return top;
}

/* e^(row - top) in place, 0 behind the outputs; its sum. */
static float exponentials(const layer *l, float *row, float top) {
    vec total = {0};
    for (int64_t o = 0; o < l->out_pad; o++) row[o] = power(row[o] - top);
    for (int64_t o = l->out; o < l->out_pad; o++) row[o] = 0.0f;
    for (int64_t o = 0; o < l->out_pad; o += LANES) total += load(row + o);
    return sum(total);
}

/* logits -> (softmax - onehot) weight, in place; the sum of -log p of the labels. Rows of weight 0 become 0. */
static double cross_entropy(const layer *l, float *z, const int64_t *labels, const float *weight, int64_t rows) {
    double loss = 0.0;
    for (int64_t r = 0; r < rows; r++) {
        float *row = z + r * l->out_pad, top = largest(row, l->out), own = row[labels[r]] - top;
        float total = exponentials(l, row, top), share = weight[r] / total;
        loss += weight[r] > 0.0f ? (double)(logf(total) - own) : 0.0;
        for (int64_t o = 0; o < l->out_pad; o++) row[o] *= share;
        row[labels[r]] -= weight[r];
    }
    return loss;
}

/* The first of the largest, or the first that is not a number. */
static int64_t guess(const float *row, int64_t n) {
    int64_t best = 0;
    for (int64_t o = 1; o < n; o++)
        if (row[o] > row[best] || (row[o] != row[o] && row[best] == row[best])) best = o;
    return best;
}

/* How a client descends. drift, keep (padded, may be null): as in Correction and Submodel. */
typedef struct {
    float lr, momentum, weight_decay, prox, beta1, beta2, epsilon;
    int32_t adam;
} rule;

static int plain(const rule *how, const float *drift, const float *keep) {
    return !how->adam && how->momentum == 0.0f && how->weight_decay == 0.0f && how->prox == 0.0f && !drift && !keep;
}

/* One step along the gradient g: bent, masked, then momentum or Adam. taken: steps including this one. */
static void step(const rule *how, int64_t size, float *w, const float *start, float *g, float *first, float *second,
                 const float *drift, const float *keep, int64_t taken) {
    float unbias1 = 1.0f - powf(how->beta1, (float)taken), root2 = sqrtf(1.0f - powf(how->beta2, (float)taken));
    for (int64_t i = 0; i < size; i++) {
        float a = g[i];
        if (how->prox != 0.0f) a += how->prox * (w[i] - start[i]);
        if (drift) a += drift[i];
        a += how->weight_decay * w[i];
        if (keep) a = keep[i] != 0.0f ? a : 0.0f;
        g[i] = a;
    }
    if (!how->adam) {
        for (int64_t i = 0; i < size; i++) first[i] = how->momentum * first[i] + g[i];
        for (int64_t i = 0; i < size; i++) w[i] -= how->lr * first[i];
        return;
    }
    for (int64_t i = 0; i < size; i++) first[i] = how->beta1 * first[i] + (1.0f - how->beta1) * g[i];
    for (int64_t i = 0; i < size; i++) second[i] = how->beta2 * second[i] + (1.0f - how->beta2) * g[i] * g[i];
    for (int64_t i = 0; i < size; i++)
        w[i] -= how->lr / unbias1 * first[i] / (sqrtf(second[i]) / root2 + how->epsilon);
}

/* What moves a stretch of weights before the gradient does: w by SGD, or v = momentum v + ... where there is momentum; and what follows the gradient, which was added to
   it: dropped weights rest, and w goes along v. */
static void bend(const rule *how, int64_t size, float *restrict w, float *restrict v, const float *restrict start, const float *restrict drift) {
    float prox = how->prox, decay = how->weight_decay, lr = how->lr, momentum = how->momentum;
    int bent = prox != 0.0f || decay != 0.0f || drift;
    if (momentum != 0.0f)
        for (int64_t i = 0; i < size; i++) v[i] *= momentum;
    if (!bent) return;
    float *to = momentum != 0.0f ? v : w, scale = momentum != 0.0f ? 1.0f : -lr;
    if (drift)
        for (int64_t i = 0; i < size; i++) to[i] += scale * (prox * (w[i] - start[i]) + drift[i] + decay * w[i]);
    else
        for (int64_t i = 0; i < size; i++) to[i] += scale * (prox * (w[i] - start[i]) + decay * w[i]);
}

static void follow(const rule *how, int64_t size, float *restrict w, float *restrict v, const float *restrict keep) {
    float *to = how->momentum != 0.0f ? v : w, lr = how->lr;
    if (keep)
        for (int64_t i = 0; i < size; i++) to[i] = keep[i] != 0.0f ? to[i] : 0.0f;
    if (how->momentum != 0.0f)
        for (int64_t i = 0; i < size; i++) w[i] -= lr * v[i];
}

/* Which samples: index, weight (steps, batch) and counts (steps) of one client; x (samples, stride), y (samples). */
typedef struct { const float *x; const int64_t *y; int64_t stride, steps, batch; const float *zeros; } data;

/* What `train` works in. rows: depth x batch, then a batch for what comes next; labels, shares: a batch, padded to fours. */
typedef struct { float *floats; const float **rows; int64_t *labels; float *shares; } room;

/* Floats of scratch that `train` needs beside its output. */
int64_t scratch_size(const layer *layers, int64_t depth, int64_t size, int64_t batch) {
    int64_t padded = (batch + 3) / 4 * 4, total = 4 * size, widest = 0;
    for (int64_t d = 0; d < depth; d++) {
        total += padded * layers[d].out_pad;
        if (layers[d].out_pad > widest) widest = layers[d].out_pad;
    }
    return total + 2 * padded * widest;
}

/* Every layer's outputs for samples `rows` (full of them; deeper layers' inputs are put behind, `padded` apart). */
static void through(const layer *layers, int64_t depth, const float *w, const float **rows, int64_t padded, int64_t full,
                    const float *const *soon, int64_t n_soon, float *const *act) {
    for (int64_t d = 0; d < depth; d++) {
        forward(layers + d, w, rows + d * padded, full, soon, d ? 0 : n_soon, act[d]);
        if (d + 1 < depth)
            for (int64_t r = 0; r < full; r++) rows[(d + 1) * padded + r] = act[d] + r * layers[d].out_pad;
    }
}

/* One client: all its steps from the weights w, which are changed in place. more: whether index goes on behind its own samples.
   losses (steps): Σ over a step's samples of -log p(label), at the weights of that step. */
static void descend(const layer *layers, int64_t depth, int64_t size, float *w, const float *start, const data *from,
                      const int64_t *index, const float *weight, const int64_t *counts, int more, const rule *how, const float *drift,
                      const float *keep, const room *in, double *losses) {
    int64_t padded = (from->batch + 3) / 4 * 4, widest = 0, taken = 0;
    int simple = !how->adam; /* then nothing but w (or v) takes up the gradient */
    float *scratch = in->floats + size, *g = scratch, *first = g + size, *second = first + size, *act[MOST], *slope[2];
    const float **rows = in->rows, **soon = rows + depth * padded;
    scratch += 3 * size;
    for (int64_t d = 0; d < depth; d++) {
        act[d] = scratch;
        scratch += padded * layers[d].out_pad;
        if (layers[d].out_pad > widest) widest = layers[d].out_pad;
    }
    slope[0] = scratch, slope[1] = scratch + padded * widest;
    if (how->adam || how->momentum != 0.0f) memset(first, 0, 2 * size * sizeof(float));
    for (int64_t s = 0; s < from->steps; s++) {
        int64_t n = counts[s], full = (n + 3) / 4 * 4, n_soon = s + 1 < from->steps || more ? from->batch : 0;
        losses[s] = 0.0;
        if (!n) continue;
        for (int64_t r = 0; r < full; r++) {
            int64_t at = s * from->batch + r;
            rows[r] = r < n ? from->x + index[at] * from->stride : from->zeros;
            in->labels[r] = r < n ? from->y[index[at]] : 0;
            in->shares[r] = r < n ? weight[at] : 0.0f;
        }
        for (int64_t r = 0; r < n_soon; r++) soon[r] = from->x + index[(s + 1) * from->batch + r] * from->stride;
        through(layers, depth, w, rows, padded, full, soon, n_soon, act);
        losses[s] = cross_entropy(layers + depth - 1, act[depth - 1], in->labels, in->shares, full);
        if (!simple) memset(g, 0, size * sizeof(float));
        float *error = act[depth - 1];
        for (int64_t d = depth - 1; d >= 0; d--) {
            float *back = slope[d & 1];
            if (d) backward(layers + d, w, error, rows + d * padded, full, (int)layers[d - 1].relu, layers[d - 1].out_pad, back);
            int64_t at = layers[d].weight, all = layers[d].bias + layers[d].out_pad - at;
            if (simple) bend(how, all, w + at, first + at, start + at, drift ? drift + at : drift);
            if (simple && how->momentum == 0.0f)
                for (int64_t k = 0; k < n * layers[d].out_pad; k++) error[k] *= -how->lr;
            outer(layers + d, error, rows + d * padded, n, !simple ? g : how->momentum != 0.0f ? first : w);
            if (simple) follow(how, all, w + at, first + at, keep ? keep + at : keep);
            error = back;
        }
        if (!simple) step(how, size, w, start, g, first, second, drift, keep, ++taken);
    }
}

/* `high` outputs of `wide` inputs, at most 4 x 4, of to = now - then; a row per input becomes a row per output of `length`. */
INLINE void leave_block(int64_t wide, int64_t high, const float *restrict now, const float *restrict then, int64_t width, float *restrict to, int64_t length) {
    four t[4];
    for (int i = 0; i < 4; i++) t[i] = *(const four *)(now + i * width) - *(const four *)(then + i * width);
    turn(t);
    for (int64_t o = 0; o < high; o++)
        if (wide == 4) *(four *)(to + o * length) = t[o];
        else for (int64_t i = 0; i < wide; i++) to[o * length + i] = t[o][i];
}

static void leave(const layer *l, const float *now, const float *then, float *to) {
    int64_t whole = l->in / 4 * 4;
    for (int64_t o = 0; o < l->out; o += 16) { /* few rows at a time: memory likes to be written in order */
        int64_t at = l->weight + o, left = least(16, l->out - o);
        for (int64_t i = 0; i < l->in; i += 4, at += 4 * l->out_pad)
            for (int64_t k = 0; k < left; k += 4) {
                const float *here = now + at + k, *there = then + at + k;
                float *out = to + (o + k) * l->in + i;
                if (i % 16 == 0)
                    for (int row = 0; row < 4; row++) __builtin_prefetch(out + row * l->in + 48, 1, 3); /* will be written */
                if (i < whole && k + 4 <= left) leave_block(4, 4, here, there, l->out_pad, out, l->in);
                else leave_block(least(4, l->in - i), least(4, left - k), here, there, l->out_pad, out, l->in);
            }
    }
    if (l->has_bias)
        for (int64_t o = 0; o < l->out; o++) to[l->out * l->in + o] = now[l->bias + o] - then[l->bias + o];
}

/* A flat vector of torch's layout into rows per input; what is padding stays as it was. */
static void enter(const layer *layers, int64_t depth, const float *from, float *to) {
    for (const layer *l = layers; l < layers + depth; l++) {
        float *w = to + l->weight;
        int64_t width = l->out_pad, in = l->in, o = 0;
        for (; o + 4 <= l->out; o += 4) {
            int64_t i = 0;
            for (; i + 4 <= in; i += 4) {
                four t[4];
                for (int k = 0; k < 4; k++) t[k] = *(const four *)(from + (o + k) * in + i);
                turn(t);
                for (int k = 0; k < 4; k++) *(four *)(w + (i + k) * width + o) = t[k];
            }
            for (; i < in; i++)
                for (int k = 0; k < 4; k++) w[i * width + o + k] = from[(o + k) * in + i];
        }
        for (; o < l->out; o++)
            for (int64_t i = 0; i < in; i++) w[i * width + o] = from[o * in + i];
        from += l->out * in;
        if (l->has_bias) memcpy(to + l->bias, from, l->out * sizeof(float)), from += l->out;
    }
}

/* Every client, from the same padded start. drift: in torch's layout, of each client (drift_stride params) or of all (0). updates (clients, params): in torch's layout;
   losses (clients, steps). */
void train(const layer *layers, int64_t depth, int64_t size, const float *start, const data *from, const rule *how,
           const float *drift, int64_t drift_stride, const float *keep, const int64_t *index, const float *weight,
           const int64_t *counts, int64_t clients, const room *in, float *updates, int64_t params, double *losses) {
    int64_t cells = from->steps * from->batch;
    float *w = in->floats, *bent = w + scratch_size(layers, depth, size, from->batch); /* the last of the room, zeros */
    for (int64_t c = 0; c < clients; c++) {
        memcpy(w, start, size * sizeof(float));
        if (drift && (!c || drift_stride)) enter(layers, depth, drift + c * drift_stride, bent);
        descend(layers, depth, size, w, start, from, index + c * cells, weight + c * cells, counts + c * from->steps,
                c + 1 < clients, how, drift ? bent : drift, keep, in, losses + c * from->steps);
        float *to = updates + c * params;
        for (int64_t d = 0; d < depth; d++) {
            leave(layers + d, w, start, to);
            to += layers[d].out * (layers[d].in + layers[d].has_bias);
        }
    }
}

/* One model w on n samples `index`, `batch` at a time: whether each is right, and its -log p(label). */
void test(const layer *layers, int64_t depth, const float *w, const data *from, const int64_t *index, int64_t n, const room *in,
          uint8_t *right, float *losses) {
    int64_t padded = (from->batch + 3) / 4 * 4;
    float *act[MOST], *scratch = in->floats;
    const float **rows = in->rows, **soon = rows + depth * padded;
    const layer *last = layers + depth - 1;
    for (int64_t d = 0; d < depth; scratch += padded * layers[d].out_pad, d++) act[d] = scratch;
    for (int64_t at = 0; at < n; at += from->batch) {
        int64_t count = least(from->batch, n - at), next = at + count, n_soon = least(from->batch, n - next);
        for (int64_t r = 0; r < count; r++) rows[r] = from->x + index[at + r] * from->stride;
        for (int64_t r = 0; r < n_soon; r++) soon[r] = from->x + index[next + r] * from->stride;
        through(layers, depth, w, rows, padded, count, soon, n_soon, act);
        for (int64_t r = 0; r < count; r++) {
            float *row = act[depth - 1] + r * last->out_pad, top = largest(row, last->out);
            int64_t label = from->y[index[at + r]];
            right[at + r] = guess(row, last->out) == label;
            float own = row[label] - top;
            losses[at + r] = logf(exponentials(last, row, top)) - own;
        }
    }
}

/* Bags of words: logits = bias + the rows of a table that a sample names, added up. A client meets few rows of many. Those are numbered anew, in the order in which
   they are met, and lie side by side, behind the bias, which is row 0; whatever rests where no gradient is (all rules but weight decay and drift) needs no other. */

typedef float eight __attribute__((vector_size(32), aligned(4)));
typedef float sixteen __attribute__((vector_size(64), aligned(4)));

/* start, drift, keep: the bias, then features x classes, as torch has them, and 16 floats that mean nothing; drift, keep may be null. words, offsets, y: each sample's. width: of a row here: 4, 8 or a
   multiple of 16. place (features): where a row lies here, 0 for nowhere; zeros before and after. names (rows + 1): which row of the table each is. own: room for the
   words of a step. table: room for 7 (rows + 1) rows, for one where the rule is plain; z: for a batch of `classes` in whole vectors; rows: the most that a client meets. */
typedef struct {
    int64_t classes, width, features, steps, batch;
    const int32_t *words;
    const int64_t *offsets, *y;
    int32_t *place, *names, *own;
    float *table, *z, *shares;
    int64_t *labels, rows;
} bags;

/* Rows of `width` floats (4 and 8 are known when this is compiled): how to walk along them. */
#define ALONG(width, ...)                                                              \
    if (width == 4) { typedef four some; const int64_t o = 0; __VA_ARGS__ }            \
    else if (width == 8) { typedef eight some; const int64_t o = 0; __VA_ARGS__ }      \
    else for (int64_t o = 0; o < width; o += 16) { typedef sixteen some; __VA_ARGS__ }
#define AT(place) (*(some *)((place) + o))
#define OF(place) (*(const some *)((place) + o))

/* z = the bias and the n rows `own`, added up. */
INLINE void add_up(int64_t width, const float *table, const int32_t *own, int64_t n, float *z) {
    ALONG(width, {
        some even = OF(table);
        some odd = {0};
        int64_t k = 0;
        for (; k + 2 <= n; k += 2) {
            even += OF(table + own[k] * width);
            odd += OF(table + own[k + 1] * width);
        }
        if (k < n) even += OF(table + own[k] * width);
        AT(z) = even + odd;
    })
}

/* The bias and the n rows `own` += z. */
INLINE void hand_out(int64_t width, float *table, const int32_t *own, int64_t n, const float *z) {
    ALONG(width, {
        some slope = OF(z);
        AT(table) += slope;
        for (int64_t k = 0; k < n; k++) AT(table + own[k] * width) += slope;
    })
}

/* Everything about row `here` when it is met; here 0 is the bias. What stands behind a row's classes means nothing. */
INLINE void meet(int64_t width, int simple, const bags *b, int64_t here, int64_t row, const float *start, const float *drift, const float *keep) {
    int64_t size = (b->rows + 1) * width, from = here ? (1 + row) * b->classes : 0;
    float *to = b->table + here * width;
    ALONG(width, {
        AT(to) = OF(start + from);
        if (!simple) {
            some none = {0};
            AT(to + size) = OF(start + from);
            if (drift) AT(to + 2 * size) = OF(drift + from);
            if (keep) AT(to + 3 * size) = OF(keep + from);
            AT(to + 4 * size) = AT(to + 5 * size) = AT(to + 6 * size) = none;
        }
    })
}

/* One client's steps; the number of rows met. */
INLINE int64_t learn(int64_t width, int simple, const bags *b, const float *start, const rule *how, const float *drift, const float *keep, int every,
                     const int64_t *index, const float *weight, const int64_t *counts, double *losses) {
    int64_t size = (b->rows + 1) * width, pad = (b->classes + LANES - 1) / LANES * LANES, met = 0, taken = 0;
    float *w = b->table, *then = w + size, *bent = then + size, *lives = bent + size, *g = lives + size, *first = g + size, *second = first + size;
    int32_t *restrict place = b->place, *restrict names = b->names, *restrict own = b->own;
    const int32_t *restrict words = b->words;
    layer last = {.out = b->classes, .out_pad = pad};
    meet(width, simple, b, 0, 0, start, drift, keep);
    if (every)
        for (int64_t row = 0; row < b->features; row++) names[++met] = row, place[row] = met, meet(width, simple, b, met, row, start, drift, keep);
    for (int64_t s = 0; s < b->steps; s++) {
        int64_t n = counts[s], m = 0;
        losses[s] = 0.0;
        if (!n) continue;
        for (int64_t r = 0; r < n; r++) {
            int64_t sample = index[s * b->batch + r], from = b->offsets[sample], to = b->offsets[sample + 1];
            for (int64_t k = from; k < to; k++) {
                int32_t word = words[k], here = place[word];
                if (!here) names[here = ++met] = word, place[word] = here, meet(width, simple, b, here, word, start, drift, keep);
                own[m + k - from] = here;
            }
            add_up(width, w, own + m, to - from, b->z + r * pad);
            m += to - from;
            b->labels[r] = b->y[sample], b->shares[r] = weight[s * b->batch + r];
        }
        losses[s] = cross_entropy(&last, b->z, b->labels, b->shares, n);
        if (simple)
            for (int64_t k = 0; k < n * pad; k++) b->z[k] *= -how->lr;
        else memset(g, 0, (met + 1) * width * sizeof(float));
        for (int64_t r = 0, at = 0; r < n; r++) {
            int64_t sample = index[s * b->batch + r], length = b->offsets[sample + 1] - b->offsets[sample];
            hand_out(width, simple ? w : g, own + at, length, b->z + r * pad);
            at += length;
        }
        if (!simple) step(how, (met + 1) * width, w, then, g, first, second, drift ? bent : 0, keep ? lives : 0, ++taken);
    }
    return met;
}

/* What a client changed, and `place` made zero again. */
INLINE void hand_over(int64_t width, const bags *b, const float *start, int64_t met, int packed, float *to, int64_t columns) {
    int64_t classes = b->classes;
    float *bias = packed ? to + 1 : to, *rows = packed ? bias + classes + b->rows : bias + classes;
    if (packed) *(int32_t *)to = (int32_t)met, memcpy(bias + classes, b->names + 1, met * sizeof(int32_t));
    else if (met < b->features) memset(to, 0, columns * sizeof(float));
    for (int64_t o = 0; o < classes; o++) bias[o] = b->table[o] - start[o];
    for (int64_t here = 1; here <= met; here++) {
        int64_t row = b->names[here];
        const float *now = b->table + here * width, *then = start + (1 + row) * classes;
        if (packed) { /* what is written behind its classes is written over by the next */
            float *out = rows + (here - 1) * classes;
            ALONG(width, AT(out) = OF(now) - OF(then);)
        } else
            for (int64_t o = 0; o < classes; o++) rows[row * classes + o] = now[o] - then[o];
        b->place[row] = 0;
    }
}

/* Every client, from the same start. every: all rows count as met. updates (clients, columns): where `packed` is 0, as the model lies; else the number of rows met, the
   bias, room for `rows` names, for that many rows, and for 16 floats. */
void train_bags(const bags *b, const float *start, const rule *how, const float *drift, int64_t drift_stride, const float *keep, int64_t every, int64_t packed,
                const int64_t *index, const float *weight, const int64_t *counts, int64_t clients, float *updates, int64_t columns, double *losses) {
    int64_t cells = b->steps * b->batch;
    int simple = plain(how, drift, keep);
#define CLIENT(width, simple)                                                                                                                                    \
    {                                                                                                                                                            \
        int64_t met = learn(width, simple, b, start, how, drift ? drift + c * drift_stride : drift, keep, (int)every, index + c * cells, weight + c * cells,     \
                            counts + c * b->steps, losses + c * b->steps);                                                                                       \
        hand_over(width, b, start, met, (int)packed, updates + c * columns, columns);                                                                            \
    }
    for (int64_t c = 0; c < clients; c++) {
        if (b->width == 4 && simple) CLIENT(4, 1)
        else if (b->width == 8 && simple) CLIENT(8, 1)
        else if (simple) CLIENT(b->width, 1)
        else CLIENT(b->width, 0)
    }
}

/* Updates of a head and of some rows of a table, each of a client's `apart` from the next's: how many rows count, which, and what they changed by. */
typedef struct {
    const float *heads, *values;
    const int32_t *names;
    const int64_t *counts;
    int64_t clients, head, width, heads_apart, values_apart, names_apart;
} changes;

/* total += the sum of share_i update_i, client after client. */
void add_changes(const changes *u, const float *shares, float *total) {
    for (int64_t c = 0; c < u->clients; c++) {
        const float *head = u->heads + c * u->heads_apart, *rows = u->values + c * u->values_apart;
        const int32_t *names = u->names + c * u->names_apart;
        float share = shares[c];
        for (int64_t o = 0; o < u->head; o++) total[o] += share * head[o];
        for (int64_t k = 0; k < u->counts[c]; k++) {
            float *to = total + u->head + (int64_t)names[k] * u->width;
            for (int64_t o = 0; o < u->width; o++) to[o] += share * rows[k * u->width + o];
        }
    }
}

/* folded (clients, dims) += coordinate i of an update, times flip i, in i mod dims. */
void fold_changes(const changes *u, const float *flip, int64_t dims, float *folded) {
    for (int64_t c = 0; c < u->clients; c++, folded += dims) {
        const float *head = u->heads + c * u->heads_apart, *rows = u->values + c * u->values_apart;
        const int32_t *names = u->names + c * u->names_apart;
        for (int64_t o = 0; o < u->head; o++) folded[o % dims] += flip[o] * head[o];
        for (int64_t k = 0; k < u->counts[c]; k++) {
            int64_t first = u->head + (int64_t)names[k] * u->width, bucket = first % dims;
            for (int64_t o = 0; o < u->width; o++) {
                folded[bucket] += flip[first + o] * rows[k * u->width + o];
                bucket = bucket + 1 == dims ? 0 : bucket + 1;
            }
        }
    }
}

/* One model on n samples: whether each is right, and its -log p(label). params: as `start`. */
void test_bags(const bags *b, const float *params, const int64_t *index, int64_t n, uint8_t *right, float *losses) {
    int64_t classes = b->classes, pad = (classes + LANES - 1) / LANES * LANES;
    layer last = {.out = classes, .out_pad = pad};
    float *z = b->z;
    for (int64_t at = 0; at < n; at++) {
        int64_t sample = index[at], label = b->y[sample];
        for (int64_t o = 0; o < classes; o++) z[o] = params[o];
        for (int64_t k = b->offsets[sample]; k < b->offsets[sample + 1]; k++) {
            const float *row = params + (1 + (int64_t)b->words[k]) * classes;
            for (int64_t o = 0; o < classes; o++) z[o] += row[o];
        }
        for (int64_t o = classes; o < pad; o++) z[o] = 0.0f;
        float top = largest(z, classes), own = z[label] - top;
        right[at] = guess(z, classes) == label;
        losses[at] = logf(exponentials(&last, z, top)) - own;
    }
}
