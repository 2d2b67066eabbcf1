/* Timing bricks from C: what BrickTimer.start and stop do, without arguments to take apart.

   `timer` is an instance of tp_timer_type or of a subclass; who takes one from Python checks that.
   Moments and spans are in the timer's own ticks: tp_ticks(), or what its `clock` returns.
   All functions need the GIL and return 0, or -1 with an error set. */
#ifndef TRACEPACT_TIMER_H
#define TRACEPACT_TIMER_H

#include "tracepact.h"

extern PyTypeObject *tp_timer_type;

int tp_timer_now(PyObject *timer, int64_t *moment);

int tp_timer_start(PyObject *timer, PyObject *brick, PyObject *layer);
/* `cost` as in Python, or NULL; `ended` is NULL or gets the moment at which the brick ended. */
int tp_timer_stop(PyObject *timer, PyObject *brick, PyObject *layer, PyObject *cost,
                  Py_ssize_t tokens, int64_t size, int64_t *ended);

/* The same for a brick that ended at a moment of tp_timer_now, before its cost was looked up. */
int tp_timer_stop_at(PyObject *timer, int64_t moment, PyObject *brick, PyObject *layer,
                     PyObject *cost, Py_ssize_t tokens, int64_t size);

/* The same of a brick that is known already, which saves the search. It is the timer's, and valid
   as long as that; NULL with an error set. */
struct tp_brick *tp_timer_find(PyObject *timer, PyObject *brick, PyObject *layer);
int tp_timer_start_known(PyObject *timer, struct tp_brick *brick);
int tp_timer_stop_known(PyObject *timer, int64_t moment, struct tp_brick *brick, PyObject *cost,
                        Py_ssize_t tokens, int64_t size);

/* Takes ticks that this thread spent on tracing out of every figure. */
int tp_timer_exclude(PyObject *timer, int64_t ticks);
/* The same for what passed since a moment; `ns` is NULL or gets that in nanoseconds. */
int tp_timer_exclude_since(PyObject *timer, int64_t moment, double *ns);

int tp_timer_begin_forward(PyObject *timer);
int tp_timer_end_forward(PyObject *timer);

#endif
