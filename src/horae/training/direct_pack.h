/* Kernels, laid out anew in panels of two vectors of channels. */

#pragma once

#include "direct_shape.h"

/* Rows of a square become its columns. */
INLINE void transpose(vec *square) {
    UNROLLED for (int far = 1; far < LANES; far *= 2) {
        places low, high;
        UNROLLED for (int l = 0; l < LANES; l++) low[l] = l & far ? LANES + l - far : l, high[l] = l & far ? LANES + l : l + far;
        UNROLLED for (int r = 0; r < LANES; r++)
            if (!(r & far)) {
                const vec a = square[r], b = square[r + far];
                square[r] = __builtin_shuffle(a, b, low), square[r + far] = __builtin_shuffle(a, b, high);
            }
    }
}

/* Where a panel's row of plane i and tap t = a kw + b lies: taps of a row side by side, or planes of a tap. */
static int64_t row_of(const shape *s, int64_t i, int64_t t, int rows) {
    return rows ? (t / s->kw * s->c + i) * s->kw + t % s->kw : t * s->c + i;
}

/* Torch's k (out, c, taps) -> panels (out / PANEL, c taps, PANEL), zeros behind; or back again. */
static void pack(const shape *s, float *k, float *packed, int rows, int again) {
    const int64_t length = s->c * taps_of(s);
    if (!again) memset(packed, 0, sizeof(float) * padded(s->out) * length);
    for (int64_t o = 0; o < s->out; o += LANES)
        for (int64_t q = 0; q < length; q += LANES) {
            const int64_t high = least(s->out - o, LANES), wide = least(length - q, LANES);
            float *side = packed + o / PANEL * PANEL * length + o % PANEL, *at[LANES];
            for (int64_t j = 0; j < wide; j++) at[j] = side + row_of(s, (q + j) / taps_of(s), (q + j) % taps_of(s), rows) * PANEL;
            vec square[LANES];
            if (high < LANES || wide < LANES) {
                for (int64_t i = 0; i < high; i++)
                    for (int64_t j = 0; j < wide; j++)
                        if (again)
                            k[(o + i) * length + q + j] = at[j][i];
                        else
                            at[j][i] = k[(o + i) * length + q + j];
            } else if (again) {
                UNROLLED for (int j = 0; j < LANES; j++) square[j] = *(const vec *)at[j];
                transpose(square);
                UNROLLED for (int i = 0; i < LANES; i++) *(vec *)(k + (o + i) * length + q) = square[i];
            } else {
                UNROLLED for (int i = 0; i < LANES; i++) square[i] = *(const vec *)(k + (o + i) * length + q);
                transpose(square);
                UNROLLED for (int j = 0; j < LANES; j++) *(vec *)at[j] = square[j];
            }
        }
}

/* The same for the way back, (c / PANEL, out taps, PANEL); with rows the taps are turned by half. */
static void pack_back(const shape *s, const float *k, float *packed, int rows) {
    const int64_t taps = taps_of(s), length = s->out * taps;
    const shape back = turned(s);
    memset(packed, 0, sizeof(float) * padded(s->c) * length);
    for (int64_t o = 0; o < s->out; o++)
        for (int64_t i = 0; i < s->c; i += LANES)
            for (int64_t t = 0; t < taps; t += LANES) {
                const int64_t high = least(s->c - i, LANES), wide = least(taps - t, LANES);
                const float *from = k + (o * s->c + i) * taps + t;
                float *side = packed + i / PANEL * PANEL * length + i % PANEL;
                vec square[LANES];
                if (taps == 1 && high == LANES) {
                    *(vec *)(side + row_of(&back, o, 0, rows) * PANEL) = *(const vec *)from;
                    continue;
                }
                const int whole = high == LANES && (o + 1 < s->out || i + LANES < s->c); /* or else a vector would reach beyond the kernel */
                if (whole) {
                    UNROLLED for (int r = 0; r < LANES; r++) square[r] = *(const vec *)(from + r * taps);
                    transpose(square);
                }
                for (int64_t j = 0; j < wide; j++) {
                    float *to = side + row_of(&back, o, rows ? taps - 1 - t - j : t + j, rows) * PANEL;
                    if (whole)
                        *(vec *)to = square[j];
                    else
                        for (int64_t r = 0; r < high; r++) to[r] = from[r * taps + j];
                }
            }
}
