/* The clock of spans and bricks: two reads are most of what a span costs beyond `with` itself. */
#include "tracepact.h"

#include <time.h>

uint64_t tp_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
#include <cpuid.h>

bool tp_clock_is_tsc;

/* Ticks become nanoseconds by the rate since the module was loaded, so it gets better with time. */
enum { SHORTEST_NS = 2000000 };
static uint64_t first_ticks, first_ns;

static void read_both(uint64_t *ticks, uint64_t *ns)
{
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = __rdtsc();
        uint64_t now = tp_clock_ns();
        uint64_t after = __rdtsc();
        if (after - before < narrowest) {
            narrowest = after - before;
            *ticks = before + (after - before) / 2;
            *ns = now;
        }
    }
}

static void start_clock(void)
{
    unsigned a, b, c, d;
    tp_clock_is_tsc = __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
    read_both(&first_ticks, &first_ns);
}

double tp_ticks_to_ns(uint64_t ticks)
{
    static double rate;
    static uint64_t measured_over_ns;
    if (!tp_clock_is_tsc) return (double)ticks;
    /* The rate is measured anew whenever ten times as long has passed. */
    uint64_t since_ns = tp_clock_ns() - first_ns;
    if (measured_over_ns == 0 || since_ns / 10 > measured_over_ns) {
        uint64_t now_ticks = 0, now_ns = 0;
        do read_both(&now_ticks, &now_ns); while (now_ns - first_ns < SHORTEST_NS);
        rate = (double)(now_ns - first_ns) / (double)(now_ticks - first_ticks);
        measured_over_ns = now_ns - first_ns;
    }
    return (double)ticks * rate;
}

const char *tp_clock_name(void) { return tp_clock_is_tsc ? "TSC" : "CLOCK_MONOTONIC"; }

#else

static void start_clock(void) {}
double tp_ticks_to_ns(uint64_t ticks) { return (double)ticks; }
const char *tp_clock_name(void) { return "CLOCK_MONOTONIC"; }

#endif

int tp_add_clock(PyObject *module)
{
    start_clock();
    return PyModule_AddStringConstant(module, "clock", tp_clock_name());
}
