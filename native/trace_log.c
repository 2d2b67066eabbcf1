/* Events of one forward pass as plain numbers: Python objects are made when somebody looks. */
#include "trace_log.h"

#include <math.h>

#include "measure.h"
#include "numpy_api.h"

enum { AHEAD = 6, MOST_DIMS = 4, MOST_PAGES = 24, SMALLEST_PAGE = 1 << 16 /* bytes */ };

typedef struct {
    tp_stats stats;
    PyObject *array;     /* that is kept, or NULL */
    const float *floats; /* or a copy, which becomes an array when somebody asks for it; or NULL */
    int kind, layer, ndim;
    Py_ssize_t shape[MOST_DIMS];
} event;

typedef struct {
    PyObject_HEAD
    event *events;
    Py_ssize_t count, room;
    PyObject *pages[MOST_PAGES]; /* bytes that copies lie in; only the last one has room */
    int page_count;
    Py_ssize_t used;             /* bytes of that */
} trace_log;

/* One block of events and one page that no log uses now, so that a pass needs no allocation. */
static event *spare;
static Py_ssize_t spare_room;
static PyObject *spare_page;

static bool grow(trace_log *self)
{
    if (self->events == NULL && spare != NULL) {
        self->events = spare;
        self->room = spare_room;
        spare = NULL;
        return true;
    }
    Py_ssize_t room = self->room ? 2 * self->room : 64;
    event *events = PyMem_Realloc(self->events, (size_t)room * sizeof *events);
    if (events == NULL) return false;
    self->events = events;
    self->room = room;
    return true;
}

/* A page with room for so many bytes. */
static bool turn_page(trace_log *self, Py_ssize_t bytes)
{
    if (self->page_count == MOST_PAGES) return false;
    PyObject *page = self->page_count == 0 ? spare_page : NULL, *last = NULL;
    if (page != NULL && PyBytes_GET_SIZE(page) >= bytes) {
        spare_page = NULL;
    } else {
        /* What did not do for this pass will not do for the next one. */
        if (self->page_count != 0) last = self->pages[self->page_count - 1];
        const Py_ssize_t least = last ? 2 * PyBytes_GET_SIZE(last) : SMALLEST_PAGE;
        page = PyBytes_FromStringAndSize(NULL, bytes > least ? bytes : least);
        PyErr_Clear();
    }
    if (page == NULL) return false;
    self->pages[self->page_count++] = page;
    self->used = 0;
    return true;
}

static inline bool has_room(const trace_log *self, Py_ssize_t bytes)
{
    if (self->count == self->room) return false;
    if (bytes == 0) return true;
    if (self->page_count == 0) return false;
    return PyBytes_GET_SIZE(self->pages[self->page_count - 1]) - self->used >= bytes;
}

/* Room for one more event and for so many bytes. */
static bool make_room(trace_log *self, Py_ssize_t bytes)
{
    if (TP_LIKELY(has_room(self, bytes))) return true;
    const bool is_without = tp_is_without_gil;
    PyGILState_STATE state = PyGILState_UNLOCKED;
    if (is_without) state = PyGILState_Ensure();
    bool is_good = self->count < self->room || grow(self);
    is_good = is_good && (has_room(self, bytes) || turn_page(self, bytes));
    if (is_without) PyGILState_Release(state);
    return is_good;
}

static event *append(trace_log *self, int kind, int layer, const tp_stats *stats)
{
    event *new = &self->events[self->count++];
    new->stats = *stats;
    new->array = NULL;
    new->floats = NULL;
    new->kind = kind;
    new->layer = layer;
    return new;
}

int tp_trace_log_append(PyObject *object, int kind, int layer, const tp_stats *stats,
                        PyObject *array)
{
    trace_log *self = (trace_log *)object;
    if (TP_UNLIKELY(!make_room(self, 0))) {
        PyErr_NoMemory();
        return -1;
    }
    append(self, kind, layer, stats)->array = Py_XNewRef(array);
    return 0;
}

static void copy_row(const tp_view *view, const char *row, float *to)
{
    enum { PIECE = 256 };
    const Py_ssize_t width = view->shape[view->ndim - 1], stride = view->strides[view->ndim - 1];
    if (view->dtype == TP_F32 && tp_usable_in_place(view->dtype, stride)) {
        memcpy(to, row, (size_t)width * sizeof *to);
        return;
    }
    double piece[PIECE];
    for (Py_ssize_t start = 0; start < width; start += PIECE) {
        Py_ssize_t n = width - start < PIECE ? width - start : PIECE;
        tp_load(view->dtype, row + start * stride, stride, n, piece);
        for (Py_ssize_t i = 0; i < n; i++) to[start + i] = (float)piece[i];
    }
}

static void copy_rows(const tp_view *view, float *to)
{
    const Py_ssize_t width = view->shape[view->ndim - 1];
    if (view->contiguous && view->dtype == TP_F32) {
        memcpy(to, view->data, (size_t)view->size * sizeof *to);
        return;
    }
    tp_cursor cursor = tp_cursor_of(view);
    for (Py_ssize_t row = 0; row < view->size / width; row++) {
        copy_row(view, cursor.row, to + row * width);
        tp_cursor_advance(&cursor, 1);
    }
}

int tp_trace_log_copy(PyObject *object, int kind, int layer, const tp_stats *stats,
                      const tp_view *view, Py_ssize_t most)
{
    trace_log *self = (trace_log *)object;
    tp_view last = {0};
    if (view != NULL) {
        if (view->ndim < 1 || view->ndim > MOST_DIMS || view->size == 0) return 0;
        last = *view;
        const int axis = last.ndim - 2;
        if (axis >= 0 && last.shape[axis] > 1) {
            last.data += (last.shape[axis] - 1) * last.strides[axis];
            last.size /= last.shape[axis];
            last.shape[axis] = 1;
            last.contiguous = false;
        }
    }
    const Py_ssize_t bytes = last.size * (Py_ssize_t)sizeof(float);
    if (bytes > most) return 0;
    if (TP_UNLIKELY(!make_room(self, bytes))) return -1;
    event *new = append(self, kind, layer, stats);
    if (bytes == 0) return 1;
    float *floats = (float *)(PyBytes_AS_STRING(self->pages[self->page_count - 1]) + self->used);
    copy_rows(&last, floats);
    self->used += bytes;
    new->floats = floats;
    new->ndim = last.ndim;
    memcpy(new->shape, last.shape, (size_t)last.ndim * sizeof *new->shape);
    return 1;
}

void tp_trace_log_prepare(PyObject *object)
{
    trace_log *self = (trace_log *)object;
    if (self->events == NULL) grow(self);
    if (self->page_count == 0) turn_page(self, 1);
}

void tp_trace_log_ahead(PyObject *object)
{
    enum { LINE = 64, EVENTS = 2 };
    const trace_log *self = (const trace_log *)object;
    if (self->count + EVENTS > self->room) return;
    const char *from = (const char *)&self->events[self->count];
    for (size_t at = 0; at < EVENTS * sizeof(event); at += LINE) __builtin_prefetch(from + at, 1);
}

Py_ssize_t tp_trace_log_count(PyObject *object) { return ((trace_log *)object)->count; }

void tp_trace_log_cut(PyObject *object, Py_ssize_t count) { ((trace_log *)object)->count = count; }

/* The page that a copy lies in. */
static PyObject *page_of(const trace_log *self, const float *floats)
{
    const char *at = (const char *)floats;
    for (int i = 0; i < self->page_count; i++) {
        const char *from = PyBytes_AS_STRING(self->pages[i]);
        if (at >= from && at < from + PyBytes_GET_SIZE(self->pages[i])) return self->pages[i];
    }
    return NULL;
}

/* What an event kept; NULL with an error set without memory. */
static PyObject *array_of(const trace_log *self, const event *e)
{
    npy_intp shape[MOST_DIMS];
    if (e->floats == NULL) return Py_NewRef(e->array != NULL ? e->array : Py_None);
    for (int axis = 0; axis < e->ndim; axis++) shape[axis] = e->shape[axis];
    PyObject *owner = Py_XNewRef(page_of(self, e->floats));
    PyObject *array = PyArray_SimpleNewFromData(e->ndim, shape, NPY_FLOAT, (void *)e->floats);
    if (array == NULL || owner == NULL) {
        Py_XDECREF(array);
        Py_XDECREF(owner);
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
    PyObject *array = array_of(self, &e);
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
        const bool has_one = e.array != NULL || e.floats != NULL;
        PyObject *array = e.kind == wanted && has_one ? array_of(self, &e) : NULL;
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
    while (self->page_count > 0) {
        PyObject *page = self->pages[--self->page_count];
        const bool is_larger = spare_page == NULL
                               || PyBytes_GET_SIZE(page) > PyBytes_GET_SIZE(spare_page);
        /* Else somebody holds an array of it. */
        if (Py_REFCNT(page) == 1 && is_larger) Py_XSETREF(spare_page, page);
        else Py_DECREF(page);
    }
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
