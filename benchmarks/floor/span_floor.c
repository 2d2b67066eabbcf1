/* The least that spans, checks and wrappers can cost in this interpreter: what they do is as little
   as their form allows, one interval and one field, no policy, no threads, no report. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
static inline uint64_t ticks(void) { return __rdtsc(); }
#elif defined(__aarch64__)
static inline uint64_t ticks(void)
{
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
}
#else
#error "no cycle counter is known for this processor"
#endif

static inline uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *field, *function;
    double low, high, value;
    int recorded;
    uint64_t opened, total, closed, failed;
} Floor;

static inline int number(PyObject *object, double *value)
{
    if (PyFloat_CheckExact(object)) {
        *value = PyFloat_AS_DOUBLE(object);
        return 0;
    }
    *value = PyFloat_AsDouble(object);
    return *value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static inline int holds(const Floor *self, double value)
{
    return value >= self->low && value <= self->high;
}

/* The value of the keyword that is this field; keywords are interned, identity is enough. */
static inline int keep(Floor *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Py_ssize_t count = names ? PyTuple_GET_SIZE(names) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyTuple_GET_ITEM(names, i) == self->field) {
            if (number(args[nargs + i], &self->value) < 0)
                return -1;
            self->recorded = 1;
        }
    }
    return 0;
}

static PyObject *nothing(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)self, (void)args, (void)nargs;
    Py_RETURN_NONE;
}

static PyObject *itself(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    return Py_NewRef(self);
}

static PyObject *record(Floor *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    if (keep(self, args, nargs, names) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static inline PyObject *closed(Floor *self, uint64_t now)
{
    self->total += now - self->opened;
    self->closed++;
    self->failed += !(self->recorded && holds(self, self->value));
    Py_RETURN_NONE;
}

#define SPAN(CLOCK)                                                                               \
    static PyObject *enter_##CLOCK(Floor *self, PyObject *ignored)                                \
    {                                                                                             \
        (void)ignored;                                                                            \
        self->recorded = 0;                                                                       \
        self->opened = CLOCK();                                                                   \
        return Py_NewRef(self);                                                                   \
    }                                                                                             \
    static PyObject *exit_##CLOCK(Floor *self, PyObject *const *args, Py_ssize_t nargs)           \
    {                                                                                             \
        (void)args, (void)nargs;                                                                  \
        return closed(self, CLOCK());                                                             \
    }
SPAN(ticks)
SPAN(clock_ns)

static PyObject *start(Floor *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)args, (void)nargs;
    self->opened = ticks();
    Py_RETURN_NONE;
}

static PyObject *stop(Floor *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)args, (void)nargs;
    self->total += ticks() - self->opened;
    self->closed++;
    Py_RETURN_NONE;
}

static PyObject *check(Floor *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    self->recorded = 0;
    if (keep(self, args, nargs, names) < 0)
        return NULL;
    return PyBool_FromLong(self->recorded && holds(self, self->value));
}

static PyObject *check_one(Floor *self, PyObject *object)
{
    double value;
    if (number(object, &value) < 0)
        return NULL;
    return PyBool_FromLong(holds(self, value));
}

static PyObject *check_fast(Floor *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 1)
        return PyErr_Format(PyExc_TypeError, "one value");
    return check_one(self, args[0]);
}

/* Calling a span yields it; calling a wrapper calls its function and checks what that returns. */
static PyObject *call(PyObject *object, PyObject *const *args, size_t flags, PyObject *names)
{
    Floor *self = (Floor *)object;
    if (!self->function)
        return Py_NewRef(object);
    PyObject *result = PyObject_Vectorcall(self->function, args, flags, names);
    double value;
    if (!result || number(result, &value) < 0) {
        Py_XDECREF(result);
        return NULL;
    }
    self->failed += !holds(self, value);
    return result;
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *ignored)
{
    (void)ignored;
    const char *field;
    double low, high;
    PyObject *function = NULL;
    if (!PyArg_ParseTuple(args, "sdd|O", &field, &low, &high, &function))
        return NULL;
    Floor *self = PyObject_New(Floor, type);
    if (!self)
        return NULL;
    self->vectorcall = call;
    self->field = PyUnicode_InternFromString(field);
    self->function = Py_XNewRef(function);
    self->low = low;
    self->high = high;
    self->recorded = 0;
    self->opened = self->total = self->closed = self->failed = 0;
    return (PyObject *)self;
}

static void drop(Floor *self)
{
    Py_XDECREF(self->field);
    Py_XDECREF(self->function);
    PyObject_Free(self);
}

static PyObject *failures(Floor *self, void *ignored)
{
    (void)ignored;
    return PyLong_FromUnsignedLongLong(self->failed);
}

#define METHOD(NAME, FUNCTION, FLAGS) {NAME, (PyCFunction)(void (*)(void))FUNCTION, FLAGS, NULL}
#define METHODS(ENTER, EXIT)                                                                      \
    {METHOD("__enter__", ENTER, METH_NOARGS), METHOD("__exit__", EXIT, METH_FASTCALL),            \
     METHOD("record", record, METH_FASTCALL | METH_KEYWORDS),                                     \
     METHOD("check", check, METH_FASTCALL | METH_KEYWORDS), METHOD("check_one", check_one, METH_O),\
     METHOD("check_fast", check_fast, METH_FASTCALL), METHOD("start", start, METH_FASTCALL),      \
     METHOD("stop", stop, METH_FASTCALL), {NULL, NULL, 0, NULL}}
static PyMethodDef empty_methods[] = METHODS(itself, nothing);
static PyMethodDef ticks_methods[] = METHODS(enter_ticks, exit_ticks);
static PyMethodDef clock_methods[] = METHODS(enter_clock_ns, exit_clock_ns);
static PyGetSetDef attributes[] = {{"failed", (getter)failures, NULL, NULL, NULL},
                                   {NULL, NULL, NULL, NULL, NULL}};

#define TYPE(NAME, METHODS_)                                                                      \
    {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "span_floor." NAME, .tp_basicsize = sizeof(Floor),  \
     .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, .tp_methods = METHODS_,         \
     .tp_getset = attributes, .tp_new = make, .tp_dealloc = (destructor)drop,                     \
     .tp_call = PyVectorcall_Call, .tp_vectorcall_offset = offsetof(Floor, vectorcall)}
static PyTypeObject types[] = {TYPE("Empty", empty_methods), TYPE("Ticks", ticks_methods),
                               TYPE("Clock", clock_methods)};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "span_floor", NULL, -1, NULL,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_span_floor(void)
{
    PyObject *module = PyModule_Create(&definition);
    for (size_t i = 0; module && i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, &types[i]) < 0)
            Py_CLEAR(module);
    return module;
}
