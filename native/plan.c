/* The type `Plan`: measures fields and tests what was measured. */
#include "plan.h"

#include "numpy_api.h"

#include <math.h>
#include <string.h>

PyTypeObject *tp_plan_type;

/* NumPy's scalar types, whose number follows the head of the object. */
enum { NUMPY_SCALARS = 13 };
static struct {
    PyTypeObject *type;
    tp_dtype dtype;
} numpy_scalars[NUMPY_SCALARS];

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

static bool value_of(PyObject *object, tp_value *value)
{
    value->is_scalar = number_of(object, &value->number);
    if (value->is_scalar) return true;
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

static void give_range(const tp_step *step, const tp_range *range, Py_ssize_t n, double *slots)
{
    const double known[TP_ATTRIBUTES] = {
        [TP_COUNT] = (double)n, [TP_LOWEST] = range->min, [TP_HIGHEST] = range->max,
        [TP_TOTAL] = range->sum,
    };
    for (int i = 0; i < step->given_count; i++)
        slots[step->given[i].slot] = known[step->given[i].attribute];
}

/* Elements that lie together and whose sum is finite: one call of a kernel. */
static bool find_range(const tp_step *step, const tp_view *view, double *rows, double *slots)
{
    if (!view->contiguous || view->size == 0 || view->dtype > TP_F32
        || view->size * view->itemsize >= TP_GIL_BYTES)
        return false;
    tp_range range;
    double sum, *sums = rows == NULL ? &sum : rows;
    if (view->size == 1 && view->dtype == TP_F64) {
        memcpy(sums, view->data, sizeof *sums);
        range = (tp_range){*sums, *sums, *sums};
    } else {
        const bool by_row = rows != NULL && view->ndim > 1;
        const Py_ssize_t width = by_row ? view->shape[view->ndim - 1] : view->size;
        const Py_ssize_t count = by_row ? view->size / width : 1;
        const tp_kernels *kernels = tp_kernels_in_use;
        if (view->dtype == TP_F64)
            kernels->f64_rows(view->data, count, width, width * 8, sums, &range);
        else if (!step->only_sign || kernels->f32_unsigned == NULL
                 || !kernels->f32_unsigned(view->data, count, width, width * 4, sums, &range))
            kernels->f32_rows(view->data, count, width, width * 4, sums, &range);
    }
    if (!isfinite(range.sum)) return false;
    give_range(step, &range, view->size, slots);
    return true;
}

static int measure(const tp_step *step, tp_run *run, tp_stats *kept)
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
    if (step->only_range && kept == NULL && find_range(step, &value->view, rows, run->slots))
        return TP_HOLDS;
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
static int scale(const tp_plan *plan, const tp_step *step, tp_run *run)
{
    double widest = 0;
    for (int i = 0; i < step->count; i++) {
        const tp_value *value = &run->values[step->fields[i]];
        const tp_view *view = &value->view;
        if (value->is_scalar || view->dtype > TP_BF16) continue;
        double terms = step->sums_all                    ? (double)view->size
                       : step->sums_rows && view->ndim ? (double)view->shape[view->ndim - 1]
                                                       : 1.0;
        double growth = terms / plan->terms_per_tolerance;
        double tolerance = step->base * (growth > 1.0 ? growth : 1.0)
                           + plan->roundoff[view->dtype] + plan->underflow[view->dtype] * terms;
        if (tolerance > widest) widest = tolerance;
    }
    run->slots[step->slot] = widest != 0 ? widest : step->base;
    return TP_HOLDS;
}

static int run_step(const tp_plan *plan, const tp_step *step, tp_run *run, tp_stats *stats)
{
    tp_stats *kept = stats != NULL && step->value < plan->field_count ? &stats[step->value] : NULL;
    switch ((tp_step_kind)step->kind) {
    case TP_STEP_MEASURE: return measure(step, run, kept);
    case TP_STEP_COUNTS: return count(step, run, kept);
    case TP_STEP_ROWS: return reduce_rows(step, run);
    case TP_STEP_MOMENTS: return moments(step, run);
    case TP_STEP_ASK: return ask(step, run);
    case TP_STEP_SAME_SHAPE:
    case TP_STEP_HAS_SHAPE: return compare_shape(step, run);
    case TP_STEP_TOLERANCE: return scale(plan, step, run);
    case TP_STEP_PASS: return tp_pass_run(step->pass, run);
    }
    return TP_UNKNOWN;
}

/* Measures, then tests; or, with `value`, computes the one expression of the plan instead. */
static __attribute__((noinline)) int run_steps(const tp_plan *plan, PyObject *const *values,
                                               tp_stats *stats, double *value)
{
    tp_run run;
    int taken = 0, verdict = TP_HOLDS;
    run.slots[TP_NO_SLOT] = 0;
    run.allocated_count = run.arena_used = 0;
    for (; taken < plan->field_count; taken++) {
        if (!value_of(values[taken], &run.values[taken])) {
            verdict = TP_UNKNOWN;
            break;
        }
        if (stats != NULL) stats[taken].measured = 0;
    }
    for (int i = 0; verdict == TP_HOLDS && i < plan->step_count; i++)
        verdict = run_step(plan, &plan->steps[i], &run, stats);
    if (verdict == TP_HOLDS && value == NULL) verdict = tp_tests_run(plan, run.slots);
    if (verdict == TP_HOLDS && value != NULL) {
        double results[TP_MAX_NODES];
        tp_tests_compute(plan, run.slots, results);
        *value = results[plan->outcomes[0].node];
    }
    for (int i = 0; i < run.allocated_count; i++) PyMem_Free(run.allocated[i]);
    for (int i = 0; i < taken; i++)
        if (!run.values[i].is_scalar) tp_view_release(&run.values[i].view);
    return verdict;
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

Py_ssize_t tp_plan_field_count(PyObject *plan) { return ((tp_plan *)plan)->field_count; }

PyObject *const *tp_plan_field_names(PyObject *plan)
{
    return &PyTuple_GET_ITEM(((tp_plan *)plan)->fields, 0);
}

/* -- the type ---------------------------------------------------------------------------------- */

static PyObject *plan_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"fields", "steps", "intervals", "tests", "scalars", "tolerances", NULL};
    PyObject *parts[TP_PLAN_PARTS];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOOOO", names, &parts[0], &parts[1],
                                     &parts[2], &parts[3], &parts[4], &parts[5]))
        return NULL;
    tp_plan *plan = (tp_plan *)type->tp_alloc(type, 0);
    if (plan != NULL && tp_plan_parse(plan, parts) < 0) Py_CLEAR(plan);
    return (PyObject *)plan;
}

static void plan_dealloc(PyObject *self)
{
    tp_plan *plan = (tp_plan *)self;
    PyTypeObject *type = Py_TYPE(self);
    for (int i = 0; plan->steps != NULL && i < plan->step_count; i++) {
        tp_step *step = &plan->steps[i];
        if (step->kind != TP_STEP_PASS || step->pass == NULL) continue;
        PyMem_Free(step->pass->program.nodes);
        PyMem_Free(step->pass);
    }
    PyMem_Free(plan->steps);
    PyMem_Free(plan->intervals);
    PyMem_Free(plan->tests.nodes);
    PyMem_Free(plan->outcomes);
    PyMem_Free(plan->limits);
    Py_XDECREF(plan->fields);
    type->tp_free(self);
    Py_DECREF(type);
}

static int check_count(const tp_plan *plan, Py_ssize_t given)
{
    if (given == plan->field_count) return 0;
    PyErr_Format(PyExc_TypeError, "the plan has %d fields, given %zd values", plan->field_count,
                 given);
    return -1;
}

static PyObject *verdict_of(int verdict)
{
    if (verdict == TP_UNKNOWN) Py_RETURN_NONE;
    return PyBool_FromLong(verdict == TP_HOLDS);
}

static PyObject *plan_run(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    if (check_count((tp_plan *)self, count) < 0) return NULL;
    return verdict_of(tp_plan_run(self, values, NULL));
}

static PyObject *plan_value(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    const tp_plan *plan = (tp_plan *)self;
    double value;
    if (check_count(plan, count) < 0) return NULL;
    if (plan->outcome_count != 1 || plan->interval_count != 0) Py_RETURN_NONE;
    if (run_steps(plan, values, NULL, &value) != TP_HOLDS) Py_RETURN_NONE;
    return PyFloat_FromDouble(value);
}

/* (count, NaN, +Inf, -Inf, min, max, sum, groups measured) of one field. */
static PyObject *summary(const tp_stats *s)
{
    return Py_BuildValue("(LLLLdddI)", (long long)s->count, (long long)s->nan_count,
                         (long long)s->posinf_count, (long long)s->neginf_count, s->min, s->max,
                         s->sum, s->measured);
}

static PyObject *plan_statistics(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    tp_stats stats[TP_MAX_FIELDS];
    if (check_count((tp_plan *)self, count) < 0) return NULL;
    if (tp_plan_run(self, values, stats) != TP_HOLDS) Py_RETURN_NONE;
    PyObject *list = PyTuple_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = stats[i].measured ? summary(&stats[i]) : Py_NewRef(Py_None);
        if (item == NULL) Py_CLEAR(list);
        else PyTuple_SET_ITEM(list, i, item);
    }
    return list;
}

static PyObject *plan_fields(PyObject *self, void *closure)
{
    return Py_NewRef(((tp_plan *)self)->fields);
}

PyDoc_STRVAR(plan_doc,
"Plan(fields, steps, intervals, tests, scalars, tolerances)\n--\n\n"
"A plan that tracepact.predicate.native_plan has written down.");
PyDoc_STRVAR(run_doc,
"run(*values)\n--\n\n"
"True if every condition holds, False if not, None where Python has to look.");
PyDoc_STRVAR(value_doc,
"value(*values)\n--\n\n"
"The number that the only expression of the plan yields; None where Python has to look.");
PyDoc_STRVAR(statistics_doc,
"statistics(*values)\n--\n\n"
"For each field (count, NaN, +Inf, -Inf, min, max, sum, groups) or None; None unless all holds.");

static PyMethodDef plan_methods[] = {
    {"run", (PyCFunction)(void (*)(void))plan_run, METH_FASTCALL, run_doc},
    {"value", (PyCFunction)(void (*)(void))plan_value, METH_FASTCALL, value_doc},
    {"statistics", (PyCFunction)(void (*)(void))plan_statistics, METH_FASTCALL, statistics_doc},
    {NULL},
};
static PyGetSetDef plan_attributes[] = {
    {"fields", plan_fields, NULL, "Names of the values that `run` takes.", NULL},
    {NULL},
};
static PyType_Slot plan_slots[] = {
    {Py_tp_new, plan_new},         {Py_tp_dealloc, plan_dealloc},    {Py_tp_methods, plan_methods},
    {Py_tp_getset, plan_attributes}, {Py_tp_doc, (void *)plan_doc}, {0, NULL},
};
static PyType_Spec plan_spec = {
    .name = "tracepact.core._native.Plan",
    .basicsize = sizeof(tp_plan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = plan_slots,
};

static int find_numpy_scalars(void)
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

int tp_add_plan(PyObject *module)
{
    if (find_numpy_scalars() < 0) return -1;
    PyObject *type = PyType_FromModuleAndSpec(module, &plan_spec, NULL);
    if (type == NULL) return -1;
    tp_plan_type = (PyTypeObject *)type;
    return PyModule_AddType(module, tp_plan_type);
}
