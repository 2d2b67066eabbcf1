/* A checked function: the decorator `@tracepact.contract` as a vectorcall wrapper. */
#include "tracing.h"

#include <stddef.h>

/* A site, and where the values of its plan's fields are: the parameter, or -1 for the result. */
typedef struct {
    tp_site *site;
    int16_t place[TP_MAX_FIELDS];
} tp_watch;

/* What is checked at one moment of a call; without a site nothing. */
typedef struct {
    tp_watch all;
    tp_watch bare;      /* conditions on no optional parameter; site NULL: there is none */
    PyObject *fields;   /* tuple of (field, place of its value) */
    PyObject *claims;   /* instead of a plan: tuple of (function, places); or empty */
    Py_ssize_t optional_count;
    int16_t optional[TP_MAX_FIELDS]; /* places of parameters that may be None */
} tp_stage;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    tp_site *deciding;             /* whether a call is checked; NULL: never */
    tp_stage entry, leaving;
    PyObject *parameters;          /* tuple in order: interned names; None where none is given */
    PyObject *attributes;          /* __dict__ */
    PyObject *weak;
    Py_ssize_t count;              /* parameters */
    Py_ssize_t positional;         /* those that may be given by position */
    Py_ssize_t direct;             /* so many values by position are all that is looked at */
    bool any_positional, any_named; /* *args, **kwargs */
    PyObject *defaults[TP_MAX_FIELDS + 1]; /* of a parameter; the last stays empty: the result */
} tp_checked;

/* As in inspect.Parameter.kind. */
enum { POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD };

static Py_ssize_t parameter(tp_checked *self, PyObject *name)
{
    for (Py_ssize_t i = 0; i < self->count; i++)
        if (PyTuple_GET_ITEM(self->parameters, i) == name) return i;
    if (TP_LIKELY(PyUnicode_CHECK_INTERNED(name))) return -1;
    for (Py_ssize_t i = 0; i < self->count; i++) { /* as in f(**json.loads(…)) */
        PyObject *known = PyTuple_GET_ITEM(self->parameters, i);
        if (known != Py_None && PyUnicode_Compare(known, name) == 0) return i;
    }
    return -1;
}

/* The arguments of a call by parameter. Returns whether the function takes such a call at all. */
static bool gather(tp_checked *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names,
                   PyObject **given)
{
    bool fits = count <= self->positional || self->any_positional;
    Py_ssize_t placed = count < self->positional ? count : self->positional;
    for (Py_ssize_t i = 0; i < placed; i++) given[i] = arguments[i];
    for (Py_ssize_t i = placed; i <= self->count; i++) given[i] = self->defaults[i];
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < named; i++) {
        Py_ssize_t at = parameter(self, PyTuple_GET_ITEM(names, i));
        if (at >= placed) given[at] = arguments[count + i];
        else fits &= at < 0 && self->any_named;
    }
    return fits;
}

static bool is_complete(tp_checked *self, PyObject *const *given)
{
    for (Py_ssize_t i = 0; i < self->count; i++)
        if (given[i] == NULL) return false;
    return true;
}

static inline PyObject *value_at(Py_ssize_t place, PyObject *const *given, PyObject *result)
{
    return place < 0 ? result : given[place];
}

/* What the plan does not pass is looked at in Python: 0, or -1 where the policy says `raise`. */
static int look_closer(tp_stage *stage, PyObject *const *given, PyObject *result)
{
    PyObject *fields = PyDict_New(), *context = NULL, *done = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(stage->fields);
    for (Py_ssize_t i = 0; fields != NULL && i < count; i++) {
        PyObject *field = PyTuple_GET_ITEM(stage->fields, i);
        Py_ssize_t place = PyLong_AsSsize_t(PyTuple_GET_ITEM(field, 1));
        PyObject *value = value_at(place, given, result);
        if (value != NULL && PyDict_SetItem(fields, PyTuple_GET_ITEM(field, 0), value) < 0)
            Py_CLEAR(fields);
    }
    if (fields != NULL) context = PyObject_GetAttrString((PyObject *)stage->all.site, "context");
    if (context != NULL)
        done = PyObject_CallMethod((PyObject *)stage->all.site, "_check_admitted", "OO", fields,
                                   context);
    Py_XDECREF(fields);
    Py_XDECREF(context);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Asks functions: TP_HOLDS, TP_UNKNOWN, or TP_FAILS with an error that is not for us. */
static int ask(const tp_stage *stage, PyObject *const *given, PyObject *result)
{
    tp_layer_state *layer = stage->all.site->layer;
    if (layer->sampling == TP_ASK_PYTHON) return TP_UNKNOWN;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(stage->claims); i++) {
        PyObject *claim = PyTuple_GET_ITEM(stage->claims, i), *values[TP_MAX_FIELDS + 1];
        PyObject *places = PyTuple_GET_ITEM(claim, 1);
        Py_ssize_t count = PyTuple_GET_SIZE(places);
        for (Py_ssize_t j = 0; j < count; j++) {
            values[j] = value_at(PyLong_AsSsize_t(PyTuple_GET_ITEM(places, j)), given, result);
            if (values[j] == NULL) return TP_UNKNOWN;
        }
        PyObject *answer = PyObject_Vectorcall(PyTuple_GET_ITEM(claim, 0), values, count, NULL);
        int is_true = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (is_true < 0 && !PyErr_ExceptionMatches(PyExc_Exception)) return TP_FAILS;
        if (is_true < 0) PyErr_Clear(); /* Python asks once more, and words it */
        if (is_true <= 0) return TP_UNKNOWN;
    }
    layer->checks += stage->all.site->conditions;
    return TP_HOLDS;
}

static inline int run(const tp_watch *watch, PyObject *const *given, PyObject *result)
{
    PyObject *values[TP_MAX_FIELDS];
    for (Py_ssize_t i = 0; i < watch->site->fields; i++)
        values[i] = value_at(watch->place[i], given, result);
    return tp_site_run(watch->site, values) == TP_HOLDS ? TP_HOLDS : TP_UNKNOWN;
}

static bool are_left_out(const tp_stage *stage, PyObject *const *given)
{
    for (Py_ssize_t i = 0; i < stage->optional_count; i++)
        if (given[stage->optional[i]] != Py_None) return false;
    return true;
}

static inline int check(const tp_stage *stage, PyObject *const *given, PyObject *result)
{
    if (PyTuple_GET_SIZE(stage->claims) > 0) return ask(stage, given, result);
    if (stage->optional_count == 0 || !are_left_out(stage, given))
        return run(&stage->all, given, result);
    return stage->bare.site == NULL ? TP_HOLDS : run(&stage->bare, given, result);
}

/* Before the body: 0, or -1 with an error. What the function would refuse is left to it. */
static int enter(tp_checked *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names,
                 PyObject *const *given)
{
    int verdict = check(&self->entry, given, NULL);
    if (TP_LIKELY(verdict != TP_UNKNOWN)) return verdict == TP_HOLDS ? 0 : -1;
    PyObject *gathered[TP_MAX_FIELDS + 1];
    if (!gather(self, arguments, count, names, gathered) || !is_complete(self, gathered)) return 0;
    return look_closer(&self->entry, gathered, NULL);
}

static PyObject *checked_call(PyObject *object, PyObject *const *arguments, size_t flags,
                              PyObject *names)
{
    tp_checked *self = (tp_checked *)object;
    int admits = self->deciding == NULL ? 0 : tp_site_admits(self->deciding);
    if (TP_UNLIKELY(admits <= 0))
        return admits < 0 ? NULL : PyObject_Vectorcall(self->function, arguments, flags, names);
    PyObject *gathered[TP_MAX_FIELDS + 1], *const *given = arguments;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (names != NULL || count < self->direct) {
        gather(self, arguments, count, names, gathered);
        given = gathered;
    }
    if (self->entry.all.site != NULL
        && TP_UNLIKELY(enter(self, arguments, count, names, given) < 0))
        return NULL;
    PyObject *result = PyObject_Vectorcall(self->function, arguments, flags, names);
    if (TP_UNLIKELY(result == NULL) || self->leaving.all.site == NULL) return result;
    int verdict = check(&self->leaving, given, result);
    if (TP_UNLIKELY(verdict != TP_HOLDS)
        && (verdict == TP_FAILS || look_closer(&self->leaving, given, result) < 0))
        Py_CLEAR(result);
    return result;
}

/* -- making ---------------------------------------------------------------------------------- */

/* (name, kind, has_default, default) */
static int take_parameter(tp_checked *self, Py_ssize_t i, PyObject *described)
{
    PyObject *name, *value;
    int kind, has_default;
    if (!PyArg_ParseTuple(described, "UipO", &name, &kind, &has_default, &value)) return -1;
    bool by_name = kind == POSITIONAL_OR_KEYWORD || kind == KEYWORD_ONLY;
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    PyTuple_SET_ITEM(self->parameters, i, by_name ? name : Py_NewRef(Py_None));
    if (!by_name) Py_DECREF(name);
    self->positional += kind == POSITIONAL_ONLY || kind == POSITIONAL_OR_KEYWORD;
    self->any_positional |= kind == VAR_POSITIONAL;
    self->any_named |= kind == VAR_KEYWORD;
    /* No condition looks at *args and **kwargs; they are never missing. */
    if (kind == VAR_POSITIONAL || kind == VAR_KEYWORD) value = Py_None;
    else if (!has_default) return 0;
    self->defaults[i] = Py_NewRef(value);
    return 0;
}

static int take_place(tp_checked *self, PyObject *number)
{
    Py_ssize_t place = PyLong_AsSsize_t(number);
    if (place < -1 || place >= self->count) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no parameter has that place");
        return -1;
    }
    if (place >= self->direct)
        self->direct = place < self->positional ? place + 1 : PY_SSIZE_T_MAX;
    return 0;
}

static int take_fields(tp_checked *self, PyObject *fields, tp_watch *watch)
{
    for (Py_ssize_t i = 0; i < watch->site->fields; i++) watch->place[i] = -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); i++) {
        PyObject *name, *number;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(fields, i), "UO!", &name, &PyLong_Type, &number)
            || take_place(self, number) < 0)
            return -1;
        Py_ssize_t at = tp_site_index(watch->site, name, i);
        if (at >= 0) watch->place[at] = (int16_t)PyLong_AsSsize_t(number);
    }
    return 0;
}

/* A parameter is left out where it is None, so none of them is the result. */
static int take_optional(tp_checked *self, tp_stage *stage, PyObject *places)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(places); i++) {
        PyObject *number = PyTuple_GET_ITEM(places, i);
        if (take_place(self, number) < 0) return -1;
        Py_ssize_t place = PyLong_AsSsize_t(number);
        if (place < 0 || i == TP_MAX_FIELDS) {
            PyErr_SetString(PyExc_ValueError, "optional are parameters, each of them once");
            return -1;
        }
        stage->optional[stage->optional_count++] = (int16_t)place;
    }
    return 0;
}

static int take_claims(tp_checked *self, tp_stage *stage)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(stage->claims); i++) {
        PyObject *function, *places;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(stage->claims, i), "OO!", &function, &PyTuple_Type,
                              &places))
            return -1;
        if (PyTuple_GET_SIZE(places) > TP_MAX_FIELDS + 1) {
            PyErr_SetString(PyExc_ValueError, "more values than there are");
            return -1;
        }
        for (Py_ssize_t j = 0; j < PyTuple_GET_SIZE(places); j++)
            if (take_place(self, PyTuple_GET_ITEM(places, j)) < 0) return -1;
    }
    return 0;
}

/* None, or (site, ((field, place of its value, -1 for the result), …), ((function, places), …),
   site or None for where optional parameters are left out, their places) */
static int take_stage(tp_checked *self, tp_stage *stage, PyObject *described)
{
    PyObject *site, *fields, *claims, *bare, *optional;
    if (described == Py_None) return 0;
    if (!PyArg_ParseTuple(described, "O!O!O!OO!", tp_site_type, &site, &PyTuple_Type, &fields,
                          &PyTuple_Type, &claims, &bare, &PyTuple_Type, &optional))
        return -1;
    if (bare != Py_None && !PyObject_TypeCheck(bare, tp_site_type)) {
        PyErr_SetString(PyExc_TypeError, "the fourth is a site or None");
        return -1;
    }
    stage->all.site = (tp_site *)Py_NewRef(site);
    stage->bare.site = bare == Py_None ? NULL : (tp_site *)Py_NewRef(bare);
    stage->fields = Py_NewRef(fields);
    stage->claims = Py_NewRef(claims);
    if (take_fields(self, fields, &stage->all) < 0 || take_claims(self, stage) < 0
        || (stage->bare.site != NULL && take_fields(self, fields, &stage->bare) < 0))
        return -1;
    return take_optional(self, stage, optional);
}

/* Checked(function, ((name, kind, has_default, default), …), entry, exit) */
static PyObject *checked_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *function, *signature, *entry, *leaving;
    if (!PyArg_ParseTuple(arguments, "OO!OO", &function, &PyTuple_Type, &signature, &entry,
                          &leaving))
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(signature);
    if (count > TP_MAX_FIELDS || !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_ValueError, "not a function of a few parameters");
        return NULL;
    }
    tp_checked *self = (tp_checked *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->vectorcall = checked_call;
    self->function = Py_NewRef(function);
    self->count = count;
    self->parameters = PyTuple_New(count);
    if (self->parameters == NULL) goto fail;
    for (Py_ssize_t i = 0; i < count; i++)
        if (take_parameter(self, i, PyTuple_GET_ITEM(signature, i)) < 0) goto fail;
    if (take_stage(self, &self->entry, entry) < 0 || take_stage(self, &self->leaving, leaving) < 0)
        goto fail;
    self->deciding = self->leaving.all.site != NULL ? self->leaving.all.site : self->entry.all.site;
    return (PyObject *)self;
fail:
    Py_DECREF(self);
    return NULL;
}

static PyObject *checked_get(PyObject *self, PyObject *instance, PyObject *type)
{
    if (instance == NULL || instance == Py_None) return Py_NewRef(self);
    return PyMethod_New(self, instance);
}

static PyObject *checked_repr(tp_checked *self)
{
    return PyUnicode_FromFormat("<checked %R>", self->function);
}

/* Pickled by reference, as functions are. */
static PyObject *checked_reduce(PyObject *self, PyObject *unused)
{
    return PyObject_GetAttrString(self, "__qualname__");
}

static int checked_traverse(tp_checked *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->entry.all.site);
    Py_VISIT(self->entry.bare.site);
    Py_VISIT(self->entry.claims);
    Py_VISIT(self->leaving.all.site);
    Py_VISIT(self->leaving.bare.site);
    Py_VISIT(self->leaving.claims);
    Py_VISIT(self->attributes);
    for (Py_ssize_t i = 0; i < self->count; i++) Py_VISIT(self->defaults[i]);
    return 0;
}

/* Function and sites stay until the end: a call that is under way reads them. */
static int checked_clear(tp_checked *self)
{
    Py_CLEAR(self->attributes);
    for (Py_ssize_t i = 0; i < self->count; i++) Py_CLEAR(self->defaults[i]);
    return 0;
}

static void checked_dealloc(tp_checked *self)
{
    PyObject_GC_UnTrack(self);
    if (self->weak != NULL) PyObject_ClearWeakRefs((PyObject *)self);
    checked_clear(self);
    Py_CLEAR(self->function);
    for (int i = 0; i < 2; i++) {
        tp_stage *stage = i == 0 ? &self->entry : &self->leaving;
        Py_CLEAR(stage->all.site);
        Py_CLEAR(stage->bare.site);
        Py_CLEAR(stage->fields);
        Py_CLEAR(stage->claims);
    }
    Py_CLEAR(self->parameters);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef checked_methods[] = {
    {"__reduce__", checked_reduce, METH_NOARGS, NULL},
    {NULL},
};

static PyGetSetDef checked_attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL},
};

PyTypeObject tp_checked_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.Checked",
    .tp_doc = "A function whose calls are checked.",
    .tp_basicsize = sizeof(tp_checked),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL
                | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_new = checked_new,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(tp_checked, vectorcall),
    .tp_dictoffset = offsetof(tp_checked, attributes),
    .tp_weaklistoffset = offsetof(tp_checked, weak),
    .tp_descr_get = checked_get,
    .tp_repr = (reprfunc)checked_repr,
    .tp_traverse = (traverseproc)checked_traverse,
    .tp_clear = (inquiry)checked_clear,
    .tp_dealloc = (destructor)checked_dealloc,
    .tp_methods = checked_methods,
    .tp_getset = checked_attributes,
};
