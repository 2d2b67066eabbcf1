/* The kernels for AVX2 with FMA and F16C. */
#include "measure.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2")
#endif

#define KERNELS tp_kernels_avx2
#define ISA "avx2"
#define BYTES 32
#define MIN_F(a, b) ((VF)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define MAX_F(a, b) ((VF)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define MIN_D(a, b) ((VD)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define MAX_D(a, b) ((VD)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define MUL_ADD_F(a, b, c) ((VF)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define MUL_ADD_D(a, b, c) ((VD)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define FIRST_F(n)                                                                                 \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define FIRST_D(n) _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3))
#define TAIL_F(p, n, fill)                                                                         \
    ((VF)_mm256_blendv_ps((__m256)(fill), _mm256_maskload_ps((p), FIRST_F(n)),                     \
                          _mm256_castsi256_ps(FIRST_F(n))))
#define TAIL_D(p, n, fill)                                                                         \
    ((VD)_mm256_blendv_pd((__m256d)(fill), _mm256_maskload_pd((p), FIRST_D(n)),                    \
                          _mm256_castsi256_pd(FIRST_D(n))))
#define LOWER(v) ((VD)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)(v))))
#define UPPER(v) ((VD)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)(v), 1)))
#define half_to_float(p) ((VF)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p))))
#define PIN(v) __asm__("" : "+x"(v))
#define VBITS __m256i
#define MIN_U(a, b) _mm256_min_epu32((a), (b))
#define MAX_U(a, b) _mm256_max_epu32((a), (b))
#define MAX_I(a, b) _mm256_max_epi32((a), (b))

#include "kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
