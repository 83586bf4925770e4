/* GroupNorm, 2x2 max-pool and ReLU of images with channels last, in one pass each way; and GroupNorm alone.

   A sample is read twice for its mean and variance, and stays near for the rest. What is normalised is a number's a x + b, a and b of its channel
   and sample: it is never written down. pick says which of four a pixel came from, as torch picks: the first of the largest; 4 is a pixel that the
   ReLU kept back. Sums run in an order that depends on the shapes alone. */

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct { int64_t n, h, w, c, groups, relu; double eps; } shape; /* groups 0: no norm */

#define R restrict

static void add(int64_t n, const float *R x, float *R sum) {
    for (int64_t j = 0; j < n; j++) sum[j] += x[j];
}

static void add_squares(int64_t n, const float *R x, const float *R mean, float *R sum) {
    for (int64_t j = 0; j < n; j++) sum[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
}

/* Every group's mean and 1 / deviation of one sample. room: 2 w c floats. */
static void moments_of(const shape *s, const float *R x, float *R moments, float *R room) {
    const int64_t row = s->w * s->c, wide = s->c / s->groups;
    const double count = (double)(s->h * s->w * wide);
    float *sum = room, *mean = room + row;
    double total[s->groups];
    for (int pass = 0; pass < 2; pass++) {
        memset(sum, 0, sizeof(float) * row);
        for (int64_t i = 0; i < s->h; i++)
            if (pass == 0)
                add(row, x + i * row, sum);
            else
                add_squares(row, x + i * row, mean, sum);
        for (int64_t j = 1; j < s->w; j++) add(s->c, sum + j * s->c, sum);
        for (int64_t g = 0; g < s->groups; g++) {
            total[g] = 0;
            for (int64_t c = 0; c < wide; c++) total[g] += sum[g * wide + c];
        }
        for (int64_t g = 0; g < s->groups; g++) moments[2 * g + pass] = pass ? 1.0 / sqrt(total[g] / count + s->eps) : total[g] / count;
        for (int64_t g = 0; g < s->groups; g++)
            for (int64_t c = 0; c < wide; c++) mean[g * wide + c] = moments[2 * g];
        for (int64_t j = 1; j < s->w; j++) memcpy(mean + j * s->c, mean, sizeof(float) * s->c);
    }
}

/* The largest of four and which it was, for every channel of a pixel. */
static void pooled(int64_t n, int64_t relu, const float *R one, const float *R two, const float *R a, const float *R b, float *R out, int32_t *R pick) {
    for (int64_t c = 0; c < n; c++) {
        float most = a[c] * one[c] + b[c];
        int32_t which = 0;
        const float z1 = a[c] * one[c + n] + b[c], z2 = a[c] * two[c] + b[c], z3 = a[c] * two[c + n] + b[c];
        int32_t more = (z1 > most) | (z1 != z1);
        most = more ? z1 : most, which = more ? 1 : which;
        more = (z2 > most) | (z2 != z2);
        most = more ? z2 : most, which = more ? 2 : which;
        more = (z3 > most) | (z3 != z3);
        most = more ? z3 : most, which = more ? 3 : which;
        const int32_t dead = relu & (most <= 0);
        out[c] = dead ? 0 : most;
        pick[c] = dead ? 4 : which;
    }
}

/* One sample's a and b: what is normalised is a x + b. m: its moments, found; room: 2 w c floats. */
static void lines_of(const shape *s, const float *x, const float *gamma, const float *beta, float *m, float *a, float *b, float *room) {
    const int64_t wide = s->c / s->groups;
    moments_of(s, x, m, room);
    for (int64_t k = 0; k < s->groups; k++, m += 2)
        for (int64_t c = k * wide; c < (k + 1) * wide; c++) a[c] = m[1] * gamma[c], b[c] = beta[c] - m[0] * a[c];
}

/* One sample's way back: slopes of x are a g + c2 x + c3, from the sums over its pixels of g and of g x. Adds to dgamma and dbeta. */
static void ways_of(const shape *s, const float *m, const float *gamma, const float *db, const float *ds, float *a, float *c2, float *c3, float *dgamma,
                    float *dbeta) {
    const int64_t wide = s->c / s->groups;
    for (int64_t k = 0; k < s->groups; k++) {
        const double mean = m[2 * k], rstd = m[2 * k + 1], share = 1.0 / (wide * s->h * s->w);
        double ds_all = 0, db_all = 0;
        for (int64_t c = k * wide; c < (k + 1) * wide; c++) {
            ds_all += (double)ds[c] * gamma[c], db_all += (double)db[c] * gamma[c];
            dgamma[c] += rstd * (ds[c] - mean * db[c]), dbeta[c] += db[c], a[c] = rstd * gamma[c];
        }
        const double two = (db_all * mean - ds_all) * rstd * rstd * rstd * share;
        for (int64_t c = k * wide; c < (k + 1) * wide; c++) c2[c] = two, c3[c] = -two * mean - db_all * rstd * share;
    }
}

/* x (n, h, w, c) -> out, pick (n, h / 2, w / 2, c); moments (n, groups, 2); room: 2 w c + 2 c floats. */
void forward(const shape *s, const float *x, const float *gamma, const float *beta, float *out, int32_t *pick, float *moments, float *room) {
    const int64_t row = s->w * s->c, high = s->h / 2, half = s->w / 2;
    float *R a = room + 2 * row, *R b = a + s->c;
    for (int64_t c = 0; c < s->c; c++) a[c] = 1, b[c] = 0;
    for (int64_t n = 0; n < s->n; n++) {
        const float *own = x + n * s->h * row;
        if (s->groups) lines_of(s, own, gamma, beta, moments + 2 * n * s->groups, a, b, room);
        for (int64_t i = 0; i < high; i++)
            for (int64_t j = 0; j < half; j++) {
                const float *one = own + 2 * i * row + 2 * j * s->c;
                const int64_t to = ((n * high + i) * half + j) * s->c;
                pooled(s->c, s->relu, one, one + row, a, b, out + to, pick + to);
            }
    }
}

/* Sums over a sample's pixels: of the slopes, and of slope times the number that it came from. */
static void sums_of(int64_t n, const float *R one, const float *R two, const int32_t *R pick, const float *R g, float *R db, float *R ds) {
    for (int64_t c = 0; c < n; c++) {
        const int32_t p = pick[c];
        const float live = p < 4 ? g[c] : 0, from = p == 0 ? one[c] : p == 1 ? one[c + n] : p == 2 ? two[c] : two[c + n];
        db[c] += live, ds[c] += live * from;
    }
}

/* The slopes of a pixel's four, with what the norm adds: c2 x + c3. */
static void spread(int64_t n, const float *R one, const float *R two, const int32_t *R pick, const float *R g, const float *R a, const float *R c2,
                   const float *R c3, float *R up, float *R right, float *R down, float *R last, float *R bias) {
    for (int64_t c = 0; c < n; c++) {
        const int32_t p = pick[c];
        const float live = a[c] * g[c], d0 = (p == 0 ? live : 0) + c2[c] * one[c] + c3[c], d1 = (p == 1 ? live : 0) + c2[c] * one[c + n] + c3[c],
                    d2 = (p == 2 ? live : 0) + c2[c] * two[c] + c3[c], d3 = (p == 3 ? live : 0) + c2[c] * two[c + n] + c3[c];
        up[c] = d0, right[c] = d1, down[c] = d2, last[c] = d3;
        bias[c] += (d0 + d1) + (d2 + d3);
    }
}

/* The same without a norm. */
static void scatter(int64_t n, const int32_t *R pick, const float *R g, float *R up, float *R right, float *R down, float *R last, float *R bias) {
    for (int64_t c = 0; c < n; c++) {
        const int32_t p = pick[c];
        const float live = g[c];
        up[c] = p == 0 ? live : 0, right[c] = p == 1 ? live : 0, down[c] = p == 2 ? live : 0, last[c] = p == 3 ? live : 0;
        bias[c] += p < 4 ? live : 0;
    }
}

/* Pixels of an odd last row or column, which no pool reaches. */
static void rest(int64_t n, const float *R x, const float *R c2, const float *R c3, float *R dx, float *R bias) {
    for (int64_t c = 0; c < n; c++) dx[c] = c2[c] * x[c] + c3[c], bias[c] += dx[c];
}

/* g, the slopes of out -> dx, those of x; and gamma's, beta's and, summed over all pixels of dx, bias' `(c,)`. room: 5 c floats. */
void backward(const shape *s, const float *x, const int32_t *pick, const float *moments, const float *gamma, const float *g, float *dx, float *dgamma,
              float *dbeta, float *bias, float *room) {
    const int64_t C = s->c, row = s->w * C, high = s->h / 2, half = s->w / 2;
    float *a = room, *c2 = a + C, *c3 = c2 + C, *db = c3 + C, *ds = db + C;
    for (int64_t c = 0; c < C; c++) a[c] = 1, c2[c] = c3[c] = dgamma[c] = dbeta[c] = bias[c] = 0;
    for (int64_t n = 0; n < s->n; n++) {
        const float *own = x + n * s->h * row;
        float *to = dx + n * s->h * row;
        if (s->groups) {
            memset(db, 0, 2 * sizeof(float) * C);
            for (int64_t i = 0; i < high; i++)
                for (int64_t j = 0; j < half; j++) {
                    const int64_t from = ((n * high + i) * half + j) * C, at = 2 * i * row + 2 * j * C;
                    sums_of(C, own + at, own + at + row, pick + from, g + from, db, ds);
                }
            ways_of(s, moments + 2 * n * s->groups, gamma, db, ds, a, c2, c3, dgamma, dbeta);
        }
        for (int64_t i = 0; i < high; i++) {
            for (int64_t j = 0; j < half; j++) {
                const int64_t from = ((n * high + i) * half + j) * C, at = 2 * i * row + 2 * j * C;
                float *up = to + at, *down = up + row;
                if (s->groups)
                    spread(C, own + at, own + at + row, pick + from, g + from, a, c2, c3, up, up + C, down, down + C, bias);
                else
                    scatter(C, pick + from, g + from, up, up + C, down, down + C, bias);
            }
            for (int64_t k = 0; s->w % 2 && k < 2; k++) {
                const int64_t at = (2 * i + k) * row + row - C;
                rest(C, own + at, c2, c3, to + at, bias);
            }
        }
        for (int64_t j = 0; s->h % 2 && j < s->w; j++) {
            const int64_t at = (s->h - 1) * row + j * C;
            rest(C, own + at, c2, c3, to + at, bias);
        }
    }
}

static void line(int64_t n, const float *R x, const float *R a, const float *R b, float *R out) {
    for (int64_t c = 0; c < n; c++) out[c] = a[c] * x[c] + b[c];
}

/* A norm alone: x -> out (n, h, w, c). */
void norm_forward(const shape *s, const float *x, const float *gamma, const float *beta, float *out, float *moments, float *room) {
    const int64_t pixels = s->h * s->w;
    float *a = room + 2 * s->w * s->c, *b = a + s->c;
    for (int64_t n = 0; n < s->n; n++) {
        const float *own = x + n * pixels * s->c;
        lines_of(s, own, gamma, beta, moments + 2 * n * s->groups, a, b, room);
        for (int64_t p = 0; p < pixels; p++) line(s->c, own + p * s->c, a, b, out + (n * pixels + p) * s->c);
    }
}

static void sums_of_pixel(int64_t n, const float *R x, const float *R g, float *R db, float *R ds) {
    for (int64_t c = 0; c < n; c++) db[c] += g[c], ds[c] += g[c] * x[c];
}

static void way(int64_t n, const float *R x, const float *R g, const float *R a, const float *R c2, const float *R c3, float *R dx) {
    for (int64_t c = 0; c < n; c++) dx[c] = a[c] * g[c] + c2[c] * x[c] + c3[c];
}

/* g, the slopes of out -> dx, and gamma's and beta's `(c,)`. room: 5 c floats. */
void norm_backward(const shape *s, const float *x, const float *moments, const float *gamma, const float *g, float *dx, float *dgamma, float *dbeta,
                   float *room) {
    const int64_t pixels = s->h * s->w, C = s->c;
    float *a = room, *c2 = a + C, *c3 = c2 + C, *db = c3 + C, *ds = db + C;
    memset(dgamma, 0, sizeof(float) * C), memset(dbeta, 0, sizeof(float) * C);
    for (int64_t n = 0; n < s->n; n++) {
        const int64_t at = n * pixels * C;
        memset(db, 0, 2 * sizeof(float) * C);
        for (int64_t p = 0; p < pixels; p++) sums_of_pixel(C, x + at + p * C, g + at + p * C, db, ds);
        ways_of(s, moments + 2 * n * s->groups, gamma, db, ds, a, c2, c3, dgamma, dbeta);
        for (int64_t p = 0; p < pixels; p++) way(C, x + at + p * C, g + at + p * C, a, c2, c3, dx + at + p * C);
    }
}
