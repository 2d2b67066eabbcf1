/* The type Probe: what Python says of a pass, and what it gets back. */
#include "probe.h"

static PyObject *str_ret;

static Py_ssize_t field_called(const tp_watched *brick, PyObject *name)
{
    for (Py_ssize_t i = 0; i < brick->fields; i++)
        if (brick->names[i] == name) return i;
    return -1;
}

static void forget(tp_watched *brick)
{
    Py_CLEAR(brick->plan);
}

static int learn(tp_watched *brick, PyObject *plan, PyObject *conditions, int kind, int in_python,
                 int has_more)
{
    *brick = (tp_watched){.kind = kind, .in_python = in_python, .has_more = has_more, .ret = -1};
    if (!PyArg_ParseTuple(conditions, "KKK", &brick->conditions[0], &brick->conditions[1],
                          &brick->conditions[2]))
        return -1;
    if (plan == Py_None) return 0;
    if (!Py_IS_TYPE(plan, tp_plan_type) || tp_plan_field_count(plan) > TP_MAX_FIELDS) {
        PyErr_SetString(PyExc_TypeError, "not a native plan of a few fields");
        return -1;
    }
    brick->plan = Py_NewRef(plan);
    brick->names = tp_plan_field_names(plan);
    brick->fields = tp_plan_field_count(plan);
    brick->ret = field_called(brick, str_ret);
    if (kind == TP_NO_EVENT || brick->ret >= 0) return 0;
    PyErr_SetString(PyExc_ValueError, "an event is about `ret`, which this plan does not have");
    return -1;
}

/* _watch(brick or None for the ends of layers, plan, conditions, kind, in_python, has_more) */
static PyObject *probe_watch(tp_probe *self, PyObject *arguments)
{
    PyObject *name, *plan, *conditions;
    int kind, in_python, has_more;
    if (!PyArg_ParseTuple(arguments, "OOO!ipp", &name, &plan, &PyTuple_Type, &conditions, &kind,
                          &in_python, &has_more))
        return NULL;
    if (name == Py_None) {
        forget(&self->residual);
        if (learn(&self->residual, plan, conditions, kind, in_python, has_more) < 0) return NULL;
        Py_RETURN_NONE;
    }
    if (self->count == MAX_BRICKS) {
        PyErr_SetString(PyExc_ValueError, "too many kinds of bricks");
        return NULL;
    }
    tp_watched *brick = &self->bricks[self->count];
    if (learn(brick, plan, conditions, kind, in_python, has_more) < 0) {
        forget(brick);
        return NULL;
    }
    self->names[self->count++] = Py_NewRef(name);
    Py_RETURN_NONE;
}

/* _take_turns(brick, brick that says what is looked at out of turn, turns) */
static PyObject *probe_take_turns(tp_probe *self, PyObject *arguments)
{
    PyObject *name, *less;
    int turns, at = -1, other = -1;
    if (!PyArg_ParseTuple(arguments, "UUi", &name, &less, &turns)) return NULL;
    for (int i = 0; i < self->count; i++) {
        if (PyUnicode_Compare(self->names[i], name) == 0) at = i;
        if (PyUnicode_Compare(self->names[i], less) == 0) other = i;
    }
    if (at < 0 || other < 0 || turns < 1) {
        PyErr_SetString(PyExc_ValueError, "two bricks that are watched, at least one turn");
        return NULL;
    }
    self->bricks[at].less = other;
    self->bricks[at].turns = turns;
    Py_RETURN_NONE;
}

/* _begin(layer_state, timer, log, size, sampled_brick, sampled_layer, turn) -> bool; each but size
   and turn may be None */
static PyObject *probe_begin(tp_probe *self, PyObject *arguments)
{
    PyObject *layer, *timer, *log, *sampled_brick, *sampled_layer;
    long long size;
    int turn;
    if (!PyArg_ParseTuple(arguments, "OOOLOOi", &layer, &timer, &log, &size, &sampled_brick,
                          &sampled_layer, &turn))
        return NULL;
    if ((log != Py_None && !Py_IS_TYPE(layer, &tp_layer_state_type))
        || (timer != Py_None && !PyObject_TypeCheck(timer, tp_timer_type))
        || (log != Py_None && !Py_IS_TYPE(log, &tp_trace_log_type))) {
        PyErr_SetString(PyExc_TypeError, "not a layer's state, a timer or a log");
        return NULL;
    }
    PyThreadState *me = PyThreadState_Get();
    if (self->thread != NULL && self->thread != me) Py_RETURN_FALSE;
    Py_XSETREF(self->layer, log == Py_None ? NULL : (tp_layer_state *)Py_NewRef(layer));
    Py_XSETREF(self->timer, timer == Py_None ? NULL : Py_NewRef(timer));
    if (self->timer != NULL) tp_places_use(&self->places, self->timer);
    Py_XSETREF(self->log, log == Py_None ? NULL : Py_NewRef(log));
    Py_XSETREF(self->sampled_brick, Py_NewRef(sampled_brick));
    Py_XSETREF(self->sampled_layer, Py_NewRef(sampled_layer));
    Py_CLEAR(self->last_output);
    Py_XSETREF(self->later, PyList_New(0));
    if (self->later == NULL) return NULL;
    memset(self->counted, 0, sizeof self->counted);
    self->ticks = 0;
    self->size = size;
    self->turn = turn;
    self->thread = me;
    Py_RETURN_TRUE;
}

/* _end() -> None, or ((conditions of bricks, of activations, of attention), ns of tracing) */
static PyObject *probe_end(tp_probe *self, PyObject *unused)
{
    if (self->thread != PyThreadState_Get()) Py_RETURN_NONE;
    self->thread = NULL;
    Py_CLEAR(self->log);
    Py_CLEAR(self->last_output);
    return Py_BuildValue("(KKK)L", self->counted[0], self->counted[1], self->counted[2],
                         (long long)tp_ticks_to_ns(self->ticks));
}

/* _later() -> list of (brick, layer, inputs, ret), which is empty from now on */
static PyObject *probe_later(tp_probe *self, PyObject *unused)
{
    PyObject *fresh = PyList_New(0), *later = self->later;
    if (fresh == NULL) return NULL;
    self->later = fresh;
    return later != NULL ? later : PyList_New(0);
}

static int probe_traverse(tp_probe *self, visitproc visit, void *arg)
{
    int status = tp_places_traverse(&self->places, visit, arg);
    if (status != 0) return status;
    Py_VISIT(self->timer);
    Py_VISIT(self->log);
    Py_VISIT(self->last_output);
    Py_VISIT(self->later);
    return 0;
}

static int probe_clear(tp_probe *self)
{
    int count = self->count;
    self->thread = NULL;
    self->count = 0;
    for (int i = 0; i < count; i++) {
        Py_CLEAR(self->names[i]);
        forget(&self->bricks[i]);
    }
    forget(&self->residual);
    tp_places_clear(&self->places);
    Py_CLEAR(self->layer);
    Py_CLEAR(self->timer);
    Py_CLEAR(self->log);
    Py_CLEAR(self->sampled_brick);
    Py_CLEAR(self->sampled_layer);
    Py_CLEAR(self->last_output);
    Py_CLEAR(self->later);
    return 0;
}

static void probe_dealloc(tp_probe *self)
{
    PyObject_GC_UnTrack(self);
    probe_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef probe_methods[] = {
    {"_watch", (PyCFunction)probe_watch, METH_VARARGS, "Say what is checked of a brick."},
    {"_take_turns", (PyCFunction)probe_take_turns, METH_VARARGS,
     "Look at a brick of a layer in one of so many passes, and less closely in the others."},
    {"_begin", (PyCFunction)probe_begin, METH_VARARGS, "Serve a pass of this thread, if free."},
    {"_end", (PyCFunction)probe_end, METH_NOARGS, "End the pass; say what was counted."},
    {"_later", (PyCFunction)probe_later, METH_NOARGS, "Take what Python wants to see more of."},
    {"run", (PyCFunction)(void (*)(void))tp_probe_run, METH_FASTCALL | METH_KEYWORDS,
     "Run a kernel, time it, check its inputs and result."},
    {"residual", (PyCFunction)(void (*)(void))tp_probe_residual, METH_FASTCALL,
     "The residual stream at the ends of a layer."},
    {NULL},
};

PyTypeObject tp_probe_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.Probe",
    .tp_doc = "The hot half of a probe.",
    .tp_basicsize = sizeof(tp_probe),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)probe_traverse,
    .tp_clear = (inquiry)probe_clear,
    .tp_dealloc = (destructor)probe_dealloc,
    .tp_methods = probe_methods,
};

int tp_add_probe(PyObject *module)
{
    if (tp_probe_prepare() < 0 || !(str_ret = PyUnicode_InternFromString("ret"))) return -1;
    if (PyModule_AddType(module, &tp_trace_log_type) < 0) return -1;
    return PyModule_AddType(module, &tp_probe_type);
}
