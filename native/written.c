/* What a pass has written into a KV cache of tensors, and whether earlier passes' is the same. */
#include "measure.h"

static PyObject *str_keys, *str_values;

/* Some positions of [batch, heads, positions, width]; false where there are not so many. */
static bool cut_positions(tp_view *view, Py_ssize_t start, Py_ssize_t stop)
{
    if (view->ndim != 4 || start < 0 || start > stop || stop > view->shape[2]) return false;
    view->data += start * view->strides[2];
    view->shape[2] = stop - start;
    view->size = view->shape[0] * view->shape[1] * view->shape[2] * view->shape[3];
    view->contiguous = false;
    return true;
}

static bool is_finite(const tp_view *view)
{
    tp_stats stats;
    tp_measure(view, TP_COUNTS, &stats);
    return stats.nan_count + stats.posinf_count + stats.neginf_count == 0;
}

/* Asks for the first lines of every head's positions. */
static void fetch(const tp_view *view)
{
    enum { LINE = 64, MOST_HEADS = 16 };
    const Py_ssize_t heads = view->shape[1] < MOST_HEADS ? view->shape[1] : MOST_HEADS;
    const Py_ssize_t bytes = view->shape[3] * view->itemsize;
    for (Py_ssize_t head = 0; head < heads; head++)
        for (Py_ssize_t at = 0; at < bytes && at < 4 * LINE; at += LINE)
            __builtin_prefetch(view->data + head * view->strides[1] + at);
}

/* written_is_finite(keys and values of layers, first position, the one after the last) */
static PyObject *written_is_finite(PyObject *module, PyObject *arguments)
{
    PyObject *tensors;
    Py_ssize_t start, stop;
    if (!PyArg_ParseTuple(arguments, "O!nn", &PyList_Type, &tensors, &start, &stop)) return NULL;
    bool is_good = true;
    for (Py_ssize_t i = 0; is_good && i < PyList_GET_SIZE(tensors); i++) {
        tp_view view;
        if (!tp_view_of(PyList_GET_ITEM(tensors, i), &view)) Py_RETURN_FALSE;
        is_good = cut_positions(&view, start, stop) && is_finite(&view);
        tp_view_release(&view);
    }
    return PyBool_FromLong(is_good);
}

/* Keys or values of a layer; NULL, with or without an error, where it is of another type. */
static PyObject *half_of(PyObject *layer, PyObject *kind, PyObject *name)
{
    return (PyObject *)Py_TYPE(layer) == kind ? PyObject_GetAttr(layer, name) : NULL;
}

/* Keys and values of every layer, in turn; NULL without an error where one is of another type. */
static PyObject *halves_of(PyObject *layers, PyObject *kind)
{
    const Py_ssize_t count = PyList_GET_SIZE(layers);
    PyObject *halves = PyTuple_New(2 * count);
    for (Py_ssize_t i = 0; halves != NULL && i < 2 * count; i++) {
        /* Looking an attribute up may run anything. */
        PyObject *layer = PyList_GET_SIZE(layers) == count ? PyList_GET_ITEM(layers, i / 2) : NULL;
        Py_XINCREF(layer);
        PyObject *half =
            layer != NULL ? half_of(layer, kind, i % 2 ? str_values : str_keys) : NULL;
        Py_XDECREF(layer);
        if (half == NULL) {
            Py_CLEAR(halves);
        } else {
            __builtin_prefetch(half);
            PyTuple_SET_ITEM(halves, i, half);
        }
    }
    return halves;
}

/* Sizes of a cache whose layers are all alike. */
typedef struct {
    Py_ssize_t used, bytes; /* positions, -1 before the first; of all tensors */
} sizes;

/* The positions of [1, heads, positions, width] that were written last. */
static bool cut_written(tp_view *view, Py_ssize_t tokens, sizes *of)
{
    if (view->ndim != 4 || view->shape[0] != 1) return false;
    const Py_ssize_t used = view->shape[2];
    if (of->used >= 0 && of->used != used) return false;
    of->used = used;
    of->bytes += view->size * view->itemsize;
    return cut_positions(view, used - tokens, used);
}

/* Nothing of a cache has been touched since it was written, so all that one step needs of many
   tensors is asked for before the step. */
static bool is_written(PyObject *const *tensors, Py_ssize_t count, Py_ssize_t tokens, sizes *of)
{
    enum { MOST = 16 };
    bool is_good = tokens > 0 && count > 0;
    for (Py_ssize_t i = 0; i < count; i++) tp_view_ahead(tensors[i]);
    for (Py_ssize_t i = 0; i < count; i++) tp_view_ahead_of_data(tensors[i]);
    for (Py_ssize_t from = 0; is_good && from < count; from += MOST) {
        const Py_ssize_t some = count - from < MOST ? count - from : MOST;
        tp_view views[MOST];
        Py_ssize_t held = 0;
        while (is_good && held < some) {
            tp_view *view = &views[held];
            is_good = tp_view_of(tensors[from + held], view);
            if (!is_good) break;
            held++;
            is_good = cut_written(view, tokens, of);
            if (is_good) fetch(view);
        }
        for (Py_ssize_t i = 0; is_good && i < held; i++) is_good = is_finite(&views[i]);
        while (held > 0) tp_view_release(&views[--held]);
    }
    return is_good;
}

/* written_in(layers, their type, tokens) */
static PyObject *written_in(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 3 || !PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "written_in(list of layers, their type, tokens)");
        return NULL;
    }
    const Py_ssize_t tokens = PyLong_AsSsize_t(arguments[2]);
    if (tokens == -1 && PyErr_Occurred()) return NULL;
    PyObject *halves = halves_of(arguments[0], arguments[1]);
    sizes of = {.used = -1};
    const bool is_good = halves != NULL
                         && is_written(PySequence_Fast_ITEMS(halves), PyTuple_GET_SIZE(halves),
                                       tokens, &of);
    Py_XDECREF(halves);
    PyErr_Clear();
    if (!is_good) Py_RETURN_NONE;
    return Py_BuildValue("(nn)", of.used, of.bytes);
}

/* -- the type Writes: the same, layer by layer, while what was written is still at hand ------- */

typedef struct {
    PyObject_HEAD
    PyObject *layers, *kind; /* NULL: no pass is looked at */
    Py_ssize_t tokens, next; /* of the pass; the layer that comes next */
    sizes of;
} writes;

static PyTypeObject writes_type;

static void drop_pass(writes *self)
{
    Py_CLEAR(self->layers);
    Py_CLEAR(self->kind);
}

void tp_writes_look(PyObject *object, Py_ssize_t index)
{
    writes *self = (writes *)object;
    if (self->layers == NULL) return;
    PyObject *layer = index == self->next && index < PyList_GET_SIZE(self->layers)
                          ? Py_NewRef(PyList_GET_ITEM(self->layers, index))
                          : NULL;
    PyObject *kind = Py_NewRef(self->kind);
    PyObject *keys = layer != NULL ? half_of(layer, kind, str_keys) : NULL;
    PyObject *values = keys != NULL ? half_of(layer, kind, str_values) : NULL;
    PyObject *const both[] = {keys, values};
    const bool is_good = values != NULL && is_written(both, 2, self->tokens, &self->of);
    Py_XDECREF(layer);
    Py_DECREF(kind);
    Py_XDECREF(keys);
    Py_XDECREF(values);
    self->next++;
    if (TP_LIKELY(is_good)) return;
    PyErr_Clear(); /* Python looks at all of it when the pass has ended */
    drop_pass(self);
}

bool tp_is_writes(PyObject *object) { return Py_IS_TYPE(object, &writes_type); }

/* begin(layers, their type, tokens) */
static PyObject *writes_begin(writes *self, PyObject *arguments)
{
    PyObject *layers, *kind;
    Py_ssize_t tokens;
    if (!PyArg_ParseTuple(arguments, "O!O!n", &PyList_Type, &layers, &PyType_Type, &kind, &tokens))
        return NULL;
    Py_XSETREF(self->layers, Py_NewRef(layers));
    Py_XSETREF(self->kind, Py_NewRef(kind));
    self->tokens = tokens;
    self->next = 0;
    self->of = (sizes){.used = -1};
    Py_RETURN_NONE;
}

/* end() */
static PyObject *writes_end(writes *self, PyObject *unused)
{
    const bool is_whole = self->layers != NULL && self->next > 0
                          && self->next == PyList_GET_SIZE(self->layers);
    drop_pass(self);
    if (!is_whole) Py_RETURN_NONE;
    return Py_BuildValue("(nn)", self->of.used, self->of.bytes);
}

static int writes_traverse(writes *self, visitproc visit, void *arg)
{
    Py_VISIT(self->layers);
    Py_VISIT(self->kind);
    return 0;
}

static int writes_clear(writes *self)
{
    drop_pass(self);
    return 0;
}

static void writes_dealloc(writes *self)
{
    PyObject_GC_UnTrack(self);
    drop_pass(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef writes_methods[] = {
    {"begin", (PyCFunction)writes_begin, METH_VARARGS,
     "begin(layers, their type, tokens)\n--\n\nA pass begins that writes into these layers."},
    {"end", (PyCFunction)writes_end, METH_NOARGS,
     "Positions and bytes that they hold if all were looked at and are finite; else None."},
    {NULL},
};

static PyTypeObject writes_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.Writes",
    .tp_doc = "What a pass writes into a cache, looked at by the hooks after attention.",
    .tp_basicsize = sizeof(writes),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)writes_traverse,
    .tp_clear = (inquiry)writes_clear,
    .tp_dealloc = (destructor)writes_dealloc,
    .tp_methods = writes_methods,
};

/* The bits of n elements as integers with a sign, summed up. */
static int64_t sum_of_bits(const char *from, Py_ssize_t n, int itemsize)
{
    int64_t sum = 0;
    if (itemsize == 2) {
        for (Py_ssize_t i = 0; i < n; i++) {
            int16_t bits;
            memcpy(&bits, from + 2 * i, sizeof bits);
            sum += bits;
        }
    } else if (itemsize == 4) {
        for (Py_ssize_t i = 0; i < n; i++) {
            int32_t bits;
            memcpy(&bits, from + 4 * i, sizeof bits);
            sum += bits;
        }
    } else {
        uint64_t wrapping = 0, bits;
        for (Py_ssize_t i = 0; i < n; i++) {
            memcpy(&bits, from + 8 * i, sizeof bits);
            wrapping += bits;
        }
        memcpy(&sum, &wrapping, sizeof sum);
    }
    return sum;
}

static uint64_t piece_of(const tp_view *view, Py_ssize_t piece, Py_ssize_t positions)
{
    uint64_t sum = 0;
    for (Py_ssize_t head = 0; head < view->shape[1]; head++)
        for (Py_ssize_t i = 0; i < positions; i++) {
            const Py_ssize_t at = head * view->strides[1]
                                  + (piece * positions + i) * view->strides[2];
            sum += (uint64_t)sum_of_bits(view->data + at, view->shape[3], view->itemsize);
        }
    return sum;
}

static bool has_pieces(const tp_view *view, Py_ssize_t stop, Py_ssize_t positions)
{
    return view->ndim == 4 && view->shape[0] == 1 && view->shape[2] / positions >= stop
        && view->strides[3] == view->itemsize && view->itemsize > 1;
}

/* piece_sums(keys, values, first piece, the one after the last, positions in a piece) */
static PyObject *piece_sums(PyObject *module, PyObject *arguments)
{
    PyObject *tensors[2];
    Py_ssize_t start, stop, positions;
    if (!PyArg_ParseTuple(arguments, "OOnnn", &tensors[0], &tensors[1], &start, &stop, &positions))
        return NULL;
    tp_view views[2];
    int held = 0;
    bool is_good = start >= 0 && start <= stop && positions > 0;
    for (; is_good && held < 2; held += is_good) {
        is_good = tp_view_of(tensors[held], &views[held]);
        if (is_good && !has_pieces(&views[held], stop, positions)) {
            tp_view_release(&views[held]);
            is_good = false;
        }
    }
    PyObject *sums = is_good ? PyList_New(stop - start) : Py_NewRef(Py_None);
    for (Py_ssize_t i = start; is_good && sums != NULL && i < stop; i++) {
        const uint64_t total = 31 * piece_of(&views[0], i, positions)
                               + piece_of(&views[1], i, positions);
        PyObject *sum = PyLong_FromLongLong((int64_t)total);
        if (sum == NULL) Py_CLEAR(sums);
        else PyList_SET_ITEM(sums, i - start, sum);
    }
    while (held > 0) tp_view_release(&views[--held]);
    return sums;
}

static PyMethodDef functions[] = {
    {"written_is_finite", written_is_finite, METH_VARARGS,
     "Whether some positions of keys and values are finite; False where Python has to look."},
    {"written_in", (PyCFunction)(void (*)(void))written_in, METH_FASTCALL,
     "written_in(layers, their type, tokens)\n--\n\nPositions and bytes that the layers of a cache "
     "hold if each has the same and the last of them are finite; None where Python has to look."},
    {"piece_sums", piece_sums, METH_VARARGS,
     "piece_sums(keys, values, start, stop, positions)\n--\n\nSums of the bits of pieces of some "
     "positions; None where Python has to sum."},
    {NULL},
};

int tp_add_written(PyObject *module)
{
    if (!(str_keys = PyUnicode_InternFromString("keys"))
        || !(str_values = PyUnicode_InternFromString("values")))
        return -1;
    if (PyModule_AddType(module, &writes_type) < 0) return -1;
    return PyModule_AddFunctions(module, functions);
}
