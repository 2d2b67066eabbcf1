/* What the two halves of a probe share: the one that is hot, and the one that Python talks to. */
#ifndef TRACEPACT_PROBE_H
#define TRACEPACT_PROBE_H

#include "places.h"
#include "timer.h"
#include "trace_log.h"
#include "tracing.h"

enum { MAX_BRICKS = TP_PLACES_A_LAYER, MAX_LAYERS = 4096 };
enum { BRICK_CHECKS, ACTIVATION_CHECKS, ATTENTION_CHECKS, COUNTERS };

typedef struct {
    PyObject *plan;            /* NULL: nothing is checked */
    PyObject *const *names;
    Py_ssize_t fields, ret;    /* where the plan keeps the result, or -1 */
    uint64_t conditions[COUNTERS];
    int kind;                  /* of the event that its result leaves, or TP_NO_EVENT */
    bool in_python;            /* traced by Python */
    bool has_more;             /* of which Python wants more than its contract */
    int less, turns;           /* of so many passes one looks at a layer's; in the others that brick
                                  says what is looked at. turns 0: all of them */
} tp_watched;

typedef struct {
    PyObject_HEAD
    PyObject *names[MAX_BRICKS]; /* of `bricks`, side by side: a search reads few cache lines */
    tp_watched bricks[MAX_BRICKS];
    int count;
    tp_places places;          /* costs, and the timer's bricks */
    tp_watched residual;          /* what is checked at the ends of a layer */
    tp_layer_state *layer;
    PyObject *timer, *log;     /* of the pass that is under way, or NULL */
    PyThreadState *thread;     /* whose pass that is; NULL: none */
    PyObject *sampled_brick, *sampled_layer, *last_output;
    PyObject *later;           /* list of (brick, layer, inputs, ret) of which Python wants more */
    uint64_t counted[COUNTERS], ticks;
    int64_t size;
    int turn;                  /* -1: it is everybody's */
} tp_probe;

extern PyTypeObject tp_probe_type;

/* probe.c; methods of the type. */
PyObject *tp_probe_run(tp_probe *self, PyObject *const *arguments, Py_ssize_t count,
                       PyObject *names);
PyObject *tp_probe_residual(tp_probe *self, PyObject *const *arguments, Py_ssize_t count);
/* A result that somebody else has computed: 1 where it was looked at, 0 where this is no pass of
   this thread or no brick of the probe, -1 with an interrupt that goes on. `head` is (brick,
   layer). */
int tp_probe_see(tp_probe *self, PyObject *const *head, PyObject *const *inputs, PyObject *names,
                 PyObject *ret);
/* Names that the hot half looks up; 0, or -1. */
int tp_probe_prepare(void);

#endif
