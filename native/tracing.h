/* Spans, sites and checked functions: what the files of tracing share. */
#ifndef TRACEPACT_TRACING_H
#define TRACEPACT_TRACING_H

#include "tracepact.h"

/* Fields that one plan may read on the native path; sites with more use the Python path. */
enum { TP_MAX_FIELDS = 16 };
/* Fields that the plan does not read, and that a span keeps without a dict. */
enum { TP_MAX_OTHERS = 6 };

enum { TP_ALWAYS, TP_EVERY_NTH, TP_ASK_PYTHON, TP_OFF };

/* What all sites of one layer share. */
typedef struct {
    PyObject_HEAD
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
    const tp_bounds *bounds;     /* of the plan; NULL where it asks for more than numbers */
    PyObject *null_span;
    uint64_t conditions;
    uint64_t calls;              /* for TP_EVERY_NTH */
    uint32_t untimed, period;    /* healthy checks of arrays since a timed one; one in so many is */
    bool copies;                 /* a field's value at open is wanted */
} tp_site;

enum { TP_NEW, TP_OPEN, TP_OK, TP_VIOLATED, TP_ERROR, TP_STATUSES };

typedef struct tp_span {
    PyObject_HEAD
    tp_site *site;
    struct tp_span *parent;
    const struct tp_stack *stack; /* where it was opened; only ever compared */
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

/* The open spans of one context. */
typedef struct tp_stack {
    PyObject_HEAD
    PyObject *context; /* whose stack this is; held, so that no other gets its address */
    tp_span *top;
} tp_stack;

/* The stack of the context that a thread was in last: threads have unique numbers, and CPython
   counts a thread's changes of context, so that equal numbers mean the same context. */
extern struct tp_last_stack {
    uint64_t thread, version;
    tp_stack *stack; /* held by that context, until somebody sets the variable */
} tp_last_stack;

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
/* tp_site_run for all that is not numbers between bounds. */
int tp_site_run_plan(tp_site *site, PyObject *const *values);

/* span.c */
int tp_span_init(void);
tp_span *tp_span_new(tp_site *site);
tp_span *tp_span_begin(tp_site *site, PyObject *const *arguments, PyObject *names);
int tp_span_record(tp_span *span, PyObject *const *arguments, PyObject *names);
PyObject *tp_span_fields(tp_span *span);

/* current.c: which span is open, by context. */
int tp_current_push_slowly(tp_span *span);
void tp_current_pop_slowly(void);
PyObject *tp_current_span(PyObject *module, PyObject *unused);
int tp_current_init(void);

static inline tp_stack *tp_remembered_stack(const PyThreadState *thread)
{
    const struct tp_last_stack *last = &tp_last_stack;
    return last->thread == thread->id && last->version == thread->context_ver ? last->stack : NULL;
}

static inline void tp_stack_push(tp_stack *stack, tp_span *span)
{
    span->stack = stack;
    span->parent = stack->top; /* takes over the stack's reference */
    stack->top = (tp_span *)Py_NewRef(span);
}

static inline bool tp_may_be_parent(const tp_span *span)
{
    return span == NULL || span->status == TP_OPEN;
}

static inline int tp_current_push(tp_span *span)
{
    tp_stack *stack = tp_remembered_stack(PyThreadState_Get());
    if (TP_UNLIKELY(stack == NULL || !tp_may_be_parent(stack->top)))
        return tp_current_push_slowly(span);
    tp_stack_push(stack, span);
    return 0;
}

/* Takes a span that has closed off its stack, with what else has closed. */
static inline void tp_current_pop(tp_span *span)
{
    tp_stack *stack = tp_last_stack.stack;
    if (TP_LIKELY(stack != NULL && span->stack == stack && stack->top == span
                  && tp_may_be_parent(span->parent))) {
        stack->top = (tp_span *)Py_XNewRef(span->parent);
        Py_DECREF(span);
        return;
    }
    tp_current_pop_slowly();
}

/* checked.c */
extern PyTypeObject tp_checked_type;

/* Whether the next check of this site runs: 1, 0, or -1 with an error set. */
static inline int tp_site_admits(tp_site *site)
{
    const tp_layer_state *layer = site->layer;
    if (TP_LIKELY(layer->sampling == TP_ALWAYS)) return 1;
    if (layer->sampling == TP_OFF) return 0;
    if (layer->sampling == TP_EVERY_NTH) return site->calls++ % layer->nth == 0;
    return tp_site_asks_python(site);
}

/* Runs the plan and counts; `values` may have NULL and None, which is TP_UNKNOWN. */
static inline int tp_site_run(tp_site *site, PyObject *const *values)
{
    const tp_bounds *bounds = site->bounds;
    tp_layer_state *layer = site->layer;
    if (TP_UNLIKELY(bounds == NULL || layer->sampling == TP_ASK_PYTHON))
        return tp_site_run_plan(site, values);
    for (Py_ssize_t i = 0; i < site->fields; i++) {
        PyObject *value = values[i];
        if (TP_UNLIKELY(value == NULL || !PyFloat_CheckExact(value)))
            return tp_site_run_plan(site, values);
        double number = PyFloat_AS_DOUBLE(value);
        if (TP_UNLIKELY(!(number >= bounds[i].low && number <= bounds[i].high))) return TP_FAILS;
    }
    layer->checks += site->conditions;
    return TP_HOLDS;
}

/* Where the plan keeps a field of that name, or -1. `guess` is looked at first. */
static inline Py_ssize_t tp_site_index(const tp_site *site, PyObject *name, Py_ssize_t guess)
{
    if (TP_LIKELY(guess < site->fields && site->names[guess] == name)) return guess;
    return tp_site_search(site, name);
}

#endif
