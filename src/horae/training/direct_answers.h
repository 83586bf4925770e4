/* Answers: blocks of pixels by two vectors of channels. The way back to the images is a convolution too. */

#pragma once

#include "direct_shape.h"

/* P numbers of x by V vectors of channels: adds to sum. */
INLINE void add(const int P, const int V, const float *R x, const float *R k, vec *sum) {
    vec tap[2];
    UNROLLED for (int v = 0; v < V; v++) tap[v] = *(const vec *)(k + LANES * v);
    UNROLLED for (int p = 0; p < P; p++) {
        const float one = x[p];
        UNROLLED for (int v = 0; v < V; v++) sum[p * V + v] += one * tap[v];
    }
}

INLINE void begin(const int P, const int V, const float *bias, vec *sum) {
    UNROLLED for (int p = 0; p < P; p++) UNROLLED for (int v = 0; v < V; v++) sum[p * V + v] = *(const vec *)(bias + LANES * v);
}

/* left: channels that there are; from one pixel to the next: step */
INLINE void end(const int P, const int V, const vec *sum, float *y, int64_t step, int64_t left) {
    UNROLLED for (int p = 0; p < P; p++) UNROLLED for (int v = 0; v < V; v++) {
        const int64_t some = left - LANES * v;
        if (some >= LANES)
            *(vec *)(y + p * step + LANES * v) = sum[p * V + v];
        else
            memcpy(y + p * step + LANES * v, &sum[p * V + v], sizeof(float) * some);
    }
}

/* A block's numbers: rows of planes of one sample, `count` of them, or pairs; from one pixel of the block to the next in y: out; channels left. */
typedef struct { const float *x, *k, *bias; float *y; int64_t count, wide, kw, c, out, left; const pair *list; } job;

INLINE void row_block(const int P, const int V, const job *of) {
    vec sum[2 * MOST];
    begin(P, V, of->bias, sum);
    const float *x = of->x, *k = of->k;
    const int64_t kw = of->kw, wide = of->wide;
    for (int64_t i = 0; i < of->count; i++, x += wide)
        for (int64_t j = 0; j < kw; j++, k += PANEL) add(P, V, x + j, k, sum);
    end(P, V, sum, of->y, of->out, of->left);
}

INLINE void sample_block(const int P, const int V, const job *of) {
    vec sum[2 * MOST];
    begin(P, V, of->bias, sum);
    const int64_t c = of->c;
    for (int64_t t = 0; t < of->count; t++) {
        const float *x = of->x + of->list[t].from * P, *k = of->k + of->list[t].tap * c * PANEL;
        for (int64_t i = 0; i < c; i++, x += P, k += PANEL) add(P, V, x, k, sum);
    }
    end(P, V, sum, of->y, of->out, of->left);
}

#define CASE(P)                                                            \
    case P:                                                                \
        if (P > MOST) return;                                              \
        return of->left > LANES ? BLOCK(P, 2, of) : BLOCK(P, 1, of);
#define CASES CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#define BLOCK row_block
static void row_blocks(int64_t pixels, const job *of) {
    switch (pixels) { CASES }
}
#undef BLOCK
#define BLOCK sample_block
static void sample_blocks(int64_t samples, const job *of) {
    switch (samples) { CASES }
}

/* One sample (h, w, c) -> rows (h + 2 ph, c, w + 2 pw); what lies around is zero already. */
static void lay(const shape *s, const float *R x, float *R rows) {
    const int64_t wide = s->w + 2 * s->pw;
    for (int64_t i = 0; i < s->h; i++)
        for (int64_t c = 0; c < s->c; c++) {
            float *to = rows + ((i + s->ph) * s->c + c) * wide + s->pw;
            const float *from = x + i * s->w * s->c + c;
            for (int64_t j = 0; j < s->w; j++) to[j] = from[j * s->c];
        }
}

/* x (n, h, w, c), k in panels of rows -> y (n, high, wide, out), by pixels of rows. */
static void by_rows(const shape *s, const float *x, const float *k, const float *bias, float *y, float *rows) {
    const int64_t wide = s->w + 2 * s->pw, high = high_of(s), across = wide_of(s), parts = (across + MOST - 1) / MOST, size = (across + parts - 1) / parts;
    memset(rows, 0, sizeof(float) * laid_of(s));
    for (int64_t n = 0; n < s->n; n++, x += s->h * s->w * s->c, y += high * across * s->out) {
        lay(s, x, rows);
        for (int64_t o = 0; o < s->out; o += PANEL)
            for (int64_t i = 0; i < high; i++) {
                const int64_t first = most(s->ph - i, 0), planes = (least(s->h + s->ph - i, s->kh) - first) * s->c;
                const float *panel = k + o * s->c * taps_of(s) + first * s->c * s->kw * PANEL;
                for (int64_t j = 0; j < across; j += size) {
                    const job of = {.x = rows + (i + first) * s->c * wide + j, .k = panel, .bias = bias + o, .y = y + (i * across + j) * s->out + o,
                                    .count = planes, .wide = wide, .kw = s->kw, .out = s->out, .left = s->out - o};
                    row_blocks(least(across - j, size), &of);
                }
            }
    }
}

/* What pixel (i, j) of the answer is made of: numbers of x that are not padding. */
static int64_t there(const shape *s, int64_t i, int64_t j, pair *list) {
    int64_t count = 0;
    for (int64_t a = 0; a < s->kh; a++)
        for (int64_t b = 0; b < s->kw; b++) {
            const int64_t y = i * s->sh + a - s->ph, x = j * s->sw + b - s->pw;
            if (y >= 0 && y < s->h && x >= 0 && x < s->w) list[count++] = (pair){(y * s->w + x) * s->c, a * s->kw + b};
        }
    return count;
}

/* What pixel (i, j) of x went into: slopes of the answer. */
static int64_t back(const shape *s, int64_t i, int64_t j, pair *list) {
    const int64_t high = high_of(s), wide = wide_of(s);
    int64_t count = 0;
    for (int64_t a = 0; a < s->kh; a++)
        for (int64_t b = 0; b < s->kw; b++) {
            const int64_t y = i + s->ph - a, x = j + s->pw - b;
            if (y >= 0 && x >= 0 && y % s->sh == 0 && x % s->sw == 0 && y / s->sh < high && x / s->sw < wide)
                list[count++] = (pair){(y / s->sh * wide + x / s->sw) * s->out, a * s->kw + b};
        }
    return count;
}

/* x (n, ., c), k in panels of taps -> y (n, high, wide, out), by samples, which are laid side by side first. whole: numbers of a sample of x */
static void by_samples(const shape *s, int64_t (*pairs)(const shape *, int64_t, int64_t, pair *), int64_t high, int64_t wide, const float *x, int64_t c,
                       int64_t whole, const float *k, const float *bias, float *y, int64_t out, pair *list, float *beside) {
    const int64_t parts = (s->n + MOST - 1) / MOST, size = (s->n + parts - 1) / parts, own = high * wide * out;
    for (int64_t n = 0; n < s->n; n += size) {
        const int64_t some = least(s->n - n, size);
        for (int64_t i = 0; i < whole; i++)
            for (int64_t p = 0; p < some; p++) beside[i * some + p] = x[(n + p) * whole + i];
        for (int64_t o = 0; o < out; o += PANEL)
            for (int64_t i = 0; i < high; i++)
                for (int64_t j = 0; j < wide; j++) {
                    const job of = {.x = beside, .k = k + o * c * taps_of(s), .bias = bias + o, .y = y + n * own + (i * wide + j) * out + o,
                                    .count = pairs(s, i, j, list), .c = c, .out = own, .left = out - o, .list = list};
                    sample_blocks(some, &of);
                }
    }
}
