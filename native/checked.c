/* A checked function: the decorator `@tracepact.contract` as a vectorcall wrapper. */
#include "tracing.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    tp_site *site;
    PyObject *fallback;   /* called with (args, kwargs, ret) where the plan does not pass */
    PyObject *parameters; /* tuple in order: interned names; None where no keyword reaches it */
    PyObject *attributes; /* __dict__ */
    PyObject *weak;
    Py_ssize_t positional;               /* parameters that may be given by position */
    int16_t field_of[TP_MAX_FIELDS];     /* of a parameter: where the plan keeps it, or -1 */
    int16_t ret;                         /* where the plan keeps the result, or -1 */
    PyObject *defaults[TP_MAX_FIELDS];   /* of a field whose parameter has one */
} tp_checked;

static PyObject *look_closer(tp_checked *self, PyObject *const *arguments, Py_ssize_t count,
                             PyObject *names, PyObject *result)
{
    PyObject *by_position = PyTuple_New(count), *by_name = PyDict_New(), *done = NULL;
    if (by_position == NULL || by_name == NULL) goto end;
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SET_ITEM(by_position, i, Py_NewRef(arguments[i]));
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < named; i++)
        if (PyDict_SetItem(by_name, PyTuple_GET_ITEM(names, i), arguments[count + i]) < 0) goto end;
    done = PyObject_CallFunctionObjArgs(self->fallback, by_position, by_name, result, NULL);
end:
    Py_XDECREF(by_position);
    Py_XDECREF(by_name);
    return done;
}

static Py_ssize_t parameter(tp_checked *self, PyObject *name)
{
    Py_ssize_t count = PyTuple_GET_SIZE(self->parameters);
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyTuple_GET_ITEM(self->parameters, i) == name) return i;
    if (TP_LIKELY(PyUnicode_CHECK_INTERNED(name))) return -1;
    for (Py_ssize_t i = 0; i < count; i++) { /* as in f(**json.loads(…)) */
        PyObject *known = PyTuple_GET_ITEM(self->parameters, i);
        if (known != Py_None && PyUnicode_Compare(known, name) == 0) return i;
    }
    return -1;
}

static PyObject *checked_call(PyObject *object, PyObject *const *arguments, size_t flags,
                              PyObject *names)
{
    tp_checked *self = (tp_checked *)object;
    tp_site *site = self->site;
    PyObject *result = PyObject_Vectorcall(self->function, arguments, flags, names);
    if (TP_UNLIKELY(result == NULL)) return NULL;
    int admits = tp_site_admits(site);
    if (TP_UNLIKELY(admits <= 0)) {
        if (admits < 0) Py_CLEAR(result);
        return result;
    }
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *values[TP_MAX_FIELDS];
    for (Py_ssize_t i = 0; i < site->fields; i++) values[i] = self->defaults[i];
    Py_ssize_t given = count < self->positional ? count : self->positional;
    for (Py_ssize_t i = 0; i < given; i++)
        if (self->field_of[i] >= 0) values[self->field_of[i]] = arguments[i];
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < named; i++) {
        Py_ssize_t at = parameter(self, PyTuple_GET_ITEM(names, i));
        if (at >= 0 && self->field_of[at] >= 0) values[self->field_of[at]] = arguments[count + i];
    }
    if (self->ret >= 0) values[self->ret] = result;
    if (TP_LIKELY(tp_site_run(site, values) == TP_HOLDS)) return result;
    PyObject *done = look_closer(self, arguments, count, names, result);
    if (done == NULL) Py_CLEAR(result); /* the policy says `raise` */
    Py_XDECREF(done);
    return result;
}

/* Checked(function, site, fallback, ((name, by_position, by_name, has_default, default), …)) */
static PyObject *checked_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *function, *site_object, *fallback, *signature;
    if (!PyArg_ParseTuple(arguments, "OO!OO!", &function, tp_site_type, &site_object, &fallback,
                          &PyTuple_Type, &signature))
        return NULL;
    tp_site *site = (tp_site *)site_object;
    Py_ssize_t count = PyTuple_GET_SIZE(signature);
    if (count > TP_MAX_FIELDS || !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_ValueError, "not a function of a few parameters");
        return NULL;
    }
    tp_checked *self = (tp_checked *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->vectorcall = checked_call;
    self->function = Py_NewRef(function);
    self->site = (tp_site *)Py_NewRef(site);
    self->fallback = Py_NewRef(fallback);
    self->parameters = PyTuple_New(count);
    self->ret = -1;
    if (self->parameters == NULL) goto fail;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name, *value;
        int by_position, by_name, has_default;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(signature, i), "UpppO", &name, &by_position,
                              &by_name, &has_default, &value))
            goto fail;
        Py_INCREF(name);
        PyUnicode_InternInPlace(&name);
        PyTuple_SET_ITEM(self->parameters, i, by_name ? name : Py_NewRef(Py_None));
        if (by_position && self->positional == i) self->positional++;
        Py_ssize_t at = tp_site_index(site, name, i);
        self->field_of[i] = (int16_t)at;
        if (at >= 0 && has_default) Py_XSETREF(self->defaults[at], Py_NewRef(value));
        if (!by_name) Py_DECREF(name);
    }
    PyObject *ret = PyUnicode_InternFromString("ret");
    if (ret == NULL) goto fail;
    self->ret = (int16_t)tp_site_index(site, ret, 0);
    Py_DECREF(ret);
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
    Py_VISIT(self->site);
    Py_VISIT(self->fallback);
    Py_VISIT(self->attributes);
    for (Py_ssize_t i = 0; i < TP_MAX_FIELDS; i++) Py_VISIT(self->defaults[i]);
    return 0;
}

/* Function and site stay until the end: a call that is under way reads them. */
static int checked_clear(tp_checked *self)
{
    Py_CLEAR(self->attributes);
    Py_CLEAR(self->fallback);
    for (Py_ssize_t i = 0; i < TP_MAX_FIELDS; i++) Py_CLEAR(self->defaults[i]);
    return 0;
}

static void checked_dealloc(tp_checked *self)
{
    PyObject_GC_UnTrack(self);
    if (self->weak != NULL) PyObject_ClearWeakRefs((PyObject *)self);
    checked_clear(self);
    Py_CLEAR(self->function);
    Py_CLEAR(self->site);
    Py_CLEAR(self->parameters);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef checked_methods[] = {
    {"__reduce__", checked_reduce, METH_NOARGS, NULL},
    {NULL},
};

static PyMemberDef checked_members[] = {
    {"site", T_OBJECT, offsetof(tp_checked, site), READONLY, "What checks the calls."},
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
    .tp_members = checked_members,
    .tp_getset = checked_attributes,
};
