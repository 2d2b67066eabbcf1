/* Sums and norms of rows from one reading. */
#include "program.h"

#include <math.h>

/* False if a norm left float64's range on the way. */
static bool in_place(const tp_view *view, double *sums, double *norms)
{
    const Py_ssize_t width = view->shape[view->ndim - 1];
    const bool is_f32 = view->dtype == TP_F32;
    bool in_range = true;
    tp_cursor cursor = tp_cursor_of(view);
    for (Py_ssize_t row = 0, rows = view->size / width, n; row < rows; row += n) {
        const Py_ssize_t apart = view->ndim > 1 ? view->strides[view->ndim - 2] : 0;
        const char *x = cursor.row;
        n = tp_cursor_together(&cursor);
        for (Py_ssize_t i = row; i < row + n; i++, x += apart) {
            double moments[2];
            if (is_f32)
                tp_kernels_in_use->f32_moments(x, width, 0.0, moments);
            else
                tp_kernels_in_use->f64_moments(x, width, 0.0, moments);
            if (sums != NULL) sums[i] = moments[0];
            if (norms != NULL) norms[i] = sqrt(moments[1]);
            /* Squares of float32 stay within float64. */
            in_range &= is_f32 || (moments[1] > 1e-280 && moments[1] < INFINITY);
        }
        tp_cursor_advance(&cursor, n);
    }
    return in_range;
}

void tp_row_moments(const tp_view *view, double *sums, double *norms)
{
    bool has_norms = false, has_sums = false;
    if (view->ndim && view->size
        && tp_usable_in_place(view->dtype, view->strides[view->ndim - 1])) {
        PyThreadState *state = tp_release_gil(view->size * view->itemsize);
        has_norms = in_place(view, sums, norms);
        has_sums = true;
        if (state != NULL) PyEval_RestoreThread(state);
    }
    if (sums != NULL && !has_sums) tp_rows(TP_ROW_SUMS, view, NULL, sums);
    if (norms != NULL && !has_norms) tp_rows(TP_ROW_NORMS, view, NULL, norms);
}
