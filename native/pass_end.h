/* What is looked at once a pass: the logits, a few outputs of a product, the KV cache. */
#ifndef TRACEPACT_PASS_END_H
#define TRACEPACT_PASS_END_H

#include "tracepact.h"

/* compare.c; as tracepact.core.ErrorStats. */
typedef struct {
    double mse, max_abs_error;
    Py_ssize_t worst_index;
    double cosine, snr_db, relative_error, block_max;
} tp_error;

/* weight [rows, n] @ x [n] + bias [rows] (NULL: none) against value [rows], all float32; false
   where Python has to look. Needs no GIL. */
bool tp_product_error(const tp_view *weight, const tp_view *x, const tp_view *value,
                      const tp_view *bias, tp_error *error);
/* The figures as a tuple, in the order of ErrorStats; NULL with MemoryError. */
PyObject *tp_error_figures(const tp_error *error);

/* largest.c; indices of the k largest and max |value / bound| of float32 vectors, false where
   Python has to look. Needs no GIL. */
enum { TP_MOST_LARGEST = 64 };
bool tp_winners(const tp_view *view, const tp_view *bounds, Py_ssize_t k, Py_ssize_t *indices,
                double *share);

/* held.c; false where Python has to look. */
bool tp_held_is_clean(PyObject *keys, PyObject *values, Py_ssize_t layer, Py_ssize_t used,
                      Py_ssize_t capacity);

#endif
