/* The type BrickTimer: timer.c for Python. */
#include "timer_state.h"

#include <math.h>

PyTypeObject *tp_timer_type;

enum { BRICK, LAYER, COST, TOKENS, SIZE, PARAMETERS };
static const char *const PARAMETER_NAMES[] = {"brick", "layer", "cost", "tokens", "size"};
static PyObject *parameters[PARAMETERS]; /* interned, as the names of a caller's keywords are */

static int parameter_index(PyObject *name, int known)
{
    for (int i = 0; i < known; i++)
        if (TP_LIKELY(parameters[i] == name)) return i;
    for (int i = 0; i < known; i++)
        if (PyUnicode_Compare(parameters[i], name) == 0) return i;
    return -1;
}

/* `values` of parameters that are not given are left alone. */
static inline int take_arguments(const char *method, int known, PyObject *const *args,
                                 Py_ssize_t n, PyObject *keywords, PyObject **values)
{
    if (n > COST) {
        PyErr_Format(PyExc_TypeError, "%s() takes 2 positional arguments, got %zd", method, n);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) values[i] = args[i];
    for (Py_ssize_t i = 0; keywords != NULL && i < PyTuple_GET_SIZE(keywords); i++) {
        PyObject *name = PyTuple_GET_ITEM(keywords, i);
        int at = parameter_index(name, known);
        if (at < n) {
            PyErr_Format(PyExc_TypeError, "%s() got %s argument '%S'", method,
                         at < 0 ? "an unexpected keyword" : "two values for", name);
            return -1;
        }
        values[at] = args[n + i];
    }
    if (values[BRICK] != NULL) return 0;
    PyErr_Format(PyExc_TypeError, "%s() needs a brick", method);
    return -1;
}

static PyObject *none_if(int status) { return status < 0 ? NULL : Py_NewRef(Py_None); }

PyDoc_STRVAR(start_doc, "start($self, /, brick, layer=None)\n--\n\n"
                        "Note that `brick` of `layer` starts now.");
static PyObject *timer_start(PyObject *self, PyObject *const *args, Py_ssize_t n,
                             PyObject *keywords)
{
    PyObject *values[PARAMETERS] = {[LAYER] = Py_None};
    if (take_arguments("start", COST, args, n, keywords, values) < 0) return NULL;
    return none_if(tp_timer_start(self, values[BRICK], values[LAYER]));
}

PyDoc_STRVAR(stop_doc,
             "stop($self, /, brick, layer=None, *, cost=None, tokens=1, size=0)\n--\n\n"
             "Note that `brick` of `layer` ends now; see BrickProfiler.stop.");
static PyObject *timer_stop(PyObject *self, PyObject *const *args, Py_ssize_t n,
                            PyObject *keywords)
{
    int64_t now; /* first of all: what follows is no part of the brick */
    if (TP_UNLIKELY(tp_timer_read_clock((tp_timer *)self, &now) < 0)) return NULL;
    PyObject *values[PARAMETERS] = {[LAYER] = Py_None};
    if (take_arguments("stop", PARAMETERS, args, n, keywords, values) < 0) return NULL;
    Py_ssize_t tokens = 1;
    int64_t size = 0;
    if (values[TOKENS] != NULL) tokens = PyLong_AsSsize_t(values[TOKENS]);
    if (values[SIZE] != NULL) size = PyLong_AsLongLong(values[SIZE]);
    if (TP_UNLIKELY((tokens == -1 || size == -1) && PyErr_Occurred())) return NULL;
    if (tp_timer_stop_at(self, now, values[BRICK], values[LAYER], values[COST], tokens, size) < 0)
        return NULL;
    return PyLong_FromLongLong(now);
}

static PyObject *timer_now(PyObject *self, PyObject *unused)
{
    int64_t now;
    return tp_timer_read_clock((tp_timer *)self, &now) < 0 ? NULL : PyLong_FromLongLong(now);
}

static PyObject *timer_exclude(PyObject *self, PyObject *elapsed_ns)
{
    double ns = PyFloat_AsDouble(elapsed_ns);
    if (ns == -1.0 && PyErr_Occurred()) return NULL;
    return none_if(tp_timer_exclude(self, llround(ns / ((tp_timer *)self)->ns_per_tick)));
}

static PyObject *timer_exclude_since(PyObject *self, PyObject *moment)
{
    double ns;
    int64_t since = PyLong_AsLongLong(moment);
    if (since == -1 && PyErr_Occurred()) return NULL;
    return tp_timer_exclude_since(self, since, &ns) < 0 ? NULL : PyLong_FromDouble(ns);
}

static PyObject *timer_begin_forward(PyObject *self, PyObject *unused)
{
    return none_if(tp_timer_begin_forward(self));
}

static PyObject *timer_end_forward(PyObject *self, PyObject *unused)
{
    return none_if(tp_timer_end_forward(self));
}

static int phase_of(PyObject *number)
{
    long phase = PyLong_AsLong(number);
    if (phase >= 0 && phase < TP_PHASES) return (int)phase;
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no such phase");
    return -1;
}

static PyObject *timer_counted(PyObject *self, PyObject *number)
{
    int phase = phase_of(number);
    if (phase < 0) return NULL;
    return tp_bricks_counted(&((tp_timer *)self)->bricks, phase, ((tp_timer *)self)->ns_per_tick);
}

static PyObject *timer_counted_passes(PyObject *object, PyObject *number)
{
    tp_timer *self = (tp_timer *)object;
    int phase = phase_of(number);
    if (phase < 0) return NULL;
    return Py_BuildValue("LN", (long long)self->pass_count[phase],
                         tp_ns_of(self->wall[phase], self->ns_per_tick));
}

static PyObject *timer_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    tp_timer *self = (tp_timer *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    PyObject *threading = PyImport_ImportModule("_thread");
    if (threading != NULL) self->local = PyObject_CallMethod(threading, "_local", NULL);
    Py_XDECREF(threading);
    if (self->local == NULL || tp_bricks_init(&self->bricks) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    tp_timer_update_rate(self);
    return (PyObject *)self;
}

static int timer_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    tp_timer *self = (tp_timer *)object;
    PyObject *clock = Py_None;
    if (!PyArg_ParseTuple(args, "|O:BrickTimer", &clock)) return -1;
    Py_XSETREF(self->clock, clock == Py_None ? NULL : Py_NewRef(clock));
    tp_timer_update_rate(self);
    return 0;
}

static int timer_traverse(PyObject *object, visitproc visit, void *arg)
{
    tp_timer *self = (tp_timer *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->clock);
    Py_VISIT(self->local);
    return tp_bricks_traverse(&self->bricks, visit, arg);
}

static int timer_clear(PyObject *object)
{
    tp_timer *self = (tp_timer *)object;
    Py_CLEAR(self->clock);
    tp_bricks_clear(&self->bricks);
    return 0;
}

static void timer_dealloc(PyObject *object)
{
    tp_timer *self = (tp_timer *)object;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->local); /* frees the states of all threads … */
    for (tp_timer_thread *state = self->threads; state != NULL; state = state->next)
        state->timer = NULL; /* … but those in a `local` that somebody else holds */
    timer_clear(object);
    tp_bricks_free(&self->bricks);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef timer_methods[] = {
    {"start", (PyCFunction)(void (*)(void))timer_start, METH_FASTCALL | METH_KEYWORDS, start_doc},
    {"stop", (PyCFunction)(void (*)(void))timer_stop, METH_FASTCALL | METH_KEYWORDS, stop_doc},
    {"now", timer_now, METH_NOARGS, "now($self, /)\n--\n\nThis moment."},
    {"exclude", timer_exclude, METH_O, NULL},
    {"exclude_since", timer_exclude_since, METH_O, NULL},
    {"begin_forward", timer_begin_forward, METH_NOARGS, NULL},
    {"end_forward", timer_end_forward, METH_NOARGS, NULL},
    {"_counted", timer_counted, METH_O, NULL},
    {"_counted_passes", timer_counted_passes, METH_O, NULL},
    {NULL},
};

static PyType_Slot timer_slots[] = {
    {Py_tp_doc, "BrickTimer(clock=None, /)\n--\n\nTimes bricks; see BrickProfiler."},
    {Py_tp_new, timer_new},
    {Py_tp_init, timer_init},
    {Py_tp_traverse, timer_traverse},
    {Py_tp_clear, timer_clear},
    {Py_tp_dealloc, timer_dealloc},
    {Py_tp_methods, timer_methods},
    {0, NULL},
};

static PyType_Spec timer_spec = {
    .name = "tracepact.core._native.BrickTimer",
    .basicsize = sizeof(tp_timer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = timer_slots,
};

int tp_add_timer(PyObject *module)
{
    for (int i = 0; i < PARAMETERS; i++) {
        parameters[i] = PyUnicode_InternFromString(PARAMETER_NAMES[i]);
        if (parameters[i] == NULL) return -1;
    }
    tp_timer_type = (PyTypeObject *)PyType_FromSpec(&timer_spec);
    return tp_timer_type == NULL ? -1 : PyModule_AddType(module, tp_timer_type);
}
