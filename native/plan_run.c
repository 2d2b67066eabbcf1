/* Runs a plan: measures its fields step by step, then tests what was measured. */
#include "plan.h"

#include "numpy_api.h"

#include <math.h>
#include <string.h>

/* NumPy's scalar types, whose number follows the head of the object. */
enum { NUMPY_SCALARS = 13 };
static struct {
    PyTypeObject *type;
    tp_dtype dtype;
} numpy_scalars[NUMPY_SCALARS];

/* What would only lengthen the way of those that are called often. */
#define NOINLINE __attribute__((noinline))

/* -- values ------------------------------------------------------------------------------------ */

static bool other_number(PyObject *value, double *number)
{
    if (PyBool_Check(value)) {
        *number = value == Py_True;
        return true;
    }
    if (PyLong_CheckExact(value)) {
        *number = PyLong_AsDouble(value);
        if (TP_LIKELY(*number != -1.0 || !PyErr_Occurred())) return true;
        PyErr_Clear();
        return false;
    }
    for (int i = 0; i < NUMPY_SCALARS; i++) {
        if (Py_TYPE(value) == numpy_scalars[i].type) {
            const char *data = (const char *)value + sizeof(PyObject);
            tp_load(numpy_scalars[i].dtype, data, 1, 1, number);
            return true;
        }
    }
    return false;
}

static inline bool number_of(PyObject *value, double *number)
{
    if (TP_LIKELY(PyFloat_CheckExact(value))) {
        *number = PyFloat_AS_DOUBLE(value);
        return true;
    }
    if (PyArray_CheckExact(value)) return false;
    return other_number(value, number);
}

static inline bool value_of(PyObject *object, tp_value *value)
{
    value->is_scalar = number_of(object, &value->number);
    if (value->is_scalar) return true;
    if (TP_LIKELY(PyArray_CheckExact(object))) return tp_view_of(object, &value->view);
    /* Their subclasses may convert by rules of their own. */
    if (PyLong_Check(object) || PyFloat_Check(object)) return false;
    return tp_view_of(object, &value->view);
}

/* -- steps ------------------------------------------------------------------------------------- */

static void give_scalar(const tp_step *step, double x, double *slots)
{
    const double zero = x - x; /* or NaN */
    for (int i = 0; i < step->given_count; i++) {
        double value = x;
        switch ((tp_attribute)step->given[i].attribute) {
        case TP_COUNT: value = 1; break;
        case TP_NAN_COUNT: value = x != x; break;
        case TP_INF_COUNT: value = fabs(x) == INFINITY; break;
        case TP_NONFINITE_COUNT: value = zero != zero; break;
        case TP_SPREAD: value = zero; break;
        case TP_NORM: value = fabs(x); break;
        case TP_ARGMIN:
        case TP_ARGMAX: value = 0; break;
        default: break;
        }
        slots[step->given[i].slot] = value;
    }
}

static double *make_rows(tp_run *run, int label, const tp_value *value)
{
    int ndim = value->is_scalar || value->view.ndim == 0 ? 0 : value->view.ndim - 1;
    return tp_label_make(run, label, ndim, value->view.shape);
}

/* The norm alone, of elements that are all finite and whose squares are. */
static bool find_norm(const tp_view *view, tp_stats *stats)
{
    double found[2];
    if (!view->contiguous || !tp_usable_in_place(view->dtype, view->itemsize)
        || view->size * view->itemsize >= TP_GIL_BYTES)
        return false;
    if (view->dtype == TP_F32)
        tp_kernels_in_use->f32_moments(view->data, view->size, 0.0, found);
    else
        tp_kernels_in_use->f64_moments(view->data, view->size, 0.0, found);
    if (!(found[1] > 1e-280 && found[1] < INFINITY)) return false;
    tp_stats_clear(stats, TP_COUNTS | TP_MOMENTS);
    stats->count = view->size;
    stats->l2 = sqrt(found[1]);
    return true;
}

static inline void give_range(const tp_step *step, const tp_range *range, Py_ssize_t n,
                              double *slots)
{
    for (int i = 0; i < step->zero_count; i++) slots[step->given[i].slot] = 0;
    slots[step->count_slot] = (double)n;
    slots[step->lowest_slot] = range->min;
    slots[step->highest_slot] = range->max;
    slots[step->total_slot] = range->sum;
}

/* Contiguous rows of at least one element: false unless all sums are finite. */
static inline bool find_range(const tp_step *step, const tp_view *view, Py_ssize_t count,
                              Py_ssize_t width, double *sums, tp_run *run)
{
    const tp_kernels *kernels = tp_kernels_in_use;
    tp_range range;
    if (TP_UNLIKELY(view->dtype == TP_F64))
        kernels->f64_rows(view->data, count, width, width * 8, sums, &range);
    else if (TP_UNLIKELY(!step->only_sign || run->is_exact)
             || TP_UNLIKELY(!kernels->f32_unsigned(view->data, count, width, width * 4, sums,
                                                   &range)))
        kernels->f32_rows(view->data, count, width, width * 4, sums, &range);
    if (TP_UNLIKELY(!isfinite(range.sum))) return false;
    give_range(step, &range, view->size, run->slots);
    return true;
}

static NOINLINE int find_range_of_rows(const tp_step *step, const double *rows, Py_ssize_t count,
                                       tp_run *run)
{
    tp_range range;
    double sum;
    tp_kernels_in_use->f64_rows((const char *)rows, 1, count, 0, &sum, &range);
    if (!isfinite(sum)) return 1;
    give_range(step, &range, count, run->slots);
    return 2;
}

/* Elements that lie together and whose sum is finite: one call of a kernel. Does the step that
   measures the rows as well, if that follows; 0 where it takes another way. */
static inline int measure_range(const tp_step *step, tp_run *run)
{
    const tp_value *value = &run->values[step->value];
    const tp_view *view = &value->view;
    if (value->is_scalar || !view->contiguous || view->size == 0 || view->dtype > TP_F32
        || view->size * view->itemsize >= TP_GIL_BYTES)
        return 0;
    Py_ssize_t width = view->size, count = 1;
    if (step->has_label && view->ndim > 1) {
        width = view->shape[view->ndim - 1];
        count = view->size / width;
    }
    double sum, *sums = &sum;
    if (step->has_label && (count != 1 || !step->rows_are_private)
        && (sums = make_rows(run, step->label, value)) == NULL)
        return 0;
    if (!find_range(step, view, count, width, sums, run)) return 0;
    if (!step->rows_follow) return 1;
    if (count != 1) return find_range_of_rows(step + 1, sums, count, run);
    give_range(step + 1, &(tp_range){*sums, *sums, *sums}, 1, run->slots);
    return 2;
}

static NOINLINE int measure(const tp_step *step, tp_run *run, tp_stats *kept)
{
    const tp_value *value = &run->values[step->value];
    double *rows = NULL;
    if (step->has_label && (rows = make_rows(run, step->label, value)) == NULL) return TP_UNKNOWN;
    if (value->is_scalar) {
        if (rows != NULL) *rows = value->number;
        if (kept != NULL) tp_stats_of_scalar(value->number, kept);
        give_scalar(step, value->number, run->slots);
        return TP_HOLDS;
    }
    tp_stats stats;
    if (step->only_norm && kept == NULL && find_norm(&value->view, &stats)) {
        tp_give(step->given, step->given_count, &stats, run->slots);
        return TP_HOLDS;
    }
    if (rows != NULL)
        tp_measure_rows(&value->view, step->wanted, &stats, rows);
    else
        tp_measure(&value->view, step->wanted, &stats);
    if (kept != NULL) *kept = stats;
    tp_give(step->given, step->given_count, &stats, run->slots);
    return TP_HOLDS;
}

static int moments(const tp_step *step, tp_run *run)
{
    const tp_value *value = &run->values[step->value];
    double *sums = NULL, *norms = NULL;
    if (step->has_label && (sums = make_rows(run, step->label, value)) == NULL) return TP_UNKNOWN;
    if (step->has_other_label && (norms = make_rows(run, step->other_label, value)) == NULL)
        return TP_UNKNOWN;
    if (!value->is_scalar) {
        tp_row_moments(&value->view, sums, norms);
        return TP_HOLDS;
    }
    if (sums != NULL) *sums = value->number;
    if (norms != NULL) *norms = fabs(value->number);
    return TP_HOLDS;
}

/* A finite sum or norm of a row proves that each of its elements is finite. */
static int count(const tp_step *step, tp_run *run, tp_stats *kept)
{
    const tp_value *value = &run->values[step->value];
    const tp_view *label = &run->values[step->label].view;
    const double *rows = (const double *)label->data;
    for (Py_ssize_t i = 0; i < label->size; i++)
        if (!isfinite(rows[i])) return TP_UNKNOWN;
    tp_stats stats;
    tp_stats_clear(&stats, TP_COUNTS);
    stats.count = value->is_scalar ? 1 : value->view.size;
    if (kept != NULL) *kept = stats;
    tp_give(step->given, step->given_count, &stats, run->slots);
    return TP_HOLDS;
}

static int reduce_rows(const tp_step *step, tp_run *run)
{
    const tp_value *value = &run->values[step->value];
    double *rows = make_rows(run, step->label, value);
    if (rows == NULL) return TP_UNKNOWN;
    if (value->is_scalar) {
        *rows = step->function == TP_ROW_NORMS    ? fabs(value->number)
                : step->function == TP_ROW_ARGMAX ? 0.0
                                                  : value->number;
    } else {
        tp_rows((tp_row_function)step->function, &value->view, NULL, rows);
    }
    return TP_HOLDS;
}

static int ask(const tp_step *step, tp_run *run)
{
    static const Py_ssize_t none[1];
    const tp_value *value = &run->values[step->value];
    const int ndim = value->is_scalar ? 0 : value->view.ndim;
    const Py_ssize_t *shape = value->is_scalar ? none : value->view.shape;
    double answer = 0;
    switch ((tp_question)step->function) {
    case TP_ASK_SHAPE:
        if (step->axis < -ndim || step->axis >= ndim) return TP_UNKNOWN;
        answer = (double)shape[step->axis < 0 ? step->axis + ndim : step->axis];
        break;
    case TP_ASK_LEN: answer = ndim ? (double)shape[0] : 1; break;
    case TP_ASK_SIZE: answer = value->is_scalar ? 1 : (double)value->view.size; break;
    case TP_ASK_NDIM: answer = ndim; break;
    case TP_ASK_ITEMSIZE: answer = value->is_scalar ? 8 : value->view.itemsize; break;
    }
    run->slots[step->slot] = answer;
    return TP_HOLDS;
}

static int compare_shape(const tp_step *step, tp_run *run)
{
    const tp_value *value = &run->values[step->value];
    int ndim = value->is_scalar ? 0 : value->view.ndim, others = step->count;
    const Py_ssize_t *shape = step->shape;
    if (step->kind == TP_STEP_SAME_SHAPE) {
        const tp_value *other = &run->values[step->other];
        others = other->is_scalar ? 0 : other->view.ndim;
        shape = other->view.shape;
    }
    bool same = ndim == others;
    for (int axis = 0; same && axis < ndim; axis++) same = value->view.shape[axis] == shape[axis];
    run->slots[step->slot] = same;
    return TP_HOLDS;
}

/* As scaled_tolerance of core/tolerance.py, for the widest of the fields. */
static inline void scale(const tp_plan *plan, const tp_step *step, tp_run *run)
{
    double widest = 0;
    for (int i = 0; i < step->count; i++) {
        const tp_value *value = &run->values[step->fields[i]];
        const tp_view *view = &value->view;
        if (value->is_scalar || view->dtype > TP_BF16) continue;
        double tolerance = step->of_one_term[view->dtype];
        if (step->sums_all || (step->sums_rows && view->ndim)) {
            double terms = (double)(step->sums_all ? view->size : view->shape[view->ndim - 1]);
            double growth = terms * plan->tolerances_per_term;
            tolerance = step->base * (growth > 1 ? growth : 1) + plan->roundoff[view->dtype]
                        + plan->underflow[view->dtype] * terms;
        }
        if (tolerance > widest) widest = tolerance;
    }
    run->slots[step->slot] = widest != 0 ? widest : step->base;
}

/* The steps that few plans have, and the long way to measure. */
static NOINLINE int run_other(const tp_step *step, tp_run *run, tp_stats *kept)
{
    switch ((tp_step_kind)step->kind) {
    case TP_STEP_MEASURE: return measure(step, run, kept);
    case TP_STEP_COUNTS: return count(step, run, kept);
    case TP_STEP_ROWS: return reduce_rows(step, run);
    case TP_STEP_MOMENTS: return moments(step, run);
    case TP_STEP_ASK: return ask(step, run);
    case TP_STEP_SAME_SHAPE:
    case TP_STEP_HAS_SHAPE: return compare_shape(step, run);
    case TP_STEP_PASS: return tp_pass_run(step->pass, run);
    default: return TP_UNKNOWN;
    }
}

/* How many steps that were, or 0 or less as the verdict on all. */
static inline int run_step(const tp_plan *plan, const tp_step *step, tp_run *run, tp_stats *stats)
{
    if (step->kind == TP_STEP_TOLERANCE) {
        scale(plan, step, run);
        return 1;
    }
    tp_stats *kept = NULL;
    if (stats != NULL && step->value < plan->field_count) kept = &stats[step->value];
    int done = step->only_range && kept == NULL ? measure_range(step, run) : 0;
    return TP_LIKELY(done != 0) ? done : run_other(step, run, kept);
}

/* Measures, then tests; or, with `value`, computes the one expression of the plan instead. Needs no
   GIL. */
static inline int run_taken(const tp_plan *plan, tp_run *run, tp_stats *stats, double *value)
{
    int verdict = TP_HOLDS;
    run->slots[TP_NO_SLOT] = 0;
    run->allocated_count = run->arena_used = 0;
    run->is_exact = value != NULL;
    for (int i = 0; stats != NULL && i < plan->field_count; i++) stats[i].measured = 0;
    const tp_step *end = plan->steps + plan->step_count;
    for (const tp_step *step = plan->steps; verdict == TP_HOLDS && step < end;) {
        int done = run_step(plan, step, run, stats);
        if (TP_LIKELY(done > 0)) step += done;
        else verdict = done;
    }
    if (verdict == TP_HOLDS && value == NULL) verdict = tp_tests_run(plan, run->slots);
    if (verdict == TP_HOLDS && value != NULL) {
        double results[TP_MAX_NODES];
        tp_tests_compute(plan, run->slots, results);
        *value = results[plan->outcomes[0].node];
    }
    for (int i = 0; i < run->allocated_count; i++) PyMem_RawFree(run->allocated[i]);
    return verdict;
}

static NOINLINE int run_steps(const tp_plan *plan, PyObject *const *values, tp_stats *stats,
                              double *value)
{
    tp_run run;
    int taken = 0;
    while (taken < plan->field_count && value_of(values[taken], &run.values[taken])) taken++;
    int verdict = taken < plan->field_count ? TP_UNKNOWN : run_taken(plan, &run, stats, value);
    for (int i = 0; i < taken; i++)
        if (!run.values[i].is_scalar && run.values[i].view.buffer != NULL)
            tp_view_release(&run.values[i].view);
    return verdict;
}

int tp_plan_run_values(const tp_plan *plan, const tp_value *values, tp_stats *stats)
{
    tp_run run;
    memcpy(run.values, values, (size_t)plan->field_count * sizeof *values);
    return run_taken(plan, &run, stats, NULL);
}

int tp_plan_compute(const tp_plan *plan, PyObject *const *values, double *value)
{
    return run_steps(plan, values, NULL, value);
}

int tp_plan_run(PyObject *self, PyObject *const *values, tp_stats *stats)
{
    const tp_plan *plan = (const tp_plan *)self;
    if (!plan->is_interval) return run_steps(plan, values, stats, NULL);
    for (int i = 0; i < plan->field_count; i++) {
        double number;
        if (TP_UNLIKELY(!number_of(values[i], &number)))
            return run_steps(plan, values, stats, NULL);
        if (TP_UNLIKELY(!(number >= plan->scalars[i].low && number <= plan->scalars[i].high)))
            return TP_FAILS;
        if (stats != NULL) {
            stats[i].measured = 0;
            if (plan->is_measured[i]) tp_stats_of_scalar(number, &stats[i]);
        }
    }
    return TP_HOLDS;
}

int tp_plan_run_init(void)
{
    static const struct {
        const char *name;
        tp_dtype dtype;
    } known[NUMPY_SCALARS] = {
        {"float64", TP_F64}, {"float32", TP_F32}, {"float16", TP_F16}, {"int64", TP_I64},
        {"int32", TP_I32},   {"int16", TP_I16},   {"int8", TP_I8},     {"uint64", TP_U64},
        {"uint32", TP_U32},  {"uint16", TP_U16},  {"uint8", TP_U8},    {"bool_", TP_BOOL},
        {"longlong", sizeof(npy_longlong) == 8 ? TP_I64 : TP_I32},
    };
    PyObject *numpy = PyImport_ImportModule("numpy");
    for (int i = 0; numpy != NULL && i < NUMPY_SCALARS; i++) {
        PyObject *type = PyObject_GetAttrString(numpy, known[i].name);
        if (type == NULL) Py_CLEAR(numpy);
        numpy_scalars[i].type = (PyTypeObject *)type;
        numpy_scalars[i].dtype = known[i].dtype;
    }
    Py_XDECREF(numpy);
    return numpy == NULL ? -1 : 0;
}
