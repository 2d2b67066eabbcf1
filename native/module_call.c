/* The type ModuleCall: what PyTorch calls for a module while it is watched.

   A module that has a hook is called a slow way, which takes microseconds; one that was compiled in
   place, by what its attribute `_compiled_call_impl` holds. One of these, put there, makes the
   ordinary call, with all hooks that others have put on, and shows what came out. Where nobody has
   put any on, the ordinary call would come to `forward`, so that is called, by the same rule. */
#include "ahead.h"

#include <stddef.h>

typedef struct {
    PyObject_HEAD
    PyObject *module;
    PyObject *call;    /* the ordinary one */
    PyObject *hooks;   /* a tuple of callable(module, arguments, output) */
    PyObject *before;  /* a tuple of dicts: if one has an entry, arguments may be changed by it */
    PyObject *give_up; /* callable(): watches the module in another way from now on */
    PyObject *of_module, *of_all; /* tuples: names of its dicts of hooks; dicts of hooks of every
                                     module */
    PyObject *is_tracing;         /* callable(); these three NULL: always the ordinary call */
    uint32_t version;  /* counts changes of what will be wanted */
    tp_ahead entered, left; /* what will be wanted by who follows in a pass */
} module_call;

/* What a call of `next` will want. */
static void learn(tp_ahead *ahead, module_call *next)
{
    ahead->of = next;
    ahead->version = next->version;
    ahead->count = 0;
    tp_ahead_add(ahead, next, offsetof(module_call, entered));
    tp_ahead_add(ahead, &next->left, offsetof(tp_ahead, lines) + 12 * sizeof(char *));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(next->before); i++)
        tp_ahead_add(ahead, PyTuple_GET_ITEM(next->before, i), sizeof(PyDictObject));
    tp_ahead_add_object(ahead, next->before);
    tp_ahead_add_object(ahead, next->hooks);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(next->hooks); i++)
        tp_hook_ahead(ahead, PyTuple_GET_ITEM(next->hooks, i));
}

static PyObject *str_forward;
static tp_ahead *latest; /* of who has been called last */

/* Lets who came before know, and asks for what is wanted next. */
static inline void take_turn(module_call *self, tp_ahead *own)
{
    if (TP_UNLIKELY(latest != NULL && (latest->of != self || latest->version != self->version)))
        learn(latest, self);
    latest = own;
    tp_ahead_fetch(own);
}

static bool may_change_arguments(const module_call *self)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->before); i++)
        if (PyDict_GET_SIZE(PyTuple_GET_ITEM(self->before, i)) != 0) return true;
    return false;
}

/* 0, or -1 with the error of a hook that goes on. */
static int show(PyObject *hooks, PyObject *module, PyObject *arguments, PyObject *output)
{
    PyObject *const given[] = {NULL, module, arguments, output};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hooks); i++) {
        PyObject *done = PyObject_Vectorcall(PyTuple_GET_ITEM(hooks, i), given + 1,
                                             3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        if (TP_UNLIKELY(done == NULL)) return -1;
        Py_DECREF(done);
    }
    return 0;
}

/* Whether nobody has a hook that the ordinary call would run. */
static bool is_plain(const module_call *self, PyObject *fields)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->of_all); i++)
        if (PyDict_GET_SIZE(PyTuple_GET_ITEM(self->of_all, i)) != 0) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->of_module); i++) {
        /* Somebody may have put another dict in its place. */
        PyObject *hooks = PyDict_GetItemWithError(fields, PyTuple_GET_ITEM(self->of_module, i));
        if (hooks == NULL || !PyDict_Check(hooks) || PyDict_GET_SIZE(hooks) != 0) return false;
    }
    PyObject *state = PyObject_CallNoArgs(self->is_tracing);
    if (state == NULL) PyErr_Clear();
    Py_XDECREF(state);
    return state == Py_None;
}

/* What the ordinary call comes to. */
static PyObject *callee(const module_call *self)
{
    if (self->is_tracing == NULL) return Py_NewRef(self->call);
    PyObject *fields = PyObject_GenericGetDict(self->module, NULL), *forward = NULL;
    if (fields != NULL && is_plain(self, fields))
        forward = PyObject_GenericGetAttr(self->module, str_forward);
    Py_XDECREF(fields);
    if (forward != NULL) return forward;
    PyErr_Clear();
    return Py_NewRef(self->call);
}

static PyObject *make_call(const module_call *self, PyObject *arguments, PyObject *options)
{
    PyObject *call = callee(self);
    PyObject *output = PyObject_Call(call, arguments, options);
    Py_DECREF(call);
    return output;
}

static PyObject *module_call_call(module_call *self, PyObject *arguments, PyObject *options)
{
    if (TP_UNLIKELY(self->give_up == NULL)) {
        PyErr_SetString(PyExc_ReferenceError, "what watched this module is gone");
        return NULL;
    }
    if (TP_UNLIKELY(may_change_arguments(self))) {
        PyObject *done = PyObject_CallNoArgs(self->give_up);
        if (done == NULL) return NULL;
        Py_DECREF(done);
        return PyObject_Call(self->call, arguments, options);
    }
    take_turn(self, &self->entered);
    PyObject *output = make_call(self, arguments, options);
    if (TP_UNLIKELY(output == NULL)) return NULL;
    take_turn(self, &self->left);
    PyObject *hooks = Py_NewRef(self->hooks); /* which a hook may change */
    if (TP_UNLIKELY(show(hooks, self->module, arguments, output) < 0)) Py_CLEAR(output);
    Py_DECREF(hooks);
    return output;
}

/* shorten(names of the module's dicts of hooks, those of every module, is_tracing) */
static PyObject *shorten(module_call *self, PyObject *arguments)
{
    PyObject *of_module, *of_all, *is_tracing;
    if (!PyArg_ParseTuple(arguments, "O!O!O", &PyTuple_Type, &of_module, &PyTuple_Type, &of_all,
                          &is_tracing))
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(of_all); i++) {
        if (!PyDict_Check(PyTuple_GET_ITEM(of_all, i))) {
            PyErr_SetString(PyExc_TypeError, "hooks of every module are in dicts");
            return NULL;
        }
    }
    Py_XSETREF(self->of_module, Py_NewRef(of_module));
    Py_XSETREF(self->of_all, Py_NewRef(of_all));
    Py_XSETREF(self->is_tracing, Py_NewRef(is_tracing));
    Py_RETURN_NONE;
}

static PyMethodDef module_call_methods[] = {
    {"shorten", (PyCFunction)shorten, METH_VARARGS,
     "From now on call `forward` where these dicts are empty and nothing is being traced."},
    {NULL},
};

static int set_hooks(module_call *self, PyObject *hooks, void *unused)
{
    if (hooks == NULL || !PyTuple_CheckExact(hooks)) {
        PyErr_SetString(PyExc_TypeError, "hooks are a tuple of callables");
        return -1;
    }
    Py_SETREF(self->hooks, Py_NewRef(hooks));
    self->version++;
    return 0;
}

static PyObject *get_hooks(module_call *self, void *unused)
{
    return Py_NewRef(self->hooks);
}

static int module_call_init(module_call *self, PyObject *arguments, PyObject *options)
{
    PyObject *module, *call, *before, *give_up;
    if (self->module != NULL || !PyArg_ParseTuple(arguments, "OOO!O", &module, &call,
                                                  &PyTuple_Type, &before, &give_up)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "made already");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(before); i++) {
        if (!PyDict_Check(PyTuple_GET_ITEM(before, i))) {
            PyErr_SetString(PyExc_TypeError, "hooks that run before are in dicts");
            return -1;
        }
    }
    if ((self->hooks = PyTuple_New(0)) == NULL) return -1;
    self->module = Py_NewRef(module);
    self->call = Py_NewRef(call);
    self->before = Py_NewRef(before);
    self->give_up = Py_NewRef(give_up);
    return 0;
}

static int module_call_traverse(module_call *self, visitproc visit, void *arg)
{
    Py_VISIT(self->module);
    Py_VISIT(self->call);
    Py_VISIT(self->hooks);
    Py_VISIT(self->before);
    Py_VISIT(self->give_up);
    Py_VISIT(self->of_module);
    Py_VISIT(self->of_all);
    Py_VISIT(self->is_tracing);
    return 0;
}

static int module_call_clear(module_call *self)
{
    Py_CLEAR(self->module);
    Py_CLEAR(self->call);
    Py_CLEAR(self->hooks);
    Py_CLEAR(self->before);
    Py_CLEAR(self->give_up);
    Py_CLEAR(self->is_tracing);
    Py_CLEAR(self->of_module);
    Py_CLEAR(self->of_all);
    return 0;
}

static void module_call_dealloc(module_call *self)
{
    PyObject_GC_UnTrack(self);
    if (latest == &self->entered || latest == &self->left) latest = NULL;
    module_call_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *module_call_new(PyTypeObject *type, PyObject *arguments, PyObject *options)
{
    return type->tp_alloc(type, 0);
}

static PyGetSetDef module_call_fields[] = {
    {"hooks", (getter)get_hooks, (setter)set_hooks, "called after the module, in order", NULL},
    {NULL},
};

static PyTypeObject module_call_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.ModuleCall",
    .tp_doc = "ModuleCall(module, its ordinary call, dicts of hooks that run before, what is "
              "called once where there are such)",
    .tp_basicsize = sizeof(module_call),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_call = (ternaryfunc)module_call_call,
    .tp_new = module_call_new,
    .tp_init = (initproc)module_call_init,
    .tp_getset = module_call_fields,
    .tp_methods = module_call_methods,
    .tp_traverse = (traverseproc)module_call_traverse,
    .tp_clear = (inquiry)module_call_clear,
    .tp_dealloc = (destructor)module_call_dealloc,
};

int tp_add_module_call(PyObject *module)
{
    if (!(str_forward = PyUnicode_InternFromString("forward"))) return -1;
    return PyModule_AddType(module, &module_call_type);
}
