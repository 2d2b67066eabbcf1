/* What the files of the native core share. Every function here needs the GIL unless it says so. */
#ifndef TRACEPACT_H
#define TRACEPACT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define TP_LIKELY(x) __builtin_expect(!!(x), 1)
#define TP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#error "the native core needs GCC or Clang; without it the Python core serves"
#endif

/* One body for each instruction set, picked when the module is loaded; Clang gives that a name that
   other files do not find. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) \
    && !defined(__SANITIZE_ADDRESS__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define TP_CLONES __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#endif
#endif
#ifndef TP_CLONES
#define TP_CLONES
#endif
/* Groups of statistics; the values are those of tracepact.core.Stat. */
enum { TP_COUNTS = 1, TP_RANGE = 2, TP_SUM = 4, TP_MOMENTS = 8, TP_ARGS = 16 };

/* As tracepact.core.TensorStats: min … l2 leave NaN and Inf out. */
typedef struct {
    int64_t count, nan_count, posinf_count, neginf_count;
    double min, max, sum, mean, m2, l2;
    int64_t argmin, argmax;
    uint32_t measured;
} tp_stats;

typedef enum {
    TP_F64, TP_F32, TP_F16, TP_BF16,
    TP_I8, TP_I16, TP_I32, TP_I64,
    TP_U8, TP_U16, TP_U32, TP_U64,
    TP_BOOL,
    TP_DTYPES
} tp_dtype;

enum { TP_MAX_DIMS = 8 };

/* An array of any library, as its elements lie in memory. */
typedef struct {
    const char *data;
    Py_ssize_t size;                 /* elements */
    Py_ssize_t shape[TP_MAX_DIMS];   /* elements */
    Py_ssize_t strides[TP_MAX_DIMS]; /* bytes */
    int ndim;
    int itemsize;                    /* bytes */
    tp_dtype dtype;
    bool contiguous;                 /* C order */
    Py_buffer *buffer;               /* held until tp_view_release; NULL where nothing is held */
} tp_view;

/* view.c: 1 if `value` was understood, 0 if Python has to convert it; never sets an error.
   Exact NumPy arrays of up to TP_MAX_DIMS axes, buffers, CPU tensors of torch. The caller keeps
   `value` alive and calls tp_view_release when done. */
int tp_view_of(PyObject *value, tp_view *view);
void tp_view_release(tp_view *view);

/* measure.c: statistics of all elements in C order. Releases the GIL for large arrays. */
void tp_measure(const tp_view *view, unsigned wanted, tp_stats *out);
/* The same, and the sum of each row (along the last axis) in the same pass: one number a row. */
void tp_measure_rows(const tp_view *view, unsigned wanted, tp_stats *out, double *row_sums);
/* The same for n float64 that follow each other; needs no GIL. */
void tp_measure_doubles(const double *x, Py_ssize_t n, unsigned wanted, tp_stats *out);
/* Chan's update: `into` takes in the elements that follow; needs no GIL. */
void tp_stats_add(tp_stats *into, const tp_stats *other);
void tp_stats_of_scalar(double value, tp_stats *out);

/* load.c: n elements of a dtype, `stride` bytes apart, as float64; needs no GIL. */
void tp_load(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, double *to);

/* rows.c: reduce along the last axis in float64. */
typedef enum {
    TP_ROW_SUMS, TP_ROW_NORMS, TP_ROW_MIN, TP_ROW_MAX, TP_ROW_ARGMAX, TP_ROW_DOTS
} tp_row_function;
/* `out` has one number a row (the product of all axes but the last; a 0-d view is one row of one).
   `other` is for TP_ROW_DOTS: same shape as `view`, or 1-d of the row's length; else NULL. */
void tp_rows(tp_row_function function, const tp_view *view, const tp_view *other, double *out);

/* plan.c: the compiled conditions of one equation, the type `Plan`. */
enum { TP_UNKNOWN = -1, TP_FAILS = 0, TP_HOLDS = 1 };
extern PyTypeObject *tp_plan_type;
Py_ssize_t tp_plan_field_count(PyObject *plan);
/* Interned names, in the order in which tp_plan_run takes the values. */
PyObject *const *tp_plan_field_names(PyObject *plan);
/* One a field, where numbers between them are all that the conditions ask for; else NULL. */
typedef struct { double low, high; } tp_bounds;
const tp_bounds *tp_plan_bounds(PyObject *plan);
/* Measures and tests; `values` has one borrowed reference a field, none of them NULL.
   TP_HOLDS only if every condition holds; TP_UNKNOWN where Python has to look (shapes that do not
   fit, values that no view understands). Never sets an error. `stats`, if not NULL, has room for
   one tp_stats a field; `measured` is 0 for those of which nothing was measured. */
int tp_plan_run(PyObject *plan, PyObject *const *values, tp_stats *stats);
/* Asks for the memory that a run of a plan will read. */
void tp_plan_fetch(PyObject *plan);

/* written.c: whether an object is what looks at a pass's writes into a cache; it looks at those of
   one layer. Never sets an error. */
bool tp_is_writes(PyObject *object);
void tp_writes_look(PyObject *writes, Py_ssize_t layer);

/* clock.c: a monotonic clock in ticks; the TSC where it is invariant, else nanoseconds. */
#if defined(__x86_64__)
#include <x86intrin.h>
extern bool tp_clock_is_tsc;
uint64_t tp_clock_ns(void);
static inline uint64_t tp_ticks(void)
{
    return TP_LIKELY(tp_clock_is_tsc) ? __rdtsc() : tp_clock_ns();
}
#else
uint64_t tp_clock_ns(void);
static inline uint64_t tp_ticks(void) { return tp_clock_ns(); }
#endif
double tp_ticks_to_ns(uint64_t ticks);
const char *tp_clock_name(void);

/* Each file adds its types and functions to the module: 0, or -1 with an error set. */
int tp_add_clock(PyObject *module);
int tp_add_measure(PyObject *module);
int tp_add_timer(PyObject *module);
int tp_add_largest(PyObject *module);
int tp_add_compare(PyObject *module);
int tp_add_held(PyObject *module);
int tp_add_written(PyObject *module);
int tp_add_plan(PyObject *module);
int tp_add_tracing(PyObject *module);
int tp_add_probe(PyObject *module);
int tp_add_hook(PyObject *module);
int tp_add_module_call(PyObject *module);
int tp_add_pass_end(PyObject *module);
int tp_add_llama(PyObject *module);

#endif
