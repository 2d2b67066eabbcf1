/* The kernels for what every machine of a kind has: NEON on aarch64, SSE2 on x86-64, and whatever
   the compiler makes of vectors of 16 bytes elsewhere. */
#include "measure.h"

#include <math.h>
#include <string.h>

#define KERNELS tp_kernels_base
#define BYTES 16

typedef float F4 __attribute__((vector_size(16)));
typedef double D2 __attribute__((vector_size(16)));

#if defined(__aarch64__)
#include <arm_neon.h>
#define ISA "neon"
#define PIN(v) __asm__("" : "+w"(v))
#define MIN_F(a, b) ((VF)vminnmq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define MAX_F(a, b) ((VF)vmaxnmq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define MIN_D(a, b) ((VD)vminnmq_f64((float64x2_t)(a), (float64x2_t)(b)))
#define MAX_D(a, b) ((VD)vmaxnmq_f64((float64x2_t)(a), (float64x2_t)(b)))
#define MUL_ADD_F(a, b, c) ((VF)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define MUL_ADD_D(a, b, c) ((VD)vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b)))
#define half_to_float(p) ((VF)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)(p)))))
#else
#define ISA "plain"
#define MUL_ADD_F(a, b, c) ((a) * (b) + (c))
#define MUL_ADD_D(a, b, c) ((a) * (b) + (c))
#if defined(__x86_64__)
#define PIN(v) __asm__("" : "+x"(v))
#define MIN_F(a, b) ((VF)_mm_min_ps((__m128)(a), (__m128)(b)))
#define MAX_F(a, b) ((VF)_mm_max_ps((__m128)(a), (__m128)(b)))
#define MIN_D(a, b) ((VD)_mm_min_pd((__m128d)(a), (__m128d)(b)))
#define MAX_D(a, b) ((VD)_mm_max_pd((__m128d)(a), (__m128d)(b)))
#else
#define PIN(v) ((void)(v))
typedef int32_t I4 __attribute__((vector_size(16)));
typedef int64_t L2 __attribute__((vector_size(16)));
static inline F4 choose_f(I4 first, F4 a, F4 b) { return (F4)(((I4)a & first) | ((I4)b & ~first)); }
static inline D2 choose_d(L2 first, D2 a, D2 b) { return (D2)(((L2)a & first) | ((L2)b & ~first)); }
#define MIN_F(a, b) choose_f((a) < (b), (a), (b))
#define MAX_F(a, b) choose_f((a) > (b), (a), (b))
#define MIN_D(a, b) choose_d((a) < (b), (a), (b))
#define MAX_D(a, b) choose_d((a) > (b), (a), (b))
#endif

/* A float16 is a float32 whose exponent is 112 too small; the multiplication also makes its
   subnormals normal. */
static inline F4 half_to_float(const char *from)
{
    typedef uint16_t H4 __attribute__((vector_size(8)));
    typedef uint32_t U4 __attribute__((vector_size(16)));
    H4 halves;
    memcpy(&halves, from, sizeof halves);
    U4 half = __builtin_convertvector(halves, U4), magnitude = (half & 0x7fff) << 13;
    U4 beyond = (U4)(magnitude >= 0x7c00u << 13) & 0x7f800000; /* NaN and Inf */
    return (F4)((U4)((F4)magnitude * 0x1p112f) | beyond | (half & 0x8000) << 16);
}
#endif

#define LOWER(v) ((VD){(v)[0], (v)[1]})
#define UPPER(v) ((VD){(v)[2], (v)[3]})

static inline F4 tail_f(const float *p, Py_ssize_t n, F4 fill)
{
    for (Py_ssize_t i = 0; i < n; i++) memcpy((char *)&fill + 4 * i, (const char *)p + 4 * i, 4);
    return fill;
}

static inline D2 tail_d(const double *p, Py_ssize_t n, D2 fill)
{
    for (Py_ssize_t i = 0; i < n; i++) memcpy((char *)&fill + 8 * i, (const char *)p + 8 * i, 8);
    return fill;
}
#define TAIL_F(p, n, fill) tail_f(p, n, fill)
#define TAIL_D(p, n, fill) tail_d(p, n, fill)

#include "kernels_body.h"
