/* A probe's hot half: runs a kernel, times it, checks its fields and notes what was measured.

   It serves the passes of one thread at a time, and only kernels that it was told of; all else goes
   to the Python methods of the class that derives from it. */
#include "probe.h"

enum { MOST_COPIED = 1 << 15 }; /* bytes of an array; larger ones are kept themselves */

static PyObject *str_run, *str_residual, *str_trace, *str_cost, *str_fault, *str_settle;

/* An error of ours is counted and logged by the layer; an interrupt goes on: 0, or -1. */
static int swallow(tp_probe *self)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return -1;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *done = PyObject_CallMethodOneArg((PyObject *)self, str_fault, value);
    if (done == NULL) PyErr_Clear();
    Py_XDECREF(done);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return 0;
}

static inline tp_watched *find(tp_probe *self, PyObject *name)
{
    for (int i = 0; i < self->count; i++)
        if (self->names[i] == name) return &self->bricks[i];
    return NULL;
}

/* What is looked at of a brick of a layer in this pass. */
static inline tp_watched *find_in_turn(tp_probe *self, PyObject *name, Py_ssize_t layer)
{
    tp_watched *brick = find(self, name);
    const bool is_turn = brick == NULL || brick->turns == 0 || self->turn < 0 || layer < 0
                         || layer % brick->turns == self->turn % brick->turns;
    return TP_LIKELY(is_turn) ? brick : &self->bricks[brick->less];
}

static inline int index_in(const tp_probe *self, const tp_watched *brick)
{
    return (int)(brick - self->bricks);
}

static inline Py_ssize_t index_of(const tp_watched *brick, PyObject *name, Py_ssize_t guess)
{
    if (guess < brick->fields && brick->names[guess] == name) return guess;
    for (Py_ssize_t i = 0; i < brick->fields; i++)
        if (brick->names[i] == name) return i;
    return -1;
}

/* Calls a Python method with (brick, layer, inputs, ret); 0, or -1 with an error set. */
static int call_python(tp_probe *self, PyObject *method, PyObject *const *head,
                       PyObject *const *inputs, PyObject *names, PyObject *ret, PyObject **answer)
{
    PyObject *fields = tp_as_dict(inputs, names);
    if (fields == NULL) return -1;
    PyObject *done = PyObject_CallMethodObjArgs((PyObject *)self, method, head[0], head[1], fields,
                                                ret, NULL);
    Py_DECREF(fields);
    if (done == NULL) return -1;
    if (answer != NULL) *answer = done;
    else Py_DECREF(done);
    return 0;
}

/* A layer as a number: -1 for None, -2 for what only Python understands. */
static Py_ssize_t layer_number(PyObject *layer)
{
    if (layer == Py_None) return -1;
    if (TP_UNLIKELY(!PyLong_CheckExact(layer))) return -2;
    int overflow;
    long number = PyLong_AsLongAndOverflow(layer, &overflow);
    return overflow || number < 0 || number >= MAX_LAYERS ? -2 : number;
}

/* Starts the clock; 0, or -1 with an error of ours set. */
static int start_timer(tp_probe *self, const tp_watched *brick, PyObject *const *head)
{
    tp_place *place = tp_place_of(&self->places, layer_number(head[1]), index_in(self, brick));
    if (place == NULL) return -1;
    if (TP_LIKELY(place->brick != NULL)) return tp_timer_start_known(self->timer, place->brick);
    place->brick = tp_timer_find(self->timer, head[0], head[1]);
    return place->brick == NULL ? -1 : tp_timer_start_known(self->timer, place->brick);
}

/* Stops it at a moment that has passed; the cost of a brick of one layer is asked for once. */
static int stop_timer(tp_probe *self, int64_t ended, const tp_watched *brick, PyObject *const *head,
                      PyObject *const *inputs, PyObject *names, PyObject *ret)
{
    const Py_ssize_t layer = layer_number(head[1]);
    const int at = index_in(self, brick);
    tp_place *place = tp_place_of(&self->places, layer, at);
    if (TP_UNLIKELY(place != NULL && place->cost == NULL)) {
        PyObject *cost = NULL;
        if (call_python(self, str_cost, head, inputs, names, ret, &cost) < 0
            && swallow(self) < 0)
            return -1;
        place = tp_place_of(&self->places, layer, at); /* Python may have moved it */
        if (place != NULL) Py_XSETREF(place->cost, cost);
        else Py_XDECREF(cost);
    }
    if (place == NULL) return -1;
    if (TP_LIKELY(place->brick != NULL))
        return tp_timer_stop_known(self->timer, ended, place->brick, place->cost, 1, self->size);
    return tp_timer_stop_at(self->timer, ended, head[0], head[1], place->cost, 1, self->size);
}

/* Appends an event that keeps a copy of an array, or itself where it is large or of float64; gives
   the view back. 0, or -1. */
static int note_array(tp_probe *self, int kind, int layer, PyObject *ret, const tp_stats *stats,
                      tp_view *view)
{
    int done = 0;
    if (view->dtype != TP_F64)
        done = tp_trace_log_copy(self->log, kind, layer, stats, view, MOST_COPIED);
    tp_view_release(view);
    if (done != 0) return done < 0 ? -1 : 0;
    return tp_trace_log_append(self->log, kind, layer, stats, ret);
}

/* The event of a softmax has its row sums, and the rows for who wants to see them. 0, or -1. */
static int note_rows(tp_probe *self, int layer, PyObject *ret)
{
    enum { MOST_ROWS = 1024 };
    double sums[MOST_ROWS];
    tp_view view;
    tp_stats stats = {0};
    if (!tp_view_of(ret, &view)) return -1;
    Py_ssize_t width = view.ndim ? view.shape[view.ndim - 1] : 0;
    Py_ssize_t count = width ? view.size / width : 0;
    if (count > MOST_ROWS) {
        tp_view_release(&view);
        return -1;
    }
    tp_rows(TP_ROW_SUMS, &view, NULL, sums);
    tp_measure_doubles(sums, count, TP_RANGE, &stats);
    return note_array(self, TP_EVENT_ATTENTION, layer, ret, &stats, &view);
}

/* Appends the event and counts what was tested. 0, or -1 where Python has to do both. */
static int note(tp_probe *self, const tp_watched *brick, int layer, PyObject *ret,
                const tp_stats *stats)
{
    int done = 0;
    tp_view view;
    if (brick->kind == TP_EVENT_ATTENTION) done = note_rows(self, layer, ret);
    else if (brick->kind == TP_EVENT_OUTPUT)
        done = tp_view_of(ret, &view)
                   ? note_array(self, TP_EVENT_OUTPUT, layer, ret, stats, &view)
                   : -1;
    else if (brick->kind != TP_NO_EVENT)
        done = tp_trace_log_append(self->log, brick->kind, layer, stats, NULL);
    for (int i = 0; done == 0 && i < COUNTERS; i++) {
        self->counted[i] += brick->conditions[i];
        self->layer->checks += brick->conditions[i];
    }
    return done;
}

/* 1 if the fields hold and are noted; 0 if Python has to look. */
static int passes(tp_probe *self, const tp_watched *brick, int layer, PyObject *const *inputs,
                  PyObject *names, PyObject *ret)
{
    PyObject *values[TP_MAX_FIELDS] = {NULL};
    tp_stats stats[TP_MAX_FIELDS];
    if (brick->in_python) return 0;
    if (brick->plan == NULL) return 1;
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t at = index_of(brick, PyTuple_GET_ITEM(names, i), i);
        if (at >= 0) values[at] = inputs[i];
    }
    if (brick->ret >= 0) values[brick->ret] = ret;
    for (Py_ssize_t i = 0; i < brick->fields; i++)
        if (values[i] == NULL || values[i] == Py_None) return 0;
    bool wants_stats = brick->kind != TP_NO_EVENT && brick->kind != TP_EVENT_ATTENTION;
    if (tp_plan_run(brick->plan, values, wants_stats ? stats : NULL) != TP_HOLDS) return 0;
    if (TP_LIKELY(note(self, brick, layer, ret, &stats[brick->ret]) == 0)) return 1;
    PyErr_Clear(); /* out of memory; Python tries again */
    return 0;
}

/* Tracing takes no time of the model's, and no error of it reaches the model. */
static int end_tracing(tp_probe *self, int64_t since, uint64_t start)
{
    self->ticks += tp_ticks() - start;
    if (self->timer == NULL || tp_timer_exclude_since(self->timer, since, NULL) == 0) return 0;
    return swallow(self);
}

/* Python is cold between two kernels, so it looks at all that it wants at the end of the pass. */
static int put_off(tp_probe *self, PyObject *const *head, PyObject *const *inputs, PyObject *names,
                   PyObject *ret)
{
    PyObject *fields = tp_as_dict(inputs, names);
    PyObject *entry = fields == NULL ? NULL : PyTuple_Pack(4, head[0], head[1], fields, ret);
    int status = entry == NULL ? -1 : PyList_Append(self->later, entry);
    Py_XDECREF(entry);
    Py_XDECREF(fields);
    return status;
}

/* Everything that is done with a result: 0, or -1 with an interrupt that goes on. */
static int watch(tp_probe *self, const tp_watched *brick, PyObject *const *head,
                 PyObject *const *inputs, PyObject *names, PyObject *ret)
{
    int64_t ended = 0;
    if (self->timer != NULL) {
        if (tp_timer_now(self->timer, &ended) < 0 && swallow(self) < 0) return -1;
        if (stop_timer(self, ended, brick, head, inputs, names, ret) < 0 && swallow(self) < 0)
            return -1;
    }
    if (self->log == NULL) return 0;
    uint64_t start = tp_ticks();
    int layer = (int)layer_number(head[1]);
    bool has_more = brick->has_more || (self->sampled_brick == head[0]
                                        && layer_number(self->sampled_layer) == layer);
    int status = 0;
    if (TP_UNLIKELY(!passes(self, brick, layer, inputs, names, ret)))
        status = call_python(self, str_trace, head, inputs, names, ret, NULL);
    else if (has_more) status = put_off(self, head, inputs, names, ret);
    if (status < 0 && swallow(self) < 0) return -1;
    return end_tracing(self, ended, start);
}

/* A pass that is broken off by an error, which goes on: what was tested until now still counts. */
static void settle(tp_probe *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)self, str_settle);
    if (done == NULL) PyErr_Clear();
    Py_XDECREF(done);
    self->thread = NULL;
    PyErr_Restore(type, value, traceback);
}

int tp_probe_see(tp_probe *self, PyObject *const *head, PyObject *const *inputs, PyObject *names,
                 PyObject *ret)
{
    if (self->thread == NULL || self->thread != PyThreadState_Get()) return 0;
    const Py_ssize_t layer = layer_number(head[1]);
    tp_watched *brick = layer == -2 ? NULL : find_in_turn(self, head[0], layer);
    if (brick == NULL) return 0;
    if (brick->plan != NULL) tp_plan_fetch(brick->plan);
    return watch(self, brick, head, inputs, names, ret) < 0 ? -1 : 1;
}

PyObject *tp_probe_run(tp_probe *self, PyObject *const *arguments, Py_ssize_t count,
                       PyObject *names)
{
    bool is_ours = count == 3 && self->thread == PyThreadState_Get()
                   && layer_number(arguments[1]) != -2;
    tp_watched *brick = is_ours ? find(self, arguments[0]) : NULL;
    if (TP_UNLIKELY(brick == NULL)) {
        PyObject *method = PyObject_GetAttr((PyObject *)self, str_run);
        if (method == NULL) return NULL;
        PyObject *ret = PyObject_Vectorcall(method, arguments, (size_t)count, names);
        Py_DECREF(method);
        return ret;
    }
    PyObject *const *inputs = arguments + count;
    if (self->timer != NULL && start_timer(self, brick, arguments) < 0 && swallow(self) < 0)
        return NULL;
    PyObject *ret = PyObject_Vectorcall(arguments[2], inputs, 0, names);
    if (TP_UNLIKELY(ret == NULL)) {
        settle(self);
        return NULL;
    }
    if (TP_LIKELY(watch(self, brick, arguments, inputs, names, ret) == 0)) return ret;
    Py_DECREF(ret);
    return NULL;
}

/* residual(layer, "input" | "output", value) */
PyObject *tp_probe_residual(tp_probe *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (TP_UNLIKELY(count != 3 || self->thread != PyThreadState_Get()
                    || layer_number(arguments[0]) < 0)) {
        PyObject *method = PyObject_GetAttr((PyObject *)self, str_residual);
        if (method == NULL) return NULL;
        PyObject *done = PyObject_Vectorcall(method, arguments, (size_t)count, NULL);
        Py_DECREF(method);
        return done;
    }
    if (self->log == NULL) Py_RETURN_NONE;
    int64_t moment = 0;
    if (self->timer != NULL && tp_timer_now(self->timer, &moment) < 0 && swallow(self) < 0)
        return NULL;
    uint64_t start = tp_ticks();
    PyObject *value = arguments[2];
    int layer = (int)layer_number(arguments[0]);
    bool is_output = PyUnicode_CompareWithASCIIString(arguments[1], "output") == 0;
    const tp_stats *known = value == self->last_output ? tp_trace_log_last(self->log) : NULL;
    tp_stats stats;
    bool done = false;
    if (known != NULL && !is_output) { /* the layer before has been checked */
        stats = *known;
        done = tp_trace_log_append(self->log, TP_EVENT_INPUT, layer, &stats, NULL) == 0;
    } else if (self->residual.plan != NULL && self->residual.fields == 1
               && tp_plan_run(self->residual.plan, &value, &stats) == TP_HOLDS) {
        self->residual.kind = is_output ? TP_EVENT_OUTPUT : TP_EVENT_INPUT;
        done = note(self, &self->residual, layer, value, &stats) == 0;
    }
    if (TP_UNLIKELY(!done)) {
        PyErr_Clear();
        PyObject *method = PyObject_GetAttr((PyObject *)self, str_residual);
        PyObject *answer = method ? PyObject_Vectorcall(method, arguments, 3, NULL) : NULL;
        Py_XDECREF(method);
        Py_XDECREF(answer);
        if (answer == NULL && swallow(self) < 0) return NULL;
    }
    Py_XSETREF(self->last_output, is_output ? Py_NewRef(value) : NULL);
    if (end_tracing(self, moment, start) < 0) return NULL;
    Py_RETURN_NONE;
}

int tp_probe_prepare(void)
{
    return (str_run = PyUnicode_InternFromString("_run"))
                && (str_residual = PyUnicode_InternFromString("_residual"))
                && (str_trace = PyUnicode_InternFromString("_trace"))
                && (str_cost = PyUnicode_InternFromString("_cost"))
                && (str_fault = PyUnicode_InternFromString("_fault"))
                && (str_settle = PyUnicode_InternFromString("_settle"))
            ? 0
            : -1;
}
