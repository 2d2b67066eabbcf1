/* Reads a plan out of tuples, numbers and texts, and refuses what could not be run safely: every
   index is within bounds, every slot and label is filled before it is read. */
#include "plan.h"

#include <limits.h>
#include <math.h>

typedef struct {
    tp_plan *plan;
    bool filled_slots[TP_MAX_SLOTS];
    bool filled_values[TP_MAX_VALUES];
} reader;

static bool refuse(const char *what)
{
    PyErr_Format(PyExc_ValueError, "not a plan: %s", what);
    return false;
}

/* -- atoms: false with an error set where the object is another -------------------------------- */

static bool read_tuple(PyObject *object, Py_ssize_t least, Py_ssize_t most)
{
    if (!PyTuple_CheckExact(object)) {
        PyErr_Format(PyExc_TypeError, "a plan is made of tuples, not of %s",
                     Py_TYPE(object)->tp_name);
        return false;
    }
    if (PyTuple_GET_SIZE(object) < least) return refuse("a part is missing");
    if (PyTuple_GET_SIZE(object) > most) {
        PyErr_SetString(PyExc_OverflowError, "a plan with more parts than the native core takes");
        return false;
    }
    return true;
}

static bool read_integer(PyObject *object, long least, long most, long *integer)
{
    if (!PyLong_Check(object)) {
        PyErr_Format(PyExc_TypeError, "expected an integer, not %s", Py_TYPE(object)->tp_name);
        return false;
    }
    int overflow;
    *integer = PyLong_AsLongAndOverflow(object, &overflow);
    if (overflow || *integer < least || *integer > most) return refuse("an index is out of range");
    return true;
}

static bool read_index(PyObject *object, long count, uint8_t *index)
{
    long integer;
    if (!read_integer(object, 0, count - 1, &integer)) return false;
    *index = (uint8_t)integer;
    return true;
}

static bool read_number(PyObject *object, double *number)
{
    if (!PyFloat_Check(object)) {
        PyErr_Format(PyExc_TypeError, "expected a float, not %s", Py_TYPE(object)->tp_name);
        return false;
    }
    *number = PyFloat_AS_DOUBLE(object);
    return true;
}

static bool is_text(PyObject *object, const char *text)
{
    return PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, text) == 0;
}

static int find_text(PyObject *object, const char *const *texts, int count)
{
    for (int i = 0; i < count; i++)
        if (is_text(object, texts[i])) return i;
    return -1;
}

/* -- slots and values ------------------------------------------------------------------------- */

/* An index that only a plan too large for the native core would have. */
static bool read_place(PyObject *object, long count, uint8_t *index)
{
    long integer;
    if (!read_integer(object, 0, INT_MAX, &integer)) return false;
    *index = (uint8_t)integer;
    if (integer < count) return true;
    PyErr_SetString(PyExc_OverflowError, "a plan that keeps more than the native core can");
    return false;
}

static bool fill_slot(reader *it, PyObject *object, uint8_t *slot)
{
    if (!read_place(object, TP_MAX_SLOTS, slot)) return false;
    it->filled_slots[*slot] = true;
    return true;
}

static bool use_slot(const reader *it, PyObject *object, uint8_t *slot)
{
    if (!read_index(object, TP_MAX_SLOTS, slot)) return false;
    return it->filled_slots[*slot] || refuse("a slot is read before it is filled");
}

static bool use_value(const reader *it, PyObject *object, uint8_t *value)
{
    if (!read_index(object, TP_MAX_VALUES, value)) return false;
    return it->filled_values[*value] || refuse("a value is read before it is there");
}

static bool use_field(const reader *it, PyObject *object, uint8_t *field)
{
    return read_index(object, it->plan->field_count, field);
}

static bool fill_label(reader *it, PyObject *object, uint8_t *label)
{
    if (!read_place(object, TP_MAX_VALUES, label)) return false;
    if (it->filled_values[*label]) return refuse("a label is filled twice");
    it->filled_values[*label] = true;
    return true;
}

/* -1 stands for none. */
static bool read_label(reader *it, PyObject *object, bool *has_label, uint8_t *label)
{
    long integer;
    if (!read_integer(object, -1, INT_MAX, &integer)) return false;
    *has_label = integer >= 0;
    return integer < 0 || fill_label(it, object, label);
}

static bool read_given(reader *it, PyObject *object, tp_given *given, uint8_t *count)
{
#define NAME(code, name) name,
    static const char *const names[] = {TP_ATTRIBUTE_NAMES(NAME)};
#undef NAME
    if (!read_tuple(object, 0, TP_MAX_GIVEN)) return false;
    *count = (uint8_t)PyTuple_GET_SIZE(object);
    for (int i = 0; i < *count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(object, i);
        if (!read_tuple(pair, 2, 2)) return false;
        int attribute = find_text(PyTuple_GET_ITEM(pair, 0), names, TP_ATTRIBUTES);
        if (attribute < 0) return refuse("an unknown statistic");
        given[i].attribute = (uint8_t)attribute;
        if (!fill_slot(it, PyTuple_GET_ITEM(pair, 1), &given[i].slot)) return false;
    }
    return true;
}

static bool read_wanted(PyObject *object, uint8_t *wanted)
{
    return read_index(object, 2 * TP_ARGS, wanted);
}

/* -- programs --------------------------------------------------------------------------------- */

static bool read_node(reader *it, PyObject *object, int index, tp_node *node)
{
#define NAME(code, name, operands) name,
#define OPERANDS(code, name, operands) operands,
    static const char *const names[] = {TP_OPERATIONS(NAME)};
    static const uint8_t operand_counts[] = {TP_OPERATIONS(OPERANDS)};
#undef NAME
#undef OPERANDS
    if (!read_tuple(object, 2, 4)) return false;
    int op = find_text(PyTuple_GET_ITEM(object, 0), names, TP_OPS);
    if (op < 0) return refuse("an unknown operation");
    node->op = (uint8_t)op;
    PyObject *first = PyTuple_GET_ITEM(object, 1);
    const int count = operand_counts[op];
    if (PyTuple_GET_SIZE(object) != 1 + (count ? count : 1)) return refuse("wrong operands");
    if (op == TP_OP_VALUE) return use_value(it, first, &node->operands[0]);
    if (op == TP_OP_SLOT) return use_slot(it, first, &node->operands[0]);
    if (op == TP_OP_CONSTANT) return read_number(first, &node->constant);
    for (int i = 0; i < count; i++)
        if (!read_index(PyTuple_GET_ITEM(object, 1 + i), index, &node->operands[i])) return false;
    for (int i = count; i < 3; i++) node->operands[i] = node->operands[0];
    return true;
}

static bool read_program(reader *it, PyObject *object, bool with_values, tp_program *program)
{
    if (!read_tuple(object, 0, TP_MAX_NODES)) return false;
    const int count = (int)PyTuple_GET_SIZE(object);
    program->nodes = PyMem_Calloc((size_t)count + 1, sizeof *program->nodes);
    if (program->nodes == NULL) {
        PyErr_NoMemory();
        return false;
    }
    program->count = count;
    for (int i = 0; i < count; i++) {
        if (!read_node(it, PyTuple_GET_ITEM(object, i), i, &program->nodes[i])) return false;
        if (!with_values && program->nodes[i].op == TP_OP_VALUE) return refuse("a value in a test");
    }
    return true;
}

static bool read_sink(reader *it, PyObject *object, const tp_program *program, tp_sink *sink)
{
    static const char *const names[] = {
        [TP_SINK_ROW_SUMS] = "row_sums", [TP_SINK_ROW_NORMS] = "row_norms",
        [TP_SINK_ROW_MIN] = "row_min",   [TP_SINK_ROW_MAX] = "row_max",
        [TP_SINK_ROW_DOTS] = "row_dots", [TP_SINK_STATS] = "stats",
        [TP_SINK_TEST] = "test",
    };
    static const Py_ssize_t sizes[] = {3, 3, 3, 3, 4, 4, 2};
    if (!read_tuple(object, 2, 4)) return false;
    int kind = find_text(PyTuple_GET_ITEM(object, 0), names, TP_SINKS);
    if (kind < 0 || PyTuple_GET_SIZE(object) != sizes[kind]) return refuse("an unknown sink");
    sink->kind = (uint8_t)kind;
    for (int i = 0; i < 2; i++) {
        PyObject *node = PyTuple_GET_ITEM(object, i && kind == TP_SINK_ROW_DOTS ? 2 : 1);
        if (!read_index(node, program->count, &sink->nodes[i])) return false;
    }
    if (kind == TP_SINK_TEST) return true;
    PyObject *last = PyTuple_GET_ITEM(object, sizes[kind] - 1);
    if (kind < TP_SINK_STATS) return fill_label(it, last, &sink->label);
    return read_wanted(PyTuple_GET_ITEM(object, 2), &sink->wanted)
           && read_given(it, last, sink->given, &sink->given_count);
}

static bool read_pass(reader *it, PyObject *step, tp_pass *pass)
{
    PyObject *sinks = PyTuple_GET_ITEM(step, 2);
    if (!read_program(it, PyTuple_GET_ITEM(step, 1), true, &pass->program)) return false;
    if (!read_tuple(sinks, 1, TP_MAX_SINKS)) return false;
    pass->sink_count = (int)PyTuple_GET_SIZE(sinks);
    for (int i = 0; i < pass->sink_count; i++) {
        PyObject *sink = PyTuple_GET_ITEM(sinks, i);
        if (!read_sink(it, sink, &pass->program, &pass->sinks[i])) return false;
    }
    if (tp_pass_prepare(pass)) return true;
    PyErr_SetString(PyExc_OverflowError, "a plan with longer expressions than can be kept");
    return false;
}

/* -- steps ------------------------------------------------------------------------------------ */

static bool read_shape(PyObject *object, tp_step *step)
{
    if (!read_tuple(object, 0, TP_MAX_DIMS)) return false;
    step->count = (uint8_t)PyTuple_GET_SIZE(object);
    for (int i = 0; i < step->count; i++) {
        long length;
        if (!read_integer(PyTuple_GET_ITEM(object, i), -LONG_MAX, LONG_MAX, &length)) return false;
        step->shape[i] = length;
    }
    return true;
}

static bool read_tolerance(reader *it, PyObject *object, tp_step *step)
{
    PyObject *fields = PyTuple_GET_ITEM(object, 2);
    long sums_rows, sums_all;
    if (!read_number(PyTuple_GET_ITEM(object, 1), &step->base)
        || !read_tuple(fields, 0, TP_MAX_FIELDS)
        || !read_integer(PyTuple_GET_ITEM(object, 3), 0, 1, &sums_rows)
        || !read_integer(PyTuple_GET_ITEM(object, 4), 0, 1, &sums_all))
        return false;
    step->sums_rows = sums_rows;
    step->sums_all = sums_all;
    step->count = (uint8_t)PyTuple_GET_SIZE(fields);
    for (int i = 0; i < step->count; i++)
        if (!use_field(it, PyTuple_GET_ITEM(fields, i), &step->fields[i])) return false;
    return fill_slot(it, PyTuple_GET_ITEM(object, 5), &step->slot);
}

static bool read_measure(reader *it, PyObject *object, tp_step *step)
{
    return use_value(it, PyTuple_GET_ITEM(object, 1), &step->value)
           && read_wanted(PyTuple_GET_ITEM(object, 2), &step->wanted)
           && read_given(it, PyTuple_GET_ITEM(object, 3), step->given, &step->given_count)
           && read_label(it, PyTuple_GET_ITEM(object, 4), &step->has_label, &step->label);
}

static bool read_rows(reader *it, PyObject *object, tp_step *step)
{
    static const char *const names[] = {
        [TP_ROW_SUMS] = "row_sums", [TP_ROW_NORMS] = "row_norms", [TP_ROW_MIN] = "row_min",
        [TP_ROW_MAX] = "row_max",   [TP_ROW_ARGMAX] = "row_argmax",
    };
    int function = find_text(PyTuple_GET_ITEM(object, 1), names, TP_ROW_ARGMAX + 1);
    if (function < 0) return refuse("an unknown row reduction");
    step->function = (uint8_t)function;
    return use_value(it, PyTuple_GET_ITEM(object, 2), &step->value)
           && fill_label(it, PyTuple_GET_ITEM(object, 3), &step->label);
}

static bool read_question(reader *it, PyObject *object, tp_step *step)
{
    static const char *const names[] = {
        [TP_ASK_SHAPE] = "shape", [TP_ASK_LEN] = "len",           [TP_ASK_SIZE] = "size",
        [TP_ASK_NDIM] = "ndim",   [TP_ASK_ITEMSIZE] = "itemsize",
    };
    long axis;
    int question = find_text(PyTuple_GET_ITEM(object, 1), names, TP_ASK_ITEMSIZE + 1);
    if (question < 0) return refuse("an unknown question");
    step->function = (uint8_t)question;
    if (!use_field(it, PyTuple_GET_ITEM(object, 2), &step->value)
        || !read_integer(PyTuple_GET_ITEM(object, 3), -(1 << 20), 1 << 20, &axis))
        return false;
    step->axis = (int)axis;
    return fill_slot(it, PyTuple_GET_ITEM(object, 4), &step->slot);
}

static bool read_step(reader *it, PyObject *object, tp_step *step)
{
    static const char *const names[] = {
        [TP_STEP_MEASURE] = "measure",       [TP_STEP_COUNTS] = "counts",
        [TP_STEP_ROWS] = "rows",             [TP_STEP_MOMENTS] = "moments",
        [TP_STEP_ASK] = "ask",
        [TP_STEP_SAME_SHAPE] = "same_shape", [TP_STEP_HAS_SHAPE] = "has_shape",
        [TP_STEP_TOLERANCE] = "tolerance",   [TP_STEP_PASS] = "pass",
    };
    static const Py_ssize_t sizes[] = {5, 4, 4, 4, 5, 4, 4, 6, 3};
    if (!read_tuple(object, 3, 6)) return false;
    int kind = find_text(PyTuple_GET_ITEM(object, 0), names, TP_STEP_PASS + 1);
    if (kind < 0 || PyTuple_GET_SIZE(object) != sizes[kind]) return refuse("an unknown step");
    step->kind = (uint8_t)kind;
    PyObject *first = PyTuple_GET_ITEM(object, 1), *second = PyTuple_GET_ITEM(object, 2);
    switch ((tp_step_kind)kind) {
    case TP_STEP_MEASURE: return read_measure(it, object, step);
    case TP_STEP_ROWS: return read_rows(it, object, step);
    case TP_STEP_MOMENTS:
        return use_value(it, first, &step->value)
               && read_label(it, second, &step->has_label, &step->label)
               && read_label(it, PyTuple_GET_ITEM(object, 3), &step->has_other_label,
                             &step->other_label);
    case TP_STEP_ASK: return read_question(it, object, step);
    case TP_STEP_TOLERANCE: return read_tolerance(it, object, step);
    case TP_STEP_COUNTS: /* the label has the rows of the value */
        return use_value(it, first, &step->value) && use_value(it, second, &step->label)
               && (step->label >= it->plan->field_count || refuse("counts need a label"))
               && read_given(it, PyTuple_GET_ITEM(object, 3), step->given, &step->given_count);
    case TP_STEP_SAME_SHAPE:
        return use_field(it, first, &step->value) && use_field(it, second, &step->other)
               && fill_slot(it, PyTuple_GET_ITEM(object, 3), &step->slot);
    case TP_STEP_HAS_SHAPE:
        return use_field(it, first, &step->value) && read_shape(second, step)
               && fill_slot(it, PyTuple_GET_ITEM(object, 3), &step->slot);
    case TP_STEP_PASS:
        step->pass = PyMem_Calloc(1, sizeof *step->pass);
        if (step->pass == NULL) PyErr_NoMemory();
        return step->pass != NULL && read_pass(it, object, step->pass);
    }
    return false;
}

/* -- the whole -------------------------------------------------------------------------------- */

static bool read_vacuous(reader *it, PyObject *object, bool *may_be, uint8_t *slot)
{
    long integer;
    if (!read_integer(object, -1, TP_MAX_SLOTS - 1, &integer)) return false;
    *may_be = integer >= 0;
    return integer < 0 || use_slot(it, object, slot);
}

static bool read_fields(reader *it, PyObject *object)
{
    if (!read_tuple(object, 0, TP_MAX_FIELDS)) return false;
    const int count = (int)PyTuple_GET_SIZE(object);
    it->plan->fields = PyTuple_New(count);
    for (int i = 0; it->plan->fields != NULL && i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(object, i);
        if (!PyUnicode_CheckExact(name)) {
            PyErr_SetString(PyExc_TypeError, "the names of fields are texts");
            return false;
        }
        Py_INCREF(name);
        PyUnicode_InternInPlace(&name);
        PyTuple_SET_ITEM(it->plan->fields, i, name);
        it->filled_values[i] = true;
    }
    it->plan->field_count = count;
    return it->plan->fields != NULL;
}

static void *room_for(Py_ssize_t count, size_t size)
{
    void *room = PyMem_Calloc((size_t)count + 1, size);
    if (room == NULL) PyErr_NoMemory();
    return room;
}

static bool read_steps(reader *it, PyObject *object)
{
    if (!read_tuple(object, 0, 128)) return false;
    it->plan->steps = room_for(PyTuple_GET_SIZE(object), sizeof *it->plan->steps);
    if (it->plan->steps == NULL) return false;
    it->plan->step_count = (int)PyTuple_GET_SIZE(object);
    for (int i = 0; i < it->plan->step_count; i++) {
        tp_step *step = &it->plan->steps[i];
        if (!read_step(it, PyTuple_GET_ITEM(object, i), step)) return false;
        if (step->kind == TP_STEP_MEASURE && step->value < it->plan->field_count)
            it->plan->is_measured[step->value] = true;
    }
    return true;
}

static bool read_intervals(reader *it, PyObject *object)
{
    if (!read_tuple(object, 0, 128)) return false;
    it->plan->intervals = room_for(PyTuple_GET_SIZE(object), sizeof *it->plan->intervals);
    if (it->plan->intervals == NULL) return false;
    it->plan->interval_count = (int)PyTuple_GET_SIZE(object);
    for (int i = 0; i < it->plan->interval_count; i++) {
        PyObject *part = PyTuple_GET_ITEM(object, i);
        tp_interval *to = &it->plan->intervals[i];
        if (!read_tuple(part, 4, 4) || !use_slot(it, PyTuple_GET_ITEM(part, 0), &to->slot)
            || !read_number(PyTuple_GET_ITEM(part, 1), &to->low)
            || !read_number(PyTuple_GET_ITEM(part, 2), &to->high)
            || !read_vacuous(it, PyTuple_GET_ITEM(part, 3), &to->may_be_vacuous, &to->vacuous))
            return false;
    }
    return true;
}

static bool read_tests(reader *it, PyObject *object)
{
    if (!read_tuple(object, 2, 2)) return false;
    PyObject *outcomes = PyTuple_GET_ITEM(object, 1);
    if (!read_program(it, PyTuple_GET_ITEM(object, 0), false, &it->plan->tests)
        || !read_tuple(outcomes, 0, 128))
        return false;
    it->plan->outcomes = room_for(PyTuple_GET_SIZE(outcomes), sizeof *it->plan->outcomes);
    if (it->plan->outcomes == NULL) return false;
    it->plan->outcome_count = (int)PyTuple_GET_SIZE(outcomes);
    for (int i = 0; i < it->plan->outcome_count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(outcomes, i);
        tp_outcome *to = &it->plan->outcomes[i];
        if (!read_tuple(pair, 2, 2)
            || !read_index(PyTuple_GET_ITEM(pair, 0), it->plan->tests.count, &to->node)
            || !read_vacuous(it, PyTuple_GET_ITEM(pair, 1), &to->may_be_vacuous, &to->vacuous))
            return false;
    }
    return true;
}

static bool read_scalars(reader *it, PyObject *object)
{
    it->plan->is_interval = object != Py_None;
    if (object == Py_None) return true;
    if (!read_tuple(object, it->plan->field_count, it->plan->field_count)) return false;
    for (int i = 0; i < it->plan->field_count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(object, i);
        if (!read_tuple(pair, 2, 2)
            || !read_number(PyTuple_GET_ITEM(pair, 0), &it->plan->scalars[i].low)
            || !read_number(PyTuple_GET_ITEM(pair, 1), &it->plan->scalars[i].high))
            return false;
    }
    return true;
}

/* (terms that a tolerance covers, ((dtype, roundoff, underflow), …)); dtypes that no view has are
   passed over. */
static bool read_tolerances(reader *it, PyObject *object)
{
    static const char *const floats[] = {"float64", "float32", "float16", "bfloat16"};
    if (!read_tuple(object, 2, 2)) return false;
    PyObject *table = PyTuple_GET_ITEM(object, 1);
    double terms;
    int exponent;
    if (!read_number(PyTuple_GET_ITEM(object, 0), &terms) || !read_tuple(table, 0, 64))
        return false;
    if (frexp(terms, &exponent) != 0.5) return refuse("terms of a tolerance: no power of two");
    it->plan->tolerances_per_term = 1 / terms; /* exact, and so are its products */
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(table); i++) {
        PyObject *row = PyTuple_GET_ITEM(table, i);
        double roundoff, underflow;
        if (!read_tuple(row, 3, 3) || !read_number(PyTuple_GET_ITEM(row, 1), &roundoff)
            || !read_number(PyTuple_GET_ITEM(row, 2), &underflow))
            return false;
        int dtype = find_text(PyTuple_GET_ITEM(row, 0), floats, TP_BF16 + 1);
        if (dtype < 0) continue;
        it->plan->roundoff[dtype] = roundoff;
        it->plan->underflow[dtype] = underflow;
    }
    return true;
}

int tp_plan_parse(tp_plan *plan, PyObject *const *parts)
{
    reader it = {plan};
    bool sound = read_fields(&it, parts[0]) && read_steps(&it, parts[1])
                 && read_intervals(&it, parts[2]) && read_tests(&it, parts[3])
                 && read_scalars(&it, parts[4]) && read_tolerances(&it, parts[5]);
    if (!sound) return -1;
    tp_steps_prepare(plan);
    if (tp_tests_prepare(plan) < 0) return -1;
    tp_plan_ahead(plan, &plan->ahead);
    return 0;
}
