/* Reductions along the last axis. */
#include "measure.h"

#include <math.h>
#include <string.h>

static inline Py_ssize_t find_in(tp_span span, Py_ssize_t n, double value)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    return (span.is_f32 ? kernels->f32_find : kernels->f64_find)(span.x, n, value);
}

static inline double dot_of(tp_span x, const char *y, Py_ssize_t n)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    return (x.is_f32 ? kernels->f32_dot : kernels->f64_dot)(x.x, y, n);
}

/* Each element is converted once, unlike by dot_of(x, x). */
static inline double squares_of(tp_span span, Py_ssize_t n)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    double sums[2];
    (span.is_f32 ? kernels->f32_moments : kernels->f64_moments)(span.x, n, 0, sums);
    return sums[1];
}

/* Extremes and sum; NaN if there is one. */
static void honest_range(tp_span span, Py_ssize_t n, tp_range *out)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    double sum;
    (span.is_f32 ? kernels->f32_rows : kernels->f64_rows)(span.x, 1, n, 0, &sum, out);
    if (!isfinite(sum) && find_in(span, n, NAN) < n) out->min = out->max = NAN;
}

typedef struct {
    tp_cursor at;
    Py_ssize_t width; /* elements of a row */
    double *room;     /* for TP_BLOCK of them */
} row_reader;

/* The elements of the current row from `start` on: `n` of them, as many as a block has. */
static tp_span piece_at(const row_reader *it, Py_ssize_t start, Py_ssize_t *n)
{
    const tp_view *view = it->at.view;
    const Py_ssize_t stride = view->ndim ? view->strides[view->ndim - 1] : view->itemsize;
    *n = it->width - start < TP_BLOCK ? it->width - start : TP_BLOCK;
    return tp_span_of(view->dtype, it->at.row + start * stride, stride, *n, it->room);
}

static double row_sum(const row_reader *it)
{
    double total = 0;
    for (Py_ssize_t start = 0, n; start < it->width; start += n) {
        tp_span span = piece_at(it, start, &n);
        total += tp_span_sum(span, n);
    }
    return total;
}

static double row_extreme(const row_reader *it, bool highest)
{
    double extreme = highest ? -INFINITY : INFINITY;
    for (Py_ssize_t start = 0, n; start < it->width; start += n) {
        tp_range range;
        tp_span span = piece_at(it, start, &n);
        honest_range(span, n, &range);
        if (isnan(range.min)) return NAN;
        if (highest ? range.max > extreme : range.min < extreme)
            extreme = highest ? range.max : range.min;
    }
    return extreme;
}

static double row_argmax(const row_reader *it)
{
    double highest = -INFINITY;
    Py_ssize_t index = it->width ? 0 : -1;
    for (Py_ssize_t start = 0, n; start < it->width; start += n) {
        tp_range range;
        tp_span span = piece_at(it, start, &n);
        honest_range(span, n, &range);
        if (isnan(range.max) || range.max > highest) {
            highest = range.max;
            index = start + find_in(span, n, highest);
            if (isnan(highest)) break;
        }
    }
    return (double)index;
}

/* The norm of a row whose squares leave float64's range. */
static double scaled_norm(const row_reader *it)
{
    double high = row_extreme(it, true), low = row_extreme(it, false), sum = 0;
    double largest = high > -low ? high : -low, scaled[TP_BLOCK];
    if (!isfinite(high) || !isfinite(low) || largest == 0) return isnan(high) ? NAN : largest;
    for (Py_ssize_t start = 0, n; start < it->width; start += n) {
        tp_span span = piece_at(it, start, &n);
        memcpy(scaled, span.x, 8 * (size_t)n);
        for (Py_ssize_t i = 0; i < n; i++) scaled[i] /= largest;
        sum += squares_of((tp_span){(const char *)scaled, false}, n);
    }
    return sqrt(sum) * largest;
}

static double row_norm(const row_reader *it)
{
    double squares = 0;
    bool is_f32 = true;
    for (Py_ssize_t start = 0, n; start < it->width; start += n) {
        tp_span span = piece_at(it, start, &n);
        squares += squares_of(span, n);
        is_f32 &= span.is_f32;
    }
    /* Squares of float32 stay within float64. */
    if (is_f32 || (1e-280 < squares && squares < INFINITY)) return sqrt(squares);
    return scaled_norm(it);
}

static double row_dot(const row_reader *one, const row_reader *two)
{
    double sum = 0, wide[TP_BLOCK];
    for (Py_ssize_t start = 0, n; start < one->width; start += n) {
        tp_span x = piece_at(one, start, &n), y = piece_at(two, start, &n);
        if (x.is_f32 != y.is_f32) {
            tp_span *narrow = x.is_f32 ? &x : &y;
            tp_load(TP_F32, narrow->x, 4, n, wide);
            *narrow = (tp_span){(const char *)wide, false};
        }
        sum += dot_of(x, y.x, n);
    }
    return sum;
}

static double reduce(tp_row_function function, const row_reader *one, const row_reader *two)
{
    switch (function) {
    case TP_ROW_SUMS: return row_sum(one);
    case TP_ROW_NORMS: return row_norm(one);
    case TP_ROW_MIN: return row_extreme(one, false);
    case TP_ROW_MAX: return row_extreme(one, true);
    case TP_ROW_ARGMAX: return row_argmax(one);
    case TP_ROW_DOTS: return row_dot(one, two);
    }
    return NAN;
}

/* No GIL here. */
static void reduce_rows(tp_row_function function, const tp_view *view, const tp_view *other,
                        Py_ssize_t rows, double *out)
{
    double room[TP_BLOCK], other_room[TP_BLOCK];
    const Py_ssize_t width = view->ndim ? view->shape[view->ndim - 1] : 1;
    row_reader one = {tp_cursor_of(view), width, room};
    row_reader two = {tp_cursor_of(other == NULL ? view : other), width, other_room};
    for (Py_ssize_t row = 0; row < rows; row++) {
        out[row] = reduce(function, &one, &two);
        tp_cursor_advance(&one.at, 1);
        tp_cursor_advance(&two.at, 1);
    }
}

void tp_rows(tp_row_function function, const tp_view *view, const tp_view *other, double *out)
{
    Py_ssize_t rows = 1;
    for (int axis = 0; axis < view->ndim - 1; axis++) rows *= view->shape[axis];
    PyThreadState *state = tp_release_gil(view->size * view->itemsize);
    reduce_rows(function, view, other, rows, out);
    if (state != NULL) PyEval_RestoreThread(state);
}
