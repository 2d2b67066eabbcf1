/* How far a few numbers are from their reference; large arrays are NumPy's. */
#include "tracepact.h"

#include <math.h>

enum { MOST = 4096, STRIP = 256 };

typedef struct {
    double signal, power, product, error; /* sums of squares and of products */
    double largest;                       /* distance; NaN if there is one */
    Py_ssize_t worst;                     /* the first element that has it */
} distances;

static void add_strip(const double *a, const double *b, Py_ssize_t n, Py_ssize_t seen,
                      distances *to)
{
    double signal = 0, power = 0, product = 0, error = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        double difference = b[i] - a[i], distance = fabs(difference);
        signal += a[i] * a[i];
        power += b[i] * b[i];
        product += a[i] * b[i];
        error += difference * difference;
        if (TP_UNLIKELY(!(distance <= to->largest)) && to->largest == to->largest) {
            to->largest = distance;
            to->worst = seen + i;
        }
    }
    to->signal += signal;
    to->power += power;
    to->product += product;
    to->error += error;
}

static bool fit_together(const tp_view *a, const tp_view *b)
{
    bool same = a->ndim == b->ndim && a->contiguous && b->contiguous;
    for (int axis = 0; same && axis < a->ndim; axis++) same = a->shape[axis] == b->shape[axis];
    return same && a->size > 0 && a->size <= MOST;
}

static void find_distances(const tp_view *first, const tp_view *second, distances *found)
{
    double a[STRIP], b[STRIP];
    *found = (distances){.largest = -1};
    for (Py_ssize_t start = 0; start < first->size; start += STRIP) {
        Py_ssize_t n = first->size - start < STRIP ? first->size - start : STRIP;
        tp_load(first->dtype, first->data + start * first->itemsize, first->itemsize, n, a);
        tp_load(second->dtype, second->data + start * second->itemsize, second->itemsize, n, b);
        add_strip(a, b, n, start, found);
    }
}

static PyObject *compare(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "compare(reference, value)");
        return NULL;
    }
    tp_view a, b;
    if (!tp_view_of(arguments[0], &a)) Py_RETURN_NONE;
    if (!tp_view_of(arguments[1], &b)) {
        tp_view_release(&a);
        Py_RETURN_NONE;
    }
    distances found;
    bool fits = fit_together(&a, &b);
    if (fits) find_distances(&a, &b, &found);
    Py_ssize_t size = a.size;
    tp_view_release(&a);
    tp_view_release(&b);
    if (!fits) Py_RETURN_NONE;
    return Py_BuildValue("nddddnd", size, found.signal, found.power, found.product, found.error,
                         found.worst, found.largest);
}

static PyMethodDef functions[] = {
    {"compare", (PyCFunction)(void (*)(void))compare, METH_FASTCALL,
     "Sums over two small contiguous arrays of one shape; None where Python has to look."},
    {NULL},
};

int tp_add_compare(PyObject *module) { return PyModule_AddFunctions(module, functions); }
