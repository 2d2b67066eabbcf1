/* A span: one call of a kernel, its fields, and the check when it closes. */
#include "tracing.h"

#include <structmember.h>

static PyObject *statuses[TP_STATUSES];
static PyObject *str_close, *str_contract, *str_equation, *str_context;

/* Spans that are no longer used, so that a new one needs no allocation. */
enum { KEPT = 32 };
static tp_span *kept[KEPT];
static int kept_count;

/* The interpreter's own function does the same for builds that list all objects. */
#ifdef Py_TRACE_REFS
#define REVIVE(span) _Py_NewReference((PyObject *)(span))
#else
#define REVIVE(span) Py_SET_REFCNT((span), 1)
#endif

static inline tp_span *make(tp_site *site)
{
    tp_span *span;
    if (TP_LIKELY(kept_count > 0)) {
        span = kept[--kept_count];
        REVIVE(span);
    } else {
        span = PyObject_GC_New(tp_span, &tp_span_type);
        if (span == NULL) return NULL;
        memset((char *)span + sizeof(PyObject), 0, sizeof(tp_span) - sizeof(PyObject));
    }
    span->site = (tp_site *)Py_NewRef(site);
    span->status = TP_NEW;
    return span;
}

/* Spans of numbers alone cannot be part of a cycle, so the collector need not know of them. */
static void track(tp_span *span)
{
    if (!span->is_tracked) PyObject_GC_Track(span);
    span->is_tracked = true;
}

static inline bool is_number(PyObject *value)
{
    return PyFloat_CheckExact(value) || PyLong_CheckExact(value);
}

/* A field that the plan does not read: 0, or -1 with an error set. */
static __attribute__((noinline)) int record_more(tp_span *span, PyObject *name, PyObject *value)
{
    for (int i = 0; i < span->other_count; i++) {
        PyObject *known = span->other_names[i];
        if (known == name || tp_is_same_text(known, name)) {
            Py_SETREF(span->other_values[i], Py_NewRef(value));
            return 0;
        }
    }
    if (span->other_count < TP_MAX_OTHERS) {
        span->other_names[span->other_count] = Py_NewRef(name);
        span->other_values[span->other_count++] = Py_NewRef(value);
        return 0;
    }
    track(span);
    if (span->others == NULL && (span->others = PyDict_New()) == NULL) return -1;
    return PyDict_SetItem(span->others, name, value);
}

static inline int record_other(tp_span *span, PyObject *name, PyObject *value)
{
    if (TP_UNLIKELY(span->other_count > 0)) return record_more(span, name, value);
    span->other_names[0] = Py_NewRef(name);
    span->other_values[0] = Py_NewRef(value);
    span->other_count = 1;
    return 0;
}

static inline int record(tp_span *span, PyObject *const *arguments, PyObject *names)
{
    tp_site *site = span->site;
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i), *value = arguments[i];
        if (TP_UNLIKELY(!is_number(value))) track(span);
        Py_ssize_t at = tp_site_index(site, name, i);
        if (TP_LIKELY(at >= 0)) {
            PyObject *before = span->values[at];
            span->values[at] = Py_NewRef(value);
            Py_XDECREF(before);
            continue;
        }
        if (record_other(span, name, value) < 0) return -1;
    }
    return 0;
}

tp_span *tp_span_new(tp_site *site) { return make(site); }

int tp_span_record(tp_span *span, PyObject *const *arguments, PyObject *names)
{
    return record(span, arguments, names);
}

tp_span *tp_span_begin(tp_site *site, PyObject *const *arguments, PyObject *names)
{
    tp_span *span = make(site);
    if (TP_LIKELY(span != NULL && names != NULL) && TP_UNLIKELY(record(span, arguments, names) < 0))
        Py_CLEAR(span);
    return span;
}

PyObject *tp_span_fields(tp_span *span)
{
    PyObject *fields = span->others ? PyDict_Copy(span->others) : PyDict_New();
    for (int i = 0; fields != NULL && i < span->other_count; i++)
        if (PyDict_SetItem(fields, span->other_names[i], span->other_values[i]) < 0)
            Py_CLEAR(fields);
    if (fields == NULL) return NULL;
    for (Py_ssize_t i = 0; i < span->site->fields; i++) {
        PyObject *value = span->values[i];
        if (value != NULL && PyDict_SetItem(fields, span->site->names[i], value) < 0) {
            Py_DECREF(fields);
            return NULL;
        }
    }
    return fields;
}

static PyObject *span_record(tp_span *self, PyObject *const *arguments, Py_ssize_t count,
                             PyObject *names)
{
    if (count != 0) {
        PyErr_SetString(PyExc_TypeError, "record() takes fields by keyword");
        return NULL;
    }
    if (names != NULL && !self->is_null && record(self, arguments, names) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *span_place(tp_span *self, PyObject *context)
{
    if (self->is_null) Py_RETURN_NONE;
    track(self);
    Py_XSETREF(self->context, Py_NewRef(context));
    Py_RETURN_NONE;
}

static PyObject *span_enter(tp_span *self, PyObject *unused)
{
    if (TP_LIKELY(!self->is_null)) {
        if (TP_UNLIKELY(self->status != TP_NEW)) {
            PyErr_SetString(tp_config_error,
                            "a span opens once; call its site again for another one");
            return NULL;
        }
        self->status = TP_OPEN; /* before it is on the stack, where finalisers may look */
        if (TP_UNLIKELY(tp_current_push(self) < 0)) {
            self->status = TP_NEW;
            return NULL;
        }
        if (self->parent != NULL) track(self); /* it may record this one */
        self->opened = tp_ticks();
    }
    return Py_NewRef(self);
}

static PyObject *span_exit(tp_span *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (self->is_null) Py_RETURN_NONE;
    self->duration = tp_ticks() - self->opened;
    bool raised = count > 0 && arguments[0] != Py_None;
    self->status = raised ? TP_ERROR : TP_OK;
    tp_current_pop(self);
    if (raised) Py_RETURN_NONE;
    if (TP_LIKELY(tp_site_run(self->site, self->values) == TP_HOLDS)) Py_RETURN_NONE;
    return PyObject_CallMethodOneArg((PyObject *)self->site, str_close, (PyObject *)self);
}

static int span_traverse(tp_span *self, visitproc visit, void *arg)
{
    Py_VISIT(self->site);
    Py_VISIT(self->parent);
    Py_VISIT(self->context);
    Py_VISIT(self->others);
    Py_VISIT(self->violations);
    for (Py_ssize_t i = 0; i < TP_MAX_FIELDS; i++) Py_VISIT(self->values[i]);
    for (int i = 0; i < self->other_count; i++) Py_VISIT(self->other_values[i]);
    return 0;
}

static inline void clear_others(tp_span *self)
{
    while (self->other_count > 0) {
        int last = --self->other_count;
        Py_CLEAR(self->other_names[last]);
        Py_CLEAR(self->other_values[last]);
    }
}

static int span_clear(tp_span *self)
{
    Py_CLEAR(self->parent);
    Py_CLEAR(self->context);
    clear_others(self);
    Py_CLEAR(self->others);
    Py_CLEAR(self->violations);
    for (Py_ssize_t i = 0; i < TP_MAX_FIELDS; i++) Py_CLEAR(self->values[i]);
    return 0; /* the site stays: every method reads it */
}

/* A long chain of parents must not use up the stack. */
static void release_parents(tp_span *parent)
{
    while (Py_REFCNT(parent) == 1 && parent->parent != NULL) {
        tp_span *next = parent->parent;
        parent->parent = NULL;
        Py_DECREF(parent);
        parent = next;
    }
    Py_DECREF(parent);
}

static inline void release(tp_span *self)
{
    tp_site *site = self->site;
    for (Py_ssize_t i = 0; i < site->fields; i++) Py_CLEAR(self->values[i]);
    clear_others(self);
    self->opened = self->duration = 0;
    self->site = NULL;
    if (TP_LIKELY(kept_count < KEPT)) kept[kept_count++] = self;
    else PyObject_GC_Del(self);
    Py_DECREF(site);
}

static void span_dealloc(tp_span *self)
{
    if (TP_LIKELY(!self->is_tracked)) {
        release(self);
        return;
    }
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, span_dealloc) /* spans may be fields of spans, in a long chain */
    tp_span *parent = self->parent;
    self->parent = NULL;
    if (parent != NULL) release_parents(parent);
    Py_CLEAR(self->context);
    Py_CLEAR(self->others);
    Py_CLEAR(self->violations);
    self->is_null = self->is_tracked = false;
    release(self);
    Py_TRASHCAN_END
}

/* -- attributes ------------------------------------------------------------------------------ */

static PyObject *get_fields(tp_span *self, void *closure) { return tp_span_fields(self); }

static PyObject *get_status(tp_span *self, void *closure)
{
    return Py_NewRef(statuses[self->status]);
}

static int set_status(tp_span *self, PyObject *value, void *closure)
{
    for (int i = 0; value != NULL && i < TP_STATUSES; i++) {
        int same = PyObject_RichCompareBool(value, statuses[i], Py_EQ);
        if (same < 0) return -1;
        if (same) {
            self->status = i == TP_NEW ? TP_OPEN : i;
            return 0;
        }
    }
    PyErr_SetString(PyExc_ValueError, "no such status");
    return -1;
}

static PyObject *get_violations(tp_span *self, void *closure)
{
    track(self);
    if (self->violations == NULL && (self->violations = PyList_New(0)) == NULL) return NULL;
    return Py_NewRef(self->violations);
}

static int set_violations(tp_span *self, PyObject *value, void *closure)
{
    track(self);
    Py_XSETREF(self->violations, Py_XNewRef(value));
    return 0;
}

static PyObject *get_duration(tp_span *self, void *closure)
{
    return PyLong_FromDouble(tp_ticks_to_ns(self->duration));
}

static PyObject *get_context(tp_span *self, void *closure)
{
    if (self->context != NULL) return Py_NewRef(self->context);
    return PyObject_GetAttr((PyObject *)self->site, str_context);
}

static PyObject *get_parent(tp_span *self, void *closure)
{
    return Py_NewRef(self->parent == NULL ? Py_None : (PyObject *)self->parent);
}

static PyObject *get_attributes(tp_span *self, void *closure)
{
    PyObject *contract = PyObject_GetAttr((PyObject *)self->site, str_contract);
    if (contract == NULL) return NULL;
    PyObject *equation = PyObject_GetAttr((PyObject *)self->site, str_equation);
    if (equation == NULL) {
        Py_DECREF(contract);
        return NULL;
    }
    return Py_BuildValue("{sNsN}", "contract.id", contract, "contract.equation", equation);
}

static PyGetSetDef span_attributes[] = {
    {"fields", (getter)get_fields, NULL, "Values by name, as a new dict.", NULL},
    {"status", (getter)get_status, (setter)set_status, "open, ok, violated or error.", NULL},
    {"violations", (getter)get_violations, (setter)set_violations, "What closing found.", NULL},
    {"duration_ns", (getter)get_duration, NULL, "From open to close; 0 while open.", NULL},
    {"context", (getter)get_context, NULL, "Place in a model.", NULL},
    {"parent", (getter)get_parent, NULL, "The span around this one, or None.", NULL},
    {"attributes", (getter)get_attributes, NULL, "OpenTelemetry attributes.", NULL},
    {NULL},
};

static PyMemberDef span_members[] = {
    {"site", T_OBJECT, offsetof(tp_span, site), READONLY, "Where it was opened."},
    {NULL},
};

static PyMethodDef span_methods[] = {
    {"record", (PyCFunction)(void (*)(void))span_record, METH_FASTCALL | METH_KEYWORDS,
     "Add fields; a later value of a name replaces an earlier one."},
    {"place", (PyCFunction)span_place, METH_O, "Say where in a model this call takes place."},
    {"__enter__", (PyCFunction)span_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))span_exit, METH_FASTCALL, NULL},
    {NULL},
};

PyTypeObject tp_span_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.Span",
    .tp_doc = "One call of a kernel under a contract; made by calling a site.",
    .tp_basicsize = sizeof(tp_span),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)span_traverse,
    .tp_clear = (inquiry)span_clear,
    .tp_dealloc = (destructor)span_dealloc,
    .tp_methods = span_methods,
    .tp_members = span_members,
    .tp_getset = span_attributes,
};

int tp_span_init(void)
{
    static const char *const names[TP_STATUSES] = {"open", "open", "ok", "violated", "error"};
    for (int i = 0; i < TP_STATUSES; i++)
        if ((statuses[i] = PyUnicode_InternFromString(names[i])) == NULL) return -1;
    if (!(str_close = PyUnicode_InternFromString("_close")) ||
        !(str_contract = PyUnicode_InternFromString("contract")) ||
        !(str_equation = PyUnicode_InternFromString("equation")) ||
        !(str_context = PyUnicode_InternFromString("context")))
        return -1;
    return PyType_Ready(&tp_span_type);
}
