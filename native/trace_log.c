/* Events of one forward pass as plain numbers: Python objects are made when somebody looks. */
#include "trace_log.h"

#include <math.h>

#include "measure.h"
#include "numpy_api.h"

enum { AHEAD = 6 };
enum { MOST_COPIED = 1 << 15, SMALLEST_PAGE = 1 << 16 }; /* bytes */

typedef struct {
    tp_stats stats;
    PyObject *array; /* or, where there is memory, its owner; or NULL */
    int kind, layer;
    tp_kept kept;    /* becomes an array when somebody asks for it */
} event;

typedef struct {
    PyObject_HEAD
    event *events;
    Py_ssize_t count, room;
    PyObject *page;          /* bytes that copies lie in, or NULL */
    Py_ssize_t used, copied; 
} trace_log;

/* One block of events and one page that no log uses now, so that a pass needs no allocation. */
static event *spare;
static Py_ssize_t spare_room;
static PyObject *spare_page;

static int grow(trace_log *self)
{
    if (self->events == NULL && spare != NULL) {
        self->events = spare;
        self->room = spare_room;
        spare = NULL;
        return 0;
    }
    Py_ssize_t room = self->room ? 2 * self->room : 64;
    event *events = PyMem_Realloc(self->events, (size_t)room * sizeof *events);
    if (events == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->events = events;
    self->room = room;
    return 0;
}

static event *append(PyObject *object, int kind, int layer, const tp_stats *stats)
{
    trace_log *self = (trace_log *)object;
    if (TP_UNLIKELY(self->count == self->room) && grow(self) < 0) return NULL;
    event *new = &self->events[self->count++];
    new->stats = *stats;
    new->array = NULL;
    new->kept.floats = NULL;
    new->kind = kind;
    new->layer = layer;
    return new;
}

int tp_trace_log_append(PyObject *object, int kind, int layer, const tp_stats *stats,
                        PyObject *array)
{
    event *new = append(object, kind, layer, stats);
    if (TP_UNLIKELY(new == NULL)) return -1;
    new->array = Py_XNewRef(array);
    return 0;
}

int tp_trace_log_keep(PyObject *object, int kind, int layer, const tp_stats *stats,
                      PyObject *owner, const tp_kept *kept)
{
    event *new = append(object, kind, layer, stats);
    if (TP_UNLIKELY(new == NULL)) return -1;
    new->array = Py_NewRef(owner);
    new->kept = *kept;
    return 0;
}

/* A page with room for so many bytes. */
static int turn_page(trace_log *self, Py_ssize_t bytes)
{
    if (self->page == NULL && spare_page != NULL && PyBytes_GET_SIZE(spare_page) >= bytes) {
        self->page = spare_page;
        spare_page = NULL;
        return 0;
    }
    /* What did not do for this pass will not do for the next one. */
    const Py_ssize_t least = self->page ? 2 * PyBytes_GET_SIZE(self->page) : SMALLEST_PAGE;
    PyObject *page = PyBytes_FromStringAndSize(NULL, bytes > least ? bytes : least);
    if (page == NULL) return -1;
    Py_XSETREF(self->page, page); /* events hold the one before */
    self->used = 0;
    return 0;
}

int tp_trace_log_copy(PyObject *object, int kind, int layer, const tp_stats *stats,
                      const tp_view *view)
{
    trace_log *self = (trace_log *)object;
    const Py_ssize_t bytes = view->size * (Py_ssize_t)sizeof(float);
    if (view->dtype != TP_F32 || !view->contiguous || view->ndim > TP_KEPT_DIMS
        || bytes > MOST_COPIED)
        return 0;
    const bool fits = self->page && PyBytes_GET_SIZE(self->page) - self->used >= bytes;
    if (!fits && turn_page(self, bytes) < 0) return -1;
    tp_kept kept = {.floats = (float *)(PyBytes_AS_STRING(self->page) + self->used),
                    .ndim = view->ndim};
    for (int axis = 0; axis < view->ndim; axis++) kept.shape[axis] = view->shape[axis];
    memcpy(kept.floats, view->data, (size_t)bytes);
    self->used += bytes;
    return tp_trace_log_keep(object, kind, layer, stats, self->page, &kept) < 0 ? -1 : 1;
}

/* What an event kept; NULL with an error set without memory. */
static PyObject *array_of(const event *e)
{
    npy_intp shape[TP_KEPT_DIMS];
    if (e->array == NULL) return Py_NewRef(Py_None);
    if (e->kept.floats == NULL) return Py_NewRef(e->array);
    for (int axis = 0; axis < e->kept.ndim; axis++) shape[axis] = e->kept.shape[axis];
    PyObject *owner = Py_NewRef(e->array);
    PyObject *array = PyArray_SimpleNewFromData(e->kept.ndim, shape, NPY_FLOAT, e->kept.floats);
    if (array == NULL) {
        Py_DECREF(owner);
        return NULL;
    }
    if (PyArray_SetBaseObject((PyArrayObject *)array, owner) == 0) return array;
    Py_DECREF(array);
    return NULL;
}

const tp_stats *tp_trace_log_last(PyObject *object)
{
    trace_log *self = (trace_log *)object;
    return self->count ? &self->events[self->count - 1].stats : NULL;
}

/* append(kind, layer, (the 12 figures of TensorStats), array) */
static PyObject *log_append(PyObject *self, PyObject *arguments)
{
    int kind, layer;
    PyObject *array;
    tp_stats s = {.measured = TP_COUNTS | TP_RANGE | TP_SUM | TP_MOMENTS};
    if (!PyArg_ParseTuple(arguments, "ii(LLLLddddddLL)O", &kind, &layer, &s.count, &s.nan_count,
                          &s.posinf_count, &s.neginf_count, &s.min, &s.max, &s.sum, &s.mean, &s.m2,
                          &s.l2, &s.argmin, &s.argmax, &array))
        return NULL;
    if (tp_trace_log_append(self, kind, layer, &s, array == Py_None ? NULL : array) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *log_item(trace_log *self, Py_ssize_t index)
{
    if (index < 0 || index >= self->count) {
        PyErr_SetString(PyExc_IndexError, "no such event");
        return NULL;
    }
    const event e = self->events[index]; /* a collection may append, and move them */
    const tp_stats *s = &e.stats;
    PyObject *array = array_of(&e);
    if (array == NULL) return NULL;
    return Py_BuildValue("ii(LLLLddddddLL)N", e.kind, e.layer, s->count, s->nan_count,
                         s->posinf_count, s->neginf_count, s->min, s->max, s->sum, s->mean, s->m2,
                         s->l2, s->argmin, s->argmax, array);
}

static Py_ssize_t log_length(trace_log *self) { return self->count; }

/* The worst figure so far and the event that it is of; NaN is worst of all. */
typedef struct {
    double value;
    int layer, kind;
} worst;

static void offer(worst *so_far, double value, const event *e)
{
    if (value > so_far->value || (isnan(value) && !isnan(so_far->value)))
        *so_far = (worst){value, e->layer, e->kind};
}

static bool is_finite(const tp_stats *s)
{
    return s->nan_count == 0 && s->posinf_count == 0 && s->neginf_count == 0;
}

/* As PythonLog.worst of tracepact.model.events, which says what it means. */
static PyObject *log_worst(trace_log *self, PyObject *unused)
{
    worst magnitude = {-INFINITY, -1, 0}, error = magnitude, ratio = magnitude;
    Py_ssize_t points = 0, rows = 0;
    const event *input = NULL, *attention = NULL;
    for (const event *e = self->events; e < self->events + self->count; e++) {
        const tp_stats *s = &e->stats;
        if (e->kind == TP_EVENT_ATTENTION) {
            rows++;
            double off = fmax(fabs(s->min - 1), fabs(s->max - 1));
            if (s->count > 0) offer(&error, is_finite(s) ? off : NAN, e);
        }
        if (e->kind >= TP_EVENT_ATTENTION) continue;
        points++;
        if (s->count > 0) offer(&magnitude, is_finite(s) ? fmax(-s->min, s->max) : NAN, e);
        if (e->kind == TP_EVENT_INPUT) input = e;
        if (e->kind == TP_EVENT_POST_ATTENTION) attention = e;
        if (e->kind != TP_EVENT_POST_FFN || input == NULL || attention == NULL) continue;
        if (input->layer != e->layer || attention->layer != e->layer) continue;
        double total = input->stats.l2 + attention->stats.l2 + s->l2;
        if (total > 0) offer(&ratio, input->stats.l2 / total, e);
    }
    return Py_BuildValue("n(dii)n(dii)(dii)", points, magnitude.value, magnitude.layer,
                         magnitude.kind, rows, error.value, error.layer, error.kind, ratio.value,
                         ratio.layer, ratio.kind);
}

static PyObject *log_arrays(trace_log *self, PyObject *kind)
{
    long wanted = PyLong_AsLong(kind);
    if (wanted == -1 && PyErr_Occurred()) return NULL;
    PyObject *arrays = PyList_New(0);
    for (Py_ssize_t i = 0; arrays != NULL && i < self->count; i++) {
        const event e = self->events[i];
        PyObject *array = e.kind == wanted && e.array != NULL ? array_of(&e) : NULL;
        if (array != NULL && PyList_Append(arrays, array) < 0) Py_CLEAR(arrays);
        else if (PyErr_Occurred()) Py_CLEAR(arrays);
        Py_XDECREF(array);
    }
    return arrays;
}

/* last_norm(kind) */
static PyObject *log_last_norm(trace_log *self, PyObject *kind)
{
    const long wanted = PyLong_AsLong(kind);
    if (wanted == -1 && PyErr_Occurred()) return NULL;
    const event *last = self->count ? &self->events[self->count - 1] : NULL;
    if (last == NULL || last->kind != wanted || last->layer >= 0) Py_RETURN_NONE;
    return PyFloat_FromDouble(last->stats.l2);
}

static int log_traverse(trace_log *self, visitproc visit, void *arg)
{
    for (Py_ssize_t i = 0; i < self->count; i++) Py_VISIT(self->events[i].array);
    return 0;
}

static int log_clear(trace_log *self)
{
    Py_ssize_t count = self->count;
    self->count = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        /* Nobody has touched them since they were kept, so each is fetched ahead of its turn. */
        if (i + 2 * AHEAD < count) __builtin_prefetch(self->events[i + 2 * AHEAD].array);
        if (i + AHEAD < count && self->events[i + AHEAD].array != NULL)
            tp_view_ahead(self->events[i + AHEAD].array);
        Py_CLEAR(self->events[i].array);
    }
    return 0;
}

static void log_dealloc(trace_log *self)
{
    PyObject_GC_UnTrack(self);
    log_clear(self);
    if (spare == NULL) {
        spare = self->events;
        spare_room = self->room;
    } else {
        PyMem_Free(self->events);
    }
    /* Somebody may hold an array of it. */
    if (self->page != NULL && Py_REFCNT(self->page) == 1) {
        Py_XSETREF(spare_page, self->page);
        self->page = NULL;
    }
    Py_CLEAR(self->page);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef log_methods[] = {
    {"append", log_append, METH_VARARGS, "append(kind, layer, figures, array or None)"},
    {"worst", (PyCFunction)log_worst, METH_NOARGS, "The worst figures, and where they are."},
    {"last_norm", (PyCFunction)log_last_norm, METH_O,
     "L2 norm of the last event's, if it is of this kind and of no layer; else None."},
    {"arrays", (PyCFunction)log_arrays, METH_O, "The arrays that events of a kind kept."},
    {NULL},
};

static PySequenceMethods log_sequence = {
    .sq_length = (lenfunc)log_length,
    .sq_item = (ssizeargfunc)log_item,
};

PyTypeObject tp_trace_log_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.TraceLog",
    .tp_doc = "Events of one forward pass: (kind, layer, figures of TensorStats, array or None).",
    .tp_basicsize = sizeof(trace_log),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_as_sequence = &log_sequence,
    .tp_traverse = (traverseproc)log_traverse,
    .tp_clear = (inquiry)log_clear,
    .tp_dealloc = (destructor)log_dealloc,
    .tp_methods = log_methods,
};
