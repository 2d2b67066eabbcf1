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
/* The same with a copy, as float32, of an array of which only the last row of the axis before the
   last is kept, or of none where `view` is NULL: 1; 0 where it takes more than `most` bytes or has
   too many axes; -1 without memory. Needs no GIL where tp_is_without_gil says so. */
int tp_trace_log_copy(PyObject *log, int kind, int layer, const tp_stats *stats,
                      const tp_view *view, Py_ssize_t most);
/* Takes over what earlier logs had room in, and asks for the memory of the next events. */
void tp_trace_log_prepare(PyObject *log);
void tp_trace_log_ahead(PyObject *log);
Py_ssize_t tp_trace_log_count(PyObject *log);
/* Drops the events from that one on, which keep no objects; needs no GIL. */
void tp_trace_log_cut(PyObject *log, Py_ssize_t count);
/* The statistics of the last event; NULL without one. */
const tp_stats *tp_trace_log_last(PyObject *log);

#endif
