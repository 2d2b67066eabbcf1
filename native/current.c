/* The innermost open span of a thread or task.

   A context variable holds one stack of open spans a context. Reading it is cheap (CPython caches
   the value by context), and it is set only once a context, not once a span. A context that was
   copied (a new task) finds the stack of the one it was copied from and begins its own on top. */
#include "tracing.h"

typedef struct {
    PyObject_HEAD
    PyObject *context; /* whose stack this is; held, so that no other gets its address */
    tp_span *top;
} stack_object;

static PyTypeObject stack_type;
static PyObject *variable;

static int stack_traverse(stack_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->context);
    Py_VISIT(self->top);
    return 0;
}

static int stack_clear(stack_object *self)
{
    Py_CLEAR(self->context);
    Py_CLEAR(self->top);
    return 0;
}

/* The stack of the context that a thread was in last: threads have unique numbers, and CPython
   counts a thread's changes of context, so that equal numbers mean the same context. */
static struct {
    uint64_t thread, version;
    stack_object *stack; /* held by that context, until somebody sets the variable */
} last;

static void stack_dealloc(stack_object *self)
{
    if (last.stack == self) last.thread = 0; /* no thread has that number */
    PyObject_GC_UnTrack(self);
    stack_clear(self);
    PyObject_GC_Del(self);
}

static PyTypeObject stack_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.SpanStack",
    .tp_basicsize = sizeof(stack_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)stack_traverse,
    .tp_clear = (inquiry)stack_clear,
    .tp_dealloc = (destructor)stack_dealloc,
};

/* The stack that this context sees, borrowed; NULL without one, or with an error set. */
static stack_object *visible_stack(void)
{
    PyObject *found = NULL;
    if (PyContextVar_Get(variable, NULL, &found) < 0) return NULL;
    if (found == NULL) return NULL;
    Py_DECREF(found); /* the context holds it */
    return Py_IS_TYPE(found, &stack_type) ? (stack_object *)found : NULL;
}

static void remember(PyThreadState *thread, stack_object *stack)
{
    last.thread = thread->id;
    last.version = thread->context_ver;
    last.stack = stack;
}

/* The stack of this context, borrowed; NULL if it has none of its own, or with an error set. */
static stack_object *own_stack(void)
{
    PyThreadState *thread = PyThreadState_Get();
    if (TP_LIKELY(last.thread == thread->id && last.version == thread->context_ver))
        return last.stack;
    stack_object *stack = visible_stack();
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

static stack_object *begin_stack(tp_span *below)
{
    stack_object *stack = PyObject_GC_New(stack_object, &stack_type);
    if (stack == NULL) return NULL;
    stack->context = NULL;
    stack->top = (tp_span *)Py_XNewRef(below);
    PyObject_GC_Track(stack);
    PyObject *token = PyContextVar_Set(variable, (PyObject *)stack);
    Py_DECREF(stack);
    if (token == NULL) return NULL;
    Py_DECREF(token);
    PyThreadState *thread = PyThreadState_Get();
    stack->context = Py_XNewRef(thread->context);
    remember(thread, stack);
    return stack;
}

int tp_current_push(tp_span *span)
{
    stack_object *stack = own_stack();
    if (TP_UNLIKELY(stack == NULL)) {
        if (PyErr_Occurred()) return -1;
        stack_object *inherited = visible_stack();
        stack = begin_stack(inherited == NULL ? NULL : first_open(inherited->top));
        if (stack == NULL) return -1;
    }
    tp_span *closed = NULL; /* let go last: a field's finaliser may open spans as well */
    if (TP_UNLIKELY(stack->top != NULL && stack->top->status != TP_OPEN)) {
        closed = stack->top;
        stack->top = (tp_span *)Py_XNewRef(first_open(closed));
    }
    span->parent = stack->top; /* takes over the stack's reference */
    stack->top = (tp_span *)Py_NewRef(span);
    Py_XDECREF(closed);
    return 0;
}

/* Takes what has closed off this context's stack. */
void tp_current_pop(void)
{
    stack_object *stack = own_stack();
    if (TP_UNLIKELY(stack == NULL)) {
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
    stack_object *stack = visible_stack();
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
