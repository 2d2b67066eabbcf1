/* The evaluation callback of llama.cpp: says which nodes are wanted, and looks at them where they
   lie. It runs on the engine's thread, which does not have the GIL; only for what it has never seen
   and for what does not hold for sure it takes it and asks Python. */
#include "llama.h"
#include "trace_log.h"

#include <stddef.h>
#include <string.h>

enum {
    MOST_DUE = 16,
    MOST_WRITTEN = 256, /* nodes between two that are wanted */
    LOOK_BACK = 64, /* cells of the cache a pass */
    FIRST_SLOT = -2,
    STRICT_EVERY = 64, /* passes, from one that compares all names to the next */
};

static PyObject *str_meet, *str_show, *str_start, *str_stop;

typedef struct watcher watcher;

/* What the engine holds for as long as its context lives. */
typedef struct {
    watcher *watcher; /* NULL while nobody watches */
} handle;

struct watcher {
    PyObject_HEAD
    tp_llama_layout layout;
    tp_llama_hosts hosts;
    tp_llama_rules rules;
    tp_llama_nodes nodes;
    tp_llama_slots slots;
    struct {
        const char *tensor;
        int slot;
    } written[MOST_WRITTEN]; /* asked about, and computed before the next node that is shown */
    int written_count;
    handle *handle;      /* that it is plugged into, or NULL */
    PyObject *trace_log; /* NULL: no events are kept */
    int turn;            /* of rules that take turns; -1: all of them serve */
    int due[MOST_DUE];   /* rules that Python wants to see besides */
    int due_count;
    int at;              /* the node that was asked about last */
    const void *node;    /* its tensor, where it is wanted */
    bool is_active, is_timed, is_lost;
    uint64_t counted[TP_LLAMA_COUNTERS], ticks;
    Py_ssize_t asked, shown;
    unsigned passes;
};

/* -- on the engine's thread, without the GIL --------------------------------------------------- */

/* Calls a method of Python's; its number, or -1. No error leaves here: an interrupt is raised again
   where Python runs next. Needs the GIL, and takes the arguments over. */
static long call(watcher *self, PyObject *method, PyObject *arguments)
{
    PyObject *bound = arguments == NULL ? NULL : PyObject_GetAttr((PyObject *)self, method);
    PyObject *answer = bound == NULL ? NULL : PyObject_CallObject(bound, arguments);
    long number = answer == NULL || answer == Py_None ? -1 : PyLong_AsLong(answer);
    Py_XDECREF(arguments);
    Py_XDECREF(answer);
    Py_XDECREF(bound);
    if (PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) PyErr_SetInterrupt();
        PyErr_Clear();
        self->is_lost = true;
        return -1;
    }
    return number;
}

/* Python says which rule a node has, or, from FIRST_SLOT downwards, into which slot of the cache it
   writes; it may add both meanwhile. */
static int meet(watcher *self, const char *tensor, const char *name, int op)
{
    const int at = tp_llama_add(&self->nodes, self->at, name, op);
    if (at < 0 || !tp_llama_is_sound(&self->layout, tensor)) return -1;
    PyGILState_STATE state = PyGILState_Ensure();
    long found = call(self, str_meet, Py_BuildValue("(K)", (unsigned long long)(uintptr_t)tensor));
    PyGILState_Release(state);
    if (found >= 0 && found < self->rules.count) self->nodes.all[at].rule = (int)found;
    if (found <= FIRST_SLOT && FIRST_SLOT - found < self->slots.count)
        self->nodes.all[at].slot = (int)(FIRST_SLOT - found);
    return at;
}

static void tell_start(watcher *self, int number)
{
    PyGILState_STATE state = PyGILState_Ensure();
    call(self, str_start, Py_BuildValue("(i)", number));
    PyGILState_Release(state);
}

static void tell_stop(watcher *self, int number, const char *tensor)
{
    PyGILState_STATE state = PyGILState_Ensure();
    call(self, str_stop, Py_BuildValue("(iK)", number, (unsigned long long)(uintptr_t)tensor));
    PyGILState_Release(state);
}

static void will_write(watcher *self, const char *tensor, int slot)
{
    if (self->written_count == MOST_WRITTEN) return;
    self->written[self->written_count].tensor = tensor;
    self->written[self->written_count++].slot = slot;
}

static void look_at_written(watcher *self)
{
    for (int i = 0; i < self->written_count; i++)
        tp_llama_look_at_write(&self->layout, &self->slots.all[self->written[i].slot],
                               self->written[i].tensor);
    self->written_count = 0;
}

/* Nothing is left of the last graph's tensors; what these have written is not known. */
static void lose_written(watcher *self)
{
    if (self->written_count != 0) tp_llama_slots_forget(&self->slots);
    self->written_count = 0;
}

static inline bool is_due(const watcher *self, int rule)
{
    for (int i = 0; i < self->due_count; i++)
        if (self->due[i] == rule) return true;
    return false;
}

static void prefetch(const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)from + at);
}

static void fetch_rule(const tp_llama_rule *it)
{
    prefetch(it, offsetof(tp_llama_rule, fields) + 2 * sizeof *it->fields);
}

/* While the engine computes a node, what its looking at will need comes into the caches, which the
   engine's own weights have been through since the last pass; and what says what the next ones will
   need, whose rules are there already. */
static void make_ready(const watcher *self, int number)
{
    for (int at = number; at >= 0; at = self->rules.all[at].next) {
        const tp_llama_rule *it = tp_llama_serving(&self->rules, at, self->turn);
        fetch_rule(it);
        if (it->plan != NULL && !it->only_finite) tp_ahead_fetch(&((tp_plan *)it->plan)->ahead);
    }
    if (self->trace_log != NULL) tp_trace_log_ahead(self->trace_log);
    for (int i = 1; i <= 2 && number + i < self->rules.count; i++) {
        const tp_llama_rule *next = &self->rules.all[number + i];
        if (next->plan != NULL && !next->only_finite)
            prefetch(&((tp_plan *)next->plan)->ahead, 3 * 64);
    }
}

static bool is_wanted(watcher *self, const char *tensor)
{
    self->node = NULL;
    if (!self->is_active || self->is_lost) return false;
    const char *name = tp_llama_name(&self->layout, tensor);
    const int op = tp_llama_op(&self->layout, tensor);
    int at = tp_llama_find(&self->nodes, self->at, tensor, name, op);
    if (at == 0) { /* the next graph of a pass */
        at = tp_llama_find(&self->nodes, 0, tensor, name, op);
        if (at != 0) lose_written(self);
    }
    if (TP_UNLIKELY(at == 0)) at = meet(self, tensor, name, op);
    if (TP_UNLIKELY(at < 0)) {
        self->is_lost = true;
        return false;
    }
    self->at = at;
    self->asked++;
    if (self->nodes.all[at].slot >= 0) will_write(self, tensor, self->nodes.all[at].slot);
    const int number = self->nodes.all[at].rule;
    if (number == TP_LLAMA_UNWANTED) return false;
    const tp_llama_rule *it = &self->rules.all[number];
    if (it->plan == NULL && !it->in_python && !self->is_timed && !is_due(self, number))
        return false;
    if (self->is_timed) tell_start(self, number);
    self->node = tensor;
    make_ready(self, number);
    return true;
}

static void show(watcher *self, const char *tensor, int number, bool is_done)
{
    PyGILState_STATE state = PyGILState_Ensure();
    call(self, str_show,
         Py_BuildValue("(KiO)", (unsigned long long)(uintptr_t)tensor, number,
                       is_done ? Py_True : Py_False));
    PyGILState_Release(state);
}

static void look_at(watcher *self, const char *tensor)
{
    if (self->node != tensor || tensor == NULL) return;
    const int number = self->nodes.all[self->at].rule;
    if (self->is_timed) tell_stop(self, number, tensor);
    const uint64_t start = tp_ticks();
    look_at_written(self);
    const tp_llama_rule *it = &self->rules.all[number];
    bool is_done = it->plan == NULL && !it->in_python;
    if (!is_done) {
        tp_is_without_gil = true;
        is_done = tp_llama_holds(&self->layout, &self->rules, number, self->turn, tensor,
                                 self->trace_log, self->counted);
        tp_is_without_gil = false;
    }
    if (!is_done || is_due(self, number)) show(self, tensor, number, is_done);
    self->shown++;
    self->node = NULL;
    for (int i = 1; i <= 2 && number + i < self->rules.count; i++) /* most likely the next ones */
        fetch_rule(&self->rules.all[number + i]);
    self->ticks += tp_ticks() - start;
}

/* Never false once a node was computed: that would stop the graph. */
static bool callback(const char *tensor, bool ask, const handle *user_data)
{
    watcher *self = user_data->watcher;
    if (self == NULL || tensor == NULL) return !ask;
    if (ask) return is_wanted(self, tensor);
    look_at(self, tensor);
    return true;
}

/* -- the type LlamaCallback -------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    handle *handle; /* never freed: a context may outlive whoever made it */
} callback_object;

static PyObject *callback_new(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    callback_object *self = (callback_object *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->handle = PyMem_RawCalloc(1, sizeof *self->handle);
    if (self->handle != NULL) return (PyObject *)self;
    Py_DECREF(self);
    return PyErr_NoMemory();
}

static PyObject *callback_address(PyObject *self, void *closure)
{
    return PyLong_FromVoidPtr((void *)(uintptr_t)callback);
}

static PyObject *callback_user_data(callback_object *self, void *closure)
{
    return PyLong_FromVoidPtr(self->handle);
}

static PyGetSetDef callback_attributes[] = {
    {"address", (getter)callback_address, NULL, "Of the function: bool (tensor, ask, data).", NULL},
    {"user_data", (getter)callback_user_data, NULL, "What the engine hands to it.", NULL},
    {NULL},
};

static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.LlamaCallback",
    .tp_doc = "LlamaCallback(): an evaluation callback that asks for nothing until it is watched.",
    .tp_basicsize = sizeof(callback_object),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = callback_new,
    .tp_getset = callback_attributes,
};

/* -- the type LlamaWatcher --------------------------------------------------------------------- */

/* _watch(…) -> number, as tp_llama_learn says */
static PyObject *watcher_watch(watcher *self, PyObject *arguments)
{
    return tp_llama_learn(&self->rules, arguments);
}

/* _slot(…) -> number, as tp_llama_learn_slot says */
static PyObject *watcher_slot(watcher *self, PyObject *arguments)
{
    return tp_llama_learn_slot(&self->slots, arguments);
}

/* _forget() */
static PyObject *watcher_forget(watcher *self, PyObject *unused)
{
    tp_llama_slots_forget(&self->slots);
    Py_RETURN_NONE;
}

/* _plug(LlamaCallback, whether it is watched) */
static PyObject *watcher_plug(watcher *self, PyObject *arguments)
{
    callback_object *into;
    int is_watched;
    if (!PyArg_ParseTuple(arguments, "O!p", &callback_type, &into, &is_watched)) return NULL;
    into->handle->watcher = is_watched ? self : NULL;
    self->handle = is_watched ? into->handle : NULL;
    Py_RETURN_NONE;
}

/* _want(a rule that Python wants to see in this pass in any case) */
static PyObject *watcher_want(watcher *self, PyObject *rule)
{
    const long number = PyLong_AsLong(rule);
    if (number == -1 && PyErr_Occurred()) return NULL;
    if (self->due_count < MOST_DUE) self->due[self->due_count++] = (int)number;
    Py_RETURN_NONE;
}

/* _begin(TraceLog or None, whether bricks are timed, whose turn it is or -1) */
static PyObject *watcher_begin(watcher *self, PyObject *arguments)
{
    PyObject *log;
    int is_timed, turn;
    if (!PyArg_ParseTuple(arguments, "Opi", &log, &is_timed, &turn)) return NULL;
    if (log != Py_None && !Py_IS_TYPE(log, &tp_trace_log_type)) {
        PyErr_SetString(PyExc_TypeError, "not a TraceLog");
        return NULL;
    }
    Py_XSETREF(self->trace_log, log == Py_None ? NULL : Py_NewRef(log));
    if (self->trace_log != NULL) tp_trace_log_prepare(self->trace_log);
    memset(self->counted, 0, sizeof self->counted);
    self->ticks = 0;
    self->hosts = (tp_llama_hosts){0}; /* a buffer may have gone, and another be where it was */
    self->asked = self->shown = self->at = self->written_count = 0;
    self->node = NULL;
    self->due_count = 0;
    self->is_lost = false;
    self->nodes.is_strict = self->passes++ % STRICT_EVERY == 0;
    self->is_timed = is_timed;
    self->turn = turn;
    self->is_active = true;
    Py_RETURN_NONE;
}

/* _end(whether the pass was computed) -> ((conditions of bricks, of activations, of attention), ns,
   asked, shown, whether nodes were lost, what was found in the cache) */
static PyObject *watcher_end(watcher *self, PyObject *arguments)
{
    int is_computed;
    if (!PyArg_ParseTuple(arguments, "p", &is_computed)) return NULL;
    self->is_active = false;
    const uint64_t start = tp_ticks();
    if (is_computed) {
        look_at_written(self);
        tp_llama_look_back(&self->slots, LOOK_BACK);
    }
    if (self->is_lost || !is_computed) tp_llama_slots_forget(&self->slots);
    PyObject *found = tp_llama_take_found(&self->slots);
    if (found == NULL) return NULL;
    self->ticks += tp_ticks() - start;
    Py_CLEAR(self->trace_log);
    return Py_BuildValue("(KKK)LnnON", self->counted[0], self->counted[1], self->counted[2],
                         (long long)tp_ticks_to_ns(self->ticks), self->asked, self->shown,
                         self->is_lost ? Py_True : Py_False, found);
}

static int watcher_init(watcher *self, PyObject *arguments, PyObject *names)
{
    PyObject *parts;
    if (!PyArg_ParseTuple(arguments, "O!", &PyTuple_Type, &parts)) return -1;
    self->layout.hosts = &self->hosts;
    return tp_llama_layout_of(parts, &self->layout);
}

static int watcher_traverse(watcher *self, visitproc visit, void *arg)
{
    Py_VISIT(self->trace_log);
    return 0;
}

static void watcher_dealloc(watcher *self)
{
    PyObject_GC_UnTrack(self);
    if (self->handle != NULL && self->handle->watcher == self) self->handle->watcher = NULL;
    tp_llama_unlearn(&self->rules);
    tp_llama_forget(&self->nodes);
    tp_llama_slots_free(&self->slots);
    Py_CLEAR(self->trace_log);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef watcher_methods[] = {
    {"_watch", (PyCFunction)watcher_watch, METH_VARARGS, "Add what is done with a node."},
    {"_slot", (PyCFunction)watcher_slot, METH_VARARGS, "Add where the cache is written."},
    {"_forget", (PyCFunction)watcher_forget, METH_NOARGS, "Look no further back in the cache."},
    {"_want", (PyCFunction)watcher_want, METH_O, "Show a rule's nodes in this pass."},
    {"_plug", (PyCFunction)watcher_plug, METH_VARARGS, "Watch a callback, or no longer."},
    {"_begin", (PyCFunction)watcher_begin, METH_VARARGS, "Start a pass."},
    {"_end", (PyCFunction)watcher_end, METH_VARARGS, "End it; say what was counted."},
    {NULL},
};

static PyTypeObject watcher_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.LlamaWatcher",
    .tp_doc = "LlamaWatcher(layout): the hot half of who watches a context of llama.cpp.",
    .tp_basicsize = sizeof(watcher),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)watcher_init,
    .tp_traverse = (traverseproc)watcher_traverse,
    .tp_dealloc = (destructor)watcher_dealloc,
    .tp_methods = watcher_methods,
};

int tp_add_llama(PyObject *module)
{
    if (!(str_meet = PyUnicode_InternFromString("_meet"))
        || !(str_show = PyUnicode_InternFromString("_show"))
        || !(str_start = PyUnicode_InternFromString("_start"))
        || !(str_stop = PyUnicode_InternFromString("_stop")))
        return -1;
    return PyModule_AddType(module, &callback_type) < 0
               ? -1
               : PyModule_AddType(module, &watcher_type);
}
