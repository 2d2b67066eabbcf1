/* The part of BrickProfiler that runs for every brick of every token.

   Its twin, which says what all of this means, is tracepact.profiling.profiler.BrickProfiler. */
#include "timer_state.h"

/* Calls of a pass of which the room is kept for the next one. */
enum { FIRST_ROOM = 64, KEPT_CALLS = 16384 };

static const char STATE_NAME[] = "tracepact.thread_state";

/* -- threads ------------------------------------------------------------------------------- */

static void free_state(PyObject *capsule)
{
    tp_timer_thread *state = PyCapsule_GetPointer(capsule, STATE_NAME);
    if (state->timer != NULL) {
        tp_timer_thread **at = &state->timer->threads;
        while (*at != state) at = &(*at)->next;
        *at = state->next;
    }
    PyMem_Free(state->open);
    PyMem_Free(state->calls);
    PyMem_Free(state);
}

static tp_timer_thread *add_state(tp_timer *self, uint64_t id)
{
    tp_timer_thread *state = PyMem_Calloc(1, sizeof *state);
    if (state == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    PyObject *capsule = PyCapsule_New(state, STATE_NAME, free_state);
    if (capsule == NULL) {
        PyMem_Free(state);
        return NULL;
    }
    int status = PyObject_SetAttrString(self->local, "state", capsule);
    if (status == 0) {
        state->timer = self;
        state->id = id;
        state->next = self->threads;
        self->threads = state;
    }
    Py_DECREF(capsule);
    return status == 0 ? state : NULL;
}

static tp_timer_thread *find_state(tp_timer *self, uint64_t id)
{
    for (tp_timer_thread **at = &self->threads; *at != NULL; at = &(*at)->next) {
        tp_timer_thread *state = *at;
        if (state->id != id) continue;
        *at = state->next; /* to the front: it will be asked for again */
        state->next = self->threads;
        self->threads = state;
        return state;
    }
    return add_state(self, id);
}

static inline tp_timer_thread *current(tp_timer *self)
{
    uint64_t id = PyThreadState_GetID(PyThreadState_Get()); /* never used twice */
    if (TP_LIKELY(self->threads != NULL && self->threads->id == id)) return self->threads;
    return find_state(self, id);
}

/* -- timing -------------------------------------------------------------------------------- */

int tp_timer_ask_clock(tp_timer *self, int64_t *moment)
{
    PyObject *number = PyObject_CallNoArgs(self->clock);
    if (number == NULL) return -1;
    *moment = PyLong_AsLongLong(number);
    Py_DECREF(number);
    return *moment == -1 && PyErr_Occurred() ? -1 : 0;
}

int tp_timer_now(PyObject *self, int64_t *moment)
{
    return tp_timer_read_clock((tp_timer *)self, moment);
}

void tp_timer_update_rate(tp_timer *self)
{
    const uint64_t many = UINT64_C(1) << 32;
    self->ns_per_tick = self->clock != NULL ? 1.0 : tp_ticks_to_ns(many) / (double)many;
}

static int more_room(void *array, size_t itemsize, Py_ssize_t *room, void **grown)
{
    Py_ssize_t wanted = *room ? 2 * *room : FIRST_ROOM;
    *grown = PyMem_Realloc(array, (size_t)wanted * itemsize);
    if (*grown == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *room = wanted;
    return 0;
}

static int grow_open(tp_timer_thread *thread)
{
    void *grown;
    if (more_room(thread->open, sizeof *thread->open, &thread->open_room, &grown) < 0) return -1;
    thread->open = grown;
    return 0;
}

static int grow_calls(tp_timer_thread *thread)
{
    void *grown;
    if (more_room(thread->calls, sizeof *thread->calls, &thread->call_room, &grown) < 0) return -1;
    thread->calls = grown;
    return 0;
}

static void drop_calls(tp_timer_thread *thread)
{
    thread->call_count = 0;
    thread->several_tokens = false;
    if (thread->call_room <= KEPT_CALLS) return;
    PyMem_Free(thread->calls);
    thread->calls = NULL;
    thread->call_room = 0;
}

/* Moves this thread's calls into the totals. */
static int count_calls(tp_timer *self, tp_timer_thread *thread, bool in_pass, int64_t wall)
{
    int phase = thread->several_tokens ? TP_PREFILL : TP_DECODE;
    if (in_pass) {
        self->pass_count[phase]++;
        self->wall[phase] += wall;
    }
    tp_timer_update_rate(self);
    int status = tp_bricks_count(&self->bricks, thread->calls, thread->call_count, phase, in_pass);
    drop_calls(thread);
    return status;
}

static inline int start(tp_timer *self, tp_brick *brick, PyObject *name, PyObject *layer)
{
    tp_timer_thread *thread = current(self);
    if (TP_UNLIKELY(thread == NULL || brick == NULL)) return -1;
    int64_t now;
    if (TP_UNLIKELY(tp_timer_read_clock(self, &now) < 0)) return -1;
    if (TP_UNLIKELY(thread->depth == thread->open_room) && grow_open(thread) < 0) return -1;
    thread->open[thread->depth++] = (tp_open_brick){
        brick, name, layer, self->bricks.resets, now - thread->excluded, 0,
    };
    return 0;
}

struct tp_brick *tp_timer_find(PyObject *self, PyObject *name, PyObject *layer)
{
    return tp_bricks_find(&((tp_timer *)self)->bricks, name, layer);
}

int tp_timer_start(PyObject *object, PyObject *name, PyObject *layer)
{
    tp_timer *self = (tp_timer *)object;
    return start(self, tp_bricks_find(&self->bricks, name, layer), name, layer);
}

int tp_timer_start_known(PyObject *self, struct tp_brick *brick)
{
    return start((tp_timer *)self, brick, NULL, NULL);
}

static int config_error(PyObject *message)
{
    PyObject *errors = message ? PyImport_ImportModule("tracepact.errors") : NULL;
    PyObject *type = errors ? PyObject_GetAttrString(errors, "ConfigError") : NULL;
    if (type != NULL) PyErr_SetObject(type, message);
    Py_XDECREF(type);
    Py_XDECREF(errors);
    Py_XDECREF(message);
    return -1;
}

static PyObject *open_names(const tp_timer_thread *thread)
{
    if (thread->depth == 0) return PyUnicode_FromString("none");
    PyObject *names = PyUnicode_FromString("");
    for (Py_ssize_t i = 0; names != NULL && i < thread->depth; i++) {
        PyObject *key = thread->open[i].brick->key, *before = names;
        names = PyUnicode_FromFormat("%U%s%S (layer %S)", before, i ? ", " : "",
                                     PyTuple_GET_ITEM(key, 1), PyTuple_GET_ITEM(key, 0));
        Py_DECREF(before);
    }
    return names;
}

/* Drops what was left open inside the innermost open call of that brick. */
static int unwind(tp_timer_thread *thread, const tp_brick *brick)
{
    for (Py_ssize_t depth = thread->depth; depth > 0; depth--) {
        if (thread->open[depth - 1].brick != brick) continue;
        thread->depth = depth;
        return 0;
    }
    PyObject *names = open_names(thread);
    if (names == NULL) return -1;
    PyObject *message = PyUnicode_FromFormat(
        "stop(%R, layer=%S) without a start in this thread; open bricks: %U",
        PyTuple_GET_ITEM(brick->key, 1), PyTuple_GET_ITEM(brick->key, 0), names);
    Py_DECREF(names);
    return config_error(message);
}

/* Mostly the one that is open: the kernel has driven the aliases out of the caches by now. */
static inline tp_brick *brick_to_stop(tp_timer *self, const tp_timer_thread *thread,
                                      PyObject *name, PyObject *layer)
{
    if (TP_LIKELY(thread->depth > 0)) {
        const tp_open_brick *last = &thread->open[thread->depth - 1];
        if (TP_LIKELY(last->name == name && last->layer == layer
                      && last->resets == self->bricks.resets))
            return last->brick;
    }
    return tp_bricks_find(&self->bricks, name, layer);
}

static inline int stop(tp_timer *self, tp_timer_thread *thread, int64_t now, tp_brick *brick,
                       PyObject *cost, Py_ssize_t tokens, int64_t size)
{
    bool innermost = thread->depth > 0 && thread->open[thread->depth - 1].brick == brick;
    if (TP_UNLIKELY(!innermost) && unwind(thread, brick) < 0) return -1;
    tp_open_brick *ended = &thread->open[--thread->depth];
    tp_call call = {brick, now - thread->excluded - ended->started};
    call.own = call.elapsed - ended->nested;
    /* May run the producer's code, which may use this timer: nothing above is looked at again. */
    if (TP_UNLIKELY(tp_brick_cost(brick, cost, size, &call.cost) < 0)) return -1;
    if (TP_UNLIKELY(thread->call_count == thread->call_room) && grow_calls(thread) < 0) return -1;
    thread->calls[thread->call_count++] = call;
    thread->several_tokens |= tokens > 1;
    if (thread->depth > 0) thread->open[thread->depth - 1].nested += call.elapsed;
    else if (!thread->in_pass) return count_calls(self, thread, false, 0);
    return 0;
}

int tp_timer_stop_at(PyObject *object, int64_t now, PyObject *name, PyObject *layer, PyObject *cost,
                     Py_ssize_t tokens, int64_t size)
{
    tp_timer *self = (tp_timer *)object;
    tp_timer_thread *thread = current(self);
    if (TP_UNLIKELY(thread == NULL)) return -1;
    tp_brick *brick = brick_to_stop(self, thread, name, layer);
    if (TP_UNLIKELY(brick == NULL)) return -1;
    return stop(self, thread, now, brick, cost, tokens, size);
}

int tp_timer_stop_known(PyObject *object, int64_t now, struct tp_brick *brick, PyObject *cost,
                        Py_ssize_t tokens, int64_t size)
{
    tp_timer *self = (tp_timer *)object;
    tp_timer_thread *thread = current(self);
    if (TP_UNLIKELY(thread == NULL)) return -1;
    return stop(self, thread, now, brick, cost, tokens, size);
}

int tp_timer_stop(PyObject *self, PyObject *brick, PyObject *layer, PyObject *cost,
                  Py_ssize_t tokens, int64_t size, int64_t *ended)
{
    int64_t now;
    if (tp_timer_read_clock((tp_timer *)self, &now) < 0) return -1;
    if (ended != NULL) *ended = now;
    return tp_timer_stop_at(self, now, brick, layer, cost, tokens, size);
}

int tp_timer_exclude(PyObject *self, int64_t ticks)
{
    tp_timer_thread *thread = current((tp_timer *)self);
    if (thread == NULL) return -1;
    thread->excluded += ticks;
    return 0;
}

int tp_timer_exclude_since(PyObject *self, int64_t moment, double *ns)
{
    int64_t now;
    if (tp_timer_read_clock((tp_timer *)self, &now) < 0) return -1;
    if (ns != NULL) *ns = (double)(now - moment) * ((tp_timer *)self)->ns_per_tick;
    return tp_timer_exclude(self, now - moment);
}

int tp_timer_begin_forward(PyObject *self)
{
    tp_timer_thread *thread = current((tp_timer *)self);
    if (thread == NULL) return -1;
    if (thread->in_pass) { /* it was aborted */
        if (thread->depth > thread->outside) thread->depth = thread->outside;
        drop_calls(thread);
    }
    int64_t now;
    if (tp_timer_read_clock((tp_timer *)self, &now) < 0) return -1;
    thread->outside = thread->depth;
    thread->in_pass = true;
    thread->pass_started = now - thread->excluded;
    return 0;
}

int tp_timer_end_forward(PyObject *object)
{
    tp_timer *self = (tp_timer *)object;
    tp_timer_thread *thread = current(self);
    if (thread == NULL) return -1;
    if (!thread->in_pass)
        return config_error(
            PyUnicode_FromString("end_forward() without begin_forward() in this thread"));
    int64_t now;
    if (tp_timer_read_clock(self, &now) < 0) return -1;
    if (thread->depth > thread->outside) thread->depth = thread->outside;
    thread->in_pass = false;
    return count_calls(self, thread, true, now - thread->excluded - thread->pass_started);
}
