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
/* The statistics of the last event; NULL without one. */
const tp_stats *tp_trace_log_last(PyObject *log);

#endif
