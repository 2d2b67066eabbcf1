/* Which memory will be wanted soon. */
#include "ahead.h"

#include "numpy_api.h"

enum { COLLECTED = 2 * sizeof(void *) }; /* what the garbage collector keeps before an object */

void tp_ahead_add(tp_ahead *ahead, const void *from, size_t size)
{
    const char *line = (const char *)((uintptr_t)from & ~(uintptr_t)(TP_LINE - 1));
    const char *end = size != 0 ? (const char *)from + size : line;
    for (; line < end && ahead->count < TP_MOST_LINES; line += TP_LINE)
        ahead->lines[ahead->count++] = line;
}

void tp_ahead_add_object(tp_ahead *ahead, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    size_t size = (size_t)type->tp_basicsize;
    if (PyTuple_CheckExact(object)) size += (size_t)PyTuple_GET_SIZE(object) * sizeof(PyObject *);
    const size_t before = PyType_IS_GC(type) ? COLLECTED : 0;
    tp_ahead_add(ahead, (const char *)object - before, size + before);
    if (PyArray_CheckExact(object) && PyArray_NDIM((PyArrayObject *)object) > 0)
        tp_ahead_add(ahead, PyArray_DIMS((PyArrayObject *)object), sizeof(npy_intp));
}
