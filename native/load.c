/* Elements of every dtype become float32 or float64 that follow each other. */
#include "measure.h"

#include <string.h>

#define GATHER(type, convert)                                                                      \
    for (Py_ssize_t i = 0; i < n; i++, from += stride) {                                           \
        type x;                                                                                    \
        memcpy(&x, from, sizeof x);                                                                \
        to[i] = convert;                                                                           \
    }                                                                                              \
    break

static const unsigned char itemsizes[TP_DTYPES] = {8, 4, 2, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1};

/* Narrow floats that lie apart are brought together first: their conversion is in the kernels. */
static void gather_halves(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n,
                          double *to)
{
    char together[2 * 64];
    for (Py_ssize_t start = 0; start < n; start += 64) {
        Py_ssize_t count = n - start < 64 ? n - start : 64;
        for (Py_ssize_t i = 0; i < count; i++, from += stride) memcpy(together + 2 * i, from, 2);
        tp_kernels_in_use->to_f64[dtype](together, count, to + start);
    }
}

void tp_load(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, double *to)
{
    if (stride == itemsizes[dtype]) {
        tp_kernels_in_use->to_f64[dtype](from, n, to);
        return;
    }
    switch (dtype) {
    case TP_F64: GATHER(double, x);
    case TP_F32: GATHER(float, x);
    case TP_I8: GATHER(int8_t, x);
    case TP_I16: GATHER(int16_t, x);
    case TP_I32: GATHER(int32_t, x);
    case TP_I64: GATHER(int64_t, (double)x);
    case TP_U8: GATHER(uint8_t, x);
    case TP_U16: GATHER(uint16_t, x);
    case TP_U32: GATHER(uint32_t, x);
    case TP_U64: GATHER(uint64_t, (double)x);
    case TP_BOOL: GATHER(uint8_t, x != 0);
    default: gather_halves(dtype, from, stride, n, to);
    }
}

tp_span tp_span_copy(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, void *room)
{
    if (stride == itemsizes[dtype] && tp_kernels_in_use->to_f32[dtype] != NULL) {
        tp_kernels_in_use->to_f32[dtype](from, n, room);
        return (tp_span){room, true};
    }
    tp_load(dtype, from, stride, n, room);
    return (tp_span){room, false};
}

tp_span tp_span_of(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, void *room)
{
    if (tp_usable_in_place(dtype, stride)) return (tp_span){from, dtype == TP_F32};
    return tp_span_copy(dtype, from, stride, n, room);
}
