/* The extension module `tracepact.core._native`. */
#include "tracepact.h"

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tracepact.core._native",
    .m_doc = "The native core: measuring, plans, spans and timers in C.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    if (tp_add_clock(module) < 0 || tp_add_measure(module) < 0 || tp_add_timer(module) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
