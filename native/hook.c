/* The type Hook: what PyTorch calls after a module, straight to a probe. Where the probe does not
   serve this pass, or the result is of another kind, it calls what Python has for that. */
#include "ahead.h"
#include "probe.h"

#include <stddef.h>

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    tp_probe *probe;
    PyObject *head[2];   /* brick, or NULL for the end of a layer; layer */
    PyObject *names;     /* of the fields: that of the module's input, then those that are fixed */
    PyObject *fixed;     /* a tuple */
    PyObject *otherwise; /* callable(module, arguments, output) */
    Py_ssize_t part;     /* of a tuple that a module returns, the result */
    bool is_joined;      /* what it is given is the result of a layer, and where `head` begins */
    PyObject *before;    /* that layer; NULL: none */
    PyObject *writes;    /* what this part of the layer has written is looked at; NULL: nothing */
} hook;

static PyObject *str_input, *str_output;

/* The result among what a module returned, borrowed; NULL: another kind. */
static PyObject *result_of(const hook *self, PyObject *output)
{
    if (!PyTuple_CheckExact(output)) return self->part == 0 ? output : NULL;
    PyObject *found = self->part < PyTuple_GET_SIZE(output) ? PyTuple_GET_ITEM(output, self->part)
                                                            : NULL;
    return found == Py_None ? NULL : found;
}

static int end_of_layer(hook *self, PyObject *layer, PyObject *point, PyObject *value)
{
    PyObject *const arguments[] = {layer, point, value};
    PyObject *done = tp_probe_residual(self->probe, arguments, 3);
    Py_XDECREF(done);
    return done == NULL ? -1 : 1;
}

/* What a layer gave out is where the next one begins: 0, or -1 with an interrupt that goes on. */
static int see_stream(hook *self, PyObject *value)
{
    if (value != self->probe->last_output) { /* which else has been looked at */
        if (!self->is_joined) return 0;
        if (self->before != NULL && end_of_layer(self, self->before, str_output, value) < 0)
            return -1;
    }
    if (self->head[1] == Py_None) return 0;
    return end_of_layer(self, self->head[1], str_input, value) < 0 ? -1 : 0;
}

/* As `tp_probe_see`. */
static int see(hook *self, PyObject *arguments, PyObject *ret)
{
    enum { MOST = 8 };
    PyObject *inputs[MOST];
    const Py_ssize_t count = PyTuple_GET_SIZE(self->names), fixed = PyTuple_GET_SIZE(self->fixed);
    if (self->head[0] == NULL) return end_of_layer(self, self->head[1], str_output, ret);
    if (count > fixed) {
        if (!PyTuple_CheckExact(arguments) || PyTuple_GET_SIZE(arguments) < 1) return 0;
        inputs[0] = PyTuple_GET_ITEM(arguments, 0);
        if (see_stream(self, inputs[0]) < 0) return -1;
    }
    for (Py_ssize_t i = 0; i < fixed; i++)
        inputs[count - fixed + i] = PyTuple_GET_ITEM(self->fixed, i);
    return tp_probe_see(self->probe, self->head, inputs, self->names, ret);
}

static PyObject *hook_call(hook *self, PyObject *const *arguments, size_t flags, PyObject *names)
{
    if (TP_LIKELY(PyVectorcall_NARGS(flags) == 3 && names == NULL && self->probe->log != NULL
                  && self->probe->thread == PyThreadState_Get())) {
        PyObject *ret = result_of(self, arguments[2]);
        int done = ret == NULL ? 0 : see(self, arguments[1], ret);
        if (done < 0) return NULL;
        if (TP_LIKELY(done > 0)) {
            if (self->writes != NULL) tp_writes_look(self->writes, PyLong_AsSsize_t(self->head[1]));
            Py_RETURN_NONE;
        }
    }
    return PyObject_Vectorcall(self->otherwise, arguments, flags, names);
}

static int hook_init(hook *self, PyObject *arguments, PyObject *options)
{
    PyObject *probe, *brick, *layer, *names, *fixed, *otherwise;
    Py_ssize_t part;
    if (self->probe != NULL || !PyArg_ParseTuple(arguments, "O!OOO!O!On", &tp_probe_type, &probe,
                                                 &brick, &layer, &PyTuple_Type, &names,
                                                 &PyTuple_Type, &fixed, &otherwise, &part)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "made already");
        return -1;
    }
    const Py_ssize_t more = PyTuple_GET_SIZE(names) - PyTuple_GET_SIZE(fixed);
    if (more < 0 || more > 1 || PyTuple_GET_SIZE(names) > 8 || part < 0) {
        PyErr_SetString(PyExc_ValueError, "at most eight names: of the input, of what is fixed");
        return -1;
    }
    self->probe = (tp_probe *)Py_NewRef(probe);
    self->head[0] = brick == Py_None ? NULL : Py_NewRef(brick);
    self->head[1] = Py_NewRef(layer);
    self->names = Py_NewRef(names);
    self->fixed = Py_NewRef(fixed);
    self->otherwise = Py_NewRef(otherwise);
    self->part = part;
    self->vectorcall = (vectorcallfunc)hook_call;
    return 0;
}

/* join(layer or None) */
static PyObject *hook_join(hook *self, PyObject *before)
{
    self->is_joined = true;
    Py_XSETREF(self->before, before == Py_None ? NULL : Py_NewRef(before));
    Py_RETURN_NONE;
}

/* follow(Writes) */
static PyObject *hook_follow(hook *self, PyObject *writes)
{
    if (!tp_is_writes(writes) || !PyLong_CheckExact(self->head[1])) {
        PyErr_SetString(PyExc_TypeError, "the hook of a layer, and Writes");
        return NULL;
    }
    Py_XSETREF(self->writes, Py_NewRef(writes));
    Py_RETURN_NONE;
}

static PyMethodDef hook_methods[] = {
    {"join", (PyCFunction)hook_join, METH_O,
     "From now on what the module is given is the end of that layer and where its own begins."},
    {"follow", (PyCFunction)hook_follow, METH_O,
     "From now on look at what the layer has written into its cache."},
    {NULL},
};

static int hook_traverse(hook *self, visitproc visit, void *arg)
{
    Py_VISIT(self->probe);
    Py_VISIT(self->names);
    Py_VISIT(self->fixed);
    Py_VISIT(self->otherwise);
    Py_VISIT(self->writes);
    return 0;
}

static int hook_clear(hook *self)
{
    self->vectorcall = NULL;
    Py_CLEAR(self->probe);
    Py_CLEAR(self->head[0]);
    Py_CLEAR(self->head[1]);
    Py_CLEAR(self->names);
    Py_CLEAR(self->fixed);
    Py_CLEAR(self->otherwise);
    Py_CLEAR(self->before);
    Py_CLEAR(self->writes);
    return 0;
}

static void hook_dealloc(hook *self)
{
    PyObject_GC_UnTrack(self);
    hook_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyTypeObject hook_type;

void tp_hook_ahead(tp_ahead *ahead, PyObject *object)
{
    tp_ahead_add_object(ahead, object);
    if (!Py_IS_TYPE(object, &hook_type)) return;
    const hook *self = (const hook *)object;
    tp_ahead_add_object(ahead, self->names);
    tp_ahead_add_object(ahead, self->fixed);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->fixed); i++)
        tp_ahead_add_object(ahead, PyTuple_GET_ITEM(self->fixed, i));
}

static PyTypeObject hook_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.Hook",
    .tp_doc = "Hook(probe, brick or None for the end of a layer, layer, names of fields, fixed "
              "fields, what is called otherwise, which part of a tuple is the result)",
    .tp_basicsize = sizeof(hook),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(hook, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)hook_init,
    .tp_traverse = (traverseproc)hook_traverse,
    .tp_clear = (inquiry)hook_clear,
    .tp_dealloc = (destructor)hook_dealloc,
    .tp_methods = hook_methods,
};

int tp_add_hook(PyObject *module)
{
    if (!(str_input = PyUnicode_InternFromString("input"))
        || !(str_output = PyUnicode_InternFromString("output")))
        return -1;
    return PyModule_AddType(module, &hook_type);
}
