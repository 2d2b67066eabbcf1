#ifndef TRACEPACT_DISPATCH_H
#define TRACEPACT_DISPATCH_H

#include "measure.h"

enum { TP_ISAS = 3 };
/* Best first; returns how many. */
Py_ssize_t tp_kernels_usable(const tp_kernels *list[TP_ISAS]);

#endif
