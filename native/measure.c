/* Statistics of whole arrays. */
#include "measure.h"

#include <math.h>

/* Rows shorter than this are brought together before they are measured. */
enum { SHORT_ROW = 64 };

typedef struct {
    tp_view view;
    unsigned wanted;
    tp_stats *stats;
    double *row_sums; /* or NULL */
} part;

/* A block of rows: one statistic over all; with `row_sums` also one number a row. */
static void add_block(tp_span span, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                      const part *it, double *row_sums)
{
    double unused[4 * TP_BLOCK / SHORT_ROW];
    if (row_sums != NULL)
        tp_add_rows(span, rows, width, stride, it->wanted, it->stats, row_sums);
    else if (stride == width * (span.is_f32 ? 4 : 8))
        tp_add_span(span, rows * width, it->wanted, it->stats);
    else
        tp_add_rows(span, rows, width, stride, it->wanted, it->stats, unused);
}

/* Rows that are longer than a block, in pieces. */
static void add_long_row(const part *it, const char *row, Py_ssize_t limit, double *row_sum)
{
    const tp_view *view = &it->view;
    const Py_ssize_t width = view->shape[view->ndim - 1], stride = view->strides[view->ndim - 1];
    double room[TP_BLOCK], total = 0;
    for (Py_ssize_t start = 0; start < width; start += limit) {
        Py_ssize_t n = width - start < limit ? width - start : limit;
        tp_span span = tp_span_of(view->dtype, row + start * stride, stride, n, room);
        double sum = 0;
        if (row_sum != NULL)
            tp_add_rows(span, 1, n, 0, it->wanted, it->stats, &sum);
        else
            tp_add_span(span, n, it->wanted, it->stats);
        total += sum;
    }
    if (row_sum != NULL) *row_sum = total;
}

/* Brings up to `most` rows together in `room`. */
static tp_span pack(const tp_view *view, tp_cursor *cursor, Py_ssize_t most, double *room)
{
    const Py_ssize_t width = view->shape[view->ndim - 1], stride = view->strides[view->ndim - 1];
    char *to = (char *)room;
    tp_span span = {to, false};
    for (Py_ssize_t i = 0; i < most; i++) {
        span.is_f32 = tp_span_copy(view->dtype, cursor->row, stride, width, to).is_f32;
        to += width * (span.is_f32 ? 4 : 8);
        tp_cursor_advance(cursor, 1);
    }
    return span;
}

/* No GIL here. */
static void measure_part(void *argument)
{
    const part *it = argument;
    const tp_view *view = &it->view;
    const Py_ssize_t width = view->shape[view->ndim - 1], stride = view->strides[view->ndim - 1];
    const bool by_row = it->row_sums != NULL;
    const bool in_place = tp_usable_in_place(view->dtype, stride)
                          && (by_row || view->ndim == 1 || width >= SHORT_ROW);
    const Py_ssize_t limit = in_place ? 4 * TP_BLOCK : TP_BLOCK;
    double room[TP_BLOCK];
    tp_cursor cursor = tp_cursor_of(view);
    if (in_place && view->ndim == 1 && !by_row) {
        tp_add_span((tp_span){view->data, view->dtype == TP_F32}, width, it->wanted, it->stats);
        return;
    }
    for (Py_ssize_t row = 0, rows = view->size / width, n; row < rows; row += n) {
        double *row_sums = by_row ? it->row_sums + row : NULL;
        if (width > limit) {
            n = 1;
            add_long_row(it, cursor.row, limit, row_sums);
            tp_cursor_advance(&cursor, 1);
            continue;
        }
        n = limit / width;
        if (in_place) {
            Py_ssize_t together = tp_cursor_together(&cursor);
            n = together < n ? together : n;
            Py_ssize_t apart = view->ndim > 1 ? view->strides[view->ndim - 2] : 0;
            add_block((tp_span){cursor.row, view->dtype == TP_F32}, n, width, apart, it, row_sums);
            tp_cursor_advance(&cursor, n);
        } else {
            n = rows - row < n ? rows - row : n;
            tp_span span = pack(view, &cursor, n, room);
            add_block(span, n, width, width * (span.is_f32 ? 4 : 8), it, row_sums);
        }
    }
}

/* Cuts the first axis in two, one half a thread. */
static void measure_in_two(part *first)
{
    part second = *first;
    tp_stats rest;
    const Py_ssize_t length = first->view.shape[0], half = length / 2;
    const Py_ssize_t size = first->view.size / length;
    tp_stats_clear(&rest, first->wanted);
    second.stats = &rest;
    first->view.shape[0] = half;
    first->view.size = size * half;
    second.view.shape[0] = length - half;
    second.view.size = size * (length - half);
    second.view.data += half * first->view.strides[0];
    if (second.row_sums != NULL)
        second.row_sums += first->view.size / first->view.shape[first->view.ndim - 1];
    tp_run_both(measure_part, first, &second);
    tp_stats_add(first->stats, &rest);
}

/* A view without elements, or one that fits into a kernel, needs no more than this. */
static bool measure_small(const tp_view *view, unsigned wanted, tp_stats *out)
{
    tp_stats_clear(out, wanted);
    if (view->size == 0) return true;
    if (!view->contiguous || view->size > TP_BLOCK) return false;
    double room[TP_BLOCK];
    tp_span span = tp_span_of(view->dtype, view->data, view->itemsize, view->size, room);
    tp_add_span(span, view->size, wanted, out);
    return true;
}

static void run(part *it)
{
    const Py_ssize_t bytes = it->view.size * it->view.itemsize;
    const bool divisible = it->view.shape[0] > 1 && (it->row_sums == NULL || it->view.ndim > 1);
    const int threads = divisible ? tp_threads_for(bytes) : 1;
    PyThreadState *state = tp_release_gil(bytes);
    if (threads > 1)
        measure_in_two(it);
    else
        measure_part(it);
    if (state != NULL) PyEval_RestoreThread(state);
}

void tp_measure(const tp_view *view, unsigned wanted, tp_stats *out)
{
    if (measure_small(view, wanted, out)) return;
    part all = {*view, wanted, out, NULL};
    tp_view_simplify(&all.view, false, !(wanted & TP_ARGS));
    run(&all);
}

void tp_measure_rows(const tp_view *view, unsigned wanted, tp_stats *out, double *row_sums)
{
    const Py_ssize_t width = view->ndim ? view->shape[view->ndim - 1] : 1;
    if (view->size == 0) {
        Py_ssize_t rows = 1;
        for (int axis = 0; axis < view->ndim - 1; axis++) rows *= view->shape[axis];
        for (Py_ssize_t row = 0; row < rows; row++) row_sums[row] = 0;
        tp_stats_clear(out, wanted);
        return;
    }
    if (view->size == width) { /* one row */
        tp_measure(view, wanted | TP_SUM, out);
        *row_sums = out->sum + tp_stats_contagion(out);
        out->measured = wanted | TP_COUNTS;
        return;
    }
    part all = {*view, wanted, out, row_sums};
    tp_stats_clear(out, wanted);
    tp_view_simplify(&all.view, true, false);
    run(&all);
}

void tp_measure_doubles(const double *x, Py_ssize_t n, unsigned wanted, tp_stats *out)
{
    tp_stats_clear(out, wanted);
    tp_add_span((tp_span){(const char *)x, false}, n, wanted, out);
}
