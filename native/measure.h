/* What the files that measure share. Nothing here needs the GIL unless it says so. */
#ifndef TRACEPACT_MEASURE_H
#define TRACEPACT_MEASURE_H

#include "tracepact.h"

/* Elements that a kernel works on in the first-level cache. */
enum { TP_BLOCK = 4096 };

typedef struct {
    double min, max, sum;
} tp_range;

/* The loops over contiguous elements, compiled once for each instruction set. `x` may be
   misaligned. Every one of them is defined for n = 0. */
typedef struct {
    const char *name;
    /* Whether there is no NaN and no Inf. */
    bool (*f32_finite)(const char *x, Py_ssize_t n);
    bool (*f64_finite)(const char *x, Py_ssize_t n);
    /* Sum of each row, `stride` bytes apart; total and extremes. A sum that is finite proves that
       every element is, one that is not proves nothing; with a NaN the extremes mean nothing. */
    void (*f32_rows)(const char *x, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                     double *row_sums, tp_range *out);
    /* The same of float32, of which only the sign of the lowest means anything; false where there
       is a sign and that was not looked at, and then nothing of it means anything. The rounding of
       a sum depends on where the array lies. */
    bool (*f32_unsigned)(const char *x, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                         double *row_sums, tp_range *out);
    void (*f64_rows)(const char *x, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                     double *row_sums, tp_range *out);
    /* Sum and sum of squares of x - shift, in float64. */
    void (*f32_moments)(const char *x, Py_ssize_t n, double shift, double out[2]);
    void (*f64_moments)(const char *x, Py_ssize_t n, double shift, double out[2]);
    /* Inner product in float64. */
    double (*f32_dot)(const char *x, const char *y, Py_ssize_t n);
    double (*f64_dot)(const char *x, const char *y, Py_ssize_t n);
    /* Index of the first element that equals `value` (of the first NaN where it is one), or n. */
    Py_ssize_t (*f32_find)(const char *x, Py_ssize_t n, double value);
    Py_ssize_t (*f64_find)(const char *x, Py_ssize_t n, double value);
    /* Contiguous elements to float32 where that is exact; NULL for the wider types. */
    void (*to_f32[TP_DTYPES])(const char *from, Py_ssize_t n, float *to);
    void (*to_f64[TP_DTYPES])(const char *from, Py_ssize_t n, double *to);
} tp_kernels;

/* dispatch.c: the kernels in use. */
extern const tp_kernels *tp_kernels_in_use;

#if defined(__x86_64__)
extern const tp_kernels tp_kernels_avx512, tp_kernels_avx2;
#endif
extern const tp_kernels tp_kernels_base;

/* A stretch of contiguous elements, as the kernels want them. */
typedef struct {
    const char *x;
    bool is_f32; /* else float64 */
} tp_span;

/* load.c: n elements `stride` bytes apart: where they lie if they can be used there, else in
   `room`, which has space for n float64. */
tp_span tp_span_of(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, void *room);
/* The same, but always in `room`. */
tp_span tp_span_copy(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, void *room);
/* Whether tp_span_of leaves the elements where they are. */
static inline bool tp_usable_in_place(tp_dtype dtype, Py_ssize_t stride)
{
    return (dtype == TP_F32 && stride == 4) || (dtype == TP_F64 && stride == 8);
}

/* block.c: statistics of a span, added to `into` as the elements that follow. */
void tp_add_span(tp_span span, Py_ssize_t n, unsigned wanted, tp_stats *into);
/* The same for rows `stride` bytes apart, with the sum of each; not TP_ARGS. */
void tp_add_rows(tp_span span, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                 unsigned wanted, tp_stats *into, double *row_sums);
double tp_span_sum(tp_span span, Py_ssize_t n);

/* stats.c */
void tp_stats_clear(tp_stats *stats, unsigned wanted);
double tp_stats_contagion(const tp_stats *stats); /* what NaN and Inf add to a sum */
double tp_stats_lowest(const tp_stats *stats);    /* of all elements, NaN if there is one */
double tp_stats_highest(const tp_stats *stats);
/* Whether the lowest (highest) of the elements that follow takes the place of the one so far. */
bool tp_stats_lower(const tp_stats *into, const tp_stats *other);
bool tp_stats_higher(const tp_stats *into, const tp_stats *other);

/* walk.c: axes that can be walked as one become one; axes of length 1 go; the last axis stays as
   it is with `keep_rows`. With `any_order` the elements may come in another order. */
void tp_view_simplify(tp_view *view, bool keep_rows, bool any_order);

/* Goes through the rows (along the last axis) of a view of at least one axis. */
typedef struct {
    const tp_view *view;
    const char *row;
    Py_ssize_t index[TP_MAX_DIMS];
} tp_cursor;
tp_cursor tp_cursor_of(const tp_view *view);
/* How many rows from here on are view->strides[ndim - 2] apart. */
Py_ssize_t tp_cursor_together(const tp_cursor *cursor);
/* By at most tp_cursor_together rows. */
void tp_cursor_advance(tp_cursor *cursor, Py_ssize_t rows);

/* threads.c: set by hand, for tests; 0 threads to choose by itself. */
void tp_threads_set(int threads, Py_ssize_t from_bytes);
void tp_threads_init(void);
/* From this many bytes an array is worth a second thread: starting one takes 25 us or more. */
enum { TP_THREAD_BYTES = 1 << 24 };
/* How many threads to use for so many bytes (needs the GIL). */
int tp_threads_for(Py_ssize_t bytes);
/* Runs work(0) and work(1), the latter in a thread if one can be had. */
void tp_run_both(void (*work)(void *), void *first, void *second);
/* From this many bytes (10 us) the GIL is released. Whoever lets go of it may wait for 5 ms to get
   it back. */
enum { TP_GIL_BYTES = 1 << 20 };
/* Set while a thread of an engine runs us, which does not have the GIL. */
extern _Thread_local bool tp_is_without_gil;
/* What to hand to PyEval_RestoreThread after walking so many bytes, unless it is NULL. */
static inline PyThreadState *tp_release_gil(Py_ssize_t bytes)
{
    return bytes >= TP_GIL_BYTES && !tp_is_without_gil ? PyEval_SaveThread() : NULL;
}


/* view.c, torch_view.c */
int tp_import_numpy(void);
int tp_view_of_tensor(PyObject *value, tp_view *view);
/* Asks for the memory that a view of a tensor will read, or its end. */
void tp_view_ahead(PyObject *value);
/* And, when that is there, for what says where its data are. */
void tp_view_ahead_of_data(PyObject *value);

#endif
