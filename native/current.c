/* The innermost open span of a thread or task.

   A context variable holds one stack of open spans a context. Reading it is cheap (CPython caches
   the value by context), and it is set only once a context, not once a span. A context that was
   copied (a new task) finds the stack of the one it was copied from and begins its own on top. */
#include "tracing.h"

static PyTypeObject stack_type;
static PyObject *variable;

static int stack_traverse(tp_stack *self, visitproc visit, void *arg)
{
    Py_VISIT(self->context);
    Py_VISIT(self->top);
    return 0;
}

static int stack_clear(tp_stack *self)
{
    Py_CLEAR(self->context);
    Py_CLEAR(self->top);
    return 0;
}

struct tp_last_stack tp_last_stack;

static void stack_dealloc(tp_stack *self)
{
    if (tp_last_stack.stack == self)
        tp_last_stack = (struct tp_last_stack){0}; /* no thread has that number */
    PyObject_GC_UnTrack(self);
    stack_clear(self);
    PyObject_GC_Del(self);
}

static PyTypeObject stack_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.SpanStack",
    .tp_basicsize = sizeof(tp_stack),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)stack_traverse,
    .tp_clear = (inquiry)stack_clear,
    .tp_dealloc = (destructor)stack_dealloc,
};

/* The stack that this context sees, borrowed; NULL without one, or with an error set. */
static tp_stack *visible_stack(void)
{
    PyObject *found = NULL;
    if (PyContextVar_Get(variable, NULL, &found) < 0) return NULL;
    if (found == NULL) return NULL;
    Py_DECREF(found); /* the context holds it */
    return Py_IS_TYPE(found, &stack_type) ? (tp_stack *)found : NULL;
}

static void remember(PyThreadState *thread, tp_stack *stack)
{
    tp_last_stack = (struct tp_last_stack){thread->id, thread->context_ver, stack};
}

/* The stack of this context, borrowed; NULL if it has none of its own, or with an error set. */
static tp_stack *own_stack(void)
{
    PyThreadState *thread = PyThreadState_Get();
    tp_stack *stack = tp_remembered_stack(thread);
    if (stack != NULL) return stack;
    stack = visible_stack();
    if (stack == NULL || stack->context != thread->context) return NULL;
    remember(thread, stack);
    return stack;
}

/* Spans may close out of order, or in another context, as generators do. */
static tp_span *first_open(tp_span *span)
{
    while (span != NULL && span->status != TP_OPEN) span = span->parent;
    return span;
}

/* A stack of this context's own, as a new reference: what runs meanwhile may replace it. */
static tp_stack *begin_stack(void)
{
    tp_stack *stack = PyObject_GC_New(tp_stack, &stack_type);
    if (stack == NULL) return NULL;
    /* After the allocation, which may collect garbage that closes spans. */
    tp_stack *inherited = visible_stack();
    stack->context = NULL;
    stack->top = inherited == NULL ? NULL : (tp_span *)Py_XNewRef(first_open(inherited->top));
    PyObject_GC_Track(stack);
    PyObject *token = PyErr_Occurred() ? NULL : PyContextVar_Set(variable, (PyObject *)stack);
    if (token == NULL) {
        Py_DECREF(stack);
        return NULL;
    }
    PyThreadState *thread = PyThreadState_Get();
    stack->context = Py_XNewRef(thread->context);
    remember(thread, stack);
    Py_DECREF(token); /* last: the spans of the stack that was there before may go with it */
    return stack;
}

int tp_current_push_slowly(tp_span *span)
{
    tp_stack *stack = own_stack(), *begun = NULL;
    if (stack == NULL) {
        if (PyErr_Occurred() || (begun = begin_stack()) == NULL) return -1;
        stack = begun;
    }
    tp_span *closed = NULL; /* let go last: a field's finaliser may open spans as well */
    if (stack->top != NULL && stack->top->status != TP_OPEN) {
        closed = stack->top;
        stack->top = (tp_span *)Py_XNewRef(first_open(closed));
    }
    tp_stack_push(stack, span);
    Py_XDECREF(closed);
    Py_XDECREF(begun);
    return 0;
}

void tp_current_pop_slowly(void)
{
    tp_stack *stack = own_stack();
    if (stack == NULL) {
        PyErr_Clear();
        return;
    }
    tp_span *top = stack->top;
    if (top == NULL || top->status == TP_OPEN) return;
    stack->top = (tp_span *)Py_XNewRef(first_open(top));
    Py_DECREF(top);
}

PyObject *tp_current_span(PyObject *module, PyObject *unused)
{
    tp_stack *stack = visible_stack();
    if (stack == NULL) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    tp_span *span = first_open(stack->top);
    return Py_NewRef(span == NULL ? Py_None : (PyObject *)span);
}

int tp_current_init(void)
{
    if (PyType_Ready(&stack_type) < 0) return -1;
    variable = PyContextVar_New("tracepact_native_spans", NULL);
    return variable == NULL ? -1 : 0;
}
