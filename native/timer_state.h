/* What a BrickTimer consists of; only timer.c and timer_type.c look inside. */
#ifndef TRACEPACT_TIMER_STATE_H
#define TRACEPACT_TIMER_STATE_H

#include "bricks.h"
#include "timer.h"

typedef struct {
    tp_brick *brick;
    PyObject *name, *layer;  /* borrowed from the aliases until these are reset */
    uint64_t resets;
    int64_t started, nested; /* ticks */
} tp_open_brick;

/* What one thread is doing. */
typedef struct tp_timer_thread {
    struct tp_timer *timer; /* NULL once it is gone */
    struct tp_timer_thread *next;
    uint64_t id;
    tp_open_brick *open;
    Py_ssize_t depth, open_room;
    Py_ssize_t outside; /* how many of them were open before the pass began */
    tp_call *calls;     /* until they are counted */
    Py_ssize_t call_count, call_room;
    int64_t pass_started, excluded; /* ticks */
    bool in_pass, several_tokens;
} tp_timer_thread;

typedef struct tp_timer {
    PyObject_HEAD
    PyObject *clock; /* NULL: tp_ticks */
    double ns_per_tick;
    tp_timer_thread *threads; /* owned by `local` */
    PyObject *local;          /* threading.local: ends a thread's state with the thread */
    tp_bricks bricks;
    int64_t pass_count[TP_PHASES], wall[TP_PHASES]; /* wall in ticks */
} tp_timer;

int tp_timer_ask_clock(tp_timer *self, int64_t *moment);
/* Ticks become nanoseconds when somebody reads them, by the latest rate. */
void tp_timer_update_rate(tp_timer *self);

static inline int tp_timer_read_clock(tp_timer *self, int64_t *moment)
{
    if (TP_UNLIKELY(self->clock != NULL)) return tp_timer_ask_clock(self, moment);
    *moment = (int64_t)tp_ticks();
    return 0;
}

#endif
