/* A site: where fields become values of a plan, with nothing looked up by string. */
#include "tracing.h"

#include <structmember.h>

PyTypeObject *tp_site_type;
PyObject *tp_config_error;
static PyTypeObject site_type;
static PyObject *str_admits, *str_layer, *str_check_admitted, *str_open, *str_context;

/* -- the layer's state ----------------------------------------------------------------------- */

static PyObject *state_configure(tp_layer_state *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "configure(is_off, every_nth): every_nth 0 asks Python");
        return NULL;
    }
    int is_off = PyObject_IsTrue(arguments[0]);
    if (is_off < 0) return NULL;
    unsigned long long nth = PyLong_AsUnsignedLongLong(arguments[1]);
    if (nth == (unsigned long long)-1 && PyErr_Occurred()) return NULL;
    self->nth = nth;
    self->sampling = is_off ? TP_OFF : nth == 0 ? TP_ASK_PYTHON : nth == 1 ? TP_ALWAYS
                                                                          : TP_EVERY_NTH;
    Py_RETURN_NONE;
}

static PyObject *state_check_ns(tp_layer_state *self, void *closure)
{
    return PyLong_FromDouble(tp_ticks_to_ns(self->check_ticks));
}

static PyMethodDef state_methods[] = {
    {"configure", (PyCFunction)(void (*)(void))state_configure, METH_FASTCALL,
     "Set what the policy says: off, and how many calls make one check (0: ask Python)."},
    {NULL},
};

static PyMemberDef state_members[] = {
    {"checks", T_ULONGLONG, offsetof(tp_layer_state, checks), READONLY, "Conditions tested."},
    {NULL},
};

static PyGetSetDef state_attributes[] = {
    {"check_ns", (getter)state_check_ns, NULL, "Time spent in checks of arrays.", NULL},
    {NULL},
};

PyTypeObject tp_layer_state_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.LayerState",
    .tp_doc = "What all sites of one layer share.",
    .tp_basicsize = sizeof(tp_layer_state),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = state_methods,
    .tp_members = state_members,
    .tp_getset = state_attributes,
};

/* -- checking -------------------------------------------------------------------------------- */

int tp_site_asks_python(tp_site *site)
{
    PyObject *python = PyObject_GetAttr((PyObject *)site, str_layer);
    if (python == NULL) return -1;
    PyObject *answer = PyObject_CallMethodOneArg(python, str_admits, (PyObject *)site);
    Py_DECREF(python);
    if (answer == NULL) return -1;
    int admits = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return admits;
}

Py_ssize_t tp_site_search(const tp_site *site, PyObject *name)
{
    PyObject *const *names = site->names;
    for (Py_ssize_t i = 0; i < site->fields; i++)
        if (names[i] == name) return i;
    if (TP_LIKELY(PyUnicode_CHECK_INTERNED(name))) return -1; /* as the plan's are */
    for (Py_ssize_t i = 0; i < site->fields; i++)
        if (PyUnicode_Compare(names[i], name) == 0) return i;
    return -1;
}

/* While large arrays are measured without the GIL, another thread may replace what is recorded. */
static int run_held(tp_site *site, PyObject *const *values)
{
    PyObject *held[TP_MAX_FIELDS];
    held[0] = NULL; /* no more: clearing all takes as long as the rest of this */
    Py_ssize_t fields = site->fields;
    for (Py_ssize_t i = 0; i < fields; i++) held[i] = Py_NewRef(values[i]);
    int verdict = tp_plan_run(site->plan, held, NULL);
    for (Py_ssize_t i = 0; i < fields; i++) Py_DECREF(held[i]);
    return verdict;
}

/* Two looks at the clock take as long as to measure a thousand elements: where a check was quick,
   the next few count as much as the one after them. What does not hold is timed by Python. */
static int run_timed(tp_site *site, PyObject *const *values)
{
    /* A prime: calls come in cycles, as layers do, and each of a cycle has its turn. */
    enum { QUICK_TICKS = 4096, PERIOD = 17 };
    const uint32_t untimed = site->untimed;
    site->untimed = 0; /* before other threads, which may run meanwhile, count them as well */
    uint64_t start = tp_ticks();
    int verdict = run_held(site, values);
    uint64_t ticks = tp_ticks() - start;
    if (TP_UNLIKELY(verdict != TP_HOLDS)) {
        site->untimed += untimed;
        return verdict;
    }
    site->layer->check_ticks += ticks * (untimed + 1);
    site->period = ticks < QUICK_TICKS ? PERIOD : 1;
    return verdict;
}

int tp_site_run_plan(tp_site *site, PyObject *const *values)
{
    /* A sampler of Python's wants to know what a check cost. */
    if (TP_UNLIKELY(site->plan == NULL || site->layer->sampling == TP_ASK_PYTHON))
        return TP_UNKNOWN;
    bool has_arrays = false;
    for (Py_ssize_t i = 0; i < site->fields; i++) {
        PyObject *value = values[i];
        if (TP_UNLIKELY(value == NULL || value == Py_None)) return TP_UNKNOWN;
        has_arrays |= !PyFloat_CheckExact(value) && !PyLong_CheckExact(value);
    }
    int verdict;
    if (!has_arrays) {
        verdict = tp_plan_run(site->plan, values, NULL);
    } else if (site->untimed + 1 >= site->period) {
        verdict = run_timed(site, values);
    } else {
        verdict = run_held(site, values);
        site->untimed += verdict == TP_HOLDS;
    }
    if (TP_LIKELY(verdict == TP_HOLDS)) site->layer->checks += site->conditions;
    return verdict;
}

PyObject *tp_as_dict(PyObject *const *arguments, PyObject *names)
{
    PyObject *fields = PyDict_New();
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; fields != NULL && i < count; i++)
        if (PyDict_SetItem(fields, PyTuple_GET_ITEM(names, i), arguments[i]) < 0) Py_CLEAR(fields);
    return fields;
}

static int refuse_positional(Py_ssize_t count)
{
    if (TP_LIKELY(count == 0)) return 0;
    PyErr_SetString(PyExc_TypeError, "fields are given by keyword");
    return -1;
}

static PyObject *check(tp_site *self, PyObject *context, PyObject *const *arguments,
                       PyObject *names)
{
    int admits = tp_site_admits(self);
    if (TP_UNLIKELY(admits <= 0)) return admits < 0 ? NULL : Py_NewRef(Py_True);
    PyObject *values[TP_MAX_FIELDS];
    for (Py_ssize_t i = 0; i < self->fields; i++) values[i] = NULL;
    Py_ssize_t given = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < given; i++) {
        Py_ssize_t at = tp_site_index(self, PyTuple_GET_ITEM(names, i), i);
        if (at >= 0) values[at] = arguments[i];
    }
    if (TP_LIKELY(tp_site_run(self, values) == TP_HOLDS)) Py_RETURN_TRUE;
    PyObject *holds = NULL, *fields = tp_as_dict(arguments, names);
    PyObject *place = context ? Py_NewRef(context)
                              : PyObject_GetAttr((PyObject *)self, str_context);
    if (fields != NULL && place != NULL)
        holds = PyObject_CallMethodObjArgs((PyObject *)self, str_check_admitted, fields, place,
                                           NULL);
    Py_XDECREF(place);
    Py_XDECREF(fields);
    return holds;
}

static PyObject *site_check(tp_site *self, PyObject *const *arguments, Py_ssize_t count,
                            PyObject *names)
{
    if (refuse_positional(count) < 0) return NULL;
    return check(self, NULL, arguments, names);
}

static PyObject *site_check_in(tp_site *self, PyObject *const *arguments, Py_ssize_t count,
                               PyObject *names)
{
    if (count != 1) {
        PyErr_SetString(PyExc_TypeError, "check_in(context, field=value, …)");
        return NULL;
    }
    return check(self, arguments[0], arguments + 1, names);
}

static PyObject *site_call(PyObject *object, PyObject *const *arguments, size_t flags,
                           PyObject *names)
{
    tp_site *self = (tp_site *)object;
    if (refuse_positional(PyVectorcall_NARGS(flags)) < 0) return NULL;
    int admits = tp_site_admits(self);
    if (TP_UNLIKELY(admits <= 0)) {
        if (admits == 0 && self->null_span == NULL)
            PyErr_SetString(PyExc_RuntimeError, "a site that was never initialised, or is gone");
        return admits < 0 ? NULL : Py_XNewRef(self->null_span);
    }
    if (TP_UNLIKELY(self->copies)) {
        PyObject *fields = tp_as_dict(arguments, names);
        if (fields == NULL) return NULL;
        PyObject *span = PyObject_CallMethodOneArg(object, str_open, fields);
        Py_DECREF(fields);
        return span;
    }
    return (PyObject *)tp_span_begin(self, arguments, names);
}

/* A new span over the fields of a dict, for Python code that has prepared them. */
static PyObject *site_span(tp_site *self, PyObject *fields)
{
    if (!PyDict_CheckExact(fields)) {
        PyErr_SetString(PyExc_TypeError, "span(fields): a dict");
        return NULL;
    }
    tp_span *span = tp_span_new(self);
    PyObject *name, *value;
    for (Py_ssize_t at = 0; span != NULL && PyDict_Next(fields, &at, &name, &value);) {
        PyObject *names = PyTuple_Pack(1, name);
        if (names == NULL || tp_span_record(span, &value, names) < 0) Py_CLEAR(span);
        Py_XDECREF(names);
    }
    return (PyObject *)span;
}

/* Whether the fields of a dict hold for sure; False where Python has to look. */
static PyObject *site_holds(tp_site *self, PyObject *fields)
{
    PyObject *values[TP_MAX_FIELDS];
    if (self->plan == NULL || !PyDict_CheckExact(fields)) Py_RETURN_FALSE;
    for (Py_ssize_t i = 0; i < self->fields; i++) {
        values[i] = PyDict_GetItemWithError(fields, self->names[i]);
        if (values[i] == NULL && PyErr_Occurred()) return NULL;
        if (values[i] == NULL || values[i] == Py_None) Py_RETURN_FALSE;
    }
    return PyBool_FromLong(run_held(self, values) == TP_HOLDS);
}

/* -- the type -------------------------------------------------------------------------------- */

static PyObject *site_bind(tp_site *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4 || !Py_IS_TYPE(arguments[0], &tp_layer_state_type)
        || (arguments[1] != Py_None && !Py_IS_TYPE(arguments[1], tp_plan_type))) {
        PyErr_SetString(PyExc_TypeError, "_bind(LayerState, Plan or None, conditions, copies)");
        return NULL;
    }
    unsigned long long conditions = PyLong_AsUnsignedLongLong(arguments[2]);
    int copies = PyObject_IsTrue(arguments[3]);
    if (PyErr_Occurred() || self->null_span != NULL) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "a site is bound once");
        return NULL;
    }
    PyObject *plan = arguments[1] == Py_None ? NULL : arguments[1];
    if (plan != NULL && tp_plan_field_count(plan) > TP_MAX_FIELDS) plan = NULL;
    Py_XSETREF(self->layer, (tp_layer_state *)Py_NewRef(arguments[0]));
    Py_XSETREF(self->plan, Py_XNewRef(plan));
    self->names = plan == NULL ? NULL : tp_plan_field_names(plan);
    self->fields = plan == NULL ? 0 : tp_plan_field_count(plan);
    self->bounds = plan == NULL ? NULL : tp_plan_bounds(plan);
    self->conditions = conditions;
    self->copies = copies;
    tp_span *null = tp_span_new(self);
    if (null == NULL) return NULL;
    null->is_null = null->is_tracked = true;
    PyObject_GC_Track(null); /* it and the site hold each other */
    self->null_span = (PyObject *)null;
    Py_RETURN_NONE;
}

/* A site without its binding admits nothing, so that no method meets an empty pointer. */
static PyObject *site_new(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    tp_site *self = (tp_site *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->vectorcall = site_call;
    self->layer = PyObject_New(tp_layer_state, &tp_layer_state_type);
    if (self->layer == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    memset((char *)self->layer + sizeof(PyObject), 0, sizeof(tp_layer_state) - sizeof(PyObject));
    self->layer->sampling = TP_OFF;
    return (PyObject *)self;
}

/* Python classes inherit vectorcall by themselves only from 3.12 on. */
static PyObject *site_init_subclass(PyTypeObject *type, PyObject *unused)
{
    type->tp_vectorcall_offset = offsetof(tp_site, vectorcall);
    type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    PyType_Modified(type);
    Py_RETURN_NONE;
}

static int site_traverse(tp_site *self, visitproc visit, void *arg)
{
    Py_VISIT(self->null_span);
    Py_VISIT(self->plan);
    return 0;
}

static int site_clear(tp_site *self)
{
    Py_CLEAR(self->null_span);
    return 0; /* plan and layer stay: a span that is still open reads them */
}

static void site_dealloc(tp_site *self)
{
    PyObject_GC_UnTrack(self);
    site_clear(self);
    Py_CLEAR(self->plan);
    Py_CLEAR(self->layer);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef site_methods[] = {
    {"_bind", (PyCFunction)(void (*)(void))site_bind, METH_FASTCALL, "Say what is checked."},
    {"_holds", (PyCFunction)site_holds, METH_O, "Whether the fields of a dict hold for sure."},
    {"_span", (PyCFunction)site_span, METH_O, "A span over the fields of a dict."},
    {"check", (PyCFunction)(void (*)(void))site_check, METH_FASTCALL | METH_KEYWORDS,
     "Check fields at once, without a span."},
    {"check_in", (PyCFunction)(void (*)(void))site_check_in, METH_FASTCALL | METH_KEYWORDS,
     "`check`, with the place in a model that violations name."},
    {"__init_subclass__", (PyCFunction)site_init_subclass, METH_CLASS | METH_NOARGS, NULL},
    {NULL},
};

static PyTypeObject site_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.Site",
    .tp_doc = "The hot half of a site.",
    .tp_basicsize = sizeof(tp_site),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC
                | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = site_new,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(tp_site, vectorcall),
    .tp_traverse = (traverseproc)site_traverse,
    .tp_clear = (inquiry)site_clear,
    .tp_dealloc = (destructor)site_dealloc,
    .tp_methods = site_methods,
};

static int intern(void)
{
    return (str_admits = PyUnicode_InternFromString("admits"))
                   && (str_layer = PyUnicode_InternFromString("tracing_layer"))
                   && (str_check_admitted = PyUnicode_InternFromString("_check_admitted"))
                   && (str_open = PyUnicode_InternFromString("_open"))
                   && (str_context = PyUnicode_InternFromString("context"))
               ? 0
               : -1;
}

static PyMethodDef functions[] = {
    {"current_span", tp_current_span, METH_NOARGS, "The innermost open span, or None."},
    {NULL},
};

int tp_add_tracing(PyObject *module)
{
    PyObject *errors = PyImport_ImportModule("tracepact.errors");
    if (errors == NULL) return -1;
    tp_config_error = PyObject_GetAttrString(errors, "ConfigError");
    Py_DECREF(errors);
    tp_site_type = &site_type;
    if (tp_config_error == NULL || intern() < 0 || tp_current_init() < 0 || tp_span_init() < 0
        || PyType_Ready(&tp_layer_state_type) < 0 || PyType_Ready(&site_type) < 0
        || PyType_Ready(&tp_checked_type) < 0)
        return -1;
    if (PyModule_AddFunctions(module, functions) < 0
        || PyModule_AddType(module, &tp_layer_state_type) < 0
        || PyModule_AddType(module, &site_type) < 0
        || PyModule_AddType(module, &tp_span_type) < 0)
        return -1;
    return PyModule_AddType(module, &tp_checked_type);
}
