/* The type PassEnd: decides at the end of a pass, in one call, whether its logits, a few outputs
   of one product and the KV cache hold. Where they do not for sure, Python looks at all of it. */
#include "pass_end.h"
#include "tracing.h"

enum { LOGITS, PRODUCT, CACHE, PLANS, MOST_FIELDS = 5 };

/* What the plans may ask for, in the order in which values are handed to them here. */
static const char *const known_names[PLANS][MOST_FIELDS] = {
    {"logits", "output_norms", "hidden_norm"},
    {"cosine", "relative_error", "threshold", "max_abs_error", "block_max"},
    {"used", "capacity", "nonfinite", "guard_writes"},
};

typedef struct {
    PyObject_HEAD
    PyObject *head;                    /* the brick that makes logits */
    tp_layer_state *layer;
    PyObject *plans[PLANS];            /* NULL: nothing is tested */
    uint64_t conditions[PLANS];
    uint8_t fields[PLANS][MOST_FIELDS]; /* which of the values each field of a plan is */
    Py_ssize_t top_k;                  /* 0: nothing is wanted of the logits */
    double threshold;
} pass_end;

typedef struct {
    PyObject *object;
    tp_view view;
} row;

static PyObject *str_x, *str_norms;

/* An array of one row as a vector. */
static bool flatten(tp_view *view)
{
    const int last = view->ndim - 1;
    if (last < 0 || view->size == 0 || view->size != view->shape[last]) return false;
    view->shape[0] = view->shape[last];
    view->strides[0] = view->strides[last];
    view->ndim = 1;
    return true;
}

/* A vector, or the last of the rows of an array; false, with or without an error, where Python has
   to look. */
static bool take_row(PyObject *array, row *to)
{
    if (array == NULL || !tp_view_of(array, &to->view)) return false;
    to->object = Py_NewRef(array);
    if (flatten(&to->view)) return true;
    tp_view_release(&to->view);
    Py_SETREF(to->object, PySequence_GetItem(array, -1));
    if (to->object == NULL) return false;
    bool is_known = tp_view_of(to->object, &to->view);
    if (is_known && to->view.ndim == 1) return true;
    if (is_known) tp_view_release(&to->view);
    Py_CLEAR(to->object);
    return false;
}

static void drop_row(row *held)
{
    tp_view_release(&held->view);
    Py_DECREF(held->object);
}

static bool holds(const pass_end *self, int plan, PyObject *const *given)
{
    PyObject *values[MOST_FIELDS];
    if (self->plans[plan] == NULL) return true;
    Py_ssize_t count = tp_plan_field_count(self->plans[plan]);
    for (Py_ssize_t i = 0; i < count; i++) values[i] = given[self->fields[plan][i]];
    return tp_plan_run(self->plans[plan], values, NULL) == TP_HOLDS;
}

/* The norm of a hidden state, which an engine may know already. */
static bool find_norm(PyObject *of, double *norm)
{
    row hidden;
    if (of != NULL && PyFloat_CheckExact(of)) {
        *norm = PyFloat_AS_DOUBLE(of);
        return true;
    }
    if (!take_row(of, &hidden)) return false;
    tp_rows(TP_ROW_NORMS, &hidden.view, NULL, norm);
    drop_row(&hidden);
    return true;
}

/* Tuples of the ids of the largest and of these logits; 0, or -1. */
static int name_largest(const tp_view *logits, const Py_ssize_t *largest, Py_ssize_t k,
                        PyObject **ids, PyObject **values)
{
    *ids = PyTuple_New(k);
    *values = PyTuple_New(k);
    for (Py_ssize_t i = 0; *ids != NULL && *values != NULL && i < k; i++) {
        float value; /* tp_winners takes no other */
        memcpy(&value, logits->data + largest[i] * logits->strides[0], sizeof value);
        PyObject *id = PyLong_FromSsize_t(largest[i]), *number = PyFloat_FromDouble(value);
        if (id == NULL || number == NULL) {
            Py_XDECREF(id);
            Py_XDECREF(number);
            break;
        }
        PyTuple_SET_ITEM(*ids, i, id);
        PyTuple_SET_ITEM(*values, i, number);
    }
    if (!PyErr_Occurred()) return 0;
    Py_CLEAR(*ids);
    Py_CLEAR(*values);
    return -1;
}

/* (row, ids of the largest, largest share of its bound, L2 norm of the hidden state, the largest),
   or NULL. */
static PyObject *look_at_logits(const pass_end *self, PyObject *ret, PyObject *norms,
                                PyObject *hidden)
{
    row logits;
    double norm, share;
    Py_ssize_t largest[TP_MOST_LARGEST];
    PyObject *found = NULL;
    if (norms == NULL || !find_norm(hidden, &norm)) return NULL;
    if (!(norm > 0) || !take_row(ret, &logits)) return NULL;
    Py_ssize_t k = self->top_k < logits.view.size ? self->top_k : logits.view.size;
    tp_view bounds;
    if (tp_view_of(norms, &bounds)) {
        PyObject *number = PyFloat_FromDouble(norm), *ids, *values;
        PyObject *const given[MOST_FIELDS] = {logits.object, norms, number};
        if (number != NULL && holds(self, LOGITS, given)
            && tp_winners(&logits.view, &bounds, k, largest, &share)
            && name_largest(&logits.view, largest, k, &ids, &values) == 0)
            found = Py_BuildValue("ONdON", logits.object, ids, share / norm, number, values);
        Py_XDECREF(number);
        tp_view_release(&bounds);
    }
    drop_row(&logits);
    return found;
}

/* Some elements of a view of one axis. */
static bool cut(tp_view *view, Py_ssize_t start, Py_ssize_t count)
{
    if (start < 0 || count < 1 || start > view->size - count) return false;
    view->data += start * view->strides[0];
    view->size = view->shape[0] = count;
    return true;
}

/* The figures of ErrorStats, or NULL. `sample` is (some rows of the weight, index of the first). */
static PyObject *look_at_product(const pass_end *self, PyObject *sample, PyObject *inputs,
                                 PyObject *ret)
{
    PyObject *rows;
    Py_ssize_t first;
    if (!PyArg_ParseTuple(sample, "On", &rows, &first)) return NULL;
    row x, value;
    tp_view weight;
    tp_error error;
    if (!take_row(PyDict_GetItemWithError(inputs, str_x), &x)) return NULL;
    bool fits = take_row(ret, &value);
    if (fits) {
        bool is_known = tp_view_of(rows, &weight);
        fits = is_known && weight.ndim == 2 && cut(&value.view, first, weight.shape[0])
               && tp_product_error(&weight, &x.view, &value.view, NULL, &error);
        if (is_known) tp_view_release(&weight);
        drop_row(&value);
    }
    drop_row(&x);
    if (!fits) return NULL;
    const double numbers[MOST_FIELDS] = {error.cosine, error.relative_error, self->threshold,
                                         error.max_abs_error, error.block_max};
    PyObject *given[MOST_FIELDS] = {NULL};
    for (int i = 0; i < MOST_FIELDS; i++)
        if ((given[i] = PyFloat_FromDouble(numbers[i])) == NULL) fits = false;
    fits = fits && holds(self, PRODUCT, given);
    for (int i = 0; i < MOST_FIELDS; i++) Py_XDECREF(given[i]);
    return fits ? tp_error_figures(&error) : NULL;
}

/* `cache` is (keys, values, layer, used, capacity, nonfinite, guard_writes); keys and values are
   None where others look at them. */
static bool look_at_cache(const pass_end *self, PyObject *cache)
{
    PyObject *of[7];
    if (!PyArg_ParseTuple(cache, "OOOOOOO", &of[0], &of[1], &of[2], &of[3], &of[4], &of[5], &of[6]))
        return false;
    Py_ssize_t layer = PyLong_AsSsize_t(of[2]), used = PyLong_AsSsize_t(of[3]);
    Py_ssize_t capacity = PyLong_AsSsize_t(of[4]);
    if (PyErr_Occurred()) return false;
    if (of[0] != Py_None && !tp_held_is_clean(of[0], of[1], layer, used, capacity)) return false;
    return holds(self, CACHE, &of[3]);
}

/* look(later, sample or None, cache or None) -> (logits or None, error or None), or None where
   Python has to look */
static PyObject *pass_end_look(pass_end *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 3 || !PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "look(list, sample or None, cache or None)");
        return NULL;
    }
    PyObject *logits = NULL, *product = NULL;
    bool is_decided = arguments[2] == Py_None || look_at_cache(self, arguments[2]);
    for (Py_ssize_t i = 0; is_decided && i < PyList_GET_SIZE(arguments[0]); i++) {
        PyObject *brick, *layer, *inputs, *ret;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(arguments[0], i), "UOO!O", &brick, &layer,
                              &PyDict_Type, &inputs, &ret)) {
            is_decided = false;
        } else if (PyUnicode_Compare(brick, self->head) == 0) {
            if (self->top_k == 0) continue;
            PyObject *norms = PyDict_GetItemWithError(inputs, str_norms);
            PyObject *x = PyDict_GetItemWithError(inputs, str_x);
            is_decided = logits == NULL
                         && (logits = look_at_logits(self, ret, norms, x)) != NULL;
        } else if (arguments[1] != Py_None) {
            is_decided = product == NULL
                         && (product = look_at_product(self, arguments[1], inputs, ret)) != NULL;
        }
    }
    if (!is_decided) {
        PyErr_Clear(); /* Python meets the same error again, and says so */
        Py_XDECREF(logits);
        Py_XDECREF(product);
        Py_RETURN_NONE;
    }
    const bool is_tested[PLANS] = {logits != NULL, product != NULL, arguments[2] != Py_None};
    for (int i = 0; i < PLANS; i++)
        if (is_tested[i]) self->layer->checks += self->conditions[i];
    return Py_BuildValue("NN", logits ? logits : Py_NewRef(Py_None),
                         product ? product : Py_NewRef(Py_None));
}

/* holds(logits or None, cache or None, zeros) -> logits, or True where none were given; None where
   Python has to look. Logits are (values, norms of rows, hidden state or its norm, …), the cache is
   (used, capacity, …), and `zeros` are what is strange in each of its layers. */
static PyObject *pass_end_holds(pass_end *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 3 || (arguments[0] != Py_None && !PyTuple_Check(arguments[0]))
        || (arguments[1] != Py_None && !PyTuple_Check(arguments[1]))) {
        PyErr_SetString(PyExc_TypeError, "holds(logits or None, cache or None, zeros)");
        return NULL;
    }
    PyObject *top = arguments[0], *cache = arguments[1], *logits = NULL;
    bool is_decided = true;
    if (cache != Py_None) {
        is_decided = PyTuple_GET_SIZE(cache) >= 2;
        if (is_decided) {
            PyObject *const given[MOST_FIELDS] = {PyTuple_GET_ITEM(cache, 0),
                                                  PyTuple_GET_ITEM(cache, 1), arguments[2],
                                                  arguments[2]};
            is_decided = holds(self, CACHE, given);
        }
    }
    if (is_decided && top != Py_None && self->top_k > 0) {
        if (PyTuple_GET_SIZE(top) >= 3)
            logits = look_at_logits(self, PyTuple_GET_ITEM(top, 0), PyTuple_GET_ITEM(top, 1),
                                    PyTuple_GET_ITEM(top, 2));
        is_decided = logits != NULL;
    }
    if (!is_decided) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    if (logits != NULL) self->layer->checks += self->conditions[LOGITS];
    if (cache != Py_None) self->layer->checks += self->conditions[CACHE];
    return logits != NULL ? logits : Py_NewRef(Py_True);
}

/* -- the type -------------------------------------------------------------------------------- */

static int learn(pass_end *self, int which, PyObject *plan, uint64_t conditions)
{
    self->conditions[which] = conditions;
    if (plan == Py_None) return 0;
    if (!Py_IS_TYPE(plan, tp_plan_type) || tp_plan_field_count(plan) > MOST_FIELDS) {
        PyErr_SetString(PyExc_TypeError, "not a native plan of a few fields");
        return -1;
    }
    PyObject *const *names = tp_plan_field_names(plan);
    for (Py_ssize_t i = 0; i < tp_plan_field_count(plan); i++) {
        uint8_t at = 0;
        while (at < MOST_FIELDS && known_names[which][at] != NULL
               && PyUnicode_CompareWithASCIIString(names[i], known_names[which][at]) != 0)
            at++;
        if (at == MOST_FIELDS || known_names[which][at] == NULL) {
            PyErr_Format(PyExc_ValueError, "no field %R is known at the end of a pass", names[i]);
            return -1;
        }
        self->fields[which][i] = at;
    }
    self->plans[which] = Py_NewRef(plan);
    return 0;
}

static int pass_end_init(pass_end *self, PyObject *arguments, PyObject *options)
{
    PyObject *layer, *head, *plans[PLANS];
    Py_ssize_t top_k;
    double threshold;
    unsigned long long conditions[PLANS];
    if (self->head != NULL) {
        PyErr_SetString(PyExc_TypeError, "made already");
        return -1;
    }
    if (!PyArg_ParseTuple(arguments, "O!Un(OOO)(KKK)d", &tp_layer_state_type, &layer, &head, &top_k,
                          &plans[0], &plans[1], &plans[2], &conditions[0], &conditions[1],
                          &conditions[2], &threshold))
        return -1;
    for (int i = 0; i < PLANS; i++)
        if (learn(self, i, plans[i], conditions[i]) < 0) return -1;
    self->layer = (tp_layer_state *)Py_NewRef(layer);
    self->head = Py_NewRef(head);
    self->top_k = top_k;
    self->threshold = threshold;
    return 0;
}

static void pass_end_dealloc(pass_end *self)
{
    Py_XDECREF(self->layer);
    Py_XDECREF(self->head);
    for (int i = 0; i < PLANS; i++) Py_XDECREF(self->plans[i]);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef pass_end_methods[] = {
    {"look", (PyCFunction)(void (*)(void))pass_end_look, METH_FASTCALL,
     "What was found of logits and product where all holds; None where Python has to look."},
    {"holds", (PyCFunction)(void (*)(void))pass_end_holds, METH_FASTCALL,
     "What was found of logits, or True, where logits and cache hold; else None."},
    {NULL},
};

static PyTypeObject pass_end_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracepact.core._native.PassEnd",
    .tp_doc = "PassEnd(layer's state, head, top k, plans of logits, product and cache, conditions "
              "of each, threshold of a product)",
    .tp_basicsize = sizeof(pass_end),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)pass_end_init,
    .tp_dealloc = (destructor)pass_end_dealloc,
    .tp_methods = pass_end_methods,
};

int tp_add_pass_end(PyObject *module)
{
    if (!(str_x = PyUnicode_InternFromString("x"))
        || !(str_norms = PyUnicode_InternFromString("output_row_norms")))
        return -1;
    return PyModule_AddType(module, &pass_end_type);
}
