/* Whether a KV cache is as it ought to be: what it holds is finite, nothing lies past its end. */
#include "measure.h"
#include "pass_end.h"

enum { AHEAD = 4, LINE = 64 };

/* float32 [layers, heads, positions, width]; a row is what one layer and head hold. */
static bool is_store(const tp_view *store)
{
    return store->dtype == TP_F32 && store->ndim == 4 && store->contiguous;
}

static bool is_finite(const tp_view *store, Py_ssize_t layer, Py_ssize_t used)
{
    for (Py_ssize_t head = 0; head < store->shape[1]; head++) {
        const char *row = store->data + layer * store->strides[0] + head * store->strides[1];
        if (!tp_kernels_in_use->f32_finite(row, used * store->shape[3])) return false;
    }
    return true;
}

/* Zero of either sign. */
static bool is_zero(const char *data, Py_ssize_t bytes)
{
    uint32_t bits = 0, some;
    for (Py_ssize_t i = 0; i < bytes; i += 4) {
        memcpy(&some, data + i, 4);
        bits |= some;
    }
    return (bits & UINT32_C(0x7FFFFFFF)) == 0;
}

/* The ends of the rows are far apart, so each is fetched ahead of its turn. */
static bool has_clean_ends(const tp_view *store, Py_ssize_t capacity)
{
    const Py_ssize_t rows = store->shape[0] * store->shape[1];
    const Py_ssize_t row_bytes = store->shape[2] * store->shape[3] * 4;
    const Py_ssize_t start = capacity * store->shape[3] * 4, bytes = row_bytes - start;
    for (Py_ssize_t row = 0; row < rows; row++) {
        const char *end = store->data + row * row_bytes + start;
        if (row + AHEAD < rows)
            for (Py_ssize_t i = 0; i < bytes; i += LINE)
                __builtin_prefetch(end + AHEAD * row_bytes + i);
        if (!is_zero(end, bytes)) return false;
    }
    return true;
}

bool tp_held_is_clean(PyObject *keys, PyObject *values, Py_ssize_t layer, Py_ssize_t used,
                      Py_ssize_t capacity)
{
    bool clean = true;
    for (int i = 0; clean && i < 2; i++) {
        tp_view store;
        if (!tp_view_of(i == 0 ? keys : values, &store)) return false;
        clean = is_store(&store) && layer >= 0 && layer < store.shape[0] && used >= 0
                && used <= store.shape[2] && capacity >= 0 && capacity <= store.shape[2];
        if (clean) {
            PyThreadState *state = tp_release_gil(used * store.shape[1] * store.shape[3] * 4);
            clean = is_finite(&store, layer, used) && has_clean_ends(&store, capacity);
            if (state != NULL) PyEval_RestoreThread(state);
        }
        tp_view_release(&store);
    }
    return clean;
}

/* held_is_clean(keys, values, layer, used, capacity) */
static PyObject *held_is_clean(PyObject *module, PyObject *arguments)
{
    PyObject *keys, *values;
    Py_ssize_t layer, used, capacity;
    if (!PyArg_ParseTuple(arguments, "OOnnn", &keys, &values, &layer, &used, &capacity))
        return NULL;
    return PyBool_FromLong(tp_held_is_clean(keys, values, layer, used, capacity));
}

static PyMethodDef functions[] = {
    {"held_is_clean", held_is_clean, METH_VARARGS,
     "Whether what a layer of a KV cache holds is finite, and every guard zero; False where Python "
     "has to look."},
    {NULL},
};

int tp_add_held(PyObject *module) { return PyModule_AddFunctions(module, functions); }
