/* Convolutions, images with channels last, forward and backward: no patches are written down.

   A block of the answer, up to MOST pixels by two vectors of channels, stays in registers while taps and planes run past. Where an image is wide these are
   pixels of one row; what is multiplied lies side by side, since every sample is first laid out as rows of planes with zeros around, and rows of zeros are
   left out. Where it is narrow, or the kernel steps, they are the same pixel of several samples, and nothing is multiplied with zeros. Slopes of a kernel
   are summed alike, some planes or taps by two vectors of channels, over some pixels at a time. Kernels are laid out anew before, in panels of two vectors,
   so that they are read in the order in which they lie. Sums run in an order that depends on the shapes alone. */

#include "direct_answers.h"
#include "direct_apart.h"
#include "direct_pack.h"
#include "direct_slopes.h"

/* Floats that `convolve` and `convolve_back` need as room. */
int64_t room_of(const shape *s) {
    const shape over = turned(s);
    const int64_t beside = MOST * most(s->h * s->w * s->c, high_of(s) * wide_of(s) * s->out), laid = broad(s) ? most(laid_of(s), laid_of(&over)) : beside;
    const int64_t wider = high_of(s) * wide_of(s) * padded(s->out), slopes = s->c < FEW ? padded(laid_of(s)) + wider : copied_of(s);
    return listed_of(s) + padded(most(s->c, s->out)) + (padded(s->out) * s->c + padded(s->c) * s->out) * taps_of(s) + most(laid, slopes);
}

/* x (n, h, w, c), k (out, c, kh, kw), bias (out) or none -> y (n, high, wide, out). */
void convolve(const shape *s, const float *x, float *k, const float *bias, float *y, float *room) {
    pair *list = (pair *)room;
    float *added = room + listed_of(s), *packed = added + padded(s->out), *laid = packed + padded(s->out) * s->c * taps_of(s);
    memset(added, 0, sizeof(float) * padded(s->out));
    if (bias) memcpy(added, bias, sizeof(float) * s->out);
    pack(s, k, packed, broad(s), 0);
    if (broad(s))
        by_rows(s, x, packed, added, y, laid);
    else
        by_samples(s, there, high_of(s), wide_of(s), x, s->c, s->h * s->w * s->c, packed, added, y, s->out, list, laid);
}

/* g (n, high, wide, out), the slopes of the answer -> those of k and, where it is asked for, dx of x. */
void convolve_back(const shape *s, const float *x, const float *k, const float *g, float *slopes, float *dx, float *room) {
    const int64_t all = high_of(s) * wide_of(s);
    pair *list = (pair *)room;
    float *nothing = room + listed_of(s), *sums = nothing + padded(most(s->c, s->out)), *packed = sums + padded(s->out) * s->c * taps_of(s);
    float *rest = packed + padded(s->c) * s->out * taps_of(s);
    if (dx) {
        const shape over = turned(s);
        memset(nothing, 0, sizeof(float) * padded(s->c));
        pack_back(s, k, packed, broad(s));
        if (broad(s))
            by_rows(&over, g, packed, nothing, dx, rest);
        else
            by_samples(s, back, s->h, s->w, g, s->out, all * s->out, packed, nothing, dx, s->c, list, rest);
    }
    memset(sums, 0, sizeof(float) * padded(s->out) * s->c * taps_of(s));
    if (s->c < FEW)
        by_taps(s, x, g, sums, rest, rest + padded(laid_of(s)));
    else
        by_planes(s, x, g, sums, rest);
    pack(s, slopes, sums, s->c < FEW, 1);
}

/* The same of each plane by itself: c = out, k (c, 1, kh, kw). */
int64_t room_apart(const shape *s) { return listed_of(s) + 2 * taps_of(s) * s->c; }

void convolve_apart(const shape *s, const float *x, float *k, const float *bias, float *y, float *room) {
    float *packed = room + listed_of(s);
    turn_apart(s, k, packed, 0);
    apart(s, there, high_of(s), wide_of(s), x, s->h * s->w * s->c, packed, bias, y, (pair *)room);
}

void convolve_apart_back(const shape *s, const float *x, float *k, const float *g, float *slopes, float *dx, float *room) {
    pair *list = (pair *)room;
    float *packed = room + listed_of(s), *sums = packed + taps_of(s) * s->c;
    turn_apart(s, k, packed, 0);
    if (dx) apart(s, back, s->h, s->w, g, high_of(s) * wide_of(s) * s->c, packed, 0, dx, list);
    memset(sums, 0, sizeof(float) * taps_of(s) * s->c);
    slopes_apart(s, x, g, sums, list);
    turn_apart(s, slopes, sums, 1);
}
