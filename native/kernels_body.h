/* The kernels; each instruction set includes this once, after it has defined

   BYTES               of a vector
   MIN_F, MAX_F, MIN_D, MAX_D   of two vectors: the second where either is NaN (or the number)
   MUL_ADD_F, MUL_ADD_D         a * b + c
   TAIL_F, TAIL_D(p, n, fill)   the n < LANES elements at p, the lanes after them taken from fill
   LOWER(v), UPPER(v)           half of a vector of float32 as float64
   half_to_float(p)    BYTES / 4 float16 at p as float32
   PIN(v)              keeps a vector in a register
   SUM_F, SUM_D, LEAST_D, MOST_D   of one vector (optional)
   VBITS, MIN_U, MAX_U, MAX_I   vectors of 32-bit integers, their extremes without and with sign
                       (optional; then LEAST_U, MOST_U, MOST_I of one vector go with SUM_D)
   KERNELS, ISA        name of the table, name of the instruction set

   and has opened the region of code that is compiled for it. No -ffast-math: NaN counts. */

typedef float VF __attribute__((vector_size(BYTES)));
typedef double VD __attribute__((vector_size(BYTES)));
typedef float VH __attribute__((vector_size(BYTES / 2)));
typedef VF VF_any __attribute__((aligned(1), may_alias));
typedef VD VD_any __attribute__((aligned(1), may_alias));
typedef VH VH_any __attribute__((aligned(1), may_alias));
typedef float float_any __attribute__((aligned(1), may_alias));
typedef double double_any __attribute__((aligned(1), may_alias));
typedef uint32_t VUINT __attribute__((vector_size(BYTES)));
enum { LANES_F = BYTES / 4, LANES_D = BYTES / 8 };

/* Row sums add 8 vectors in pairs, then as many of these in their own type before the sum is
   widened: no element goes through more than 7 roundings of 2**-24, 6 of them in trees. Widening,
   which takes as long as all the rest of such a tree, is seldom. */
enum { TREES = 4 };

/* Asks for the 8 vectors that are 4 KiB after `x`, even if they are not part of the array: from
   memory, rows then come as fast as a plain sum takes them; without, 1.3 times slower. */
static inline __attribute__((always_inline)) void fetch_ahead(const void *x)
{
    for (uintptr_t i = 0; i < 8 * BYTES; i += 64)
        __builtin_prefetch((const void *)((uintptr_t)x + 4096 + i));
}

/* Reductions of one vector, where the instruction set has none that is better. */
#ifndef SUM_D
#define REDUCE(name, vector, type, join)                                                           \
    static inline __attribute__((always_inline)) type name(vector v)                               \
    {                                                                                              \
        enum { LANES = sizeof(vector) / sizeof(type) };                                            \
        type x[LANES];                                                                             \
        memcpy(x, &v, sizeof x);                                                                   \
        for (int half = LANES / 2; half > 0; half /= 2) {                                          \
            for (int i = 0; i < half; i++) x[i] = join(x[i], x[i + half]);                         \
        }                                                                                          \
        return x[0];                                                                               \
    }
#define ADD_SCALAR(a, b) ((a) + (b))
#define MIN_SCALAR(a, b) ((a) < (b) ? (a) : (b))
#define MAX_SCALAR(a, b) ((a) > (b) ? (a) : (b))
REDUCE(sum_f, VF, float, ADD_SCALAR)
REDUCE(sum_d, VD, double, ADD_SCALAR)
REDUCE(least_d, VD, double, MIN_SCALAR)
REDUCE(most_d, VD, double, MAX_SCALAR)
#define SUM_F sum_f
#define SUM_D sum_d
#define LEAST_D least_d
#define MOST_D most_d
#ifdef MAX_U
typedef int32_t VINT __attribute__((vector_size(BYTES)));
REDUCE(least_u, VUINT, uint32_t, MIN_SCALAR)
REDUCE(most_u, VUINT, uint32_t, MAX_SCALAR)
REDUCE(most_i, VINT, int32_t, MAX_SCALAR)
#define LEAST_U(v) least_u((VUINT)(v))
#define MOST_U(v) most_u((VUINT)(v))
#define MOST_I(v) most_i((VINT)(v))
#else
REDUCE(least_f, VF, float, MIN_SCALAR)
REDUCE(most_f, VF, float, MAX_SCALAR)
#define LEAST_F least_f
#define MOST_F most_f
#endif
#endif

static inline __attribute__((always_inline)) VD f32_wide(const float *p)
{
    return __builtin_convertvector(*(const VH_any *)p, VD);
}

static inline __attribute__((always_inline)) VD f64_wide(const double *p)
{
    return *(const VD_any *)p;
}

#define T float
#define TU float_any
#define V VF
#define VU VF_any
#define LANES LANES_F
#define NAME(x) f32_##x
#define MIN MIN_F
#define MAX MAX_F
#define MUL_ADD MUL_ADD_F
#define TAIL TAIL_F
#define WIDE_ADD(lower, upper, v) (lower += LOWER(v), upper += UPPER(v))
#define SUM SUM_F
#define LEAST LEAST_F
#define MOST MOST_F
#ifndef MAX_U
#define ROWS
#endif
#include "kernels_loops.h"
#ifdef MAX_U
#include "kernels_bits.h"
#else
static bool f32_unsigned(const char *x, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                         double *row_sums, tp_range *out)
{
    f32_rows(x, rows, width, stride, row_sums, out);
    return true;
}
#endif
#undef SUM
#undef LEAST
#undef MOST
#undef ROWS
#undef T
#undef TU
#undef V
#undef VU
#undef LANES
#undef NAME
#undef MIN
#undef MAX
#undef MUL_ADD
#undef TAIL
#undef WIDE_ADD

#define T double
#define TU double_any
#define V VD
#define VU VD_any
#define LANES LANES_D
#define NAME(x) f64_##x
#define MIN MIN_D
#define MAX MAX_D
#define MUL_ADD MUL_ADD_D
#define TAIL TAIL_D
#define WIDE_ADD(lower, upper, v) (lower += (v))
#define SUM SUM_D
#define LEAST LEAST_D
#define MOST MOST_D
#define ROWS
#include "kernels_loops.h"

/* The compiler vectorises these for the instruction set at hand. */
#define CONVERT(name, from_type, to_type)                                                          \
    static void name(const char *from, Py_ssize_t n, to_type *restrict to)                         \
    {                                                                                              \
        typedef from_type any __attribute__((aligned(1), may_alias));                              \
        const any *x = (const any *)from;                                                          \
        for (Py_ssize_t i = 0; i < n; i++) to[i] = (to_type)x[i];                                  \
    }
CONVERT(f32_of_i8, int8_t, float)
CONVERT(f32_of_i16, int16_t, float)
CONVERT(f32_of_u8, uint8_t, float)
CONVERT(f32_of_u16, uint16_t, float)
CONVERT(f64_of_f32, float, double)
CONVERT(f64_of_f64, double, double)
CONVERT(f64_of_i8, int8_t, double)
CONVERT(f64_of_i16, int16_t, double)
CONVERT(f64_of_i32, int32_t, double)
CONVERT(f64_of_i64, int64_t, double)
CONVERT(f64_of_u8, uint8_t, double)
CONVERT(f64_of_u16, uint16_t, double)
CONVERT(f64_of_u32, uint32_t, double)
CONVERT(f64_of_u64, uint64_t, double)

static void f32_of_bool(const char *from, Py_ssize_t n, float *restrict to)
{
    for (Py_ssize_t i = 0; i < n; i++) to[i] = from[i] != 0;
}

static void f32_of_bf16(const char *from, Py_ssize_t n, float *restrict to)
{
    typedef uint16_t any __attribute__((aligned(1), may_alias));
    typedef uint32_t bits __attribute__((may_alias));
    const any *x = (const any *)from;
    bits *y = (bits *)to;
    for (Py_ssize_t i = 0; i < n; i++) y[i] = (uint32_t)x[i] << 16;
}

static void f32_of_f16(const char *from, Py_ssize_t n, float *restrict to)
{
    for (; n >= LANES_F; n -= LANES_F, from += 2 * LANES_F, to += LANES_F) {
        *(VF_any *)to = half_to_float(from);
    }
    if (n > 0) {
        char last[2 * LANES_F] = {0};
        memcpy(last, from, 2 * (size_t)n);
        VF converted = half_to_float(last);
        memcpy(to, &converted, 4 * (size_t)n);
    }
}

/* By way of float32, in pieces that stay in registers or close by. */
#define CONVERT_BY_F32(name, step)                                                                 \
    static void name(const char *from, Py_ssize_t n, double *restrict to)                          \
    {                                                                                              \
        float part[64];                                                                            \
        for (Py_ssize_t start = 0; start < n; start += 64) {                                       \
            Py_ssize_t count = n - start < 64 ? n - start : 64;                                    \
            step(from + start * (Py_ssize_t)sizeof(step##_element), count, part);                  \
            for (Py_ssize_t i = 0; i < count; i++) to[start + i] = part[i];                        \
        }                                                                                          \
    }
typedef uint16_t f32_of_f16_element, f32_of_bf16_element;
typedef uint8_t f32_of_bool_element;
CONVERT_BY_F32(f64_of_f16, f32_of_f16)
CONVERT_BY_F32(f64_of_bf16, f32_of_bf16)
CONVERT_BY_F32(f64_of_bool, f32_of_bool)

const tp_kernels KERNELS = {
    .name = ISA,
    .f32_finite = f32_finite,
    .f64_finite = f64_finite,
    .f32_rows = f32_rows,
    .f32_unsigned = f32_unsigned,
    .f64_rows = f64_rows,
    .f32_moments = f32_moments,
    .f64_moments = f64_moments,
    .f32_dot = f32_dot,
    .f64_dot = f64_dot,
    .f32_find = f32_find,
    .f64_find = f64_find,
    .to_f32 = {[TP_F16] = f32_of_f16, [TP_BF16] = f32_of_bf16, [TP_I8] = f32_of_i8,
               [TP_I16] = f32_of_i16, [TP_U8] = f32_of_u8, [TP_U16] = f32_of_u16,
               [TP_BOOL] = f32_of_bool},
    .to_f64 = {[TP_F64] = f64_of_f64, [TP_F32] = f64_of_f32, [TP_F16] = f64_of_f16,
               [TP_BF16] = f64_of_bf16, [TP_I8] = f64_of_i8, [TP_I16] = f64_of_i16,
               [TP_I32] = f64_of_i32, [TP_I64] = f64_of_i64, [TP_U8] = f64_of_u8,
               [TP_U16] = f64_of_u16, [TP_U32] = f64_of_u32, [TP_U64] = f64_of_u64,
               [TP_BOOL] = f64_of_bool},
};
