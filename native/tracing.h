/* Spans, sites and checked functions: what the files of tracing share. */
#ifndef TRACEPACT_TRACING_H
#define TRACEPACT_TRACING_H

#include "tracepact.h"

/* Fields that one plan may read on the native path; sites with more use the Python path. */
enum { TP_MAX_FIELDS = 16 };
/* Fields that the plan does not read, and that a span keeps without a dict. */
enum { TP_MAX_OTHERS = 6 };

enum { TP_ALWAYS, TP_EVERY_NTH, TP_ASK_PYTHON };

/* What all sites of one layer share. */
typedef struct {
    PyObject_HEAD
    bool is_off;
    int sampling;
    uint64_t nth;
    uint64_t checks;      /* conditions tested */
    uint64_t check_ticks; /* spent in checks of arrays */
} tp_layer_state;

/* The hot half of a site; the Python class derives from it. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    tp_layer_state *layer;
    PyObject *plan;              /* NULL: every check goes through Python */
    PyObject *const *names;      /* of the plan, interned */
    Py_ssize_t fields;
    PyObject *null_span;
    uint64_t conditions;
    uint64_t calls;              /* for TP_EVERY_NTH */
    bool copies;                 /* a field's value at open is wanted */
} tp_site;

enum { TP_NEW, TP_OPEN, TP_OK, TP_VIOLATED, TP_ERROR, TP_STATUSES };

typedef struct tp_span {
    PyObject_HEAD
    tp_site *site;
    struct tp_span *parent;
    PyObject *context;           /* NULL: the site's */
    PyObject *others;            /* dict of further fields that the plan does not know, or NULL */
    PyObject *violations;        /* NULL: none */
    uint64_t opened, duration;   /* ticks */
    int status;
    bool is_null, is_tracked;
    uint8_t other_count;
    PyObject *values[TP_MAX_FIELDS];
    PyObject *other_names[TP_MAX_OTHERS], *other_values[TP_MAX_OTHERS];
} tp_span;

extern PyTypeObject tp_layer_state_type;
extern PyTypeObject tp_span_type;
extern PyTypeObject *tp_site_type;
extern PyObject *tp_config_error;

/* Whether two names at different addresses are equal; interned ones never are. */
static inline bool tp_is_same_text(PyObject *a, PyObject *b)
{
    if (PyUnicode_CHECK_INTERNED(a) && PyUnicode_CHECK_INTERNED(b)) return false;
    return PyUnicode_Compare(a, b) == 0;
}

/* site.c */
/* Arguments that were given by keyword, as a new dict. */
PyObject *tp_as_dict(PyObject *const *arguments, PyObject *names);
int tp_site_asks_python(tp_site *site);
Py_ssize_t tp_site_search(const tp_site *site, PyObject *name);
/* Runs the plan and counts; `values` may have NULL and None, which is TP_UNKNOWN. */
int tp_site_run(tp_site *site, PyObject *const *values);

/* span.c */
int tp_span_init(void);
tp_span *tp_span_new(tp_site *site);
int tp_span_record(tp_span *span, PyObject *const *arguments, PyObject *names);
PyObject *tp_span_fields(tp_span *span);

/* current.c: which span is open, by context. */
int tp_current_push(tp_span *span);
void tp_current_pop(void);
PyObject *tp_current_span(PyObject *module, PyObject *unused);
int tp_current_init(void);

/* checked.c */
extern PyTypeObject tp_checked_type;

/* Whether the next check of this site runs: 1, 0, or -1 with an error set. */
static inline int tp_site_admits(tp_site *site)
{
    const tp_layer_state *layer = site->layer;
    if (layer->is_off) return 0;
    if (TP_LIKELY(layer->sampling == TP_ALWAYS)) return 1;
    if (layer->sampling == TP_EVERY_NTH) return site->calls++ % layer->nth == 0;
    return tp_site_asks_python(site);
}

/* Where the plan keeps a field of that name, or -1. `guess` is looked at first. */
static inline Py_ssize_t tp_site_index(const tp_site *site, PyObject *name, Py_ssize_t guess)
{
    if (TP_LIKELY(guess < site->fields && site->names[guess] == name)) return guess;
    return tp_site_search(site, name);
}

#endif
