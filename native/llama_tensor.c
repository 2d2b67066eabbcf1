/* Tensors of llama.cpp as they lie in memory. */
#include "llama.h"

#include <string.h>

int tp_llama_layout_of(PyObject *parts, tp_llama_layout *layout)
{
    unsigned long long nbytes, is_host;
    if (!PyArg_ParseTuple(parts, "nnnnnnnnnniiiiiiKK", &layout->type, &layout->buffer, &layout->ne,
                          &layout->nb, &layout->op, &layout->op_params, &layout->src,
                          &layout->view_src, &layout->data, &layout->name, &layout->sources,
                          &layout->f32, &layout->f16, &layout->bf16, &layout->i64, &layout->i32,
                          &nbytes, &is_host))
        return -1;
    const Py_ssize_t places[] = {layout->type, layout->buffer,    layout->ne,
                                 layout->nb,   layout->op,        layout->op_params,
                                 layout->src,  layout->view_src,  layout->data,
                                 layout->name};
    bool is_sound = nbytes != 0 && is_host != 0 && layout->sources >= 1 && layout->sources <= 64;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        is_sound &= places[i] >= 0 && places[i] < 4096;
    if (!is_sound) {
        PyErr_SetString(PyExc_ValueError, "not the layout of a tensor");
        return -1;
    }
    layout->nbytes = (size_t (*)(const void *))(uintptr_t)nbytes;
    layout->is_host = (bool (*)(const void *))(uintptr_t)is_host;
    return 0;
}

static const void *pointer_at(const char *tensor, Py_ssize_t at)
{
    const void *pointer;
    memcpy(&pointer, tensor + at, sizeof pointer);
    return pointer;
}

static int dtype_of(const tp_llama_layout *layout, const char *tensor)
{
    int32_t type;
    memcpy(&type, tensor + layout->type, sizeof type);
    return type < 0                ? -1
           : type == layout->f32   ? TP_F32
           : type == layout->f16   ? TP_F16
           : type == layout->bf16  ? TP_BF16
                                   : -1;
}

/* Sizes and strides, innermost first as the library has them, and the bytes that they reach over;
   -1 where these cannot be. */
static int64_t read_axes(const tp_llama_layout *layout, const char *tensor, int itemsize,
                         int64_t ne[TP_LLAMA_DIMS], int64_t nb[TP_LLAMA_DIMS])
{
    int64_t bytes = itemsize;
    memcpy(ne, tensor + layout->ne, TP_LLAMA_DIMS * sizeof *ne);
    memcpy(nb, tensor + layout->nb, TP_LLAMA_DIMS * sizeof *nb);
    for (int i = 0; i < TP_LLAMA_DIMS; i++) {
        int64_t reach;
        if (ne[i] < 1 || nb[i] < 0 || __builtin_mul_overflow(ne[i] - 1, nb[i], &reach)
            || __builtin_add_overflow(bytes, reach, &bytes))
            return -1;
    }
    return bytes;
}

static inline int itemsize_of(int dtype) { return dtype == TP_F32 ? 4 : 2; }

bool tp_llama_is_sound(const tp_llama_layout *layout, const char *tensor)
{
    int64_t ne[TP_LLAMA_DIMS], nb[TP_LLAMA_DIMS];
    const int dtype = dtype_of(layout, tensor);
    if (dtype < 0) return true; /* it is never read */
    const int64_t bytes = read_axes(layout, tensor, itemsize_of(dtype), ne, nb);
    return bytes < 0 || (uint64_t)bytes == layout->nbytes(tensor); /* nor is what has no size */
}

/* A graph lies in few buffers, and calling into the library brings its code into the caches. */
static bool is_host(const tp_llama_layout *layout, const void *buffer)
{
    enum { KNOWN = sizeof layout->hosts->buffers / sizeof *layout->hosts->buffers };
    tp_llama_hosts *hosts = layout->hosts;
    for (int i = 0; i < KNOWN; i++)
        if (hosts->buffers[i] == buffer) return true;
    if (!layout->is_host(buffer)) return false;
    hosts->buffers[hosts->next++ % KNOWN] = buffer;
    return true;
}

bool tp_llama_value(const tp_llama_layout *layout, const char *tensor, int ndim, tp_value *value)
{
    tp_view *view = &value->view;
    int64_t ne[TP_LLAMA_DIMS], nb[TP_LLAMA_DIMS];
    const int dtype = dtype_of(layout, tensor);
    const void *buffer = pointer_at(tensor, layout->buffer);
    const char *data = pointer_at(tensor, layout->data);
    if (dtype < 0 || data == NULL || buffer == NULL || !is_host(layout, buffer)) return false;
    view->itemsize = itemsize_of(dtype);
    if (read_axes(layout, tensor, view->itemsize, ne, nb) < 0) return false;
    for (int i = ndim; i < TP_LLAMA_DIMS; i++)
        if (ne[i] != 1) return false;
    Py_ssize_t size = 1;
    bool contiguous = true;
    for (int i = 0; i < ndim; i++) {
        view->shape[ndim - 1 - i] = ne[i];
        view->strides[ndim - 1 - i] = nb[i];
        contiguous &= ne[i] == 1 || nb[i] == size * view->itemsize;
        if (__builtin_mul_overflow(size, ne[i], &size)) return false;
    }
    value->is_scalar = false;
    view->data = data;
    view->dtype = (tp_dtype)dtype;
    view->ndim = ndim;
    view->size = size;
    view->contiguous = contiguous;
    view->buffer = NULL;
    return true;
}

static uintptr_t end_of(const tp_llama_layout *layout, const char *tensor)
{
    int64_t ne[TP_LLAMA_DIMS], nb[TP_LLAMA_DIMS];
    const int dtype = dtype_of(layout, tensor);
    const int64_t bytes = dtype < 0 ? -1 : read_axes(layout, tensor, itemsize_of(dtype), ne, nb);
    return (uintptr_t)pointer_at(tensor, layout->data)
           + (bytes < 0 ? layout->nbytes(tensor) : (size_t)bytes);
}

/* Whether two tensors may share memory. */
static bool overlap(const tp_llama_layout *layout, const char *a, const char *b)
{
    const uintptr_t first = (uintptr_t)pointer_at(a, layout->data);
    const uintptr_t second = (uintptr_t)pointer_at(b, layout->data);
    return first < end_of(layout, b) && second < end_of(layout, a);
}

const char *tp_llama_source(const tp_llama_layout *layout, const char *tensor, const int8_t *path,
                            int steps)
{
    const char *passed[TP_LLAMA_STEPS];
    for (int i = 0; i < steps; i++) {
        if (path[i] >= layout->sources) return NULL;
        passed[i] = tensor;
        tensor = pointer_at(tensor, layout->src + path[i] * (Py_ssize_t)sizeof(void *));
        if (tensor == NULL) return NULL;
    }
    for (int i = 0; i < steps; i++)
        if (overlap(layout, passed[i], tensor)) return NULL;
    return tensor;
}
