/* Views: how the elements of an array of any library lie in memory. */
#define TP_IMPORTS_NUMPY
#include "measure.h"

#include "numpy_api.h"

static int bfloat16_number = -1; /* NumPy's number of the type of ml_dtypes, once it was seen */

static int dtype_of_kind(char kind, Py_ssize_t itemsize)
{
    switch (kind) {
    case 'f': return itemsize == 4 ? TP_F32 : itemsize == 8 ? TP_F64 : itemsize == 2 ? TP_F16 : -1;
    case 'i':
        return itemsize == 1 ? TP_I8 : itemsize == 2 ? TP_I16 : itemsize == 4 ? TP_I32
             : itemsize == 8 ? TP_I64 : -1;
    case 'u':
        return itemsize == 1 ? TP_U8 : itemsize == 2 ? TP_U16 : itemsize == 4 ? TP_U32
             : itemsize == 8 ? TP_U64 : -1;
    case 'b': return itemsize == 1 ? TP_BOOL : -1;
    default: return -1;
    }
}

static int dtype_of_descr(PyArray_Descr *descr)
{
    int number = descr->type_num;
    if (TP_LIKELY(PyDataType_ISNOTSWAPPED(descr))) {
        if (number == NPY_FLOAT) return TP_F32;
        if (number < NPY_NTYPES_LEGACY) return dtype_of_kind(descr->kind, PyDataType_ELSIZE(descr));
        if (number == bfloat16_number) return TP_BF16;
        /* ml_dtypes registers its types when it is imported; their numbers never change. */
        const char *name = strrchr(descr->typeobj->tp_name, '.');
        name = name == NULL ? descr->typeobj->tp_name : name + 1;
        if (PyTypeNum_ISUSERDEF(number) && strcmp(name, "bfloat16") == 0
            && PyDataType_ELSIZE(descr) == 2) {
            bfloat16_number = number;
            return TP_BF16;
        }
    }
    return -1;
}

/* The rest of a view whose data, dtype, ndim, shape and strides are set. */
static void complete(tp_view *view)
{
    Py_ssize_t size = 1;
    bool contiguous = true;
    for (int axis = view->ndim - 1; axis >= 0; axis--) {
        if (view->shape[axis] != 1 && view->strides[axis] != size * view->itemsize)
            contiguous = false;
        size *= view->shape[axis];
    }
    view->size = size;
    view->contiguous = contiguous || size == 0;
    view->buffer = NULL;
}

static int view_of_array(PyArrayObject *array, tp_view *view)
{
    const int ndim = PyArray_NDIM(array), dtype = dtype_of_descr(PyArray_DESCR(array));
    if (TP_UNLIKELY(ndim > TP_MAX_DIMS || dtype < 0)) return 0;
    Py_ssize_t size = 1;
    for (int axis = 0; axis < ndim; axis++) {
        view->shape[axis] = PyArray_DIM(array, axis);
        view->strides[axis] = PyArray_STRIDE(array, axis);
        size *= view->shape[axis];
    }
    view->data = PyArray_BYTES(array);
    view->size = size;
    view->ndim = ndim;
    view->itemsize = (int)PyArray_ITEMSIZE(array);
    view->dtype = (tp_dtype)dtype;
    view->contiguous = PyArray_IS_C_CONTIGUOUS(array);
    view->buffer = NULL;
    return 1;
}

static int dtype_of_format(const char *format, Py_ssize_t itemsize)
{
    if (format == NULL) return itemsize == 1 ? TP_U8 : -1;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (*format == '@' || *format == '=' || *format == '<') format++;
#else
    if (*format == '@' || *format == '=' || *format == '>' || *format == '!') format++;
#endif
    if (format[0] == '\0' || format[1] != '\0') return -1;
    if (strchr("efd", *format) != NULL) return dtype_of_kind('f', itemsize);
    if (strchr("bhilqn", *format) != NULL) return dtype_of_kind('i', itemsize);
    if (strchr("BHILQN", *format) != NULL) return dtype_of_kind('u', itemsize);
    return *format == '?' ? dtype_of_kind('b', itemsize) : -1;
}

static int view_of_buffer(PyObject *value, tp_view *view)
{
    Py_buffer *buffer = PyMem_Malloc(sizeof *buffer);
    if (buffer == NULL) return 0;
    if (PyObject_GetBuffer(value, buffer, PyBUF_RECORDS_RO) < 0) {
        PyErr_Clear();
        PyMem_Free(buffer);
        return 0;
    }
    int dtype = dtype_of_format(buffer->format, buffer->itemsize);
    if (dtype < 0 || buffer->ndim > TP_MAX_DIMS) {
        PyBuffer_Release(buffer);
        PyMem_Free(buffer);
        return 0;
    }
    view->data = buffer->buf;
    view->dtype = (tp_dtype)dtype;
    view->itemsize = (int)buffer->itemsize;
    view->ndim = buffer->ndim;
    for (int axis = 0; axis < buffer->ndim; axis++) {
        view->shape[axis] = buffer->shape[axis];
        view->strides[axis] = buffer->strides[axis];
    }
    complete(view);
    view->buffer = buffer;
    return 1;
}

int tp_view_of(PyObject *value, tp_view *view)
{
    if (TP_LIKELY(PyArray_CheckExact(value))) return view_of_array((PyArrayObject *)value, view);
    /* Subclasses have rules of their own; NumPy's scalars show some types as plain bytes; to NumPy
       a `bytes` is text. */
    if (PyArray_Check(value) || PyArray_IsScalar(value, Generic) || PyBytes_Check(value)) return 0;
    if (PyObject_CheckBuffer(value)) return view_of_buffer(value, view);
    return tp_view_of_tensor(value, view) ? (complete(view), 1) : 0;
}

void tp_view_release(tp_view *view)
{
    if (view->buffer == NULL) return;
    PyBuffer_Release(view->buffer);
    PyMem_Free(view->buffer);
    view->buffer = NULL;
}

int tp_import_numpy(void)
{
    import_array1(-1);
    return 0;
}
