/* Slopes of a kernel: planes or taps by two vectors of channels, summed over pixels. */

#pragma once

#include "direct_shape.h"

/* Some pixels of some samples: where the first lies, and how far it is to the next sample, row and pixel. */
typedef struct { const float *at; int64_t sample, row, pixel; } pixels;
typedef struct { int64_t samples, rows, cols; } extent;

/* Q x C numbers of x at a pixel by V vectors of g, summed over pixels: adds to `to`. From one of Q to the next: next in x, by in `to`. */
INLINE void outer(const int Q, const int C, const int V, extent n, pixels x, int64_t next, pixels g, float *R to, int64_t by) {
    vec sum[28];
    UNROLLED for (int q = 0; q < Q; q++) UNROLLED for (int c = 0; c < C; c++) UNROLLED for (int v = 0; v < V; v++)
        sum[(q * C + c) * V + v] = *(const vec *)(to + q * by + c * PANEL + LANES * v);
    for (int64_t m = 0; m < n.samples; m++)
        for (int64_t i = 0; i < n.rows; i++) {
            const float *R from = x.at + m * x.sample + i * x.row, *R slope = g.at + m * g.sample + i * g.row;
            for (int64_t j = 0; j < n.cols; j++, from += x.pixel, slope += g.pixel) {
                vec own[2];
                UNROLLED for (int v = 0; v < V; v++) own[v] = *(const vec *)(slope + LANES * v);
                UNROLLED for (int q = 0; q < Q; q++) UNROLLED for (int c = 0; c < C; c++) {
                    const float one = from[q * next + c];
                    UNROLLED for (int v = 0; v < V; v++) sum[(q * C + c) * V + v] += one * own[v];
                }
            }
        }
    UNROLLED for (int q = 0; q < Q; q++) UNROLLED for (int c = 0; c < C; c++) UNROLLED for (int v = 0; v < V; v++)
        *(vec *)(to + q * by + c * PANEL + LANES * v) = sum[(q * C + c) * V + v];
}

static void outers(int64_t c, int two, extent n, pixels x, pixels g, float *to) {
#define PLANES(C)                                          \
    for (; c >= C; c -= C, x.at += C, to += C * PANEL)     \
        if (two)                                           \
            outer(1, C, 2, n, x, 0, g, to, 0);             \
        else                                               \
            outer(1, C, 1, n, x, 0, g, to, 0);
    if (PLENTY) {
        PLANES(8)
    }
    PLANES(5)
    PLANES(3)
    PLANES(1)
}

/* Some columns of `count` rows of numbers, side by side: from (., c) -> to (., wide), zeros where there are fewer. */
static void copy(int64_t count, const float *R from, int64_t c, int64_t some, float *R to, int64_t wide) {
    for (int64_t i = 0; i < count; i++) {
        memcpy(to + i * wide, from + i * c, sizeof(float) * some);
        if (some < wide) memset(to + i * wide + some, 0, sizeof(float) * (wide - some));
    }
}

/* Some samples whole, or some rows of one: rows of the answer from `start`, of x from `first`. */
typedef struct { int64_t samples, start, rows, first, tall; } tile;

/* Numbers of a tile: where its first pixel lies, and how far it is to the next pixel and sample. */
typedef struct { const float *at; int64_t pixel, sample; } part;

/* Planes of x (samples, tall, w, .) and slopes g (samples, rows, wide, .) of a tile: adds to `to`. Tap by tap, so that padding is left out. */
static void of_tile(const shape *s, tile t, part x, int64_t planes, part g, int two, float *to) {
    const int64_t wide = wide_of(s);
    for (int64_t a = 0; a < s->kh; a++)
        for (int64_t b = 0; b < s->kw; b++) { /* rows i with 0 <= i sh + a - ph < h, and columns alike */
            const int64_t top = most(t.start, (most(s->ph - a, 0) + s->sh - 1) / s->sh), left = (most(s->pw - b, 0) + s->sw - 1) / s->sw;
            const int64_t bottom = least(t.start + t.rows, (s->h - 1 + s->ph - a + s->sh) / s->sh);
            const int64_t right = least(wide, (s->w - 1 + s->pw - b + s->sw) / s->sw);
            if (bottom <= top || right <= left) continue;
            extent n = {t.samples, bottom - top, right - left};
            const float *origin = x.at + ((top * s->sh + a - s->ph - t.first) * s->w + left * s->sw + b - s->pw) * x.pixel;
            pixels from = {origin, x.sample, s->sh * s->w * x.pixel, s->sw * x.pixel};
            pixels slope = {g.at + ((top - t.start) * wide + left) * g.pixel, g.sample, wide * g.pixel, g.pixel};
            if (n.cols < n.samples) { /* the longest way inside */
                n = (extent){n.cols, n.rows, n.samples};
                from = (pixels){from.at, from.pixel, from.row, from.sample}, slope = (pixels){slope.at, slope.pixel, slope.row, slope.sample};
            }
            outers(planes, two, n, from, slope, to + (a * s->kw + b) * s->c * PANEL);
        }
}

/* The same numbers side by side, `wide` of each pixel, `some` of them: pixels far from each other would take each other's place in the cache. */
static part copied(part of, int64_t samples, int64_t count, int64_t some, int64_t wide, float *to) {
    for (int64_t m = 0; m < samples; m++) copy(count, of.at + m * of.sample, of.pixel, some, to + m * count * wide, wide);
    return (part){to, wide, count * wide};
}

static tile first_tile(const shape *s) {
    const int64_t high = high_of(s), wide = wide_of(s), samples = least(most(NEAR / (high * wide), 1), s->n);
    const int64_t rows = samples > 1 ? high : least(most(NEAR / wide, 1), high);
    return (tile){samples, 0, rows, 0, least((rows - 1) * s->sh + s->kh, s->h)};
}

/* x (n, h, w, c), g (n, high, wide, out): adds to slopes, in panels of taps. */
static void by_planes(const shape *s, const float *x, const float *g, float *slopes, float *room) {
    const int64_t high = high_of(s), wide = wide_of(s);
    const tile first = first_tile(s);
    for (int64_t o = 0; o < s->out; o += PANEL)
        for (int64_t m = 0; m < s->n; m += first.samples)
            for (int64_t start = 0; start < high; start += first.rows) {
                tile t = {least(s->n - m, first.samples), start, least(high - start, first.rows), most(start * s->sh - s->ph, 0), 0};
                t.tall = least((start + t.rows - 1) * s->sh - s->ph + s->kh, s->h) - t.first;
                part slope = {g + ((m * high + start) * wide) * s->out + o, s->out, high * wide * s->out};
                if (s->out > PANEL || s->out % LANES) slope = copied(slope, t.samples, t.rows * wide, least(s->out - o, PANEL), PANEL, room);
                for (int64_t c = 0; t.tall > 0 && c < s->c; c += PANEL) {
                    const int64_t planes = least(s->c - c, PANEL);
                    part from = {x + (m * s->h + t.first) * s->w * s->c + c, s->c, s->h * s->w * s->c};
                    if (s->c > PANEL) from = copied(from, t.samples, t.tall * s->w, planes, planes, room + first.samples * first.rows * wide * PANEL);
                    of_tile(s, t, from, planes, slope, s->out - o > LANES, slopes + (o * taps_of(s) * s->c + c * PANEL));
                }
            }
}

/* Floats that it needs as room. */
static int64_t copied_of(const shape *s) {
    const tile first = first_tile(s);
    return first.samples * (first.rows * wide_of(s) + first.tall * s->w) * PANEL;
}

/* The same where planes are few, in panels of rows: a plane's taps together, over laid out samples. */
static void by_taps(const shape *s, const float *x, const float *g, float *slopes, float *rows, float *wider) {
    const int64_t wide = s->w + 2 * s->pw, high = high_of(s), across = wide_of(s), by = s->c * s->kw * PANEL;
    const int64_t lanes = s->out % LANES ? padded(s->out) : s->out;
    memset(rows, 0, sizeof(float) * laid_of(s));
    for (int64_t n = 0; n < s->n; n++, x += s->h * s->w * s->c, g += high * across * s->out) {
        const float *each = g;
        if (lanes > s->out) copy(high * across, g, s->out, s->out, wider, lanes), each = wider;
        lay(s, x, rows);
        const extent all = {1, high, across};
        for (int64_t o = 0; o < s->out; o += LANES)
            for (int64_t c = 0; c < s->c; c++)
                for (int64_t a = 0; a < s->kh;) {
                    const pixels from = {rows + (a * s->c + c) * wide, 0, s->sh * s->c * wide, s->sw}, slope = {each + o, 0, across * lanes, lanes};
                    float *to = slopes + o / PANEL * PANEL * s->c * taps_of(s) + o % PANEL + a * by + c * s->kw * PANEL;
#define TAPS(K, Q)                                                                           \
    if (s->kw == K && s->kh - a >= Q) {                                                      \
        outer(Q, K, 1, all, from, s->c * wide, slope, to, by), a += Q;                       \
        continue;                                                                            \
    }
                    if (PLENTY) {
                        TAPS(5, 5) TAPS(7, 4)
                    }
                    TAPS(3, 3) TAPS(3, 1) TAPS(5, 2) TAPS(5, 1) TAPS(7, 1)
                    outers(s->kw, 0, all, from, slope, to), a++;
                }
    }
}
