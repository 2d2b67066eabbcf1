/* What watching every operation of a decoded token takes at least: two clock reads around each
   kernel and one look at every element of its result, with no contract, no record and no name. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <numpy/arrayobject.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
static uint64_t ticks(void) { return __rdtsc(); }
#else
#include <time.h>
static uint64_t ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#endif

typedef struct {
    PyObject_HEAD
    uint64_t spent, strange;
} probe;

/* Elements whose exponent says NaN or Inf; the compiler makes vectors of it. */
static uint64_t count_strange(const uint32_t *x, npy_intp n)
{
    uint32_t found = 0;
    for (npy_intp i = 0; i < n; i++) found += (x[i] & 0x7f800000u) == 0x7f800000u;
    return found;
}

static void look(probe *self, PyObject *value)
{
    if (!PyArray_CheckExact(value)) return;
    PyArrayObject *array = (PyArrayObject *)value;
    if (PyArray_TYPE(array) != NPY_FLOAT || !PyArray_IS_C_CONTIGUOUS(array)) return;
    self->strange += count_strange(PyArray_DATA(array), PyArray_SIZE(array));
}

static PyObject *run(probe *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "run(brick, layer, kernel, **inputs)");
        return NULL;
    }
    uint64_t start = ticks();
    PyObject *ret = PyObject_Vectorcall(arguments[2], arguments + 3, 0, names);
    self->spent += ticks() - start;
    if (ret != NULL) look(self, ret);
    return ret;
}

static PyObject *residual(probe *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count == 3) look(self, arguments[2]);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"residual", (PyCFunction)(void (*)(void))residual, METH_FASTCALL, NULL},
    {NULL},
};

static PyTypeObject probe_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "decode_floor.Probe",
    .tp_basicsize = sizeof(probe),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
    .tp_methods = methods,
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "decode_floor", NULL, -1, NULL};

PyMODINIT_FUNC PyInit_decode_floor(void)
{
    import_array();
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &probe_type) < 0) return NULL;
    return module;
}
