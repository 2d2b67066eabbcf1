/* The largest of many elements: a vocabulary has many, and only a few are wanted. */
#include "pass_end.h"

#include <math.h>

enum { BLOCK = 64 };

typedef struct {
    float value;
    Py_ssize_t index;
} entry;

/* From which block on one may have an element that is above `least`, or above `share` of its bound
   (bounds may be NULL), or NaN. */
TP_CLONES static Py_ssize_t skip(const float *x, const float *bounds, Py_ssize_t from,
                                 Py_ssize_t n, float least, float share)
{
    for (; from + BLOCK <= n; from += BLOCK) {
        int above = 0;
        for (int i = 0; i < BLOCK; i++) above |= !(x[from + i] <= least);
        if (bounds != NULL)
            for (int i = 0; i < BLOCK; i++)
                above |= !(fabsf(x[from + i]) <= share * bounds[from + i]);
        if (above) break;
    }
    return from;
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

/* The k largest, and max |x / bound|, where 0 of any bound is 0. */
typedef struct {
    entry best[TP_MOST_LARGEST];
    Py_ssize_t k;
    double share; /* NaN if there is one */
} winners;

/* False if there is a NaN. */
static bool offer_all(winners *to, const float *x, Py_ssize_t from, Py_ssize_t end)
{
    for (Py_ssize_t i = from; to->k > 0 && i < end; i++)
        if (!offer(to->best, to->k, x[i], i)) return false;
    return true;
}

static bool share_all(winners *to, const float *x, const float *bounds, Py_ssize_t from,
                      Py_ssize_t end)
{
    for (Py_ssize_t i = from; bounds != NULL && i < end; i++) {
        double share = x[i] == 0 ? 0 : fabs((double)x[i] / (double)bounds[i]);
        if (!(share <= to->share)) to->share = share;
        if (share != share) return false;
    }
    return true;
}

/* False as soon as there is a NaN. Both in one go, since this is a walk through memory. */
static bool find_winners(winners *to, const float *x, const float *bounds, Py_ssize_t n,
                         Py_ssize_t k)
{
    to->k = k;
    to->share = 0;
    for (Py_ssize_t i = 0; i < k; i++) to->best[i] = (entry){0, -1};
    for (Py_ssize_t i = 0; i < n; i += BLOCK) {
        if (i >= k) {
            const float least = k > 0 ? to->best[k - 1].value : INFINITY;
            /* a little less, for the rounding of a product */
            const float share = to->share < 1e30 ? (float)to->share * (1 - 0x1p-20f) : 1e30f;
            if ((i = skip(x, bounds, i, n, least, share)) == n) break;
        }
        const Py_ssize_t end = n - i < BLOCK ? n : i + BLOCK;
        if (!offer_all(to, x, i, end) || !share_all(to, x, bounds, i, end)) return false;
    }
    return true;
}

static bool is_vector(const tp_view *view)
{
    return view->dtype == TP_F32 && view->ndim == 1 && view->contiguous;
}

bool tp_winners(const tp_view *view, const tp_view *bounds, Py_ssize_t k, Py_ssize_t *indices,
                double *share)
{
    winners found;
    if (!is_vector(view) || !is_vector(bounds) || view->size != bounds->size || k < 1
        || k > TP_MOST_LARGEST || k > view->size
        || !find_winners(&found, (const float *)view->data, (const float *)bounds->data,
                         view->size, k))
        return false;
    for (Py_ssize_t i = 0; i < k; i++) indices[i] = found.best[i].index;
    *share = found.share;
    return true;
}

static PyObject *largest(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "largest(values, k)");
        return NULL;
    }
    Py_ssize_t k = PyLong_AsSsize_t(arguments[1]);
    if (k == -1 && PyErr_Occurred()) return NULL;
    tp_view view;
    winners found;
    if (!tp_view_of(arguments[0], &view)) Py_RETURN_NONE;
    bool fits = is_vector(&view) && k >= 1 && k <= TP_MOST_LARGEST && k <= view.size
                && find_winners(&found, (const float *)view.data, NULL, view.size, k);
    tp_view_release(&view);
    if (!fits) Py_RETURN_NONE;
    PyObject *indices = PyList_New(k);
    for (Py_ssize_t i = 0; indices != NULL && i < k; i++) {
        PyObject *index = PyLong_FromSsize_t(found.best[i].index);
        if (index == NULL) Py_CLEAR(indices);
        else PyList_SET_ITEM(indices, i, index);
    }
    return indices;
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
    winners found;
    bool fits = is_vector(&x) && is_vector(&bounds) && x.size == bounds.size;
    if (fits) find_winners(&found, (const float *)x.data, (const float *)bounds.data, x.size, 0);
    tp_view_release(&x);
    tp_view_release(&bounds);
    if (!fits) Py_RETURN_NONE;
    return PyFloat_FromDouble(found.share);
}

static PyMethodDef functions[] = {
    {"largest", (PyCFunction)(void (*)(void))largest, METH_FASTCALL,
     "Indices of the k largest of a float32 vector, largest first; None where Python has to look."},
    {"largest_share", (PyCFunction)(void (*)(void))largest_share, METH_FASTCALL,
     "max |value / bound| of two float32 vectors; None where Python has to look."},
    {NULL},
};

int tp_add_largest(PyObject *module) { return PyModule_AddFunctions(module, functions); }
