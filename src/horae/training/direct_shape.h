/* A convolution's numbers, and what vectors and caches hold. */

#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) /* 32 registers */
enum { LANES = 16, MOST = 14, PLENTY = 1 };
#elif defined(__aarch64__)
enum { LANES = 4, MOST = 12, PLENTY = 1 };
#else /* 16 */
enum { LANES = 8, MOST = 6, PLENTY = 0 };
#endif
enum { PANEL = 2 * LANES, NEAR = 96, FEW = 4, BROAD = 8 }; /* pixels that stay in the nearest cache; planes; columns: see above */

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t places __attribute__((vector_size(4 * LANES)));
typedef struct { int64_t n, h, w, c, out, kh, kw, sh, sw, ph, pw; } shape; /* c planes to out planes; strides; zeros around, fewer than kh, kw */
typedef struct { int64_t from, tap; } pair;                              /* a number's place in a sample, and the tap that it meets */

#define R restrict
#define UNROLLED _Pragma("GCC unroll 32")
#define INLINE static inline __attribute__((always_inline))

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t padded(int64_t c) { return (c + PANEL - 1) / PANEL * PANEL; }
static int64_t taps_of(const shape *s) { return s->kh * s->kw; }
static int64_t high_of(const shape *s) { return (s->h + 2 * s->ph - s->kh) / s->sh + 1; }
static int64_t wide_of(const shape *s) { return (s->w + 2 * s->pw - s->kw) / s->sw + 1; }
static int64_t laid_of(const shape *s) { return (s->h + 2 * s->ph) * s->c * (s->w + 2 * s->pw); }
static int64_t listed_of(const shape *s) { return padded(4 * taps_of(s)); } /* a pair takes four floats; what follows begins with a line of the cache */

/* Whether blocks are pixels of a row, there and back: the same for both, since both have the same kernel. */
static int broad(const shape *s) { return s->sh == 1 && s->sw == 1 && least(s->w, wide_of(s)) >= BROAD; }

/* The convolution that takes slopes of the answer to those of the images, if it steps by one. */
static shape turned(const shape *s) {
    return (shape){s->n, high_of(s), wide_of(s), s->out, s->c, s->kh, s->kw, 1, 1, s->kh - 1 - s->ph, s->kw - 1 - s->pw};
}
