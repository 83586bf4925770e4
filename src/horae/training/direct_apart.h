/* Convolutions of each plane by itself: c = out, and a kernel (c, taps). Channels lie in vectors; a pixel's taps are those that meet no padding. */

#pragma once

#include "direct_answers.h"

/* k (c, taps) -> (taps, c), or back again. */
static void turn_apart(const shape *s, float *k, float *packed, int again) {
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t t = 0; t < taps_of(s); t++)
            if (again)
                k[c * taps_of(s) + t] = packed[t * s->c + c];
            else
                packed[t * s->c + c] = k[c * taps_of(s) + t];
}

/* y (c) = bias, or zeros, + Σ over the list of x k. */
INLINE void pixel_apart(int64_t c, const float *x, const pair *list, int64_t count, const float *k, const float *bias, float *y) {
    for (int64_t i = 0; c >= LANES && i < c; i += LANES) {
        const int64_t from = least(i, c - LANES); /* the last vector may repeat some of the one before */
        vec sum = {0};
        if (bias) sum = *(const vec *)(bias + from);
        for (int64_t t = 0; t < count; t++) sum += *(const vec *)(x + list[t].from + from) * *(const vec *)(k + list[t].tap * c + from);
        *(vec *)(y + from) = sum;
    }
    for (int64_t i = 0; c < LANES && i < c; i++) {
        float sum = bias ? bias[i] : 0;
        for (int64_t t = 0; t < count; t++) sum += x[list[t].from + i] * k[list[t].tap * c + i];
        y[i] = sum;
    }
}

/* x (n, ., c) -> y (n, high, wide, c). whole: numbers of a sample of x */
static void apart(const shape *s, int64_t (*pairs)(const shape *, int64_t, int64_t, pair *), int64_t high, int64_t wide, const float *x, int64_t whole,
                  const float *k, const float *bias, float *y, pair *list) {
    for (int64_t i = 0; i < high; i++)
        for (int64_t j = 0; j < wide; j++) {
            const int64_t count = pairs(s, i, j, list);
            for (int64_t n = 0; n < s->n; n++) pixel_apart(s->c, x + n * whole, list, count, k, bias, y + ((n * high + i) * wide + j) * s->c);
        }
}

/* x (n, h, w, c), g (n, high, wide, c): adds to slopes (taps, c). */
static void slopes_apart(const shape *s, const float *x, const float *g, float *slopes, pair *list) {
    const int64_t high = high_of(s), wide = wide_of(s), whole = s->h * s->w * s->c;
    for (int64_t i = 0; i < high; i++)
        for (int64_t j = 0; j < wide; j++) {
            const int64_t count = there(s, i, j, list);
            for (int64_t t = 0; t < count; t++) {
                float *R to = slopes + list[t].tap * s->c;
                for (int64_t n = 0; n < s->n; n++) {
                    const float *R from = x + n * whole + list[t].from, *R slope = g + ((n * high + i) * wide + j) * s->c;
                    for (int64_t c = 0; c < s->c; c++) to[c] += from[c] * slope[c];
                }
            }
        }
}
