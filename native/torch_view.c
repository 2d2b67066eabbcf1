/* CPU tensors of torch, recognised by their type's name: this process may never import torch. */
#include "dlpack.h"
#include "measure.h"

#include <string.h>

static PyTypeObject *tensor_types[2]; /* torch.Tensor and torch.nn.Parameter, as last seen */
static const void *exchanges[2]; /* how these say where they lie; NULL: they have no such table */
static PyObject *str_is_neg;
static PyObject *strided_layout;
static PyObject *dtypes[TP_DTYPES]; /* torch's dtype objects, once they were seen */
static const char *const dtype_names[TP_DTYPES] = {
    [TP_F64] = "torch.float64", [TP_F32] = "torch.float32",   [TP_F16] = "torch.float16",
    [TP_BF16] = "torch.bfloat16", [TP_I8] = "torch.int8",     [TP_I16] = "torch.int16",
    [TP_I32] = "torch.int32",   [TP_I64] = "torch.int64",     [TP_U8] = "torch.uint8",
    [TP_U16] = "torch.uint16",  [TP_U32] = "torch.uint32",    [TP_U64] = "torch.uint64",
    [TP_BOOL] = "torch.bool",
};
static const unsigned char itemsizes[TP_DTYPES] = {8, 4, 2, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1};

static bool reads(PyObject *text, const char *expected)
{
    return text != NULL && PyUnicode_Check(text)
        && PyUnicode_CompareWithASCIIString(text, expected) == 0;
}

/* Whether str(object) is `expected`. */
static bool is_called(PyObject *object, const char *expected)
{
    PyObject *text = PyObject_Str(object);
    bool same = reads(text, expected);
    Py_XDECREF(text);
    return same;
}

/* Which of `tensor_types` a type is, or -1. */
static int which_tensor(PyTypeObject *type)
{
    if (type == tensor_types[0]) return 0;
    if (type == tensor_types[1]) return 1;
    int which = strcmp(type->tp_name, "Tensor") == 0      ? 0
                : strcmp(type->tp_name, "Parameter") == 0 ? 1
                                                          : -1;
    if (which < 0) return -1;
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    bool found = reads(module, which == 0 ? "torch" : "torch.nn.parameter");
    Py_XDECREF(module);
    if (!found) return -1;
    Py_XSETREF(tensor_types[which], (PyTypeObject *)Py_NewRef((PyObject *)type));
    exchanges[which] = tp_dlpack_of(type);
    return which;
}

static int dtype_of(PyObject *tensor)
{
    PyObject *dtype = PyObject_GetAttrString(tensor, "dtype");
    if (dtype == NULL) return -1;
    int found = -1;
    for (int i = 0; i < TP_DTYPES && found < 0; i++) {
        if (dtypes[i] == dtype) found = i;
    }
    for (int i = 0; i < TP_DTYPES && found < 0; i++) {
        if (dtypes[i] == NULL && is_called(dtype, dtype_names[i])) {
            dtypes[i] = Py_NewRef(dtype);
            found = i;
        }
    }
    Py_DECREF(dtype);
    return found;
}

static bool is_on_cpu(PyObject *tensor)
{
    PyObject *device = PyObject_GetAttrString(tensor, "device");
    PyObject *type = device == NULL ? NULL : PyObject_GetAttrString(device, "type");
    bool found = reads(type, "cpu");
    Py_XDECREF(device);
    Py_XDECREF(type);
    return found;
}

static bool is_strided(PyObject *tensor)
{
    PyObject *layout = PyObject_GetAttrString(tensor, "layout");
    if (layout == NULL) return false;
    bool found = layout == strided_layout;
    if (!found && strided_layout == NULL && is_called(layout, "torch.strided")) {
        strided_layout = Py_NewRef(layout);
        found = true;
    }
    Py_DECREF(layout);
    return found;
}

/* Whether a method without arguments returns False. */
static bool denies(PyObject *tensor, const char *method)
{
    PyObject *answer = PyObject_CallMethod(tensor, method, NULL);
    Py_XDECREF(answer);
    return answer == Py_False;
}

/* A tuple of up to TP_MAX_DIMS integers; its length, or -1. */
static int read_sizes(PyObject *sizes, Py_ssize_t *to)
{
    Py_ssize_t n = sizes != NULL && PyTuple_Check(sizes) ? PyTuple_GET_SIZE(sizes) : -1;
    if (n > TP_MAX_DIMS) n = -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        to[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(sizes, i));
        if (to[i] == -1 && PyErr_Occurred()) return -1;
    }
    return (int)n;
}

static int read_tensor(PyObject *tensor, tp_view *view)
{
    int dtype = dtype_of(tensor);
    /* A tensor whose conjugate or negative bit is set does not hold its values. */
    if (dtype < 0 || !is_on_cpu(tensor) || !is_strided(tensor) || !denies(tensor, "is_conj")
        || !denies(tensor, "is_neg"))
        return 0;
    PyObject *shape = PyObject_GetAttrString(tensor, "shape");
    view->ndim = read_sizes(shape, view->shape);
    Py_XDECREF(shape);
    if (view->ndim < 0) return 0;
    PyObject *strides = PyObject_CallMethod(tensor, "stride", NULL);
    int ndim = read_sizes(strides, view->strides);
    Py_XDECREF(strides);
    PyObject *address = ndim == view->ndim ? PyObject_CallMethod(tensor, "data_ptr", NULL) : NULL;
    if (address == NULL) return 0;
    view->data = PyLong_AsVoidPtr(address);
    Py_DECREF(address);
    view->dtype = (tp_dtype)dtype;
    view->itemsize = itemsizes[dtype];
    bool empty = false;
    for (int axis = 0; axis < ndim; axis++) {
        view->strides[axis] *= view->itemsize;
        empty |= view->shape[axis] == 0;
    }
    return view->data != NULL || empty;
}

/* Whether the tensor holds its values, and not their negatives. */
static bool is_as_it_lies(PyObject *tensor)
{
    if (str_is_neg == NULL && !(str_is_neg = PyUnicode_InternFromString("is_neg"))) return false;
    PyObject *answer = PyObject_CallMethodNoArgs(tensor, str_is_neg);
    Py_XDECREF(answer);
    return answer == Py_False;
}

/* What a tensor of Python is a handle of; NULL: no tensor. */
static const char *handled_by(PyObject *value)
{
    const char *held;
    PyTypeObject *type = Py_TYPE(value);
    if (type != tensor_types[0] || (size_t)type->tp_basicsize < sizeof(PyObject) + sizeof held)
        return NULL;
    memcpy(&held, value + 1, sizeof held);
    return held;
}

void tp_view_ahead(PyObject *value)
{
    enum { LINES = 4, LINE = 64 };
    const char *held = handled_by(value);
    if (held == NULL) return;
    for (int i = 0; i < LINES; i++) __builtin_prefetch(held + i * LINE);
}

void tp_view_ahead_of_data(PyObject *value)
{
    enum { STORAGE = 2 * sizeof(void *) }; /* after a table of functions and a count */
    const char *held = handled_by(value), *storage;
    if (held == NULL) return;
    memcpy(&storage, held + STORAGE, sizeof storage);
    __builtin_prefetch(storage);
    __builtin_prefetch(storage + 64);
}

int tp_view_of_tensor(PyObject *value, tp_view *view)
{
    int which = which_tensor(Py_TYPE(value));
    int understood = 0;
    if (which >= 0 && exchanges[which] != NULL)
        understood = is_as_it_lies(value) && tp_view_of_dlpack(exchanges[which], value, view);
    else if (which >= 0)
        understood = read_tensor(value, view);
    if (!understood) PyErr_Clear();
    return understood;
}
