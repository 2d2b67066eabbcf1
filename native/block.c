/* Statistics of contiguous elements: the fast pass of the kernels, and the exact one after it
   where something may not be finite. */
#include "measure.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Pieces that stay in the second-level cache should they have to be read again; the moments are a
   second pass over each piece, which has to stay in the first-level cache. */
enum { PIECE = 4 * TP_BLOCK };

static const double SAFE_SQUARE = 1e150; /* below this a float64 can be squared and summed */

static inline Py_ssize_t size_of(tp_span span) { return span.is_f32 ? 4 : 8; }

static inline void rows_of(tp_span span, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                           double *row_sums, tp_range *out)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    (span.is_f32 ? kernels->f32_rows : kernels->f64_rows)(span.x, rows, width, stride, row_sums,
                                                          out);
}

static inline void range_of(tp_span span, Py_ssize_t n, tp_range *out)
{
    double sum;
    rows_of(span, 1, n, 0, &sum, out);
}

/* Mean, m2 and l2 from the distances to a value close to the mean. */
static void centred_moments(tp_span span, Py_ssize_t n, tp_stats *out)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    double centre = out->sum / (double)n, sums[2];
    (span.is_f32 ? kernels->f32_moments : kernels->f64_moments)(span.x, n, centre, sums);
    double correction = sums[0] / (double)n;
    double m2 = sums[1] - sums[0] * correction;
    out->mean = centre + correction;
    out->m2 = m2 < 0 ? 0 : m2;
    /* Neither term is negative, so nothing cancels. */
    out->l2 = sqrt(out->m2 + (double)n * out->mean * out->mean);
    if (span.is_f32) out->sum += sums[0]; /* what the sum in float32 had lost */
}

/* Squares would leave float64's range: work on a copy scaled to 1 by a power of two. */
static void scaled_moments(tp_span span, Py_ssize_t n, double largest, tp_stats *out)
{
    double scaled[TP_BLOCK];
    int exponent;
    frexp(largest, &exponent);
    for (Py_ssize_t i = 0; i < n; i++) {
        memcpy(&scaled[i], span.x + 8 * i, 8);
        scaled[i] = ldexp(scaled[i], -exponent);
    }
    tp_span copy = {(const char *)scaled, false};
    tp_range range;
    tp_stats stats;
    range_of(copy, n, &range);
    stats.sum = range.sum;
    centred_moments(copy, n, &stats);
    out->mean = ldexp(stats.mean, exponent);
    out->m2 = ldexp(stats.m2, 2 * exponent);
    out->l2 = ldexp(stats.l2, exponent);
}

/* Statistics of n > 0 finite elements whose extremes and sum are known. */
static void finish(tp_span span, Py_ssize_t n, unsigned wanted, const tp_range *range,
                   tp_stats *out)
{
    out->min = range->min;
    out->max = range->max;
    out->sum = range->sum;
    if (!(wanted & TP_MOMENTS)) return;
    double largest = -range->min > range->max ? -range->min : range->max;
    if (span.is_f32 || (1 / SAFE_SQUARE < largest && largest < SAFE_SQUARE) || largest == 0)
        centred_moments(span, n, out);
    else
        scaled_moments(span, n, largest, out);
}

/* The exact pass: what is not finite is counted, the rest is brought together. */
static void sort_out(tp_span span, Py_ssize_t n, unsigned wanted, tp_stats *out)
{
    double finite[TP_BLOCK];
    Py_ssize_t kept = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        double x;
        if (span.is_f32) {
            float narrow;
            memcpy(&narrow, span.x + 4 * i, 4);
            x = narrow;
        } else {
            memcpy(&x, span.x + 8 * i, 8);
        }
        finite[kept] = x;
        kept += fabs(x) <= DBL_MAX;
        out->nan_count += x != x;
        out->posinf_count += x == INFINITY;
        out->neginf_count += x == -INFINITY;
    }
    out->count = n;
    if (kept == 0 || !(wanted & ~TP_COUNTS)) return;
    tp_range range;
    tp_span rest = {(const char *)finite, false};
    range_of(rest, kept, &range);
    finish(rest, kept, wanted, &range, out);
}

/* The exact pass over any number of elements, without TP_ARGS. */
static void add_exactly(tp_span span, Py_ssize_t n, unsigned wanted, tp_stats *into)
{
    for (Py_ssize_t start = 0; start < n; start += TP_BLOCK) {
        Py_ssize_t count = n - start < TP_BLOCK ? n - start : TP_BLOCK;
        tp_stats block;
        tp_stats_clear(&block, wanted);
        sort_out((tp_span){span.x + start * size_of(span), span.is_f32}, count, wanted, &block);
        tp_stats_add(into, &block);
    }
}

/* Into statistics that are clear. */
static void measure_piece(tp_span span, Py_ssize_t n, unsigned wanted, tp_stats *out)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    tp_range range;
    bool finite;
    if (wanted & ~TP_COUNTS) {
        range_of(span, n, &range);
        finite = isfinite(range.sum);
    } else {
        finite = (span.is_f32 ? kernels->f32_finite : kernels->f64_finite)(span.x, n);
    }
    if (TP_LIKELY(finite)) {
        out->count = n;
        if (wanted & ~TP_COUNTS) finish(span, n, wanted, &range, out);
    } else {
        add_exactly(span, n, wanted & TP_ARGS ? (wanted & ~TP_ARGS) | TP_RANGE : wanted, out);
        out->measured = wanted | TP_COUNTS;
    }
}

/* Only where they replace those `before`, if there are any. */
static void find_extremes(tp_span span, Py_ssize_t n, const tp_stats *before, tp_stats *piece)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    Py_ssize_t (*find)(const char *, Py_ssize_t, double) =
        span.is_f32 ? kernels->f32_find : kernels->f64_find;
    if (before == NULL || tp_stats_lower(before, piece))
        piece->argmin = find(span.x, n, tp_stats_lowest(piece));
    if (before == NULL || tp_stats_higher(before, piece))
        piece->argmax = find(span.x, n, tp_stats_highest(piece));
}

void tp_add_span(tp_span span, Py_ssize_t n, unsigned wanted, tp_stats *into)
{
    const Py_ssize_t step = wanted & TP_MOMENTS ? TP_BLOCK : PIECE;
    for (Py_ssize_t start = 0; start < n; start += step) {
        Py_ssize_t count = n - start < step ? n - start : step;
        tp_span part = {span.x + start * size_of(span), span.is_f32};
        tp_stats next, *piece = &next;
        if (into->count == 0)
            piece = into;
        else
            tp_stats_clear(piece, wanted);
        measure_piece(part, count, wanted, piece);
        if (wanted & TP_ARGS) find_extremes(part, count, piece == into ? NULL : into, piece);
        if (piece != into) tp_stats_add(into, piece);
    }
}

double tp_span_sum(tp_span span, Py_ssize_t n)
{
    tp_range range;
    range_of(span, n, &range);
    if (!span.is_f32 || isfinite(range.sum)) return range.sum;
    /* Not finite, or a sum in float32 overflowed. */
    double wide[TP_BLOCK], total = 0;
    for (Py_ssize_t start = 0; start < n; start += TP_BLOCK) {
        Py_ssize_t count = n - start < TP_BLOCK ? n - start : TP_BLOCK;
        tp_load(TP_F32, span.x + 4 * start, 4, count, wide);
        range_of((tp_span){(const char *)wide, false}, count, &range);
        total += range.sum;
    }
    return total;
}

void tp_add_rows(tp_span span, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                 unsigned wanted, tp_stats *into, double *row_sums)
{
    tp_range range;
    if (rows == 0 || width == 0) {
        for (Py_ssize_t row = 0; row < rows; row++) row_sums[row] = 0;
        return;
    }
    rows_of(span, rows, width, stride, row_sums, &range);
    bool finite = isfinite(range.sum);
    if (TP_LIKELY(finite && !(wanted & (TP_MOMENTS | TP_ARGS)))) {
        tp_stats block;
        tp_stats_clear(&block, wanted);
        block.count = rows * width;
        finish(span, block.count, wanted, &range, &block);
        tp_stats_add(into, &block);
        return;
    }
    for (Py_ssize_t row = 0; row < rows; row++) {
        tp_span one = {span.x + row * stride, span.is_f32};
        if (!finite) row_sums[row] = tp_span_sum(one, width);
        tp_add_span(one, width, wanted, into);
    }
}
