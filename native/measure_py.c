/* What Python calls: `measure`, `row_reduce`, and what tests need to force a path. */
#include "measure.h"

#include "dispatch.h"
#include "numpy_api.h"

static PyObject *tuple_of(const tp_stats *stats)
{
    const int64_t integers[] = {stats->count, stats->nan_count, stats->posinf_count,
                                stats->neginf_count};
    const double numbers[] = {stats->min, stats->max, stats->sum,
                              stats->mean, stats->m2, stats->l2};
    const int64_t last[] = {stats->argmin, stats->argmax, stats->measured};
    PyObject *tuple = PyTuple_New(13);
    if (tuple == NULL) return NULL;
    for (int i = 0; i < 4; i++) PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(integers[i]));
    for (int i = 0; i < 6; i++) PyTuple_SET_ITEM(tuple, 4 + i, PyFloat_FromDouble(numbers[i]));
    for (int i = 0; i < 3; i++) PyTuple_SET_ITEM(tuple, 10 + i, PyLong_FromLongLong(last[i]));
    if (PyErr_Occurred()) Py_CLEAR(tuple);
    return tuple;
}

/* One number for each row of a view. */
static PyObject *new_rows(const tp_view *view)
{
    npy_intp shape[TP_MAX_DIMS];
    int ndim = view->ndim ? view->ndim - 1 : 0;
    for (int axis = 0; axis < ndim; axis++) shape[axis] = view->shape[axis];
    return PyArray_SimpleNew(ndim, shape, NPY_DOUBLE);
}

PyDoc_STRVAR(measure_doc,
"measure(value, wanted, /)\n--\n\n"
"The attributes of TensorStats in order, or None if Python has to convert the value.");

static PyObject *measure(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "measure takes a value and the statistics wanted");
        return NULL;
    }
    unsigned long wanted = PyLong_AsUnsignedLong(args[1]);
    if (wanted == (unsigned long)-1 && PyErr_Occurred()) return NULL;
    tp_stats stats;
    tp_view view;
    if (PyFloat_CheckExact(args[0])) {
        tp_stats_of_scalar(PyFloat_AS_DOUBLE(args[0]), &stats);
        return tuple_of(&stats);
    }
    if (!tp_view_of(args[0], &view)) Py_RETURN_NONE;
    tp_measure(&view, (unsigned)wanted, &stats);
    tp_view_release(&view);
    return tuple_of(&stats);
}

PyDoc_STRVAR(measure_rows_doc,
"measure_rows(value, wanted, /)\n--\n\n"
"`measure` and the sum of each row in one pass; None if Python has to convert the value.");

static PyObject *measure_rows(PyObject *module, PyObject *args)
{
    PyObject *value;
    unsigned wanted;
    tp_stats stats;
    tp_view view;
    if (!PyArg_ParseTuple(args, "OI", &value, &wanted)) return NULL;
    if (!tp_view_of(value, &view)) Py_RETURN_NONE;
    PyObject *result = NULL, *sums = new_rows(&view);
    if (sums != NULL) {
        tp_measure_rows(&view, wanted, &stats, PyArray_DATA((PyArrayObject *)sums));
        result = Py_BuildValue("NN", tuple_of(&stats), sums);
    }
    tp_view_release(&view);
    return result;
}

static const char *const function_names[] = {
    [TP_ROW_SUMS] = "row_sums", [TP_ROW_NORMS] = "row_norms",   [TP_ROW_MIN] = "row_min",
    [TP_ROW_MAX] = "row_max",   [TP_ROW_ARGMAX] = "row_argmax", [TP_ROW_DOTS] = "row_dots",
};
enum { FUNCTIONS = sizeof function_names / sizeof *function_names };

static PyObject *interned_names[FUNCTIONS];

static int function_of(PyObject *name)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        if (name == interned_names[i]) return i;
    }
    for (int i = 0; i < FUNCTIONS; i++) {
        if (PyUnicode_Check(name) && PyUnicode_Compare(name, interned_names[i]) == 0) return i;
    }
    return -1;
}

static bool same_shape(const tp_view *a, const tp_view *b)
{
    if (a->ndim != b->ndim) return false;
    for (int axis = 0; axis < a->ndim; axis++) {
        if (a->shape[axis] != b->shape[axis]) return false;
    }
    return true;
}

/* Whether b is one row for each row of a. */
static bool is_row_of(const tp_view *a, const tp_view *b)
{
    return a->ndim > 0 && b->ndim == 1 && b->shape[0] == a->shape[a->ndim - 1];
}

static PyObject *reduce_views(int function, const tp_view *view, const tp_view *other)
{
    if (other != NULL && !same_shape(view, other)) {
        if (is_row_of(other, view)) {
            const tp_view *swap = view;
            view = other;
            other = swap;
        } else if (!is_row_of(view, other)) {
            Py_RETURN_NONE;
        }
    }
    PyObject *out = new_rows(view);
    if (out != NULL) tp_rows(function, view, other, PyArray_DATA((PyArrayObject *)out));
    return out;
}

PyDoc_STRVAR(row_reduce_doc,
"row_reduce(function, a, b=None, /)\n--\n\n"
"Reduction along the last axis as float64, or None if Python has to do it.");

static PyObject *row_reduce(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2 && nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "row_reduce takes a function and one or two arrays");
        return NULL;
    }
    const int function = function_of(args[0]);
    const bool two = nargs == 3 && args[2] != Py_None;
    if (function < 0 || two != (function == TP_ROW_DOTS)) Py_RETURN_NONE;
    tp_view a, b;
    if (!tp_view_of(args[1], &a)) Py_RETURN_NONE;
    if (two && !tp_view_of(args[2], &b)) {
        tp_view_release(&a);
        Py_RETURN_NONE;
    }
    PyObject *out = reduce_views(function, &a, two ? &b : NULL);
    tp_view_release(&a);
    if (two) tp_view_release(&b);
    return out;
}

static PyObject *isas(PyObject *module, PyObject *unused)
{
    const tp_kernels *list[TP_ISAS];
    Py_ssize_t n = tp_kernels_usable(list);
    PyObject *names = PyTuple_New(n);
    for (Py_ssize_t i = 0; names != NULL && i < n; i++) {
        PyObject *name = PyUnicode_FromString(list[i]->name);
        if (name == NULL) Py_CLEAR(names);
        else PyTuple_SET_ITEM(names, i, name);
    }
    return names;
}

static PyObject *isa(PyObject *module, PyObject *unused)
{
    return PyUnicode_FromString(tp_kernels_in_use->name);
}

static PyObject *set_isa(PyObject *module, PyObject *name)
{
    const tp_kernels *list[TP_ISAS];
    Py_ssize_t n = tp_kernels_usable(list);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (PyUnicode_Check(name) && !PyUnicode_CompareWithASCIIString(name, list[i]->name)) {
            tp_kernels_in_use = list[i];
            Py_RETURN_NONE;
        }
    }
    return PyErr_Format(PyExc_ValueError, "%R is not an instruction set of this machine", name);
}

PyDoc_STRVAR(set_threads_doc,
"set_threads(threads, from_bytes=None, /)\n--\n\n"
"Use 1 or 2 threads for arrays of that many bytes and more; 0 to choose as usual.");

static PyObject *set_threads(PyObject *module, PyObject *args)
{
    int threads;
    Py_ssize_t from_bytes = TP_THREAD_BYTES;
    if (!PyArg_ParseTuple(args, "i|n", &threads, &from_bytes)) return NULL;
    if (threads < 0 || threads > 2)
        return PyErr_Format(PyExc_ValueError, "%d threads; 0, 1 or 2 are possible", threads);
    tp_threads_set(threads, from_bytes);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"measure", (PyCFunction)(void (*)(void))measure, METH_FASTCALL, measure_doc},
    {"measure_rows", measure_rows, METH_VARARGS, measure_rows_doc},
    {"row_reduce", (PyCFunction)(void (*)(void))row_reduce, METH_FASTCALL, row_reduce_doc},
    {"isas", isas, METH_NOARGS, "isas()\n--\n\nInstruction sets usable here, best first."},
    {"isa", isa, METH_NOARGS, "isa()\n--\n\nThe instruction set in use."},
    {"set_isa", set_isa, METH_O, "set_isa(name, /)\n--\n\nUse the kernels of one of `isas()`."},
    {"set_threads", set_threads, METH_VARARGS, set_threads_doc},
    {0},
};

int tp_add_measure(PyObject *module)
{
    const tp_kernels *list[TP_ISAS];
    tp_kernels_usable(list);
    tp_kernels_in_use = list[0];
    tp_threads_init();
    for (int i = 0; i < FUNCTIONS; i++) {
        interned_names[i] = PyUnicode_InternFromString(function_names[i]);
        if (interned_names[i] == NULL) return -1;
    }
    if (tp_import_numpy() < 0) return -1;
    return PyModule_AddFunctions(module, functions);
}
