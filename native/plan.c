/* The type `Plan`: what Python sees of compiled conditions. */
#include "plan.h"

PyTypeObject *tp_plan_type;

Py_ssize_t tp_plan_field_count(PyObject *plan) { return ((tp_plan *)plan)->field_count; }

PyObject *const *tp_plan_field_names(PyObject *plan)
{
    return &PyTuple_GET_ITEM(((tp_plan *)plan)->fields, 0);
}

static PyObject *plan_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"fields", "steps", "intervals", "tests", "scalars", "tolerances", NULL};
    PyObject *parts[TP_PLAN_PARTS];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOOOO", names, &parts[0], &parts[1],
                                     &parts[2], &parts[3], &parts[4], &parts[5]))
        return NULL;
    tp_plan *plan = (tp_plan *)type->tp_alloc(type, 0);
    if (plan != NULL && tp_plan_parse(plan, parts) < 0) Py_CLEAR(plan);
    return (PyObject *)plan;
}

static void plan_dealloc(PyObject *self)
{
    tp_plan *plan = (tp_plan *)self;
    PyTypeObject *type = Py_TYPE(self);
    for (int i = 0; plan->steps != NULL && i < plan->step_count; i++) {
        tp_step *step = &plan->steps[i];
        if (step->kind != TP_STEP_PASS || step->pass == NULL) continue;
        PyMem_Free(step->pass->program.nodes);
        PyMem_Free(step->pass);
    }
    PyMem_Free(plan->steps);
    PyMem_Free(plan->intervals);
    PyMem_Free(plan->tests.nodes);
    PyMem_Free(plan->outcomes);
    PyMem_Free(plan->limits);
    Py_XDECREF(plan->fields);
    type->tp_free(self);
    Py_DECREF(type);
}

static int check_count(const tp_plan *plan, Py_ssize_t given)
{
    if (given == plan->field_count) return 0;
    PyErr_Format(PyExc_TypeError, "the plan has %d fields, given %zd values", plan->field_count,
                 given);
    return -1;
}

static PyObject *verdict_of(int verdict)
{
    if (verdict == TP_UNKNOWN) Py_RETURN_NONE;
    return PyBool_FromLong(verdict == TP_HOLDS);
}

static PyObject *plan_run(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    if (check_count((tp_plan *)self, count) < 0) return NULL;
    return verdict_of(tp_plan_run(self, values, NULL));
}

static PyObject *plan_value(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    const tp_plan *plan = (tp_plan *)self;
    double value;
    if (check_count(plan, count) < 0) return NULL;
    if (plan->outcome_count != 1 || plan->interval_count != 0) Py_RETURN_NONE;
    if (tp_plan_compute(plan, values, &value) != TP_HOLDS) Py_RETURN_NONE;
    return PyFloat_FromDouble(value);
}

/* (count, NaN, +Inf, -Inf, min, max, sum, groups measured) of one field. */
static PyObject *summary(const tp_stats *s)
{
    return Py_BuildValue("(LLLLdddI)", (long long)s->count, (long long)s->nan_count,
                         (long long)s->posinf_count, (long long)s->neginf_count, s->min, s->max,
                         s->sum, s->measured);
}

static PyObject *plan_statistics(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    tp_stats stats[TP_MAX_FIELDS];
    if (check_count((tp_plan *)self, count) < 0) return NULL;
    if (tp_plan_run(self, values, stats) != TP_HOLDS) Py_RETURN_NONE;
    PyObject *list = PyTuple_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = stats[i].measured ? summary(&stats[i]) : Py_NewRef(Py_None);
        if (item == NULL) Py_CLEAR(list);
        else PyTuple_SET_ITEM(list, i, item);
    }
    return list;
}

static PyObject *plan_fields(PyObject *self, void *closure)
{
    return Py_NewRef(((tp_plan *)self)->fields);
}

PyDoc_STRVAR(plan_doc,
"Plan(fields, steps, intervals, tests, scalars, tolerances)\n--\n\n"
"A plan that tracepact.predicate.native_plan has written down.");
PyDoc_STRVAR(run_doc,
"run(*values)\n--\n\n"
"True if every condition holds, False if not, None where Python has to look.");
PyDoc_STRVAR(value_doc,
"value(*values)\n--\n\n"
"The number that the only expression of the plan yields; None where Python has to look.");
PyDoc_STRVAR(statistics_doc,
"statistics(*values)\n--\n\n"
"For each field (count, NaN, +Inf, -Inf, min, max, sum, groups) or None; None unless all holds.");

static PyMethodDef plan_methods[] = {
    {"run", (PyCFunction)(void (*)(void))plan_run, METH_FASTCALL, run_doc},
    {"value", (PyCFunction)(void (*)(void))plan_value, METH_FASTCALL, value_doc},
    {"statistics", (PyCFunction)(void (*)(void))plan_statistics, METH_FASTCALL, statistics_doc},
    {NULL},
};
static PyGetSetDef plan_attributes[] = {
    {"fields", plan_fields, NULL, "Names of the values that `run` takes.", NULL},
    {NULL},
};
static PyType_Slot plan_slots[] = {
    {Py_tp_new, plan_new},         {Py_tp_dealloc, plan_dealloc},    {Py_tp_methods, plan_methods},
    {Py_tp_getset, plan_attributes}, {Py_tp_doc, (void *)plan_doc}, {0, NULL},
};
static PyType_Spec plan_spec = {
    .name = "tracepact.core._native.Plan",
    .basicsize = sizeof(tp_plan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = plan_slots,
};

int tp_add_plan(PyObject *module)
{
    if (tp_plan_run_init() < 0) return -1;
    PyObject *type = PyType_FromModuleAndSpec(module, &plan_spec, NULL);
    if (type == NULL) return -1;
    tp_plan_type = (PyTypeObject *)type;
    return PyModule_AddType(module, tp_plan_type);
}
