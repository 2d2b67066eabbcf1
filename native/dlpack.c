/* DLPack's table of C functions (dlpack.h 1.3, `__dlpack_c_exchange_api__` of a type): where a
   tensor lies, without making a Python object. */
#include "dlpack.h"

#include "measure.h"

typedef struct {
    uint32_t major, minor;
} dl_version;

typedef struct {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;

typedef struct {
    dl_version version;
    void *previous;
    void *allocate, *managed_from_object, *managed_to_object;
    int (*tensor_from_object)(void *object, dl_tensor *tensor);
} dl_exchange;

enum { DL_MAJOR = 1, DL_CPU = 1 };
enum { DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BFLOAT = 4, DL_BOOL = 6 };

const void *tp_dlpack_of(PyTypeObject *type)
{
    PyObject *capsule = PyObject_GetAttrString((PyObject *)type, "__dlpack_c_exchange_api__");
    const dl_exchange *exchange =
        capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    Py_XDECREF(capsule); /* the table lives as long as the process */
    PyErr_Clear();
    bool is_known = exchange != NULL && exchange->version.major == DL_MAJOR;
    return is_known ? (const void *)exchange->tensor_from_object : NULL;
}

static int dtype_of(const dl_tensor *tensor)
{
    if (tensor->lanes != 1) return -1;
    switch (tensor->code << 8 | tensor->bits) {
    case DL_FLOAT << 8 | 64: return TP_F64;
    case DL_FLOAT << 8 | 32: return TP_F32;
    case DL_FLOAT << 8 | 16: return TP_F16;
    case DL_BFLOAT << 8 | 16: return TP_BF16;
    case DL_INT << 8 | 8: return TP_I8;
    case DL_INT << 8 | 16: return TP_I16;
    case DL_INT << 8 | 32: return TP_I32;
    case DL_INT << 8 | 64: return TP_I64;
    case DL_UINT << 8 | 8: return TP_U8;
    case DL_UINT << 8 | 16: return TP_U16;
    case DL_UINT << 8 | 32: return TP_U32;
    case DL_UINT << 8 | 64: return TP_U64;
    case DL_BOOL << 8 | 8: return TP_BOOL;
    default: return -1;
    }
}

bool tp_view_of_dlpack(const void *how, PyObject *value, tp_view *view)
{
    int (*tensor_from_object)(void *, dl_tensor *) = (int (*)(void *, dl_tensor *))how;
    dl_tensor tensor;
    if (tensor_from_object(value, &tensor) != 0) {
        PyErr_Clear();
        return false;
    }
    int dtype = dtype_of(&tensor);
    if (dtype < 0 || tensor.device_type != DL_CPU || tensor.ndim < 0 || tensor.ndim > TP_MAX_DIMS)
        return false;
    bool is_empty = false;
    view->ndim = tensor.ndim;
    view->dtype = (tp_dtype)dtype;
    view->itemsize = tensor.bits / 8;
    view->data = (char *)tensor.data + tensor.byte_offset;
    for (int axis = 0; axis < tensor.ndim; axis++) {
        view->shape[axis] = (Py_ssize_t)tensor.shape[axis];
        view->strides[axis] = (Py_ssize_t)tensor.strides[axis] * view->itemsize;
        is_empty |= tensor.shape[axis] == 0;
    }
    return tensor.data != NULL || is_empty;
}
