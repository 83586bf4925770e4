/* Convolutions, images with channels last, forward and backward: no patches are written down.

   A block of the answer, up to MOST pixels by two vectors of channels, stays in registers while taps and planes run past. Where an image is wide these are
   pixels of one row; what is multiplied lies side by side, since every sample is first laid out as rows of planes with zeros around, and rows of zeros are
   left out. Where it is narrow, or the kernel steps, they are the same pixel of several samples, and nothing is multiplied with zeros. Slopes of a kernel
   are summed alike, some planes or taps by two vectors of channels, over some pixels at a time. Kernels are laid out anew before, in panels of two vectors,
   so that they are read in the order in which they lie. Sums run in an order that depends on the shapes alone. */

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

/* ---- Kernels in panels ---- */

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

/* ---- Answers ---- */

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

/* ---- Slopes of the kernel ---- */

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

/* ---- What others call ---- */

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
