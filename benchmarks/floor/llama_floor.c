/* What looking at a graph of llama.cpp takes at least: the nodes that MLT-01 and MLT-02 look at are
   asked for, and every element of them is looked at once, with no contract, no record and no name. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static Py_ssize_t name_at, ne_at, data_at;
static volatile uint64_t strange;

static bool starts(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool callback(const char *tensor, bool ask, void *user_data)
{
    (void)user_data;
    if (ask) {
        const char *name = tensor + name_at;
        return starts(name, "attn_norm-") || starts(name, "kq_soft_max") || starts(name, "attn_out-")
               || starts(name, "ffn_norm-") || starts(name, "ffn_out-") || starts(name, "node_");
    }
    const uint32_t *x;
    int64_t ne[4];
    memcpy(&x, tensor + data_at, sizeof x);
    memcpy(ne, tensor + ne_at, sizeof ne);
    const int64_t n = ne[0] * ne[1] * ne[2] * ne[3];
    uint32_t found = 0;
    for (int64_t i = 0; i < n; i++) found += (x[i] & 0x7f800000u) == 0x7f800000u;
    strange += found;
    return true;
}

/* address(offset of the name, of the sizes, of the data) */
static PyObject *address(PyObject *module, PyObject *offsets)
{
    (void)module;
    if (!PyArg_ParseTuple(offsets, "nnn", &name_at, &ne_at, &data_at)) return NULL;
    return PyLong_FromVoidPtr((void *)(uintptr_t)callback);
}

static PyMethodDef methods[] = {
    {"address", address, METH_VARARGS, "Of the callback."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "llama_floor", .m_size = -1, .m_methods = methods,
};

PyMODINIT_FUNC PyInit_llama_floor(void) { return PyModule_Create(&definition); }
