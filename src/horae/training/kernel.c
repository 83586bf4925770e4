/* Local training of affine stacks (logistic regression, perceptrons): one client after the other, its weights in the cache.

   A layer's weights are rows of `in_pad` floats, one per output; inputs are padded to 16 floats, outputs and batches to 4, with zeros, so that
   every block is a whole one. Three products, each in blocks that fill the registers:

     forward    z = x w^T       4 samples x 4 outputs, along the inputs
     outer      w += s g^T x    4 outputs x 64 inputs, along the samples
     backward   h = g w         4 samples x 16 inputs, along the outputs

   Sums run in an order that depends on the shapes alone. */

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float vec __attribute__((vector_size(64), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(64), aligned(4)));
typedef int32_t ifour __attribute__((vector_size(16), aligned(4)));
#define LANES 16
#define MOST 32 /* layers */

typedef struct { int64_t in, out, relu, has_bias, in_pad, out_pad, weight, bias; } layer; /* weight, bias: where they lie, padded */

typedef float four __attribute__((vector_size(16), aligned(4)));

/* The sums over the lanes of four accumulators. */
static inline four sums(const vec acc[4]) {
    four part[4];
    for (int k = 0; k < 4; k++) {
        const float *at = (const float *)&acc[k];
        part[k] = (*(const four *)at + *(const four *)(at + 4)) + (*(const four *)(at + 8) + *(const four *)(at + 12));
    }
    four a = __builtin_shufflevector(part[0], part[1], 0, 4, 1, 5) + __builtin_shufflevector(part[0], part[1], 2, 6, 3, 7);
    four b = __builtin_shufflevector(part[2], part[3], 0, 4, 1, 5) + __builtin_shufflevector(part[2], part[3], 2, 6, 3, 7);
    return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
}

static inline vec load(const float *at) { return *(const vec *)at; }
static inline vec all(float a) { return a - (vec){0}; }

/* z (rows, out_pad) = x (rows, in_pad) w^T + bias, ReLU if asked; rows and outputs by fours. */
static void forward(const layer *l, const float *params, const float *const *x, int64_t rows, float *z) {
    const float *w = params + l->weight, *bias = params + l->bias;
    for (int64_t o = 0; o < l->out; o += 4)
        for (int64_t r = 0; r < rows; r += 4) {
            vec acc[4][4] = {0};
            for (int64_t i = 0; i < l->in_pad; i += LANES) {
                vec b0 = load(w + (o + 0) * l->in_pad + i), b1 = load(w + (o + 1) * l->in_pad + i);
                vec b2 = load(w + (o + 2) * l->in_pad + i), b3 = load(w + (o + 3) * l->in_pad + i);
                for (int j = 0; j < 4; j++) {
                    vec a = load(x[r + j] + i);
                    acc[j][0] += a * b0; acc[j][1] += a * b1; acc[j][2] += a * b2; acc[j][3] += a * b3;
                }
            }
            four b = l->has_bias ? *(const four *)(bias + o) : (four){0};
            for (int j = 0; j < 4; j++) {
                four value = sums(acc[j]) + b;
                if (l->relu) value = (four)((ifour)value & ~(value < 0.0f)); /* NaN stays */
                *(four *)(z + (r + j) * l->out_pad + o) = value;
            }
        }
}

/* to (out, in_pad) += scale g^T x; g (rows, out_pad). */
static void outer(const layer *l, const float *g, const float *const *x, int64_t rows, float scale, float *params) {
    float *w = params + l->weight, *bias = params + l->bias;
    for (int64_t o = 0; o < l->out; o += 4) {
        int64_t i = 0;
        for (; i + 4 * LANES <= l->in_pad; i += 4 * LANES) {
            vec acc[4][4];
            for (int k = 0; k < 4; k++)
                for (int v = 0; v < 4; v++) acc[k][v] = load(w + (o + k) * l->in_pad + i + v * LANES);
            for (int64_t r = 0; r < rows; r++) {
                vec x0 = load(x[r] + i), x1 = load(x[r] + i + LANES), x2 = load(x[r] + i + 2 * LANES), x3 = load(x[r] + i + 3 * LANES);
                for (int k = 0; k < 4; k++) {
                    vec s = all(scale * g[r * l->out_pad + o + k]);
                    acc[k][0] += s * x0; acc[k][1] += s * x1; acc[k][2] += s * x2; acc[k][3] += s * x3;
                }
            }
            for (int k = 0; k < 4; k++)
                for (int v = 0; v < 4; v++) *(vec *)(w + (o + k) * l->in_pad + i + v * LANES) = acc[k][v];
        }
        for (; i < l->in_pad; i += LANES) {
            vec acc[4];
            for (int k = 0; k < 4; k++) acc[k] = load(w + (o + k) * l->in_pad + i);
            for (int64_t r = 0; r < rows; r++) {
                vec a = load(x[r] + i);
                for (int k = 0; k < 4; k++) acc[k] += all(scale * g[r * l->out_pad + o + k]) * a;
            }
            for (int k = 0; k < 4; k++) *(vec *)(w + (o + k) * l->in_pad + i) = acc[k];
        }
    }
    if (l->has_bias)
        for (int64_t o = 0; o < l->out_pad; o += LANES) {
            vec acc = load(bias + o);
            for (int64_t r = 0; r < rows; r++) acc += all(scale) * load(g + r * l->out_pad + o);
            *(vec *)(bias + o) = acc;
        }
}

/* back (rows, in_pad) = g W where h (the layer's input) is positive, else 0. */
static void backward(const layer *l, const float *params, const float *g, const float *const *h, int64_t rows, int relu, float *back) {
    const float *w = params + l->weight;
    for (int64_t r = 0; r < rows; r += 4)
        for (int64_t i = 0; i < l->in_pad; i += LANES) {
            vec acc[4] = {0};
            for (int64_t o = 0; o < l->out; o++) {
                vec b = load(w + o * l->in_pad + i);
                for (int j = 0; j < 4; j++) acc[j] += all(g[(r + j) * l->out_pad + o]) * b;
            }
            for (int j = 0; j < 4; j++) {
                vec a = load(h[r + j] + i);
                ivec on = a > 0.0f;
                *(vec *)(back + (r + j) * l->in_pad + i) = relu ? (vec)((ivec)acc[j] & on) : acc[j];
            }
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

/* logits -> (softmax - onehot) weight, in place; the sum of -log p of the labels. Rows of weight 0 become 0. */
static double cross_entropy(const layer *l, float *z, const int64_t *labels, const float *weight, int64_t rows) {
    double loss = 0.0;
    for (int64_t r = 0; r < rows; r++) {
        float *row = z + r * l->out_pad, top = row[0], total = 0.0f;
        for (int64_t o = 1; o < l->out; o++) top = row[o] > top || row[o] != row[o] ? row[o] : top;
        float own = row[labels[r]] - top;
        for (int64_t o = 0; o < l->out; o++) row[o] = power(row[o] - top);
        for (int64_t o = 0; o < l->out; o++) total += row[o];
        loss += weight[r] > 0.0f ? (double)(logf(total) - own) : 0.0;
        float share = weight[r] / total;
        for (int64_t o = 0; o < l->out; o++) row[o] *= share;
        row[labels[r]] -= weight[r];
    }
    return loss;
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

/* Which samples: index, weight (steps, batch) and counts (steps) of one client; x (samples, stride), y (samples). */
typedef struct { const float *x; const int64_t *y; int64_t stride, steps, batch; const float *zeros; } data;

/* Floats of scratch that `train` needs beside its output. */
int64_t scratch_size(const layer *layers, int64_t depth, int64_t size, int64_t batch) {
    int64_t padded = (batch + 3) / 4 * 4, total = 4 * size, widest = 0;
    for (int64_t d = 0; d < depth; d++) {
        total += padded * layers[d].out_pad;
        if (layers[d].in_pad > widest) widest = layers[d].in_pad;
    }
    return total + 2 * padded * widest;
}

/* One client: all its steps from the weights w, which are changed in place. rows, labels, shares: room for a batch.
   Returns the sum over samples of -log p(label), each at the weights of its step. */
static double descend(const layer *layers, int64_t depth, int64_t size, float *w, const float *start, const data *from,
                      const int64_t *index, const float *weight, const int64_t *counts, const rule *how, const float *drift,
                      const float *keep, float *scratch, const float **rows, int64_t *labels, float *shares) {
    int64_t padded = (from->batch + 3) / 4 * 4, widest = 0, taken = 0;
    int simple = plain(how, drift, keep);
    double loss = 0.0;
    float *g = scratch, *first = scratch + size, *second = first + size, *act[MOST], *slope[2];
    scratch += 3 * size;
    for (int64_t d = 0; d < depth; d++) {
        act[d] = scratch;
        scratch += padded * layers[d].out_pad;
        if (layers[d].in_pad > widest) widest = layers[d].in_pad;
    }
    slope[0] = scratch, slope[1] = scratch + padded * widest;
    if (!simple) memset(first, 0, 2 * size * sizeof(float));
    for (int64_t s = 0; s < from->steps; s++) {
        int64_t n = counts[s], full = (n + 3) / 4 * 4;
        if (!n) continue;
        for (int64_t r = 0; r < full; r++) {
            int64_t at = s * from->batch + r;
            rows[r] = r < n ? from->x + index[at] * from->stride : from->zeros;
            labels[r] = r < n ? from->y[index[at]] : 0;
            shares[r] = r < n ? weight[at] : 0.0f;
        }
        for (int64_t d = 0; d < depth; d++) {
            forward(layers + d, w, rows + d * padded, full, act[d]);
            if (d + 1 < depth)
                for (int64_t r = 0; r < full; r++) rows[(d + 1) * padded + r] = act[d] + r * layers[d].out_pad;
        }
        loss += cross_entropy(layers + depth - 1, act[depth - 1], labels, shares, full);
        if (!simple) memset(g, 0, size * sizeof(float));
        float *error = act[depth - 1];
        for (int64_t d = depth - 1; d >= 0; d--) {
            float *back = slope[d & 1];
            if (d) backward(layers + d, w, error, rows + d * padded, full, layers[d - 1].relu, back);
            outer(layers + d, error, rows + d * padded, n, simple ? -how->lr : 1.0f, simple ? w : g);
            error = back;
        }
        if (!simple) step(how, size, w, start, g, first, second, drift, keep, ++taken);
    }
    return loss;
}

/* Every client, from the same padded start. drift: (clients or 1, size) with drift_stride size or 0. updates (clients, params): in torch's layout. */
void train(const layer *layers, int64_t depth, int64_t size, const float *start, const data *from, const rule *how,
           const float *drift, int64_t drift_stride, const float *keep, const int64_t *index, const float *weight,
           const int64_t *counts, int64_t clients, float *scratch, const float **rows, int64_t *labels, float *shares,
           float *updates, int64_t params, double *losses) {
    int64_t cells = from->steps * from->batch;
    float *w = scratch;
    for (int64_t c = 0; c < clients; c++) {
        memcpy(w, start, size * sizeof(float));
        losses[c] = descend(layers, depth, size, w, start, from, index + c * cells, weight + c * cells, counts + c * from->steps, how,
                            drift ? drift + c * drift_stride : drift, keep, scratch + size, rows, labels, shares);
        float *to = updates + c * params;
        for (int64_t d = 0; d < depth; d++) {
            const layer *l = layers + d;
            for (int64_t o = 0; o < l->out; o++) {
                const float *now = w + l->weight + o * l->in_pad, *then = start + l->weight + o * l->in_pad;
                for (int64_t i = 0; i < l->in; i++) to[i] = now[i] - then[i];
                to += l->in;
            }
            if (l->has_bias) {
                for (int64_t o = 0; o < l->out; o++) to[o] = w[l->bias + o] - start[l->bias + o];
                to += l->out;
            }
        }
    }
}
