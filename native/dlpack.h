#ifndef TRACEPACT_DLPACK_H
#define TRACEPACT_DLPACK_H

#include "tracepact.h"

/* How objects of a type say where they lie, for `tp_view_of_dlpack`; NULL where they do not. */
const void *tp_dlpack_of(PyTypeObject *type);
/* Whether it lies in the host's memory and its numbers are known; no error is left set. */
bool tp_view_of_dlpack(const void *how, PyObject *value, tp_view *view);

#endif
