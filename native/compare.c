/* How far a few numbers are from their reference; large arrays are NumPy's. */
#include "measure.h"
#include "pass_end.h"

#include <math.h>

/* BLOCK as in tracepact.core.compare. */
enum { MOST = 4096, STRIP = 256, BLOCK = 32, MOST_ROWS = 256 };

typedef struct {
    double signal, power, product, error; /* sums of squares and of products */
    double largest;                       /* distance; NaN if there is one */
    Py_ssize_t worst;                     /* the first element that has it */
} distances;

static void add_strip(const double *a, const double *b, Py_ssize_t n, Py_ssize_t seen,
                      distances *to)
{
    double signal = 0, power = 0, product = 0, error = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        double difference = b[i] - a[i], distance = fabs(difference);
        signal += a[i] * a[i];
        power += b[i] * b[i];
        product += a[i] * b[i];
        error += difference * difference;
        if (TP_UNLIKELY(!(distance <= to->largest)) && to->largest == to->largest) {
            to->largest = distance;
            to->worst = seen + i;
        }
    }
    to->signal += signal;
    to->power += power;
    to->product += product;
    to->error += error;
}

static bool fit_together(const tp_view *a, const tp_view *b)
{
    bool same = a->ndim == b->ndim && a->contiguous && b->contiguous;
    for (int axis = 0; same && axis < a->ndim; axis++) same = a->shape[axis] == b->shape[axis];
    return same && a->size > 0 && a->size <= MOST;
}

/* Largest |element| of the block that holds the worst one; NaN wins. */
static double block_maximum(const tp_view *reference, Py_ssize_t worst)
{
    double block[BLOCK], most = 0;
    const Py_ssize_t start = worst / BLOCK * BLOCK;
    const Py_ssize_t n = reference->size - start < BLOCK ? reference->size - start : BLOCK;
    tp_load(reference->dtype, reference->data + start * reference->itemsize, reference->itemsize,
            n, block);
    for (Py_ssize_t i = 0; i < n; i++)
        if (!(fabs(block[i]) <= most) && most == most) most = fabs(block[i]);
    return most;
}

/* As ErrorStats of tracepact.core.compare, which says what the figures mean. */
static void describe(const tp_view *reference, const distances *found, tp_error *to)
{
    const double norms = sqrt(found->signal) * sqrt(found->power), error = found->error;
    const double noise = found->signal != 0 ? error / found->signal : error != 0 ? INFINITY : 0;
    *to = (tp_error){
        .mse = error / (double)reference->size,
        .max_abs_error = found->largest,
        .worst_index = found->worst,
        .cosine = norms != 0 ? found->product / norms : found->signal == found->power,
        .snr_db = noise == 0 ? INFINITY : -10 * log10(noise),
        .relative_error = sqrt(noise),
        .block_max = block_maximum(reference, found->worst),
    };
    if (error != error) to->snr_db = to->relative_error = NAN;
}

PyObject *tp_error_figures(const tp_error *error)
{
    return Py_BuildValue("ddndddd", error->mse, error->max_abs_error, error->worst_index,
                         error->cosine, error->snr_db, error->relative_error, error->block_max);
}

static void find_error(const tp_view *first, const tp_view *second, tp_error *error)
{
    double a[STRIP], b[STRIP];
    distances found = {.largest = -1};
    for (Py_ssize_t start = 0; start < first->size; start += STRIP) {
        Py_ssize_t n = first->size - start < STRIP ? first->size - start : STRIP;
        tp_load(first->dtype, first->data + start * first->itemsize, first->itemsize, n, a);
        tp_load(second->dtype, second->data + start * second->itemsize, second->itemsize, n, b);
        add_strip(a, b, n, start, &found);
    }
    describe(first, &found, error);
}

static PyObject *compare(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "compare(reference, value)");
        return NULL;
    }
    tp_view a, b;
    if (!tp_view_of(arguments[0], &a)) Py_RETURN_NONE;
    if (!tp_view_of(arguments[1], &b)) {
        tp_view_release(&a);
        Py_RETURN_NONE;
    }
    tp_error error;
    bool fits = fit_together(&a, &b);
    if (fits) find_error(&a, &b, &error);
    tp_view_release(&a);
    tp_view_release(&b);
    return fits ? tp_error_figures(&error) : Py_NewRef(Py_None);
}

static bool is_vector(const tp_view *view, Py_ssize_t n)
{
    return view->dtype == TP_F32 && view->ndim == 1 && view->contiguous && view->size == n;
}

/* weight [rows, n], x [n], value and bias [rows], all float32; false where Python has to look. */
static bool product_of(const tp_view *weight, const tp_view *x, const tp_view *value,
                       const tp_view *bias, double *product)
{
    if (weight->dtype != TP_F32 || weight->ndim != 2 || !weight->contiguous) return false;
    const Py_ssize_t rows = weight->shape[0], n = weight->shape[1];
    if (rows < 1 || rows > MOST_ROWS || !is_vector(x, n) || !is_vector(value, rows)
        || (bias != NULL && !is_vector(bias, rows)))
        return false;
    for (Py_ssize_t i = 0; i < rows; i++)
        product[i] = tp_kernels_in_use->f32_dot(weight->data + i * n * 4, x->data, n);
    if (bias == NULL) return true;
    double offsets[MOST_ROWS];
    tp_load(TP_F32, bias->data, 4, rows, offsets);
    for (Py_ssize_t i = 0; i < rows; i++) product[i] += offsets[i];
    return true;
}

bool tp_product_error(const tp_view *weight, const tp_view *x, const tp_view *value,
                      const tp_view *bias, tp_error *error)
{
    double product[MOST_ROWS];
    if (!product_of(weight, x, value, bias, product)) return false;
    const tp_view reference = {
        .data = (const char *)product, .size = value->size, .shape = {value->size},
        .strides = {8}, .ndim = 1, .itemsize = 8, .dtype = TP_F64, .contiguous = true,
    };
    find_error(&reference, value, error);
    return true;
}

static PyObject *compare_product(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "compare_product(weight, x, value, bias or None)");
        return NULL;
    }
    tp_view views[4];
    tp_error error;
    const int wanted = arguments[3] == Py_None ? 3 : 4;
    int known = 0;
    while (known < wanted && tp_view_of(arguments[known], &views[known])) known++;
    bool fits = known == wanted
                && tp_product_error(&views[0], &views[1], &views[2],
                                    wanted == 4 ? &views[3] : NULL, &error);
    while (known > 0) tp_view_release(&views[--known]);
    return fits ? tp_error_figures(&error) : Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"compare", (PyCFunction)(void (*)(void))compare, METH_FASTCALL,
     "ErrorStats of two small contiguous arrays of one shape; None where Python has to look."},
    {"compare_product", (PyCFunction)(void (*)(void))compare_product, METH_FASTCALL,
     "The same of weight @ x + bias and a value, float32; None where Python has to look."},
    {NULL},
};

int tp_add_compare(PyObject *module) { return PyModule_AddFunctions(module, functions); }
