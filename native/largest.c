/* The largest of many elements: a vocabulary has many, and only a few are wanted. */
#include "pass_end.h"

#include <math.h>

enum { BLOCK = 64 };

typedef struct {
    float value;
    Py_ssize_t index;
} entry;

/* Whether any element of a block is above the bound, or is NaN. */
static inline int any_above(const float *x, float bound)
{
    int above = 0;
    for (int i = 0; i < BLOCK; i++) above |= !(x[i] <= bound);
    return above;
}

static bool offer(entry *best, Py_ssize_t k, float value, Py_ssize_t index)
{
    if (value != value) return false;
    if (value <= best[k - 1].value && best[k - 1].index >= 0) return true;
    Py_ssize_t at = k - 1;
    for (; at > 0 && (best[at - 1].index < 0 || best[at - 1].value < value); at--)
        best[at] = best[at - 1];
    best[at] = (entry){value, index};
    return true;
}

/* False if there is a NaN. */
static bool find_largest(const float *x, Py_ssize_t n, Py_ssize_t k, entry *best)
{
    for (Py_ssize_t i = 0; i < k; i++) best[i] = (entry){0, -1};
    Py_ssize_t i = 0;
    for (; i < k; i++)
        if (!offer(best, k, x[i], i)) return false;
    for (; i + BLOCK <= n; i += BLOCK) {
        if (TP_LIKELY(!any_above(x + i, best[k - 1].value))) continue;
        for (int j = 0; j < BLOCK; j++)
            if (!offer(best, k, x[i + j], i + j)) return false;
    }
    for (; i < n; i++)
        if (!offer(best, k, x[i], i)) return false;
    return true;
}

static bool is_vector(const tp_view *view)
{
    return view->dtype == TP_F32 && view->ndim == 1 && view->contiguous;
}

bool tp_largest(const tp_view *view, Py_ssize_t k, Py_ssize_t *indices)
{
    entry best[TP_MOST_LARGEST];
    if (!is_vector(view) || k < 1 || k > TP_MOST_LARGEST || k > view->size
        || !find_largest((const float *)view->data, view->size, k, best))
        return false;
    for (Py_ssize_t i = 0; i < k; i++) indices[i] = best[i].index;
    return true;
}

static PyObject *largest(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "largest(values, k)");
        return NULL;
    }
    Py_ssize_t k = PyLong_AsSsize_t(arguments[1]), found[TP_MOST_LARGEST];
    if (k == -1 && PyErr_Occurred()) return NULL;
    tp_view view;
    if (!tp_view_of(arguments[0], &view)) Py_RETURN_NONE;
    bool fits = tp_largest(&view, k, found);
    tp_view_release(&view);
    if (!fits) Py_RETURN_NONE;
    PyObject *indices = PyList_New(k);
    for (Py_ssize_t i = 0; indices != NULL && i < k; i++) {
        PyObject *index = PyLong_FromSsize_t(found[i]);
        if (index == NULL) Py_CLEAR(indices);
        else PyList_SET_ITEM(indices, i, index);
    }
    return indices;
}

/* Whether an element of a block may be more than `share` of its bound; true too for NaN. */
static inline int any_share_above(const float *x, const float *bounds, float share)
{
    int above = 0;
    for (int i = 0; i < BLOCK; i++) above |= !(fabsf(x[i]) <= share * bounds[i]);
    return above;
}

/* max |x / bound|, where 0 of any bound is 0; NaN if there is one. */
static double find_largest_share(const float *x, const float *bounds, Py_ssize_t n)
{
    double most = 0;
    float screen = 0; /* a little less, for the rounding of a product */
    for (Py_ssize_t i = 0; i < n; i += BLOCK) {
        Py_ssize_t end = n - i < BLOCK ? n : i + BLOCK;
        if (end - i == BLOCK && TP_LIKELY(!any_share_above(x + i, bounds + i, screen))) continue;
        for (Py_ssize_t j = i; j < end; j++) {
            double share = x[j] == 0 ? 0 : fabs((double)x[j] / (double)bounds[j]);
            if (share != share) return share;
            if (share > most) most = share;
        }
        screen = most < 1e30 ? (float)most * (1 - 0x1p-20f) : 1e30f;
    }
    return most;
}

bool tp_largest_share(const tp_view *view, const tp_view *bounds, double *share)
{
    if (!is_vector(view) || !is_vector(bounds) || view->size != bounds->size) return false;
    *share = find_largest_share((const float *)view->data, (const float *)bounds->data,
                                view->size);
    return true;
}

static PyObject *largest_share(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "largest_share(values, bounds)");
        return NULL;
    }
    tp_view x, bounds;
    if (!tp_view_of(arguments[0], &x)) Py_RETURN_NONE;
    if (!tp_view_of(arguments[1], &bounds)) {
        tp_view_release(&x);
        Py_RETURN_NONE;
    }
    double share;
    bool fits = tp_largest_share(&x, &bounds, &share);
    tp_view_release(&x);
    tp_view_release(&bounds);
    if (!fits) Py_RETURN_NONE;
    return PyFloat_FromDouble(share);
}

static PyMethodDef functions[] = {
    {"largest", (PyCFunction)(void (*)(void))largest, METH_FASTCALL,
     "Indices of the k largest of a float32 vector, largest first; None where Python has to look."},
    {"largest_share", (PyCFunction)(void (*)(void))largest_share, METH_FASTCALL,
     "max |value / bound| of two float32 vectors; None where Python has to look."},
    {NULL},
};

int tp_add_largest(PyObject *module) { return PyModule_AddFunctions(module, functions); }
