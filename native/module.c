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
    static int (*const parts[])(PyObject *) = {
        tp_add_clock, tp_add_measure, tp_add_largest, tp_add_compare, tp_add_held,
        tp_add_written, tp_add_plan, tp_add_tracing, tp_add_timer, tp_add_probe, tp_add_hook,
        tp_add_module_call, tp_add_pass_end, tp_add_llama,
    };
    PyObject *module = PyModule_Create(&definition);
    for (size_t i = 0; module != NULL && i < sizeof parts / sizeof *parts; i++)
        if (parts[i](module) < 0) Py_CLEAR(module);
    return module;
}
