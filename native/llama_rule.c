/* What is checked of a node of llama.cpp, on the pointer that the engine gives. */
#include "llama.h"
#include "trace_log.h"

#include <string.h>

static bool take_values(const tp_llama_layout *layout, const tp_llama_rule *it, const char *tensor,
                        tp_value *values)
{
    for (int i = 0; i < it->field_count; i++) {
        const tp_llama_field *from = &it->fields[i];
        if (from->is_number) {
            values[i].is_scalar = true;
            values[i].number = from->number;
            continue;
        }
        const char *source = tp_llama_source(layout, tensor, from->path, from->steps);
        if (source == NULL || !tp_llama_value(layout, source, from->ndim, &values[i])) return false;
    }
    return true;
}

/* Statistics of the sums of rows, as MLT-02 keeps them. */
static bool measure_rows(const tp_view *view, tp_stats *stats)
{
    enum { FEW = 256 };
    const Py_ssize_t rows = view->size / view->shape[view->ndim - 1];
    double few[FEW], *sums = few;
    if (rows > FEW && (sums = PyMem_RawMalloc((size_t)rows * sizeof *sums)) == NULL) return false;
    tp_rows(TP_ROW_SUMS, view, NULL, sums);
    tp_measure_doubles(sums, rows, TP_RANGE, stats);
    if (sums != few) PyMem_RawFree(sums);
    return true;
}

static bool note(const tp_llama_rule *it, const tp_value *values, const tp_stats *stats,
                 PyObject *log)
{
    for (int i = 0; i < it->event_count; i++) {
        const tp_llama_event_of *e = &it->events[i];
        const tp_view *view = &values[e->field].view;
        tp_stats rows = {0};
        const bool is_attention = e->kind == TP_EVENT_ATTENTION;
        if (is_attention && !measure_rows(view, &rows)) return false;
        if (tp_trace_log_copy(log, e->kind, e->layer, is_attention ? &rows : &stats[e->field],
                              e->keeps ? view : NULL, PY_SSIZE_T_MAX) != 1)
            return false;
    }
    return true;
}

/* As MLT-01 does; what is left of the plan then is one measuring. */
static bool asks_only_for_finite(const tp_plan *plan)
{
    if (plan->field_count != 1 || plan->step_count != 1 || plan->interval_count != 1
        || plan->outcome_count != 0)
        return false;
    const tp_step *step = plan->steps;
    const tp_interval *none = plan->intervals;
    bool counts = false;
    for (int i = 0; i < step->given_count; i++)
        counts |= step->given[i].slot == none->slot
                  && step->given[i].attribute == TP_NONFINITE_COUNT;
    return step->kind == TP_STEP_MEASURE && !step->has_label && counts && none->low == 0
           && none->high == 0 && !none->may_be_vacuous;
}

static bool is_finite(const tp_llama_rule *it, const tp_value *value, tp_stats *stats)
{
    tp_measure(&value->view, it->wanted, stats);
    return stats->nan_count + stats->posinf_count + stats->neginf_count == 0;
}

static bool part_holds(const tp_llama_layout *layout, const tp_llama_rule *it, const char *tensor,
                       PyObject *log)
{
    tp_value values[TP_MAX_FIELDS];
    tp_stats stats[TP_MAX_FIELDS];
    if (it->in_python || it->plan == NULL || !take_values(layout, it, tensor, values)) return false;
    if (it->only_finite) {
        if (!is_finite(it, values, stats)) return false;
    } else if (tp_plan_run_values((tp_plan *)it->plan, values, it->measures ? stats : NULL)
               != TP_HOLDS) {
        return false;
    }
    return log == NULL || note(it, values, stats, log);
}

bool tp_llama_holds(const tp_llama_layout *layout, const tp_llama_rules *rules, int number,
                    int turn, const char *tensor, PyObject *log, uint64_t *counted)
{
    const Py_ssize_t count = log == NULL ? 0 : tp_trace_log_count(log);
    for (int at = number; at >= 0; at = rules->all[at].next) {
        if (part_holds(layout, tp_llama_serving(rules, at, turn), tensor, log)) continue;
        if (log != NULL) tp_trace_log_cut(log, count);
        return false;
    }
    for (int at = number; at >= 0; at = rules->all[at].next) {
        const tp_llama_rule *it = tp_llama_serving(rules, at, turn);
        for (int i = 0; i < TP_LLAMA_COUNTERS; i++) counted[i] += it->conditions[i];
    }
    return true;
}

/* -- what Python says of it; all of this needs the GIL ----------------------------------------- */

/* A number, or (path, axes). */
static int learn_field(tp_llama_field *field, PyObject *from)
{
    if (PyFloat_Check(from)) {
        field->is_number = true;
        field->number = PyFloat_AS_DOUBLE(from);
        return 0;
    }
    PyObject *path;
    if (!PyArg_ParseTuple(from, "O!i", &PyTuple_Type, &path, &field->ndim)) return -1;
    field->steps = (int)PyTuple_GET_SIZE(path);
    bool is_sound = field->steps <= TP_LLAMA_STEPS && field->ndim >= 1
                    && field->ndim <= TP_LLAMA_DIMS;
    for (int i = 0; is_sound && i < field->steps; i++) {
        long step = PyLong_AsLong(PyTuple_GET_ITEM(path, i));
        is_sound = step >= 0 && step < 64;
        field->path[i] = (int8_t)step;
    }
    if (is_sound) return 0;
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no way to a tensor");
    return -1;
}

static int learn_fields(tp_llama_rule *rule, PyObject *fields)
{
    if (rule->plan == NULL) return 0;
    if (!Py_IS_TYPE(rule->plan, tp_plan_type)
        || PyTuple_GET_SIZE(fields) != ((tp_plan *)rule->plan)->field_count) {
        PyErr_SetString(PyExc_TypeError, "a native plan, and where each of its fields comes from");
        return -1;
    }
    rule->field_count = (int)PyTuple_GET_SIZE(fields);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); i++)
        if (learn_field(&rule->fields[i], PyTuple_GET_ITEM(fields, i)) < 0) return -1;
    return 0;
}

static int learn_events(tp_llama_rule *rule, PyObject *events)
{
    const int count = rule->plan == NULL ? 0 : ((tp_plan *)rule->plan)->field_count;
    if (PyTuple_GET_SIZE(events) > TP_LLAMA_MOST_EVENTS) {
        PyErr_SetString(PyExc_ValueError, "too many events of one node");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(events); i++) {
        tp_llama_event_of *e = &rule->events[rule->event_count++];
        int at, keeps;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(events, i), "iiip", &e->kind, &e->layer, &at,
                              &keeps))
            return -1;
        if (at < 0 || at >= count || rule->fields[at].is_number) {
            PyErr_SetString(PyExc_ValueError, "an event is about a tensor among the fields");
            return -1;
        }
        e->field = (uint8_t)at;
        e->keeps = keeps;
        rule->measures |= e->kind != TP_EVENT_ATTENTION;
    }
    return 0;
}

PyObject *tp_llama_learn(tp_llama_rules *rules, PyObject *arguments)
{
    PyObject *plan, *fields, *events;
    int in_python, first;
    tp_llama_rule new = {.next = -1};
    if (!PyArg_ParseTuple(arguments, "OO!(KKK)O!piii", &plan, &PyTuple_Type, &fields,
                          &new.conditions[0], &new.conditions[1], &new.conditions[2], &PyTuple_Type,
                          &events, &in_python, &first, &new.less, &new.turn))
        return NULL;
    if (first < -1 || first >= rules->count || new.less < -1 || new.less >= rules->count) {
        PyErr_SetString(PyExc_ValueError, "no such rule");
        return NULL;
    }
    tp_llama_rule *all = PyMem_RawRealloc(rules->all, (size_t)(rules->count + 1) * sizeof *all);
    if (all == NULL) return PyErr_NoMemory();
    rules->all = all;
    new.in_python = in_python;
    new.plan = plan == Py_None ? NULL : plan;
    if (learn_fields(&new, fields) < 0 || learn_events(&new, events) < 0) return NULL;
    new.only_finite = new.plan != NULL && asks_only_for_finite((tp_plan *)new.plan)
                      && !new.fields[0].is_number;
    if (new.only_finite) new.wanted = ((tp_plan *)new.plan)->steps->wanted;
    Py_XINCREF(new.plan);
    all[rules->count] = new;
    for (int at = first; at >= 0; at = all[at].next) {
        if (all[at].next >= 0) continue;
        all[at].next = rules->count;
        break;
    }
    return PyLong_FromLong(rules->count++);
}

void tp_llama_unlearn(tp_llama_rules *rules)
{
    for (int i = 0; i < rules->count; i++) Py_CLEAR(rules->all[i].plan);
    PyMem_RawFree(rules->all);
    *rules = (tp_llama_rules){0};
}
