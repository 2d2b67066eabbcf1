/* Which kernels this processor can run, and which of them are in use. */
#include "measure.h"

#include "dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>

static bool has_f16c(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}
#endif

const tp_kernels *tp_kernels_in_use = &tp_kernels_base;

Py_ssize_t tp_kernels_usable(const tp_kernels *list[TP_ISAS])
{
    Py_ssize_t n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                && __builtin_cpu_supports("bmi2") && has_f16c();
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        list[n++] = &tp_kernels_avx512;
    if (avx2) list[n++] = &tp_kernels_avx2;
#endif
    list[n++] = &tp_kernels_base;
    return n;
}
