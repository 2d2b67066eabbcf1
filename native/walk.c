/* Walking the rows of a view. */
#include "measure.h"

#include <string.h>

static void drop_axis(tp_view *view, int axis)
{
    size_t after = sizeof(Py_ssize_t) * (size_t)(view->ndim - axis - 1);
    memmove(&view->shape[axis], &view->shape[axis + 1], after);
    memmove(&view->strides[axis], &view->strides[axis + 1], after);
    view->ndim--;
}

/* Largest stride first, so that the walk follows memory; an axis that repeats its elements goes
   to the outside. */
static void sort_axes(tp_view *view)
{
    for (int axis = 0; axis < view->ndim; axis++) {
        if (view->strides[axis] < 0) {
            view->data += view->strides[axis] * (view->shape[axis] - 1);
            view->strides[axis] = -view->strides[axis];
        }
        Py_ssize_t stride = view->strides[axis], length = view->shape[axis];
        int to = axis;
        for (; to > 0 && view->strides[to - 1] != 0
               && (stride == 0 || view->strides[to - 1] < stride); to--) {
            view->strides[to] = view->strides[to - 1];
            view->shape[to] = view->shape[to - 1];
        }
        view->strides[to] = stride;
        view->shape[to] = length;
    }
}

void tp_view_simplify(tp_view *view, bool keep_rows, bool any_order)
{
    if (view->ndim == 0) {
        view->ndim = 1;
        view->shape[0] = 1;
        view->strides[0] = view->itemsize;
    }
    for (int axis = view->ndim - 1 - keep_rows; axis >= 0 && view->ndim > 1; axis--) {
        if (view->shape[axis] == 1) drop_axis(view, axis);
    }
    if (any_order) sort_axes(view);
    for (int axis = view->ndim - 2 - keep_rows; axis >= 0; axis--) {
        if (view->strides[axis] == view->strides[axis + 1] * view->shape[axis + 1]) {
            view->shape[axis + 1] *= view->shape[axis];
            drop_axis(view, axis);
        }
    }
}

tp_cursor tp_cursor_of(const tp_view *view)
{
    return (tp_cursor){.view = view, .row = view->data};
}

Py_ssize_t tp_cursor_together(const tp_cursor *cursor)
{
    int axis = cursor->view->ndim - 2;
    return axis < 0 ? 1 : cursor->view->shape[axis] - cursor->index[axis];
}

void tp_cursor_advance(tp_cursor *cursor, Py_ssize_t rows)
{
    const tp_view *view = cursor->view;
    for (int axis = view->ndim - 2; axis >= 0; axis--, rows = 1) {
        cursor->index[axis] += rows;
        cursor->row += rows * view->strides[axis];
        if (cursor->index[axis] < view->shape[axis]) return;
        cursor->row -= cursor->index[axis] * view->strides[axis];
        cursor->index[axis] = 0;
    }
}
