/* What a forward pass left behind, event by event. */
#ifndef TRACEPACT_TRACE_LOG_H
#define TRACEPACT_TRACE_LOG_H

#include "tracepact.h"

/* Kinds of events, as in tracepact.model.events. */
enum {
    TP_NO_EVENT = -1,
    TP_EVENT_INPUT,
    TP_EVENT_POST_NORM,
    TP_EVENT_POST_ATTENTION,
    TP_EVENT_POST_FFN,
    TP_EVENT_OUTPUT,
    TP_EVENT_ATTENTION,
};

extern PyTypeObject tp_trace_log_type;

/* Appends an event; `layer` is -1 outside the layers, `array` is kept, or NULL.
   0, or -1 with MemoryError. */
int tp_trace_log_append(PyObject *log, int kind, int layer, const tp_stats *stats,
                        PyObject *array);
/* Memory of somebody's: floats in C order. */
enum { TP_KEPT_DIMS = 4 };
typedef struct {
    float *floats; /* NULL: none */
    int ndim;
    Py_ssize_t shape[TP_KEPT_DIMS];
} tp_kept;

/* The same with memory that is there for as long as its owner is. */
int tp_trace_log_keep(PyObject *log, int kind, int layer, const tp_stats *stats, PyObject *owner,
                      const tp_kept *kept);
/* The same with a copy of a small array of float32, so that nobody's memory is held: 1; or 0 where it
   is not such an array. */
int tp_trace_log_copy(PyObject *log, int kind, int layer, const tp_stats *stats,
                      const tp_view *view);
/* The statistics of the last event; NULL without one. */
const tp_stats *tp_trace_log_last(PyObject *log);

#endif
