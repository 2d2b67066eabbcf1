/* The kernels for AVX-512 (F, BW, DQ, VL). */
#include "measure.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2")
#endif

#define KERNELS tp_kernels_avx512
#define ISA "avx512"
#define BYTES 64
#define MIN_F(a, b) ((VF)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define MAX_F(a, b) ((VF)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define MIN_D(a, b) ((VD)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define MAX_D(a, b) ((VD)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#define MUL_ADD_F(a, b, c) ((VF)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define MUL_ADD_D(a, b, c) ((VD)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define TAIL_F(p, n, fill)                                                                         \
    ((VF)_mm512_mask_loadu_ps((__m512)(fill), (__mmask16)((1u << (n)) - 1), (p)))
#define TAIL_D(p, n, fill)                                                                         \
    ((VD)_mm512_mask_loadu_pd((__m512d)(fill), (__mmask8)((1u << (n)) - 1), (p)))
#define LOWER(v) ((VD)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)(v))))
#define UPPER(v) ((VD)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)(v), 1)))
#define half_to_float(p) ((VF)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p))))
#define PIN(v) __asm__("" : "+v"(v))
#define VBITS __m512i
#define MIN_U(a, b) _mm512_min_epu32((a), (b))
#define MAX_U(a, b) _mm512_max_epu32((a), (b))
#define MAX_I(a, b) _mm512_max_epi32((a), (b))
#define SUM_F(v) _mm512_reduce_add_ps((__m512)(v))
#define SUM_D(v) _mm512_reduce_add_pd((__m512d)(v))
#define LEAST_D(v) _mm512_reduce_min_pd((__m512d)(v))
#define MOST_D(v) _mm512_reduce_max_pd((__m512d)(v))
#define LEAST_U(v) _mm512_reduce_min_epu32(v)
#define MOST_U(v) _mm512_reduce_max_epu32(v)
#define MOST_I(v) _mm512_reduce_max_epi32(v)

#include "kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
